/*
 * lane.h: what one thread of a scan has of its own, and compares one block with all queries with.
 * Internal to the room.
 *
 * Where vectors are compared, sketches (sketch.h) say of most rows that it is not necessary. The
 * searches of a process that find blocks in memory make them, some each. Rows that are likely to be
 * among the best are compared as soon as the processor has fetched them; those in doubt wait until
 * the k-th best score is better known, and most are excluded by then. Where sketches excluded
 * little, the next blocks are compared without: vectors that lie in all directions cost no more
 * than if there were none.
 */
#ifndef INDEX_LANE_H
#define INDEX_LANE_H

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
    size_t n_sure; /* with codes: nor are bounds below those that so many rows reach at least, as
                      sure as bounds are; 0: they may be */
    /* Initialised and filled by the scan: */
    double inverse;                   /* 1 / |query| */
    struct index_sketch_query sketch; /* norm 0: none are asked */
    _Atomic double floor;             /* some thread has k hits that are no worse */
    struct top_k hits;
};

struct lane_doubt; /* a row that waits */

struct lane {
    const struct index_snapshot *snapshot;
    struct index_target *targets; /* [n_targets] shared by all lanes */
    size_t n_targets;
    struct top_k *heaps;           /* [n_targets] the hits, with room for all that they keep, */
    struct top_k *sure;            /* [n_targets] and what n_sure of them reach at least */
    struct index_sketch_aim *aims; /* [n_targets] of the block at hand; NULL: none are asked */
    float *buffer;                 /* to make sketches in */
    struct lane_doubt *doubts;     /* [most_doubts] of all targets */
    size_t n_doubts, most_doubts;
    size_t due;                /* of doubts: then they are looked through */
    struct lane_doubt *likely; /* [n_likely] behind them: to be compared next */
    size_t n_likely;
    size_t n_asked, n_met, n_left; /* since sketches were judged: blocks, their rows, and those of
                                      them that were compared nevertheless */
    size_t n_useless, n_skip;      /* judgements one after the other; blocks to go */
    size_t n_rows;                 /* met, summed over targets */
};

/* ERROR_NOMEM; deinit also after a failure. */
int lane_init(struct lane *lane, const struct index_snapshot *snapshot,
              struct index_target *targets, size_t n_targets, int is_sketched, struct error *err);
void lane_deinit(struct lane *lane);

/* All targets against a block of those bytes, of the partition at that place. Allocates nothing. */
int lane_compare(struct lane *lane, struct index_block *block, size_t place, const void *bytes,
                 struct error *err);

/* After the last block: compares the rows that still wait. */
int lane_end(struct lane *lane, struct error *err);

#endif
