/*
 * retrieve.h: from queries to ranked rows. All searches of an index come through here: the virtual
 * table's, semantic_search_each and semantic_recall.
 *
 * A query is a text, which the index's model embeds, or a vector. Each has a ranking of its own:
 * the k rows of the highest scores (index/metric.h), of equal ones the lower id first. Rows that
 * the content has no more, as nobody told the index, do not count.
 *
 * Conditions on the content are asked of rows in the order of their nearness, a group at a time,
 * until there are k. Where few meet them, the rows that do are listed by the content instead, and
 * only these are searched.
 *
 * Texts are embedded in one call. Queries go through the index in groups, each when a row of it is
 * asked for. Rows come one by one, out of heaps: nobody sorts a million for LIMIT 5. And where a
 * hint says how many rows of a query are likely to be read, only those are looked for; the others
 * when they are asked for after all.
 */
#ifndef SEMANTIC_RETRIEVE_H
#define SEMANTIC_RETRIEVE_H

#include "semantic/filter.h"
#include "semantic/query.h"
#include "semantic/registry.h"
#include "store/reader.h"

/* What counts, for each query. */
struct retrieve_limits {
    size_t k;                      /* rows; SIZE_MAX: all */
    size_t hint;                   /* rows that are likely to be read; SIZE_MAX: not known */
    double min_similarity;         /* -INFINITY: none */
    const struct index_ring *ring; /* NULL: none; borrowed */
    size_t skip;                   /* so many rows are passed over, and are some of the k */
    const int64_t *only; /* [n_only] ids to look at, ascending, each once; NULL: all; borrowed */
    size_t n_only;
    struct filter *filter; /* the rows that count; NULL: those that the content has; borrowed */
    int exactly; /* look at all rows' vectors, as if there were neither codes nor partitions */
};

/* The order of such ids, as qsort and bsearch want it. */
int retrieve_compare_ids(const void *a, const void *b);

struct retrieve_row {
    size_t query;     /* its number, from 0 */
    int64_t id, rank; /* from 1 */
    double score, similarity, distance;
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
    size_t
        blamed; /* the query that an error of retrieve_search is about; SIZE_MAX: no single one */

    size_t group, n_group;               /* the queries that were searched for */
    struct top_k ranked[RETRIEVE_GROUP]; /* [n_group] their rows that were not taken out yet */
    char has_more[RETRIEVE_GROUP];  /* [n_group] `ranked` was begun with as many as the hint says */
    char unchecked[RETRIEVE_GROUP]; /* [n_group] of its rows some may not pass the filter */
    size_t query;                   /* the current one */
    int64_t rank;                   /* of its latest row */
    int64_t *given; /* [hint] if it has more: the ids that `ranked` was begun with; owned */

    struct filter exists; /* what stands in for limits.filter */
    const int64_t *only;  /* [n_only] the ids that are looked at; NULL: all */
    size_t n_only;
    int64_t *listed; /* `only`, when the filter listed them: then all pass; owned */
    struct top_k_hit passed[FILTER_GROUP]; /* [n_passed] of an unchecked ranking, from `next` on */
    size_t n_passed, next;

    size_t n_scanned, n_rescored; /* rows looked at so far, see index/query.h */
};

/* Opens the index as it is in this transaction, nothing of which waits any more (flush.h). After an
 * error nothing is open. */
int retrieve_open(struct retrieval *retrieval, struct semantic_table *table, struct error *err);

/* The same by its name, as registry_open has it, after writing what waits. */
int retrieve_open_named(struct retrieval *retrieval, struct semantic_registry *registry,
                        sqlite3_value *name, sqlite3_value *schema, struct error *err);
void retrieve_close(struct retrieval *retrieval); /* accepts what was never opened: all zero */

/* Embeds and checks the queries, which must stay until the next search or the close, and begins
 * anew with the first one's rows. */
int retrieve_search(struct retrieval *retrieval, struct semantic_query *queries, size_t n_queries,
                    const struct retrieve_limits *limits, struct error *err);

/* The next row, of the current query or of the next one that has any; *found = 0 after the last. */
int retrieve_next(struct retrieval *retrieval, struct retrieve_row *row, int *found,
                  struct error *err);

/* The vector stored for a row, [state.dimensions] float32 at any address, until the next call. */
int retrieve_vector(struct retrieval *retrieval, int64_t id, const void **bytes, size_t *size,
                    int *found, struct error *err);

#endif
