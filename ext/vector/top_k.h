/*
 * top_k.h: the k best of a stream of hits.
 *
 * Better is a higher score, and of equal ones the lower id; so the outcome does not depend on
 * the order of the stream. NaN is never a hit. An id offered twice is two hits.
 *
 * Up to k hits are simply collected. From then on they are a binary heap with the worst on top,
 * which a better one replaces. Taking them out turns the heap round, best on top, in O(n), and each
 * costs O(log n): the first 5 of a million need no sort of the million. (Williams, Floyd:
 * algorithms 232 and 245, CACM 1964.)
 */
#ifndef VECTOR_TOP_K_H
#define VECTOR_TOP_K_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct top_k_hit {
    int64_t id;
    double score;
};

enum top_k_order { TOP_K_AS_OFFERED, TOP_K_WORST_ON_TOP, TOP_K_BEST_ON_TOP, TOP_K_SORTED };

/* hits[0..n) may be read at any time, in an order of no meaning until top_k_sort. */
struct top_k {
    struct top_k_hit *hits; /* owned */
    size_t n, capacity, k;
    enum top_k_order order;
};

/* Empty; keeps at most k hits, SIZE_MAX for all. Allocates nothing: memory follows what is kept. */
void top_k_init(struct top_k *top, size_t k);
void top_k_deinit(struct top_k *top);

/* Room for all k hits: from then on top_k_offer allocates nothing. ERROR_NOMEM. */
int top_k_reserve(struct top_k *top, struct error *err);

/* Takes a hit in if it is among the k best so far. Not after top_k_pop or top_k_sort.
 * ERROR_NOMEM. */
int top_k_offer(struct top_k *top, int64_t id, double score, struct error *err);

/* A hit with a lower score than this will not be kept: -INFINITY until there are k, +INFINITY if k
 * is 0.
 */
double top_k_threshold(const struct top_k *top);

/* Takes out the best hit that is left: 1, or 0 when none is. Not after top_k_sort. */
int top_k_pop(struct top_k *top, struct top_k_hit *hit);

/* Puts all hits into order, hits[0] the best. */
void top_k_sort(struct top_k *top);

#endif
