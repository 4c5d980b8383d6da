#include "semantic/embedder.h"

#include <string.h>

#include "base/memory.h"
#include "semantic/likeness.h"
#include "semantic/pending.h"
#include "sqlite/statement.h"
#include "store/store.h"
#include "vector/compact.h"
#include "vector/half.h"

#define RERANKER_IDENTITY "reranker_identity" /* in X_config: as `identity`, where it is a name */
#define MODEL_MAX_BYTES ((size_t)1 << 30)

static int is_builtin(const char *name)
{
    return name == NULL || strcmp(name, "builtin:lexical") == 0 ||
           strcmp(name, "builtin:static") == 0 || strcmp(name, "builtin:lsa") == 0;
}

/* What a schema may not read itself it must not read through us: our statements are no schema's. */
static int opens_virtual_table(struct semantic_table *table, int *opens, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc =
        statement_prepare(table->store.db, &statement, err, "EXPLAIN SELECT 1 FROM \"%w\".\"%w\"",
                          table->store.schema, table->config.content);
    *opens = 0;
    while (rc == 0 && (rc = statement_step(table->store.db, statement, &row, err)) == 0 && row) {
        const char *opcode = (const char *)sqlite3_column_text(statement, 1);
        if (opcode == NULL) rc = error_nomem(err);
        else if (strcmp(opcode, "VOpen") == 0) *opens = 1;
    }
    sqlite3_finalize(statement);
    return rc;
}

int semantic_is_innocuous(struct semantic_table *table, int *innocuous, struct error *err)
{
    struct store_state state;
    int opens = 0;
    *innocuous = is_builtin(table->config.model) && is_builtin(table->config.reranker) &&
                 is_builtin(table->reranker_name) && table->broken.code == 0;
    if (!*innocuous) return 0;
    int rc = store_read_state(&table->store, &state, err);
    if (rc == 0 && table->config.content != NULL) rc = opens_virtual_table(table, &opens, err);
    *innocuous = rc == 0 && is_builtin(state.model) && !opens;
    /* What is wrong with either is said when it is used. */
    return rc == ERROR_NOMEM || rc == ERROR_INTERRUPTED ? rc : 0;
}

int semantic_find_model(const struct semantic_table *table, const char *name, enum model_task task,
                        struct catalog_entry **entry, struct error *err)
{
    if (table->innocuous && !is_builtin(name))
        return error_set(err, ERROR_INVALID,
                         "%s_config names the model %.100s since the index was opened: open the "
                         "database again",
                         table->store.name, name);
    return catalog_find(table->connection->catalog, name, task, entry, err);
}

/* Makes table->fitted the model that state->fit names. */
static int load_fitted(struct semantic_table *table, const struct store_state *state,
                       struct model *model, struct error *err)
{
    if (table->fitted != NULL && table->fitted_id == state->fit) return 0;
    model_free(table->fitted);
    table->fitted = NULL;
    if (model->methods->load == NULL)
        return error_set(err, ERROR_CORRUPT, "%s cannot be fitted, but %s_config says that it was",
                         model->name, table->store.name);
    struct buffer bytes;
    buffer_init(&bytes, MODEL_MAX_BYTES);
    int rc = store_read_model(&table->store, &bytes, err);
    if (rc == 0)
        rc =
            model->methods->load(model, (struct span){bytes.data, bytes.size}, &table->fitted, err);
    buffer_deinit(&bytes);
    if (rc == 0) table->fitted_id = state->fit;
    if (rc == ERROR_CORRUPT)
        error_context(err, "INSERT INTO %s(%s) VALUES ('rebuild') makes it anew", table->store.name,
                      table->store.name);
    return rc;
}

int semantic_store_fingerprint(struct semantic_table *table, struct catalog_entry *entry,
                               struct error *err)
{
    uint64_t now;
    int rc = catalog_entry_fingerprint(entry, &table->connection->cancel, &now, err);
    return rc == 0 ? store_set(&table->store, "fingerprint", (int64_t)now, err) : rc;
}

int semantic_store_identity(struct semantic_table *table, const char *name, struct error *err)
{
    struct catalog_entry *entry;
    char identity[sizeof((struct store_state *)NULL)->identity];
    int rc = catalog_find(table->connection->catalog, name, MODEL_EMBED, &entry, err);
    if (rc != 0) return rc;
    catalog_entry_identity(entry, identity, sizeof identity);
    rc = store_set_text(&table->store, "identity", identity, err);
    if (rc != 0) return rc;
    return catalog_entry_model(entry)->methods->fingerprint == NULL
               ? semantic_store_fingerprint(table, entry, err)
               : store_set_text(&table->store, "fingerprint", NULL, err);
}

int semantic_store_reranker(struct semantic_table *table, struct error *err)
{
    struct catalog_entry *entry;
    char identity[sizeof((struct store_state *)NULL)->identity];
    int rc =
        catalog_find(table->connection->catalog, table->reranker_name, MODEL_RERANK, &entry, err);
    if (rc != 0) return rc;
    catalog_entry_identity(entry, identity, sizeof identity);
    return strcmp(identity, table->reranker_name) == 0
               ? 0
               : store_set_text(&table->store, RERANKER_IDENTITY, identity, err);
}

/* A name of the user's that nobody has registered on this connection: what it was, as far as the
 * index knows ("": it does not). Addresses and keys are in no database. */
static int not_registered(const char *name, const char *identity, struct error *err)
{
    const char *model = strchr(identity, ':');
    if (model == NULL || strcmp(name, identity) == 0 || err == NULL) return ERROR_INVALID;
    return error_set(err, ERROR_INVALID,
                     "no model is called '%.100s' here; where the index was made it stood for "
                     "%.200s: INSERT INTO rerank_models(name, provider, model, ...) VALUES "
                     "('%.100s', '%.*s', '%.200s', ...), with the url, api_key and dimensions that "
                     "it had",
                     name, identity, name, (int)(model - identity), identity, model + 1);
}

/* A name of the user's may stand for another model now: its vectors are not comparable. */
static int check_identity(const struct semantic_table *table, const struct store_state *state,
                          const struct catalog_entry *entry, struct error *err)
{
    char identity[sizeof state->identity];
    catalog_entry_identity(entry, identity, sizeof identity);
    if (state->identity[0] == '\0' || strcmp(identity, state->identity) == 0) return 0;
    return error_set(err, ERROR_INVALID,
                     "the index was made when %s stood for %s, and now it stands for %s: register "
                     "it for that one again, or INSERT INTO %s(%s) VALUES ('rebuild')",
                     state->model, state->identity, identity, table->store.name, table->store.name);
}

int semantic_check_fingerprint(struct semantic_table *table, const struct store_state *state,
                               struct catalog_entry *entry, struct error *err)
{
    uint64_t now;
    if (!state->has_fingerprint && state->dimensions == 0) return 0;
    int rc = catalog_entry_fingerprint(entry, &table->connection->cancel, &now, err);
    if (rc != 0) return rc;
    if (!state->has_fingerprint) return likeness_check(table, state, entry, now, err);
    if (now == state->fingerprint) return 0;
    return error_set(err, ERROR_INVALID,
                     "%s is not what it was when the index was made: its weights, tokenizer, "
                     "configuration or document_prefix are others (fingerprint %016llx, not "
                     "%016llx): bring them back, or INSERT INTO %s(%s) VALUES ('rebuild')",
                     state->model, (unsigned long long)now, (unsigned long long)state->fingerprint,
                     table->store.name, table->store.name);
}

int semantic_embedder(struct semantic_table *table, const struct store_state *state,
                      struct catalog_entry **entry, struct model **fitted, struct error *err)
{
    int rc = semantic_named_model(table, state, entry, fitted, err);
    return rc == 0 ? semantic_check_fingerprint(table, state, *entry, err) : rc;
}

/* Whether the fingerprint alone tells if two names stand for the same: of the same local model. */
static int is_same_folder(const struct store_state *state, const struct catalog_entry *named)
{
    char identity[sizeof state->identity];
    catalog_entry_identity(named, identity, sizeof identity);
    return state->has_fingerprint && catalog_entry_model(named)->methods->fingerprint != NULL &&
           strcmp(identity, state->identity) == 0;
}

/* What the option names: the model by another name, with the prefixes of that. */
static int take_name(const struct semantic_table *table, const struct store_state *state,
                     struct catalog_entry **entry, struct error *err)
{
    struct catalog_entry *named;
    if (table->config.model == NULL) return 0;
    int rc =
        catalog_find(table->connection->catalog, table->config.model, MODEL_EMBED, &named, NULL);
    if (rc != 0) return rc == ERROR_NOMEM ? error_nomem(err) : 0;
    if (catalog_entry_model(named) != catalog_entry_model(*entry) && !is_same_folder(state, named))
        return error_set(err, ERROR_INVALID,
                         "the index was made by %s, but its model '%.100s' is %s now: register "
                         "that name for %s again, or "
                         "INSERT INTO %s(%s) VALUES ('rebuild')",
                         state->model, table->config.model, catalog_entry_name(named), state->model,
                         table->store.name, table->store.name);
    *entry = named;
    return 0;
}

int semantic_named_model(struct semantic_table *table, const struct store_state *state,
                         struct catalog_entry **entry, struct model **fitted, struct error *err)
{
    *fitted = NULL;
    int rc = semantic_find_model(table, state->model, MODEL_EMBED, entry, err);
    if (rc == ERROR_INVALID && !table->innocuous)
        return not_registered(state->model, state->identity, err);
    if (rc != 0) return rc;
    rc = take_name(table, state, entry, err);
    if (rc == 0) rc = check_identity(table, state, *entry, err);
    if (rc != 0 || state->fit == 0) return rc;
    rc = load_fitted(table, state, catalog_entry_model(*entry), err);
    *fitted = table->fitted;
    return rc;
}

static int reranker_not_registered(struct semantic_table *table, struct error *err)
{
    char *identity;
    struct error other;
    int rc = store_get_text(&table->store, RERANKER_IDENTITY, &identity, &other);
    if (rc == 0 && identity != NULL) not_registered(table->reranker_name, identity, err);
    if (rc != 0 && err != NULL) *err = other;
    memory_free(identity);
    return rc != 0 ? rc : ERROR_INVALID;
}

int semantic_reranker(struct semantic_table *table, const struct store_state *state,
                      struct catalog_entry **entry, struct model **fitted, struct error *err)
{
    struct catalog_entry *embedder;
    *fitted = NULL;
    int rc = semantic_find_model(table, table->reranker_name, MODEL_RERANK, entry, err);
    if (rc == ERROR_INVALID && !table->innocuous) return reranker_not_registered(table, err);
    if (rc != 0 || state->fit == 0) return rc;
    rc = semantic_find_model(table, state->model, MODEL_EMBED, &embedder, err);
    if (rc == ERROR_INVALID) return 0;
    /* Of one kind: builtin:lsa is fitted as builtin:lexical is, and reranks by that name alone. */
    if (rc != 0 || catalog_entry_model(embedder)->methods != catalog_entry_model(*entry)->methods)
        return rc;
    return semantic_named_model(table, state, &embedder, fitted, err);
}

/* The row's own copy of its embedding [dimensions]. */
static int keep_vector(struct pending_row *row, const float *embedding, size_t dimensions,
                       struct error *err)
{
    float *vector = memory_alloc(dimensions, sizeof *vector);
    if (vector == NULL) return error_nomem(err);
    memcpy(vector, embedding, dimensions * sizeof *vector);
    memory_free(row->vector);
    row->vector = vector;
    row->dimensions = dimensions;
    return 0;
}

/* A model can answer with zeros: with one such row no search would work. */
static int check_directions(struct semantic_table *table, const struct catalog_entry *entry,
                            const struct model_embeddings *embeddings,
                            struct catalog_refusals *refusals, struct error *err)
{
    size_t n_known = refusals->n, dimensions = embeddings->dimensions;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < embeddings->n_texts; i++) {
        struct error why;
        if (catalog_refusals_find(refusals, n_known, i) != NULL) continue;
        if (semantic_check_direction(table, embeddings->vectors + i * dimensions, dimensions,
                                     &why) == 0)
            continue;
        error_context(&why, "%s", catalog_entry_name(entry));
        rc = catalog_refusals_add(refusals, i, &why, err);
    }
    return rc;
}

/* Hands each row the vector of its text, but for those that are refused: *refusals is written,
 * whose texts are places in rows, and is empty after an error. */
static int embed_rows(struct semantic_table *table, struct catalog_entry *entry,
                      struct model *fitted, struct pending_row *const *rows, size_t n_rows,
                      struct catalog_refusals *refusals, struct error *err)
{
    *refusals = (struct catalog_refusals){0};
    if (n_rows == 0) return 0;
    struct span *texts = memory_alloc(n_rows, sizeof *texts);
    struct model_embeddings embeddings = {0};
    int rc = texts == NULL ? error_nomem(err) : 0;
    if (rc == 0) {
        for (size_t i = 0; i < n_rows; i++)
            texts[i] = (struct span){rows[i]->text, rows[i]->text_size};
        struct model_texts request = {texts, n_rows, MODEL_DOCUMENT, &table->connection->cancel, 0};
        rc = catalog_embed(table->connection->catalog, entry, fitted, &request, &embeddings,
                           refusals, err);
    }
    if (rc == 0) rc = check_directions(table, entry, &embeddings, refusals, err);
    catalog_refusals_sort(refusals);
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        if (catalog_refusals_find(refusals, refusals->n, i) == NULL)
            rc = keep_vector(rows[i], embeddings.vectors + i * embeddings.dimensions,
                             embeddings.dimensions, err);
    if (rc != 0) catalog_refusals_deinit(refusals);
    memory_free(texts);
    memory_free(embeddings.vectors);
    return rc;
}

int semantic_try_rows(struct semantic_table *table, struct catalog_entry *entry,
                      struct model *fitted, struct pending_row *const *rows, size_t n_rows,
                      struct error *err)
{
    struct catalog_refusals refusals;
    for (size_t i = 0; i < n_rows; i++) {
        memory_free(rows[i]->refused);
        rows[i]->refused = NULL;
    }
    int rc = embed_rows(table, entry, fitted, rows, n_rows, &refusals, err);
    for (size_t i = 0; rc == 0 && i < refusals.n; i++)
        rc = pending_refuse(rows[refusals.items[i].text], &refusals.items[i].why, err);
    catalog_refusals_deinit(&refusals);
    return rc;
}

int semantic_lookup_row(struct semantic_table *table, struct catalog_entry *entry,
                        struct pending_row *row, struct error *err)
{
    struct span text = {row->text, row->text_size};
    struct model_texts request = {&text, 1, MODEL_DOCUMENT, NULL, 0};
    struct model_embeddings known;
    int rc = catalog_lookup(table->connection->catalog, entry, &request, &known, err);
    if (rc == 0 && known.vectors != NULL &&
        semantic_check_direction(table, known.vectors, known.dimensions, NULL) == 0)
        rc = keep_vector(row, known.vectors, known.dimensions, err);
    memory_free(known.vectors);
    return rc;
}

int semantic_check_direction(const struct semantic_table *table, const float *vector,
                             size_t dimensions, struct error *err)
{
    const struct index_metric_row *metric = &index_metrics[table->config.metric];
    if (table->store.options.vectors == INDEX_COMPACT && !vector_compact_takes(vector, dimensions))
        return error_set(err, ERROR_INVALID,
                         "storage = 'int8' takes vectors whose largest component is 0 or from %g "
                         "to %g: scale it, or use storage = 'float32'",
                         (double)VECTOR_COMPACT_LEAST, (double)VECTOR_COMPACT_MOST);
    if (table->store.options.vectors == INDEX_HALF && !vector_half_takes(vector, dimensions))
        return error_set(err, ERROR_INVALID,
                         "storage = 'float16' takes vectors whose largest component is 0 or from "
                         "%g to %g: scale it, or use storage = 'float32'",
                         (double)VECTOR_HALF_LEAST, (double)VECTOR_HALF_MOST);
    if (!metric->of_directions) return 0;
    for (size_t i = 0; i < dimensions; i++)
        if (vector[i] != 0.0f) return 0;
    return error_set(err, ERROR_INVALID,
                     "the zero vector has no direction, which metric '%s' needs", metric->name);
}

int semantic_check_fitted(struct semantic_table *table, struct error *err)
{
    struct store_state state;
    struct catalog_entry *entry;
    struct model *fitted;
    int rc = store_read_state(&table->store, &state, err);
    if (rc != 0 || state.fit == 0) return rc;
    model_free(table->fitted);
    table->fitted = NULL;
    return semantic_named_model(table, &state, &entry, &fitted, err);
}
