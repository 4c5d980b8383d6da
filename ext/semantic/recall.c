/*
 * recall.c: semantic_recall(index [, k [, samples [, schema]]]): how good the searches of
 * an index are, measured on its own rows.
 *
 * One row: `k` (25), `queries` (the samples, 50, or fewer where the index has fewer rows), `recall`
 * (of the k nearest, the share that a search as the index does it finds: 0 to 1, 1 for an exact
 * index), `scanned` and `rescored` (rows that it compares by what is scanned, and exactly after a
 * scan of codes: means), `rows`, `partitions` (0: none). The samples are rows at equal steps through
 * the index; each one's vector is a query, and the row itself does not count. Rows of equal
 * similarity count for each other. Queries from elsewhere may find less than these.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "semantic/semantic.h"
#include "semantic/view.h"
#include "sqlite/table_function.h"

#define USUAL_K 25
#define USUAL_SAMPLES 50
#define GROUP ((size_t)100) /* samples that are searched for together */
#define MOST 1000           /* of k, and of samples */

enum {
    RECALL_K,
    RECALL_QUERIES,
    RECALL_RECALL,
    RECALL_SCANNED,
    RECALL_RESCORED,
    RECALL_ROWS,
    RECALL_PARTITIONS,
    RECALL_INDEX, /* the first argument */
    RECALL_WANTED_K,
    RECALL_SAMPLES,
    RECALL_SCHEMA
};

struct recall_cursor {
    struct table_cursor base;
    size_t k, n_queries, n_scanned, n_rescored, n_rows, n_partitions;
    double recall;
};

/* ---- measuring ------------------------------------------------------------------------------- */

struct sample {
    int64_t *ids;                   /* [n] */
    float *vectors;                 /* [n, dimensions] */
    struct index_query *queries;    /* [n] */
    struct top_k *found, *expected; /* [n] */
    size_t n;
};

static void sample_free(struct sample *sample)
{
    for (size_t i = 0; i < sample->n; i++) {
        if (sample->found != NULL) top_k_deinit(&sample->found[i]);
        if (sample->expected != NULL) top_k_deinit(&sample->expected[i]);
    }
    memory_free(sample->ids);
    memory_free(sample->vectors);
    memory_free(sample->queries);
    memory_free(sample->found);
    memory_free(sample->expected);
}

/* The id of the row at a place in the order of the snapshot. */
static int id_at(struct semantic_view *view, size_t place, int64_t *id, struct error *err)
{
    struct index_snapshot *snapshot = view->reader.snapshot;
    size_t i = 0;
    while (place >= snapshot->blocks[i].n) place -= snapshot->blocks[i++].n;
    struct index_block *block = &snapshot->blocks[i];
    const void *bytes = index_block_data(block);
    int kept;
    int rc =
        bytes == NULL ? view->storage.load(view->storage.context, block, &bytes, &kept, err) : 0;
    if (rc != 0) return rc;
    memcpy(id, (const char *)bytes + place * sizeof *id, sizeof *id);
    return 0;
}

static int take_sample(struct semantic_view *view, size_t k, struct sample *sample,
                       struct error *err)
{
    size_t dimensions = view->state.dimensions, n = sample->n,
           n_rows = view->reader.snapshot->n_rows;
    sample->ids = memory_alloc(n, sizeof *sample->ids);
    sample->vectors = memory_alloc(n, dimensions * sizeof *sample->vectors);
    sample->queries = memory_zalloc(n, sizeof *sample->queries);
    sample->found = memory_zalloc(n, sizeof *sample->found);
    sample->expected = memory_zalloc(n, sizeof *sample->expected);
    if (sample->ids == NULL || sample->vectors == NULL || sample->queries == NULL ||
        sample->found == NULL || sample->expected == NULL)
        return error_nomem(err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const void *bytes;
        size_t size;
        int found = 0;
        float *vector = sample->vectors + i * dimensions;
        rc = id_at(view, i * n_rows / n, &sample->ids[i], err);
        if (rc == 0)
            rc = view->storage.fetch(view->storage.context, sample->ids[i], &bytes, &size, &found,
                                     err);
        if (rc == 0 && (!found || size != dimensions * sizeof *vector))
            rc = error_set(err, ERROR_CORRUPT, "row %lld: its vector is not there",
                           (long long)sample->ids[i]);
        if (rc != 0) return rc;
        memcpy(vector, bytes, size);
        sample->queries[i] =
            (struct index_query){.vector = vector, .k = k + 1, .min_similarity = -INFINITY};
        top_k_init(&sample->found[i], k + 1);
        top_k_init(&sample->expected[i], k + 1);
    }
    return rc;
}

/* The share of the k nearest that was found: rows that are as similar as the k-th, the row itself
 * left out. */
static double share(struct top_k *found, struct top_k *expected, int64_t self, size_t k)
{
    size_t n = 0, n_good = 0;
    double least = -INFINITY;
    top_k_sort(expected);
    top_k_sort(found);
    for (size_t i = 0; i < expected->n && n < k; i++) {
        if (expected->hits[i].id == self) continue;
        least = expected->hits[i].score;
        n++;
    }
    for (size_t i = 0; i < found->n && n_good < n; i++)
        n_good += found->hits[i].id != self && found->hits[i].score >= least;
    return n == 0 ? 1.0 : (double)n_good / (double)n;
}

static int measure(struct semantic_view *view, struct recall_cursor *cursor, struct sample *sample,
                   struct error *err)
{
    struct index_search search = reader_search(&view->reader, &view->storage), exact = search;
    exact.exactly = 1;
    exact.near_partitions_only = 0;
    int rc = take_sample(view, cursor->k, sample, err);
    for (size_t at = 0, n; rc == 0 && at < sample->n; at += n) {
        n = sample->n - at < GROUP ? sample->n - at : GROUP;
        rc = index_search(&search, sample->queries + at, n, sample->found + at, err);
        if (rc == 0) rc = index_search(&exact, sample->queries + at, n, sample->expected + at, err);
    }
    for (size_t i = 0; rc == 0 && i < sample->n; i++)
        cursor->recall += share(&sample->found[i], &sample->expected[i], sample->ids[i], cursor->k);
    cursor->n_scanned = search.n_scanned;
    cursor->n_rescored = search.n_rescored;
    return rc;
}

static int recall_start(struct table_cursor *base, struct error *err)
{
    struct recall_cursor *cursor = (struct recall_cursor *)base;
    sqlite3_value *const *arguments = base->arguments;
    struct semantic_view view = {0};
    struct sample sample = {0};
    cursor->k = USUAL_K;
    sample.n = USUAL_SAMPLES;
    int rc = argument_optional_count(arguments[1], "k", 1, MOST, &cursor->k, err);
    if (rc == 0) rc = argument_optional_count(arguments[2], "samples", 1, MOST, &sample.n, err);
    if (rc == 0) rc = view_open(table_cursor_context(base), arguments[0], arguments[3], &view, err);
    if (rc == 0) {
        const struct index_snapshot *snapshot = view.reader.snapshot;
        cursor->n_rows = snapshot->n_rows;
        cursor->n_partitions = snapshot->partitions == NULL ? 0 : snapshot->partitions->n;
        if (sample.n > snapshot->n_rows) sample.n = snapshot->n_rows;
        cursor->n_queries = sample.n;
        if (sample.n > 0) rc = measure(&view, cursor, &sample, err);
    }
    sample_free(&sample);
    view_close(&view);
    return rc;
}

static int recall_next(struct table_cursor *base, struct error *err)
{
    (void)err;
    base->is_done = 1;
    return 0;
}

static void recall_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    struct recall_cursor *cursor = (struct recall_cursor *)base;
    double n = (double)cursor->n_queries;
    const size_t counts[] = {[RECALL_K] = cursor->k,
                             [RECALL_QUERIES] = cursor->n_queries,
                             [RECALL_ROWS] = cursor->n_rows,
                             [RECALL_PARTITIONS] = cursor->n_partitions};
    if (column == RECALL_RECALL || column == RECALL_SCANNED || column == RECALL_RESCORED) {
        double sum = column == RECALL_RECALL    ? cursor->recall
                     : column == RECALL_SCANNED ? (double)cursor->n_scanned
                                                : (double)cursor->n_rescored;
        if (cursor->n_queries > 0) sqlite3_result_double(context, sum / n);
    } else {
        sqlite3_result_int64(context, (sqlite3_int64)counts[column]);
    }
}

static const struct table_function recall = {
    .name = "semantic_recall",
    .usage = "semantic_recall(index [, k [, samples [, schema]]])",
    .declaration = "CREATE TABLE x(k, queries, recall, scanned, rescored, rows, partitions, "
                   "\"index\" HIDDEN, wanted_k HIDDEN, samples HIDDEN, schema HIDDEN)",
    .first_argument = RECALL_INDEX,
    .n_arguments = 4,
    .n_needed = 1,
    .cursor_size = sizeof(struct recall_cursor),
    .start = recall_start,
    .next = recall_next,
    .column = recall_column,
};

int recall_register(struct connection *connection, struct semantic_registry *registry)
{
    return table_function_register(connection, &recall, registry);
}
