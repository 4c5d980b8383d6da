/*
 * fused_rerank.h: a finer order of rows that were found in one: by words and vectors together, or
 * by the vectors of a model that knows nothing of this one.
 *
 * What is given says what words, or vectors, say of a row. The reranker adds what it does not see,
 * each part in [0, 1] or a cosine:
 *   proximity   how near neighbouring query terms stand in the document (after Rasolofo, Savoy,
 *               "Term proximity scoring for keyword-based retrieval systems", ECIR 2003)
 *   title       the share of the query's terms that the title has, the first of several columns,
 *               weighed by idf
 *   window      the most that 40 words have of the query's terms, and of words like them
 *   passage     the nearest passage by the table of builtin:static (embedded/passages.h)
 *   words       BM25 of the query's terms (k1 1.2, b 0.75), where vectors alone were asked
 * A part is standardized over the documents, and moves a document by its weight, in standard
 * deviations of the given scores, for each standard deviation of its own: a part in which all are
 * alike moves nothing, and parts count as much beside scores of any scale. A term that no document
 * has is met by words like it ("bats", "batman"): a document gets the term's share, as far as its
 * word is alike, of the best given score. So what is returned is the given score and some standard
 * deviations at most: on the scale that was given, and comparable within a call.
 *
 * Tried, and no gain beside these: coverage of the whole document, with words that are alike or
 * rare ones more; words alike for terms that some document has; the best match of each piece of the
 * query by the table; the cosine of the title; adjacent words alone; BM25 or similarity counted
 * again where both are in the score.
 */
#ifndef LEXICAL_FUSED_RERANK_H
#define LEXICAL_FUSED_RERANK_H

#include "model/model.h"
#include "text/words.h"

#define FUSED_PROXIMITY 0.10
#define FUSED_TITLE 0.10
#define FUSED_WINDOW 0.15
#define FUSED_PASSAGE 0.30
#define FUSED_WORDS 0.60

/* candidates->fused, or where that is NULL candidates->similarities, is the given order. scores:
 * [n_documents]. Document frequencies are those of the candidates. ERROR_NOMEM, ERROR_INTERRUPTED.
 */
int lexical_fused_rerank(enum words_rules rules, const struct model_candidates *candidates,
                         double *scores, struct error *err);

#endif
