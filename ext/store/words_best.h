/*
 * words_best.h: the k best documents by BM25, without looking at all.
 *
 * Each list of a walk has a most that it can add to a document. Once k documents are found, those
 * that are in such lists alone as cannot together come to the k-th best are passed over: the lists
 * of common words, which are long, are looked into only for documents that a rarer word has
 * ("MaxScore": H. Turtle, J. Flood, "Query evaluation: strategies and optimizations", 1995). How
 * long a document is costs a look into a table, so that BM25 itself is computed only of those whose
 * bound may be enough: the BM25 that the document would have if it ended with the last of the
 * query's words.
 */
#ifndef STORE_WORDS_BEST_H
#define STORE_WORDS_BEST_H

#include "store/words_candidates.h"
#include "vector/top_k.h"

/* Offers rows to `best`, which was initialised with k, with their BM25: the k best that count, and
 * perhaps others. */
int words_best_find(struct words_candidates *candidates, struct top_k *best, struct error *err);

#endif
