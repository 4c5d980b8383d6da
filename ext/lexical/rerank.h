/*
 * rerank.h: how well a document answers a query, from their words.
 *
 * A vector forgets which words stood where. The reranker reads both texts and adds up, each in
 * [0, 1]:
 *   bm25        BM25 of the query's terms (k1 1.2, b 0.75) over what a document could reach at
 *               most (Robertson, Zaragoza, "The probabilistic relevance framework: BM25 and
 *               beyond", 2009)
 *   coverage    the share of the query's terms that the document has, weighed by idf
 *   proximity   how near neighbouring query terms stand in the document (after Rasolofo, Savoy,
 *               "Term proximity scoring for keyword-based retrieval systems", ECIR 2003)
 * Terms, and words that are like them: query.h.
 * With a retrieval similarity the score is a mix of both: RERANK_SIMILARITY_WEIGHT of it is the
 * similarity.
 *
 * Document frequencies are those of the collection, or, without one, of the candidates, smoothed so
 * that a single document still has a meaningful score. Scores are in [0, 1], comparable between
 * calls that have the same statistics.
 */
#ifndef LEXICAL_RERANK_H
#define LEXICAL_RERANK_H

#include "lexical/statistics.h"
#include "model/model.h"
#include "text/words.h"

#define RERANK_SIMILARITY_WEIGHT 0.65

/* scores: [n_documents]. statistics: NULL for those of the candidates. ERROR_NOMEM,
 * ERROR_INTERRUPTED. */
int lexical_rerank(const struct lexical_statistics *statistics, enum words_rules rules,
                   const struct model_candidates *candidates, double *scores, struct error *err);

#endif
