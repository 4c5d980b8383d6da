/*
 * fused_rerank.h: a finer order of rows that words and vectors found together.
 *
 * BM25 and similarity are in the order that is given, so the reranker adds only what neither of
 * them sees, each part in [0, 1]:
 *   proximity   how near neighbouring query terms stand in the document (after Rasolofo, Savoy,
 *               "Term proximity scoring for keyword-based retrieval systems", ECIR 2003)
 *   title       the share of the query's terms that the title has, the first of several columns,
 *               weighed by idf
 * A part is standardized over the documents, and moves a document by its weight, in standard
 * deviations of the fused scores, for each standard deviation of its own: a part in which all are
 * alike moves nothing, and parts count as much beside scores of any scale. So what is returned is
 * the fused score and some standard deviations at most: on the scale that was given, and
 * comparable within a call.
 *
 * Tried, and no gain beside these two: coverage of the whole document, with words that are alike
 * or rare ones more; the window of 40 words with the most terms; the best match of each piece of
 * the query by a static table; BM25 or similarity counted again.
 */
#ifndef LEXICAL_FUSED_RERANK_H
#define LEXICAL_FUSED_RERANK_H

#include "model/model.h"
#include "text/words.h"

#define FUSED_PROXIMITY 0.05
#define FUSED_TITLE 0.10

/* candidates->fused is not NULL. scores: [n_documents]. Document frequencies are those of the
 * candidates. ERROR_NOMEM, ERROR_INTERRUPTED. */
int lexical_fused_rerank(enum words_rules rules, const struct model_candidates *candidates,
                         double *scores, struct error *err);

#endif
