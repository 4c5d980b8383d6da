#include "semantic/sync.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "semantic/content.h"
#include "semantic/embedder.h"
#include "semantic/fit.h"
#include "semantic/pending.h"
#include "semantic/wording.h"
#include "store/failures.h"
#include "store/words.h"
#include "store/write.h"

#define MODEL_MAX_BYTES ((size_t)1 << 30)

/* Which model embeds: for a rebuild the one that the options name now, else the one the index was
 * made by. */
static int choose_model(struct semantic_sync *sync, const struct store_state *state,
                        enum sync_kind kind, struct error *err)
{
    struct semantic_table *table = sync->table;
    struct model *fitted;
    if (kind != SYNC_REBUILD) return semantic_named_model(table, state, &sync->entry, &fitted, err);
    const char *name = table->config.model != NULL ? table->config.model : state->model;
    return semantic_find_model(table, name, MODEL_EMBED, &sync->entry, err);
}

struct progress_counts sync_counts(const struct semantic_sync *sync)
{
    return (struct progress_counts){
        .embedded = (int64_t)sync->n_embedded,
        .deleted = (int64_t)sync->n_deleted,
        .failed = sync->found.n_unusable + (int64_t)(sync->found.n_known_failures + sync->n_failed),
        .pending = (int64_t)(sync->found.ids.n - sync->n_collected),
        .total = sync->found.n_total,
        .requests = (int64_t)sync->n_requests};
}

int sync_compare(struct semantic_table *table, enum sync_kind kind,
                 struct sync_difference *difference, struct error *err)
{
    struct comparison found = {0};
    int rc = comparison_make(table, kind, &found, err);
    *difference = (struct sync_difference){.n_changed = found.ids.n,
                                           .n_gone = found.gone.n + found.settled.n,
                                           .n_failed = found.n_known_failures,
                                           .n_wordless = found.n_wordless,
                                           .n_unusable = found.n_unusable,
                                           .n_total = found.n_total,
                                           .n_readable = found.n_readable};
    comparison_deinit(&found);
    return rc;
}

/* The first sync of a model that can be fitted fits it, also where rows came one by one before. */
static int plan_fit(struct semantic_sync *sync, const struct store_state *state,
                    enum sync_kind kind, struct error *err)
{
    struct store_state before = *state;
    int rebuild = kind == SYNC_REBUILD, due;
    if (rebuild) before.fit = 0;
    int rc =
        semantic_fit_is_due(sync->table, &before, sync->entry, sync->found.n_readable, &due, err);
    sync->fit = rc == 0 && due && (kind != SYNC_AS_FITTED || state->fit == 0);
    if (sync->fit && !rebuild) rc = comparison_make(sync->table, SYNC_REBUILD, &sync->found, err);
    sync->fit = sync->fit && sync->found.ids.n > 0;
    sync->clear = rebuild || sync->fit;
    sync->is_whole = sync->clear && state->generation != 0;
    sync->n_wanted = sync->found.ids.n;
    return rc;
}

int sync_open(struct semantic_table *table, enum sync_kind kind, struct progress *progress,
              struct semantic_sync **opened, struct error *err)
{
    struct store_state state;
    struct semantic_sync *sync = memory_zalloc(1, sizeof *sync);
    *opened = NULL;
    if (sync == NULL) return error_nomem(err);
    sync->table = table;
    sync->progress = progress;
    int rc = store_read_state(&table->store, &state, err);
    if (rc == 0) rc = choose_model(sync, &state, kind, err);
    sync->fit_id = state.fit;
    if (rc == 0)
        rc =
            comparison_make(table, kind == SYNC_AS_FITTED ? SYNC_CHANGES : kind, &sync->found, err);
    if (rc == 0) rc = plan_fit(sync, &state, kind, err);
    if (rc == 0) rc = wording_is_due(table, (int64_t)sync->found.n_wordless, &sync->tidy, err);
    struct progress_counts counts = sync_counts(sync);
    if (rc == 0) progress_count(progress, &counts);
    if (rc != 0) {
        sync_close(sync);
        sync = NULL;
    }
    *opened = sync;
    return rc;
}

static void free_batch(struct semantic_sync *sync)
{
    for (size_t i = 0; i < sync->n_rows; i++) pending_row_deinit(&sync->rows[i]);
    memory_free(sync->rows);
    sync->rows = NULL;
    sync->n_rows = 0;
}

void sync_close(struct semantic_sync *sync)
{
    if (sync == NULL) return;
    free_batch(sync);
    model_free(sync->fitted);
    comparison_deinit(&sync->found);
    memory_free(sync);
}

int sync_pending(const struct semantic_sync *sync)
{
    return sync->n_collected < sync->n_wanted ||
           (!sync->started &&
            (sync->found.gone.n > 0 || sync->found.settled.n > 0 || sync->clear || sync->tidy));
}

void sync_limit(struct semantic_sync *sync, size_t n_rows)
{
    if (sync->n_wanted > n_rows && !sync->is_whole) sync->n_wanted = n_rows;
}

/* Adds a row with the text that was read, or why that cannot be embedded. */
static int collect_row(struct semantic_sync *sync, int64_t id, const struct buffer *text,
                       const struct error *bad, struct error *err)
{
    struct pending_row *row = &sync->rows[sync->n_rows++];
    row->id = id;
    row->hash = content_hash(text, bad);
    return pending_take_text(row, text, bad, err);
}

/* Reads the texts of the next ids. A row that has gone since is left out: the next sync deletes it.
 */
static int collect_rows(struct semantic_sync *sync, size_t *n_ids, struct error *err)
{
    struct buffer text;
    struct error bad;
    buffer_init(&text, CONTENT_MAX_TEXT);
    size_t bytes = 0, most = catalog_call_size(sync->table->connection->catalog, sync->entry);
    int rc = 0;
    *n_ids = 0;
    if (most > SYNC_MAX_ROWS) most = SYNC_MAX_ROWS;
    sync->rows = memory_zalloc(most, sizeof *sync->rows);
    if (sync->rows == NULL) return error_nomem(err);
    while (rc == 0 && *n_ids < most && sync->n_collected + *n_ids < sync->n_wanted &&
           bytes < SYNC_BATCH_BYTES) {
        int64_t id = sync->found.ids.items[sync->n_collected + (*n_ids)++];
        int exists, found;
        rc =
            content_new_text(sync->table, &sync->found.keys, id, &text, &bad, &exists, &found, err);
        if (rc == 0 && found) rc = collect_row(sync, id, &text, &bad, err);
        bytes += text.size;
    }
    buffer_deinit(&text);
    return rc;
}

/* After a failure: keeps the rows whose vectors came before it, and the error for later. */
static int keep_known(struct semantic_sync *sync, struct catalog_entry *entry, struct error *err)
{
    size_t n = 0;
    sync->failure = *err;
    for (size_t i = 0; i < sync->n_rows; i++) {
        struct pending_row *row = &sync->rows[i];
        int rc = row->text == NULL ? 0 : semantic_lookup_row(sync->table, entry, row, err);
        if (rc != 0) return rc;
        if (row->vector == NULL && row->refused == NULL) {
            pending_row_deinit(row);
            *row = (struct pending_row){0};
            continue;
        }
        struct pending_row kept = *row;
        if (n < i) *row = (struct pending_row){0};
        sync->rows[n++] = kept;
    }
    sync->n_rows = n;
    if (n > 0) return 0;
    *err = sync->failure;
    return err->code;
}

static int embed_batch(struct semantic_sync *sync, struct catalog_entry *entry,
                       struct model *fitted, struct error *err)
{
    struct pending_row **rows = memory_alloc(sync->n_rows, sizeof *rows);
    if (rows == NULL) return error_nomem(err);
    size_t n = 0;
    for (size_t i = 0; i < sync->n_rows; i++)
        if (sync->rows[i].text != NULL) rows[n++] = &sync->rows[i];
    int rc = semantic_try_rows(sync->table, entry, fitted, rows, n, err);
    memory_free(rows);
    int may_be_known = rc == ERROR_UNAVAILABLE || rc == ERROR_REFUSED;
    return may_be_known && fitted == NULL ? keep_known(sync, entry, err) : rc;
}

/* The first row that a server refused, for sync_refusal. */
static int note_refusal(struct semantic_sync *sync, struct error *err)
{
    const struct pending_row *row = sync->rows, *end = sync->rows + sync->n_rows;
    sqlite3_value *key = NULL;
    while (row < end && (row->vector != NULL || row->refused == NULL || !row->by_server)) row++;
    if (row == end || sync->refusal.code != 0) return 0;
    int rc = content_key(sync->table, &sync->found.keys, row->id, &key, err);
    error_set(&sync->refusal, ERROR_REFUSED, "%s", row->refused);
    content_name_row(sync->table, row->id, key, &sync->refusal);
    sqlite3_value_free(key);
    return rc;
}

int sync_collect(struct semantic_sync *sync, struct error *err)
{
    struct semantic_table *table = sync->table;
    struct store_state state;
    struct catalog_entry *entry = sync->entry;
    struct model *fitted = NULL;
    size_t n_ids = 0;
    free_batch(sync);
    int rc = store_read_state(&table->store, &state, err);
    if (rc == 0 && sync->fit && sync->fitted == NULL) {
        progress_enter(sync->progress, PROGRESS_FITTING);
        rc = semantic_fit(table, entry, (uint64_t)sync->found.n_readable, &sync->fitted, err);
    }
    if (rc == 0 && !sync->clear) rc = semantic_named_model(table, &state, &entry, &fitted, err);
    progress_enter(sync->progress, PROGRESS_EMBEDDING);
    if (rc == 0) rc = collect_rows(sync, &n_ids, err);
    if (rc == 0 && !sync->clear && sync->n_rows > 0)
        rc = semantic_check_fingerprint(table, &state, entry, err);
    if (rc != 0) return rc;
    uint64_t before = catalog_entry_requests(entry);
    rc = embed_batch(sync, entry, sync->fit ? sync->fitted : fitted, err);
    if (rc == 0) rc = note_refusal(sync, err);
    if (rc == 0) sync->n_collected += n_ids;
    sync->n_requests += (size_t)(catalog_entry_requests(entry) - before);
    return rc;
}

int sync_refusal(const struct semantic_sync *sync, struct error *err)
{
    if (sync->refusal.code != 0) *err = sync->refusal;
    return sync->refusal.code;
}

int sync_failure(const struct semantic_sync *sync, struct error *err)
{
    if (sync->failure.code != 0) *err = sync->failure;
    return sync->failure.code;
}

int sync_estimate(struct semantic_sync *sync, struct catalog_estimate *estimate, struct error *err)
{
    struct connection *connection = sync->table->connection;
    size_t n_ids = 0;
    free_batch(sync);
    int rc = collect_rows(sync, &n_ids, err);
    struct span *texts = rc == 0 ? memory_alloc(sync->n_rows, sizeof *texts) : NULL;
    if (rc == 0 && texts == NULL) rc = error_nomem(err);
    size_t n = 0;
    for (size_t i = 0; rc == 0 && i < sync->n_rows; i++)
        if (sync->rows[i].text != NULL)
            texts[n++] = (struct span){sync->rows[i].text, sync->rows[i].text_size};
    struct model_texts request = {texts, n, MODEL_DOCUMENT, &connection->cancel, 0};
    if (rc == 0) rc = catalog_estimate(connection->catalog, sync->entry, &request, estimate, err);
    memory_free(texts);
    sync->n_collected += n_ids;
    sync->started = 1;
    return rc != 0 ? rc : cancel_check(&connection->cancel, err);
}

/* Deletes all rows whose vector a model made; `any`: there are others. */
static int forget_model_rows(struct semantic_table *table, struct store_state *state, int any,
                             struct error *err)
{
    sqlite3_stmt *scan = NULL;
    struct ids ids = {0};
    if (!any) return store_delete_all(&table->store, state, err);
    int row = 0, rc = store_query(&table->store, STORE_MODEL_IDS, &scan, err);
    while (rc == 0 && (rc = statement_step(table->store.db, scan, &row, err)) == 0 && row)
        rc = ids_add(&ids, sqlite3_column_int64(scan, 0), err);
    sqlite3_finalize(scan);
    if (rc == 0) rc = store_delete_rows(&table->store, state, ids.items, ids.n, STORE_FORGET, err);
    ids_deinit(&ids);
    return rc;
}

/* What is found out about a batch before anything of it is written: a write that fails half way
 * costs the whole transaction. */
struct batch {
    struct store_change *changes; /* [sync->n_rows]; owned */
    int is_new_model;             /* all that the old model made goes before it */
    int any_own;                  /* with vectors that the user gave, which stay */
    size_t dimensions;            /* of a new model; 0: those of the first vector that comes */
    struct buffer fitted;         /* the bytes of a new model that was fitted; owned */
    int64_t fit;                  /* their number; 0: none */
};

static int store_fit(struct semantic_sync *sync, const struct batch *batch, struct error *err)
{
    struct store *store = &sync->table->store;
    int rc = store_write_model(store, (struct span){batch->fitted.data, batch->fitted.size}, err);
    if (rc == 0) rc = store_set(store, "fit", batch->fit, err);
    if (rc == 0)
        rc = store_set(store, "fitted_on", batch->fit == 0 ? 0 : sync->found.n_readable, err);
    return rc;
}

/* The first batch of a fit or a rebuild: whether the new model's vectors fit what stays. */
static int check_new_model(struct semantic_sync *sync, const struct store_state *state,
                           struct batch *batch, struct error *err)
{
    struct semantic_table *table = sync->table;
    const char *name = catalog_entry_name(sync->entry);
    int64_t any_own;
    int rc = store_ask(&table->store, STORE_ANY_OWN, 0, 0, &any_own, err);
    if (rc != 0) return rc;
    batch->is_new_model = 1;
    batch->any_own = any_own != 0;
    for (size_t i = 0; batch->dimensions == 0 && i < sync->n_rows; i++)
        batch->dimensions = sync->rows[i].dimensions;
    if (batch->dimensions == 0)
        batch->dimensions = batch->any_own ? state->dimensions : table->config.dimensions;
    if (batch->any_own) rc = store_check_dimensions(state, name, batch->dimensions, err);
    if (rc == ERROR_INVALID)
        error_context(err,
                      "the index holds vectors that were given (delete those rows, or give all)");
    if (rc == 0 && table->config.dimensions != 0 && table->config.dimensions != batch->dimensions)
        rc = error_set(
            err, ERROR_INVALID,
            "the index was created with dimensions = %zu, but %s makes %zu: leave the option out",
            table->config.dimensions, name, batch->dimensions);
    if (rc == 0 && sync->fitted != NULL) {
        rc = sync->fitted->methods->save(sync->fitted, &batch->fitted, err);
        batch->fit =
            store_number(hash_bytes(batch->fitted.data, batch->fitted.size, (uint64_t)state->fit));
    }
    return rc;
}

static int prepare_batch(struct semantic_sync *sync, const struct store_state *state,
                         struct batch *batch, struct error *err)
{
    struct store_state after = *state;
    int rc = 0;
    *batch = (struct batch){.changes = memory_alloc(sync->n_rows, sizeof *batch->changes)};
    buffer_init(&batch->fitted, MODEL_MAX_BYTES);
    if (batch->changes == NULL) return error_nomem(err);
    for (size_t i = 0; i < sync->n_rows; i++) batch->changes[i] = pending_change(&sync->rows[i]);
    if (!sync->started && sync->clear) rc = check_new_model(sync, state, batch, err);
    if (batch->is_new_model) after.dimensions = batch->dimensions;
    if (rc != 0) return rc;
    rc = store_check_changes(&after, batch->changes, sync->n_rows, err);
    if (rc == ERROR_INVALID && !batch->is_new_model && sync->table->config.dimensions != 0)
        error_context(err, "an index with the option dimensions is for vectors of your own (write "
                           "them, or leave the option out)");
    return rc;
}

static int store_new_model(struct semantic_sync *sync, struct store_state *state,
                           const struct batch *batch, struct error *err)
{
    struct semantic_table *table = sync->table;
    const char *name = catalog_entry_name(sync->entry);
    int has_words = table->store.tokenizer != NULL;
    int rc = has_words ? words_clear(&table->store, err) : 0;
    if (rc == 0) rc = forget_model_rows(table, state, batch->any_own, err);
    if (rc == 0 && has_words && batch->any_own) rc = words_postpone_own(&table->store, err);
    if (rc == 0) rc = failures_clear(&table->store, state, err);
    if (rc == 0) rc = store_fit(sync, batch, err);
    if (rc == 0) rc = store_set_text(&table->store, "model", name, err);
    if (rc == 0) rc = semantic_store_identity(table, name, err);
    state->has_fingerprint = 0;
    if (rc == 0) rc = store_set(&table->store, "dimensions", (int64_t)batch->dimensions, err);
    state->dimensions = batch->dimensions;
    return rc;
}

/* The words of the rows that get vectors, and after the last batch all that is left to do. */
static int write_words(struct semantic_sync *sync, const struct batch *batch, struct error *err)
{
    int rc = wording_store(sync->table, batch->changes, sync->n_rows, err);
    return rc == 0 && sync->n_collected >= sync->n_wanted ? wording_tidy(sync->table, err) : rc;
}

static int write_batch(struct semantic_sync *sync, struct store_state *state,
                       const struct batch *batch, struct error *err)
{
    struct store *store = &sync->table->store;
    /* Keys go with their rows; texts of an index without content stay. */
    enum store_change_kind kind = store->keeps_keys ? STORE_DELETE : STORE_FORGET;
    int rc = batch->is_new_model ? store_new_model(sync, state, batch, err) : 0;
    if (rc == 0 && !state->has_fingerprint && pending_any_vector(sync->rows, sync->n_rows))
        rc = semantic_store_fingerprint(sync->table, sync->entry, err);
    if (rc == 0 && !sync->started)
        rc = store_delete_rows(store, state, sync->found.gone.items, sync->found.gone.n, kind, err);
    if (rc == 0 && !sync->started)
        rc = store_delete_rows(store, state, sync->found.settled.items, sync->found.settled.n, kind,
                               err);
    for (size_t i = 0; rc == 0 && i < sync->n_rows; i++)
        rc = content_keys_settle(sync->table, &sync->found.keys, &batch->changes[i].id, err);
    if (rc == 0) rc = store_write_rows(store, state, batch->changes, sync->n_rows, err);
    return rc == 0 ? write_words(sync, batch, err) : rc;
}

static uint64_t hash_ids(const struct ids *ids, uint64_t what, uint64_t before)
{
    return ids->n == 0 ? before
                       : hash_bytes(ids->items, ids->n * sizeof *ids->items, before + what);
}

/* What stands for all of it: of rows that are only put the same as when they come one by one. */
static uint64_t hash_batch(const struct semantic_sync *sync, const struct batch *batch)
{
    const char *name = catalog_entry_name(sync->entry);
    uint64_t hash = store_hash_changes(batch->changes, sync->n_rows, 0);
    if (!sync->started)
        hash = hash_ids(&sync->found.settled, 2, hash_ids(&sync->found.gone, 1, hash));
    if (!batch->is_new_model) return hash;
    const uint64_t numbers[] = {(uint64_t)batch->fit, batch->dimensions};
    return hash_bytes(name, strlen(name), hash_bytes(numbers, sizeof numbers, hash));
}

int sync_store(struct semantic_sync *sync, struct error *err)
{
    struct store *store = &sync->table->store;
    struct store_state state;
    struct batch batch = {0};
    progress_enter(sync->progress, PROGRESS_WRITING);
    int rc = store_read_state(store, &state, err);
    if (rc == 0 && state.fit != sync->fit_id)
        rc = error_set(err, ERROR_INVALID,
                       "the index was rebuilt meanwhile: call semantic_sync again");
    if (rc == 0) rc = prepare_batch(sync, &state, &batch, err);
    if (rc == 0) rc = wording_prepare(sync->table, sync->clear, err);
    if (rc == 0) rc = store_write_begin(store, &state, hash_batch(sync, &batch), err);
    if (rc == 0) rc = store_write_end(store, &state, write_batch(sync, &state, &batch, err), err);
    sync->fit_stored = batch.is_new_model ? batch.fit : sync->fit_id;
    memory_free(batch.changes);
    buffer_deinit(&batch.fitted);
    return rc;
}

/* After the last batch: nothing is to be done any more. */
static int settle(struct semantic_sync *sync, struct error *err)
{
    struct store *store = &sync->table->store;
    struct comparison *found = &sync->found;
    int64_t n_wordless = 0;
    int is_done = sync->n_collected == found->ids.n && sync->failure.code == 0;
    sync->table->agreement = (struct agreement){0};
    if (!is_done || !found->watch.is_alone) return 0;
    int rc =
        store->tokenizer == NULL ? 0 : store_ask(store, STORE_N_WORDLESS, 0, 0, &n_wordless, err);
    if (rc == 0)
        comparison_keep(sync->table, found, sync->is_whole ? 1 : sync->n_stored,
                        found->n_known_failures + sync->n_failed, (size_t)n_wordless);
    return rc;
}

int sync_stored(struct semantic_sync *sync, struct error *err)
{
    if (!sync->started) sync->n_deleted += sync->found.gone.n;
    sync->started = 1;
    sync->n_stored++;
    sync->fit_id = sync->fit_stored;
    for (size_t i = 0; i < sync->n_rows; i++) {
        if (sync->rows[i].vector != NULL) sync->n_embedded++;
        else sync->n_failed++;
    }
    struct progress_counts counts = sync_counts(sync);
    progress_count(sync->progress, &counts);
    free_batch(sync);
    return settle(sync, err);
}
