/*
 * candidates.h: the rows of a search by vectors that count: where they come from, and which of them
 * pass. What words find beside them, and what becomes of both, is sides.h's.
 *
 * Conditions on the content are asked of rows in the order of their nearness, a group at a time,
 * until there are k; of an index with codes before vectors are read, but where few meet them and
 * vectors are in memory, which gives their order. Where very few do, or the content has an index
 * for them, the rows that do are listed by the content instead, and only these are searched.
 */
#ifndef SEMANTIC_CANDIDATES_H
#define SEMANTIC_CANDIDATES_H

#include "semantic/retrieval.h"

/* The k best rows of one query that has a vector, whether they pass or not, into `ranked`, which is
 * initialised. */
int candidates_rank(struct retrieval *retrieval, const struct semantic_query *query, size_t k,
                    struct top_k *ranked, struct error *err);

/* The k best rows of each of n queries that have a vector, into `ranked`, which this initialises.
 * Of a ranking that candidates_are_unchecked() it is left to candidates_next() which pass. */
int candidates_find(struct retrieval *retrieval, const struct semantic_query *queries, size_t n,
                    size_t k, struct top_k *ranked, struct error *err);

/* Those of n ids, ascending, that have a vector within the limits, with the metric's score, into
 * `measured`, which this initialises. */
int candidates_measure(struct retrieval *retrieval, const struct semantic_query *query,
                       const int64_t *ids, size_t n, struct top_k *measured, struct error *err);

/* Whether rows that were found may have to be left out. */
int candidates_are_filtered(const struct retrieval *retrieval);

/* Whether rows of a ranking of k are asked about when they are taken, as few may be: of all
 * (SIZE_MAX), and where it is the beginning of one of all, and there are no conditions. */
int candidates_are_unchecked(const struct retrieval *retrieval, size_t k);

/* pass[i] = 1 for those of n ids, at most FILTER_GROUP, that pass. */
int candidates_pass(struct retrieval *retrieval, const int64_t *ids, size_t n, unsigned char *pass,
                    struct error *err);

/* The next group of a ranking, best first: those that pass, *n of *n_asked, into passed
 * [FILTER_GROUP]. */
int candidates_next(struct retrieval *retrieval, struct top_k *ranked, struct top_k_hit *passed,
                    size_t *n, size_t *n_asked, struct error *err);

/* Leaves of a ranking the k best that pass; *n_asked were looked at for that. */
int candidates_sift(struct retrieval *retrieval, struct top_k *ranked, size_t k, size_t *n_asked,
                    struct error *err);

/* Where there are conditions: lists the rows that meet them, and from now on only these are looked
 * at, if they are not more than `most`. Not wanted: only if an index of the content finds them. */
int candidates_list(struct retrieval *retrieval, size_t most, int is_wanted, struct error *err);

#endif
