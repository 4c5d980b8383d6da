/*
 * scan.h: all chosen blocks of a snapshot against a group of queries, by threads. Internal to the
 * room.
 *
 * Where vectors are compared, sketches (sketch.h) say of most rows that it is not necessary. The
 * searches of a process that find blocks in memory make them, some each. Where a sketch excluded
 * little, the next blocks are compared without: vectors that lie in all directions cost no more
 * than if there were none.
 */
#ifndef INDEX_SCAN_H
#define INDEX_SCAN_H

#include <stdatomic.h>

#include "index/query.h"
#include "index/sketch.h"

/* One query, as a scan meets it. */
struct index_target {
    const struct index_query *query;
    size_t k;                               /* hits to keep, SIZE_MAX: all */
    const struct vector_code_query *codes;  /* NULL: vectors are compared, hits have a score */
    const struct vector_code_bound *bounds; /* [n_partitions]; with codes hits have such a bound */
    const unsigned char *partitions;        /* [n_partitions] 1: look at it; NULL: at all */
    double min_bound;                       /* with codes: lower ones are no hits */
    /* Initialised and filled by the scan: */
    double inverse;                   /* 1 / |query| */
    struct index_sketch_query sketch; /* norm 0: none are asked */
    _Atomic double floor;             /* some thread has k hits that are no worse */
    struct top_k hits;
};

/* Fills targets[i].hits; the caller deinits them, also after a failure. search->n_scanned rises. */
int index_scan(struct index_search *search, struct index_target *targets, size_t n_targets,
               struct error *err);

#endif
