/*
 * sieved.h: searches of which only some rows count, that are asked about (struct index_sieve).
 * Internal to the room.
 */
#ifndef INDEX_SIEVED_H
#define INDEX_SIEVED_H

#include "index/query.h"

/* As much of a search of a query with a sieve as the codes of sieve->most rows give. */
int sieved_search(struct index_search *search, const struct index_query *query, struct top_k *hits,
                  struct error *err);

#endif
