/*
 * query.h: what is asked of an index, and the storage that it is asked of.
 */
#ifndef INDEX_QUERY_H
#define INDEX_QUERY_H

#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/ids.h"
#include "index/metric.h"
#include "index/snapshot.h"
#include "vector/top_k.h"

/* What becomes of a block that was asked for: its bytes live until the next call; or stay with the
 * snapshot; or it was found, and any thread may read it. */
enum index_stay { INDEX_PASSED, INDEX_KEPT, INDEX_FOUND };

/* Where a block was found. */
struct index_place {
    int64_t numbers[3];       /* the storage's own */
    struct index_bytes *room; /* where its bytes are to stay; owned; NULL: they are not */
};

/* How the storage is read. Each returns 0 or an error code; bytes live until the next call. */
struct index_storage {
    /* The bytes of a block that is not in memory, checked (index_block_check); *stay: one of enum
     * index_stay, INDEX_FOUND only where there is a place. */
    int (*load)(void *context, struct index_block *block, struct index_place *place,
                const void **bytes, int *stay, struct error *err);
    /* The same of a block that was found, while others are loaded, by any of n_threads of a search,
     * of which 0 loads; until the thread's next call. NULL: it is to be loaded without a place. */
    int (*read)(void *context, size_t thread, struct index_block *block, struct index_place *place,
                const void **bytes, struct error *err);
    /* The vector of one id; *found = 0 if there is none. */
    int (*fetch)(void *context, int64_t id, const void **bytes, size_t *size, int *found,
                 struct error *err);
    /* All vectors of an index with codes, as an index without has them, and how those of their
     * blocks are read that are not in memory: both live as long as this storage. */
    int (*vectors)(void *context, struct index_snapshot **vectors,
                   const struct index_storage **storage, struct error *err);
    void *context;
};

/* What lies too near, or by its distance too far: see metric.h. */
struct index_ring {
    double max_similarity, min_distance, max_distance; /* INFINITY, -INFINITY, INFINITY for none */
};

/* Most ids that are asked about together. */
#define INDEX_SIEVE_GROUP 32

/* Which rows count, of an index with codes: asked of the rows of the highest bounds, before their
 * vectors are read. */
struct index_sieve {
    /* pass[i] = 1 for those of n ids, at most INDEX_SIEVE_GROUP, that count. */
    int (*pass)(void *context, const int64_t *ids, size_t n, unsigned char *pass,
                struct error *err);
    void *context;
    size_t most;              /* how many rows of the highest bounds are looked at */
    size_t n_asked, n_passed; /* of them, in the search */
    int is_whole;             /* whether the hits are what a search of all rows gives */
};

struct index_query {
    const float *vector;           /* [dimensions], finite; not zero where only directions count;
                                      vector_compact_takes it where vectors are compact */
    size_t k;                      /* SIZE_MAX: all of them, ranked */
    double min_similarity;         /* less similar ones do not count; -INFINITY for none */
    const struct index_ring *ring; /* NULL: none */
    const int64_t *only;           /* [n_only] ids to look at, ascending, each once; NULL: all */
    size_t n_only;
    const struct ids_bits *bits; /* the same as bits; NULL, or without words: there are none */
    struct index_sieve *sieve; /* NULL: all count. Else it is the only query, k is below SIZE_MAX */
};

/* What a search looks at, and what it looked at. */
struct index_search {
    struct index_snapshot *snapshot;
    const struct index_storage *storage;
    int near_partitions_only; /* leave out partitions that are far from the query */
    int exactly;              /* compare the vectors of all rows, whatever the codes */
    int keeps_vectors;  /* of an index with codes: they come to be in memory, and stay there */
    size_t n_threads;   /* 1 or more; 0 is 1 */
    uint64_t max_bytes; /* of all caches together, for sketches too (sketch.h); 0: none */
    const struct cancel *cancel;
    size_t n_scanned, n_rescored; /* rows compared in a scan; exactly after a scan of codes; summed
                                     over queries */
};

const struct index_metric_row *index_search_metric(const struct index_search *search);

/* Whether the query looks at that id. */
int index_query_wants(const struct index_query *query, int64_t id);

/* Whether a row of that score is similar enough, and within the ring. */
int index_query_takes(const struct index_query *query, const struct index_metric_row *metric,
                      double score);

/* Whether a score (metric.h) of a stored vector (checked size) is one: ERROR_CORRUPT names the row
 * whose vector is zero where only directions count, or not finite. */
int index_check_score(const struct index_layout *layout, int64_t id, const void *vector,
                      double score, struct error *err);

#endif
