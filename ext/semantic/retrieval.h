/*
 * retrieval.h: one search of an index while it goes on: what is asked, and how far it is.
 */
#ifndef SEMANTIC_RETRIEVAL_H
#define SEMANTIC_RETRIEVAL_H

#include "semantic/filter.h"
#include "semantic/query.h"
#include "store/reader.h"

/* What counts where words and vectors are fused: INFINITY and -INFINITY are no bounds. */
struct retrieve_bounds {
    struct fusion_bounds score;
    double min_bm25, max_bm25;
};

/* What counts, for each query. */
struct retrieve_limits {
    size_t k;                             /* rows; SIZE_MAX: all */
    size_t hint;                          /* rows that are likely to be read; SIZE_MAX: not known */
    double min_similarity;                /* -INFINITY: none */
    const struct index_ring *ring;        /* NULL: none; borrowed */
    const struct retrieve_bounds *bounds; /* NULL: none; borrowed */
    size_t skip;                          /* so many rows are passed over, and are some of the k */
    const int64_t *only; /* [n_only] ids to look at, ascending, each once; NULL: all; borrowed */
    size_t n_only;
    struct filter *filter; /* the rows that count; NULL: those that the content has; borrowed */
    int exactly;  /* look at all rows' vectors, as if there were neither codes nor partitions */
    int is_mixed; /* candidates of a reranker are wanted, see fusion_mix, of queries that fuse */
};

struct retrieve_row {
    size_t query;                /* its number, from 0 */
    int64_t id, rank;            /* from 1 */
    double nearness;             /* the metric's score (index/metric.h) */
    double similarity, distance; /* NAN, as nearness: the query has no vector */
    double score, bm25;          /* what it is ranked by; NAN: words were not asked for, or
                                           it has none of the query's */
};

/* Queries that are searched for together. */
#define RETRIEVE_GROUP ((size_t)64)

struct retrieval {
    struct semantic_table *table;
    sqlite3_stmt *pin; /* keeps a table connected that was opened by its name */
    struct store_state state;
    struct store_reader reader; /* begun */
    struct index_storage storage;

    struct semantic_query *queries; /* [n_queries] borrowed */
    size_t n_queries;
    struct retrieve_limits limits;
    struct model_embeddings embeddings; /* of the texts */
    struct model *embedder;             /* that made them; borrowed; NULL: there are none */
    int weighs; /* it makes vectors of the texts by how rare words are, and there are words */
    size_t
        blamed; /* the query that an error of retrieve_search is about; SIZE_MAX: no single one */

    size_t group, n_group;               /* the queries that were searched for */
    struct top_k ranked[RETRIEVE_GROUP]; /* [n_group] their rows that were not taken out yet */
    struct fusion fused[RETRIEVE_GROUP]; /* [n_group] what `ranked` was made of; none: of vectors */
    char has_more[RETRIEVE_GROUP];  /* [n_group] `ranked` was begun with as many as the hint says */
    char unchecked[RETRIEVE_GROUP]; /* [n_group] of its rows some may not pass the filter */
    size_t query;                   /* the current one */
    int64_t rank;                   /* of its latest row */
    struct ids given; /* if it has more: what `ranked` was begun with, and the rows before */

    struct filter exists; /* what stands in for limits.filter */
    const int64_t *only;  /* [n_only] the ids that are looked at; NULL: all */
    size_t n_only;
    const struct ids_bits *bits; /* the same as bits; NULL: there are none */
    const struct ids *excluded; /* rows that the query leaves out; NULL: none; while it is sought */
    struct passing *listed;     /* `only`, when the filter listed them: then all pass; or NULL */
    struct top_k_hit passed[FILTER_GROUP]; /* [n_passed] of an unchecked ranking, from `next` on */
    size_t n_passed, next;

    size_t n_scanned, n_rescored; /* rows looked at so far, see index/query.h */
};

#endif
