#include "semantic/likeness.h"

#include "base/memory.h"
#include "semantic/content.h"
#include "store/reader.h"
#include "vector/distance.h"

/* Other precisions of a product, on another processor, differ by less; other weights by more. */
#define LEAST_COSINE 0.999

/* Rows that are looked at until one tells. */
#define MOST_ROWS 16

/* The vector of that text by the model: *vector [state->dimensions], the caller's to free; NULL: it
 * takes no such text now, or makes vectors of other dimensions, which is an error elsewhere. */
static int embed(struct semantic_table *table, const struct store_state *state,
                 struct catalog_entry *entry, const struct buffer *text, float **vector,
                 struct error *err)
{
    struct span span = {text->data, text->size};
    struct model_texts request = {&span, 1, MODEL_DOCUMENT, &table->connection->cancel, 0};
    struct model_embeddings embeddings = {0};
    struct catalog_refusals refusals = {0};
    int rc =
        catalog_embed(table->connection->catalog, entry, state->fit != 0 ? table->fitted : NULL,
                      &request, &embeddings, &refusals, err);
    if (rc == 0 && refusals.n == 0 && embeddings.dimensions == state->dimensions) {
        *vector = embeddings.vectors;
        embeddings.vectors = NULL;
    }
    memory_free(embeddings.vectors);
    catalog_refusals_deinit(&refusals);
    return rc;
}

/* 1 in *tells if the row's text is the one that was embedded, and *cosine. */
static int compare_row(struct semantic_table *table, const struct store_state *state,
                       struct catalog_entry *entry, struct store_reader *reader, int64_t id,
                       int *tells, double *cosine, struct error *err)
{
    struct buffer text;
    struct error bad;
    struct store_row row;
    const void *bytes;
    size_t size;
    int exists, found;
    float *vector = NULL;
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = content_text(table, id, &text, &bad, &exists, &found, err);
    if (rc == 0 && found && bad.code == 0) {
        rc = store_get_row(&table->store, id, &row, &found, err);
        if (rc == 0 && found && !row.own && row.hash == content_hash(&text, &bad))
            rc = embed(table, state, entry, &text, &vector, err);
    }
    if (rc == 0 && vector != NULL) {
        rc = reader_vector(reader, id, &bytes, &size, &found, err);
        *tells = rc == 0 && found && size == state->dimensions * sizeof *vector;
        if (*tells) *cosine = vector_cosine(bytes, vector, state->dimensions);
    }
    memory_free(vector);
    buffer_deinit(&text);
    return rc;
}

static int find_telling(struct semantic_table *table, const struct store_state *state,
                        struct catalog_entry *entry, struct store_reader *reader, int64_t *id,
                        int *tells, double *cosine, struct error *err)
{
    sqlite3_stmt *ids;
    int row = 1, rc = store_query(&table->store, STORE_MODEL_IDS, &ids, err);
    for (int i = 0; rc == 0 && row && !*tells && i < MOST_ROWS; i++) {
        rc = statement_step(table->store.db, ids, &row, err);
        if (rc != 0 || !row) continue;
        *id = sqlite3_column_int64(ids, 0);
        rc = compare_row(table, state, entry, reader, *id, tells, cosine, err);
    }
    sqlite3_finalize(ids);
    return rc;
}

int likeness_check(struct semantic_table *table, const struct store_state *state,
                   struct catalog_entry *entry, uint64_t now, struct error *err)
{
    struct store_reader reader;
    struct index_storage storage;
    int64_t id = 0;
    int tells = 0;
    double cosine = 0;
    if (now == 0 || now == table->likeness) return 0;
    reader_open(&table->store, &reader, &storage);
    int rc = reader_begin(&reader, state, err);
    if (rc == 0) rc = find_telling(table, state, entry, &reader, &id, &tells, &cosine, err);
    reader_close(&reader);
    if (rc != 0 || !tells) return rc;
    if (cosine >= LEAST_COSINE) {
        table->likeness = now;
        return 0;
    }
    return error_set(err, ERROR_INVALID,
                     "%s is not what it was when the index was made: it makes another vector of "
                     "row %lld than the one that is stored (their cosine is %.3f): bring its "
                     "weights, configuration and document_prefix back, or INSERT INTO %s(%s) "
                     "VALUES ('rebuild')",
                     state->model, (long long)id, cosine, table->store.name, table->store.name);
}
