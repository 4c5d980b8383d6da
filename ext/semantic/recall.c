/*
 * recall.c: semantic_recall(index [, k [, samples [, schema]]]): how good the searches of an index
 * are, measured on its own rows.
 *
 * One row: `k` (25), `queries` (the samples, 50, or fewer where the index has fewer rows), `recall`
 * (of the k nearest, the share that a search as the index does it finds: 0 to 1, 1 for an exact
 * index), `scanned` and `rescored` (rows that it compares by what is scanned, and exactly after a
 * scan of codes: means), `rows`, `partitions` (0: none). The samples are rows at equal steps
 * through the index; each one's vector is a query, and the row itself does not count. Rows of equal
 * similarity count for each other. Queries from elsewhere may find less than these.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "semantic/retrieve.h"
#include "semantic/semantic.h"
#include "sqlite/table_function.h"

#define USUAL_K 25
#define USUAL_SAMPLES 50
#define MAX_COUNT 1000 /* of k, and of samples */

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

/* A row of the index as a query. */
struct sample {
    int64_t id;
    double min_score;  /* score of the last of the k nearest, itself left out */
    size_t n, n_found; /* of the k nearest: how many there are, and a search finds */
};

struct samples {
    struct sample *samples;         /* [n] */
    struct semantic_query *queries; /* [n] */
    float *vectors;                 /* [n, dimensions] */
    size_t n;
};

static void samples_free(struct samples *samples)
{
    memory_free(samples->samples);
    memory_free(samples->queries);
    memory_free(samples->vectors);
}

/* The id of the row at a place in the order of the snapshot. */
static int id_at(struct retrieval *retrieval, size_t place, int64_t *id, struct error *err)
{
    struct index_snapshot *snapshot = retrieval->reader.snapshot;
    const struct index_storage *storage = &retrieval->storage;
    size_t i = 0;
    while (place >= snapshot->blocks[i].n) place -= snapshot->blocks[i++].n;
    struct index_block *block = &snapshot->blocks[i];
    const void *bytes = index_block_data(block);
    int stay;
    int rc = bytes == NULL ? storage->load(storage->context, block, NULL, &bytes, &stay, err) : 0;
    if (rc != 0) return rc;
    memcpy(id, (const char *)bytes + place * sizeof *id, sizeof *id);
    return 0;
}

static int take_samples(struct retrieval *retrieval, struct samples *samples, struct error *err)
{
    size_t dimensions = retrieval->state.dimensions, n = samples->n,
           n_rows = retrieval->reader.snapshot->n_rows;
    samples->samples = memory_zalloc(n, sizeof *samples->samples);
    samples->queries = memory_zalloc(n, sizeof *samples->queries);
    samples->vectors = memory_alloc(n, dimensions * sizeof *samples->vectors);
    if (samples->samples == NULL || samples->queries == NULL || samples->vectors == NULL)
        return error_nomem(err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        float *vector = samples->vectors + i * dimensions;
        samples->queries[i].vector = (struct argument_vector){vector, dimensions, NULL};
        rc = id_at(retrieval, (size_t)((uint64_t)i * n_rows / n), &samples->samples[i].id, err);
        if (rc == 0) rc = retrieve_copy_vector(retrieval, samples->samples[i].id, vector, err);
    }
    return rc;
}

/* What all vectors say: how many of the k nearest there are, and how near the last one is. */
static void expect(struct sample *sample, const struct retrieve_row *row, size_t k)
{
    if (row->id == sample->id || sample->n == k) return;
    sample->min_score = row->nearness;
    sample->n++;
}

/* What a search finds: rows that are as similar as the k-th count for it. */
static void find(struct sample *sample, const struct retrieve_row *row)
{
    if (row->id != sample->id && row->nearness >= sample->min_score && sample->n_found < sample->n)
        sample->n_found++;
}

static int run(struct retrieval *retrieval, struct samples *samples, size_t k, int exactly,
               struct error *err)
{
    struct retrieve_limits limits = {
        .k = k + 1, .hint = SIZE_MAX, .min_similarity = -INFINITY, .exactly = exactly};
    struct retrieve_row row;
    int found = 1;
    int rc = retrieve_search(retrieval, samples->queries, samples->n, &limits, err);
    while (rc == 0 && (rc = retrieve_next(retrieval, &row, &found, err)) == 0 && found) {
        if (exactly) expect(&samples->samples[row.query], &row, k);
        else find(&samples->samples[row.query], &row);
    }
    return rc;
}

static int measure(struct retrieval *retrieval, struct recall_cursor *cursor, struct error *err)
{
    struct samples samples = {.n = cursor->n_queries};
    int rc = take_samples(retrieval, &samples, err);
    if (rc == 0) rc = run(retrieval, &samples, cursor->k, 1, err);
    if (rc == 0) rc = run(retrieval, &samples, cursor->k, 0, err);
    for (size_t i = 0; rc == 0 && i < samples.n; i++) {
        const struct sample *sample = &samples.samples[i];
        cursor->recall += sample->n == 0 ? 1.0 : (double)sample->n_found / (double)sample->n;
    }
    cursor->n_scanned = retrieval->n_scanned;
    cursor->n_rescored = retrieval->n_rescored;
    samples_free(&samples);
    return rc;
}

static int recall_start(struct table_cursor *base, struct error *err)
{
    struct recall_cursor *cursor = (struct recall_cursor *)base;
    sqlite3_value *const *arguments = base->arguments;
    struct retrieval retrieval = {0};
    size_t n_samples = USUAL_SAMPLES;
    cursor->k = USUAL_K;
    int rc = argument_optional_count(arguments[1], "k", 1, MAX_COUNT, &cursor->k, err);
    if (rc == 0)
        rc = argument_optional_count(arguments[2], "samples", 1, MAX_COUNT, &n_samples, err);
    if (rc == 0)
        rc = retrieve_open_named(&retrieval, table_cursor_context(base), arguments[0], arguments[3],
                                 err);
    const struct index_snapshot *snapshot = retrieval.reader.snapshot;
    if (rc == 0 && snapshot != NULL) {
        cursor->n_rows = snapshot->n_rows;
        cursor->n_partitions = snapshot->partitions == NULL ? 0 : snapshot->partitions->n;
        cursor->n_queries = n_samples < snapshot->n_rows ? n_samples : snapshot->n_rows;
        if (cursor->n_queries > 0) rc = measure(&retrieval, cursor, err);
    }
    retrieve_close(&retrieval);
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
