/*
 * scan.h: all chosen blocks of a snapshot against a group of queries, by threads. Internal to the
 * room.
 */
#ifndef INDEX_SCAN_H
#define INDEX_SCAN_H

#include "index/query.h"

/* One query, as a scan meets it. */
struct index_target {
    const struct index_query *query;
    size_t k;                               /* hits to keep, SIZE_MAX: all */
    const struct vector_code_query *codes;  /* NULL: vectors are compared, hits have a score */
    const struct vector_code_bound *bounds; /* [parts] with codes: hits have an upper bound */
    const unsigned char *parts;             /* [parts] 1: look at it; NULL: at all */
    double least_bound;                     /* with codes: lower ones are no hits */
    double inverse;                         /* 1 / |query|; set by the scan */
    struct top_k hits;                      /* initialised and filled by the scan */
};

/* How many parts a snapshot has: 1 without partitions. */
size_t index_scan_parts(const struct index_snapshot *snapshot);

/* Fills targets[i].hits; the caller deinits them, also after a failure. search->n_scanned rises. */
int index_scan(struct index_search *search, struct index_target *targets, size_t n_targets,
               struct error *err);

#endif
