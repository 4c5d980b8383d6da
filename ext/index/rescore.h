/*
 * rescore.h: rows of a search one by one: candidates that codes gave, compared exactly. Internal to
 * the room.
 */
#ifndef INDEX_RESCORE_H
#define INDEX_RESCORE_H

#include <float.h>

#include "index/query.h"

/* What a bound may lack that was computed of products too small for float32. */
#define RESCORE_SMALLEST (4.0 * (double)FLT_MIN)

/* Offers the stored vector of an id, if there is one. ERROR_CORRUPT names the row. */
int rescore_fetch(const struct index_search *search, const struct index_query *query, int64_t id,
                  struct top_k *hits, struct error *err);

/* The least bound of a row that may be among the k best. */
double rescore_least_bound(const struct index_search *search, const struct index_query *query,
                           const struct top_k *hits);

/* Compares candidates exactly, best bound first, until no bound reaches the k-th best hit; *done =
 * 0 when there were no more before that. */
int rescore_all(struct index_search *search, const struct index_query *query,
                struct top_k *candidates, struct top_k *hits, int *done, struct error *err);

/* The same of those that count (query->sieve), which are asked about by groups. */
int rescore_sieved(struct index_search *search, const struct index_query *query,
                   struct top_k *candidates, struct top_k *hits, int *done, struct error *err);

#endif
