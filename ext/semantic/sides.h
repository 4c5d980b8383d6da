/*
 * sides.h: the rows of a search from both sides, words and vectors, in one ranking.
 *
 * Each side is asked for as many rows as are wanted, and for 100 at least, within the same limits:
 * the first rows are the same then for any k up to 100. A row that one side has found gets from the
 * other what that says of it, and fusion.h what comes of the two. Where the vectors give all rows
 * there are, or the query has no vector, the other side need not be asked twice.
 *
 * Phrases of a query that must match, and words that must not (store/words_search.h), hold for
 * vectors too: such a query is searched for by itself.
 */
#ifndef SEMANTIC_SIDES_H
#define SEMANTIC_SIDES_H

#include "semantic/retrieval.h"

/* Whether a query can have rows: it has a vector, or words are asked for it. */
int sides_has_any(const struct semantic_query *query);

/* How many queries, 1 to n, can be searched for together: those that can have rows, and are of one
 * kind. */
size_t sides_group(const struct semantic_query *queries, size_t n);

/* The k best rows of each of such a group, into `ranked`, which this initialises, and what they are
 * fused of into the retrieval. Of all (SIZE_MAX) it may be left to candidates_next() which of them
 * pass, as candidates_find has it. */
int sides_find(struct retrieval *retrieval, const struct semantic_query *queries, size_t n,
               size_t k, struct top_k *ranked, struct error *err);

#endif
