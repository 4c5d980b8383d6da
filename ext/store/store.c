#include "store/store.h"

#include <string.h>

#include "base/memory.h"
#include "store/statements.h"
#include "store/words_lengths.h"
#include "store/words_memory.h"
#include "vector/codec.h"

#define MODEL_PIECE ((size_t)1 << 20)

int store_init(struct store *store, struct connection *connection, const char *schema,
               const char *name, struct store_write *write, struct error *err)
{
    *store = (struct store){.connection = connection,
                            .cancel = &connection->cancel,
                            .db = connection->db,
                            .write = write};
    store->schema = memory_copy(schema, strlen(schema));
    store->name = memory_copy(name, strlen(name));
    return store->schema == NULL || store->name == NULL ? error_nomem(err) : 0;
}

void store_deinit(struct store *store)
{
    store_finalize(store);
    index_partitions_free(store->partitions);
    index_cache_close(store->cache);
    words_lengths_free(store->lengths);
    words_memory_free(store->words_memory);
    memory_free(store->schema);
    memory_free(store->name);
    memory_free(store->tokenizer);
    *store = (struct store){0};
}

int store_keeps_vectors(const struct store *store)
{
    return store->options.quantize != INDEX_EXACT;
}

int store_is_partitioned(const struct store *store)
{
    return store->options.partitions != 0 || store->options.quantize != INDEX_EXACT;
}

int store_takes_format(const struct store *store, int64_t format)
{
    return format >= STORE_FORMAT_PLAIN && format <= STORE_FORMAT &&
           (format > STORE_FORMAT_PLAIN || store->options.vectors == INDEX_FLOAT32);
}

size_t store_threads(const struct store *store)
{
    return (size_t)catalog_get(store->connection->catalog, CATALOG_THREADS);
}

uint64_t store_memory_budget(const struct store *store)
{
    return catalog_get(store->connection->catalog, CATALOG_MEMORY_BUDGET);
}

/* ---- X_config -------------------------------------------------------------------------------- */

int64_t store_number(uint64_t hash)
{
    return hash == 0 ? 1 : (int64_t)hash;
}

int store_corrupt_config(const struct store *store, const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "%s_config: %s (drop the index and create it again)",
                     store->name, what);
}

/* Only of settings that are texts: SQLite would write out a number as one. */
static void take_text(sqlite3_stmt *statement, char *text, size_t size)
{
    const char *value = (const char *)sqlite3_column_text(statement, 1);
    sqlite3_snprintf((int)size, text, "%s", value == NULL ? "" : value);
}

/* The list of an earlier format: ids, each with a partition, or all with the same block. */
static int take_list(const void *bytes, size_t size, const struct store *store,
                     struct store_state *state, struct error *err)
{
    struct {
        int64_t id, where;
    } list[STORE_MOST_WAITING];
    if (size > sizeof list || size % sizeof *list != 0)
        return store_corrupt_config(store, "the list of rows that wait is damaged", err);
    if (size > 0) memcpy(list, bytes, size);
    state->has_list = 1;
    state->n_waiting = size / sizeof *list;
    state->listed_for = size > 0 ? list->where : 0;
    for (size_t i = 0; i < state->n_waiting; i++)
        state->waiting[i] =
            (struct store_waiting){list[i].id, store_keeps_vectors(store) ? list[i].where : 0, 0};
    return 0;
}

static int take_waiting(sqlite3_stmt *statement, const struct store *store,
                        struct store_state *state, struct error *err)
{
    const void *bytes;
    size_t size;
    int rc = statement_column_bytes(statement, 1, &bytes, &size, err);
    if (rc != 0) return rc;
    if (sqlite3_column_type(statement, 1) == SQLITE_BLOB && size == sizeof state->slots) {
        memcpy(&state->slots, bytes, size);
        state->has_slots = 1;
        if (state->slots.waiting >> STORE_MOST_WAITING == 0) return 0;
    } else if (sqlite3_column_type(statement, 1) == SQLITE_BLOB) {
        return take_list(bytes, size, store, state, err);
    }
    return store_corrupt_config(store, "the list of rows that wait is damaged", err);
}

static int read_head(sqlite3_stmt *statement, const struct store *store, int64_t *slot,
                     struct store_slot_head *head, struct error *err)
{
    const void *bytes;
    size_t size;
    int rc = statement_column_bytes(statement, 1, &bytes, &size, err);
    *slot = sqlite3_column_int64(statement, 0);
    if (rc != 0) return rc;
    if (*slot < 1 || *slot > STORE_MOST_WAITING || size != sizeof *head)
        return error_set(err, ERROR_CORRUPT,
                         "%s_waiting: slot %lld is damaged (drop the index and create it again)",
                         store->name, (long long)*slot);
    memcpy(head, bytes, sizeof *head);
    return 0;
}

/* A row in a slot, if X_config speaks of it, or if it was written on top of what X_config says;
 * *more = 0: those behind it have none. */
static int take_slot(sqlite3_stmt *statement, const struct store *store, struct store_state *state,
                     int *more, struct error *err)
{
    struct store_slot_head head;
    int64_t slot;
    int rc = read_head(statement, store, &slot, &head, err);
    if (rc != 0) return rc;
    int64_t noted = state->slots.waiting >> (slot - 1);
    int is_on_top = noted == 0 && head.base == state->base && head.base != 0;
    if (is_on_top) state->generation = head.generation;
    if (is_on_top || (noted & 1) != 0)
        state->waiting[state->n_waiting++] = (struct store_waiting){head.id, head.partition, slot};
    *more = is_on_top || noted != 0;
    return 0;
}

/* What was read of the slots last, if it is still there: then the last of its rows is, too, at this
 * generation, which stands for all before. *row: the statement stands on what comes next. */
static int take_known_slots(struct store *store, struct store_state *state, sqlite3_stmt *statement,
                            int *row, struct error *err)
{
    const struct store_slots_read *known = &store->slots_read;
    struct store_slot_head head;
    int64_t slot;
    int is_known = known->n > 0 && known->base == state->base;
    sqlite3_bind_int64(statement, 1, is_known ? known->rows[known->n - 1].slot : 1);
    int rc = statement_step(store->db, statement, row, err);
    if (rc != 0 || !is_known) return rc;
    if (*row) rc = read_head(statement, store, &slot, &head, err);
    if (rc != 0) return rc;
    int is_on_top = known->generation != known->base;
    if (*row && (!is_on_top || head.generation == known->generation)) {
        memcpy(state->waiting, known->rows, known->n * sizeof *known->rows);
        state->n_waiting = known->n;
        state->generation = known->generation;
    } else {
        sqlite3_reset(statement);
        sqlite3_bind_int64(statement, 1, 1);
    }
    return statement_step(store->db, statement, row, err);
}

static void remember_slots(struct store *store, const struct store_state *state)
{
    struct store_slots_read *known = &store->slots_read;
    known->base = state->base;
    known->generation = state->generation;
    known->n = state->n_waiting;
    memcpy(known->rows, state->waiting, known->n * sizeof *known->rows);
}

static int read_slots(struct store *store, struct store_state *state, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0, more = 1, rc = store_keep(store, KEPT_SLOTS, &statement, err);
    if (rc == 0) rc = take_known_slots(store, state, statement, &row, err);
    while (rc == 0 && row && (rc = take_slot(statement, store, state, &more, err)) == 0 && more)
        rc = statement_step(store->db, statement, &row, err);
    sqlite3_reset(statement);
    if (rc != 0) return rc;
    int64_t missing = state->slots.waiting;
    for (size_t i = 0; i < state->n_waiting; i++) {
        missing &= ~((int64_t)1 << (state->waiting[i].slot - 1));
        state->slots.ids[state->waiting[i].slot - 1] = state->waiting[i].id;
    }
    if (missing != 0)
        return store_corrupt_config(store, "it speaks of rows that wait and are not there", err);
    remember_slots(store, state);
    return 0;
}

/* Most differ in their first letter, and there are many to compare for each search. */
static int is_key(const char *key, const char *name)
{
    return *key == *name && strcmp(key, name) == 0;
}

int store_read_state(struct store *store, struct store_state *state, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int64_t dimensions = -1;
    *state = (struct store_state){0};
    int rc = store_keep(store, KEPT_STATE, &statement, err);
    while (rc == 0 && (rc = statement_step(store->db, statement, &row, err)) == 0 && row) {
        const char *key = (const char *)sqlite3_column_text(statement, 0);
        int64_t value = sqlite3_column_int64(statement, 1);
        if (key == NULL) rc = error_nomem(err);
        if (rc != 0) break;
        if (is_key(key, "created")) state->created = value;
        if (is_key(key, "dimensions")) dimensions = value;
        if (is_key(key, "failures")) state->keeps_failures = value == 1;
        if (is_key(key, "fingerprint")) {
            state->fingerprint = (uint64_t)value;
            state->has_fingerprint = sqlite3_column_type(statement, 1) == SQLITE_INTEGER;
        }
        if (is_key(key, "fit")) state->fit = value;
        if (is_key(key, "format")) state->format = value;
        if (is_key(key, "generation")) state->generation = value;
        if (is_key(key, "partitions")) state->partitions = value;
        if (is_key(key, "waiting")) rc = take_waiting(statement, store, state, err);
        if (is_key(key, "model")) take_text(statement, state->model, sizeof state->model);
        if (is_key(key, "identity")) take_text(statement, state->identity, sizeof state->identity);
    }
    state->base = state->generation;
    if (rc == 0 && state->has_slots) rc = read_slots(store, state, err);
    if (rc != 0) return rc;
    if (!store_takes_format(store, state->format) || dimensions < 0 ||
        dimensions > VECTOR_MAX_DIMENSIONS)
        return store_corrupt_config(store, "format or dimensions is damaged", err);
    state->dimensions = (size_t)dimensions;
    return 0;
}

static int has_config(struct store *store, int *has, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = statement_prepare(store->db, &statement, err,
                               "SELECT 1 FROM \"%w\".sqlite_master WHERE type = 'table' AND "
                               "name = '%q_config' COLLATE nocase",
                               store->schema, store->name);
    if (rc == 0) rc = statement_step(store->db, statement, has, err);
    sqlite3_finalize(statement);
    return rc;
}

int store_is_there(struct store *store, struct store_state *state, int *there, struct error *err)
{
    struct error problem;
    int has = 1, rc = store_read_state(store, state, err);
    *there = rc == 0 && state->created == store->created;
    /* Another's may be of another format. */
    if (rc == ERROR_CORRUPT && state->created != 0 && state->created != store->created) return 0;
    if (rc != ERROR_STORAGE) return rc;
    int looked = has_config(store, &has, &problem);
    if (looked == ERROR_NOMEM) return error_nomem(err);
    return looked == 0 && !has ? 0 : rc;
}

int store_set(struct store *store, const char *key, int64_t value, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_keep(store, KEPT_SET, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, value);
    return statement_run(store->db, statement, err);
}

int store_set_text(struct store *store, const char *key, const char *value, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_keep(store, KEPT_SET, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    return statement_run(store->db, statement, err);
}

static int note_slots(struct store *store, struct store_state *state, struct error *err)
{
    sqlite3_stmt *statement;
    int64_t waiting = 0;
    for (size_t i = 0; i < state->n_waiting; i++)
        waiting |= (int64_t)1 << (state->waiting[i].slot - 1);
    if (waiting == state->slots.waiting && !state->has_other_ids) return 0;
    state->slots.waiting = waiting;
    state->has_other_ids = 0;
    int rc = store_keep(store, KEPT_SET, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, "waiting", -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, &state->slots, sizeof state->slots, SQLITE_STATIC);
    return statement_run(store->db, statement, err);
}

int store_note(struct store *store, struct store_state *state, struct error *err)
{
    int rc = 0;
    if (state->base != state->generation)
        rc = store_set(store, "generation", state->generation, err);
    state->base = state->generation;
    if (rc == 0 && state->has_slots) rc = note_slots(store, state, err);
    if (rc == 0 && state->has_list && state->n_waiting == 0) {
        rc = store_execute(store, "DELETE FROM " X_CONFIG " WHERE key = 'waiting'", err);
        state->has_list = 0;
    }
    return rc;
}

int store_delete_slots(struct store *store, struct store_state *state, struct error *err)
{
    state->n_waiting = 0;
    state->note = STORE_TO_NOTE;
    if (!state->has_slots) return 0;
    state->has_slots = 0;
    int rc = store_execute(store, "DELETE FROM " X_WAITING, err);
    return rc == 0 ? store_execute(store, "DELETE FROM " X_CONFIG " WHERE key = 'waiting'", err)
                   : rc;
}

int store_get_text(struct store *store, const char *key, char **value, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    *value = NULL;
    int rc = store_query(store, STORE_CONFIG, &statement, err);
    if (rc == 0) sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    if (rc == 0) rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row && sqlite3_column_type(statement, 0) == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        *value = text == NULL ? NULL : memory_copy(text, strlen(text));
        if (*value == NULL) rc = error_nomem(err);
    }
    sqlite3_finalize(statement);
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* A row that has a vector and no text has none here. */
static int put_text(struct store *store, const struct store_change *change, struct error *err)
{
    sqlite3_stmt *statement;
    if (change->text == NULL && change->kind == STORE_PUT)
        return store_run_with(store, KEPT_DELETE_TEXT, change->id, err);
    int rc = store_keep(store, KEPT_PUT_TEXT, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, change->id);
    if (change->text != NULL)
        sqlite3_bind_text64(statement, 2, change->text, change->text_size, SQLITE_STATIC,
                            SQLITE_UTF8);
    return store_run(store, statement, err);
}

int store_put(struct store *store, const struct store_change *change, int64_t block,
              struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_keep(store, KEPT_PUT_ROW, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, change->id);
    sqlite3_bind_int64(statement, 2, (int64_t)change->hash);
    sqlite3_bind_int(statement, 3, change->own);
    sqlite3_bind_int64(statement, 4, block);
    rc = store_run(store, statement, err);
    if (rc == 0 && store->options.keeps_texts) rc = put_text(store, change, err);
    return rc;
}

int store_delete(struct store *store, const struct store_change *change, struct error *err)
{
    int rc = store_run_with(store, KEPT_DELETE_ROW, change->id, err);
    if (rc != 0 || !store->options.keeps_texts) return rc;
    if (change->kind == STORE_DELETE) rc = store_run_with(store, KEPT_DELETE_TEXT, change->id, err);
    else if (change->kind == STORE_REFUSE && (change->text != NULL || change->why == NULL))
        rc = put_text(store, change, err);
    return rc;
}

int store_get_row(struct store *store, int64_t id, struct store_row *row, int *found,
                  struct error *err)
{
    sqlite3_stmt *statement;
    *row = (struct store_row){0};
    int rc = store_look_up(store, KEPT_GET_ROW, id, &statement, found, err);
    if (rc != 0 || !*found) return rc;
    row->hash = (uint64_t)sqlite3_column_int64(statement, 0);
    row->own = sqlite3_column_int(statement, 1);
    row->block = sqlite3_column_int64(statement, 2);
    sqlite3_reset(statement);
    return 0;
}

int store_has_row(struct store *store, int64_t id, int *found, struct error *err)
{
    struct store_row row;
    int64_t has = 0;
    if (!store->options.keeps_texts) return store_get_row(store, id, &row, found, err);
    int rc = store_ask(store, STORE_HAS_ID, id, 0, &has, err);
    *found = has != 0;
    return rc;
}

int store_move_row(struct store *store, int64_t id, int64_t block, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_keep(store, KEPT_MOVE_ROW, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, block);
    return store_run(store, statement, err);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

int store_block_is_possible(const struct store_block *block)
{
    return block->n >= 0 && block->room >= 0 && block->n <= INDEX_MAX_CAPACITY &&
           block->room <= INDEX_MAX_CAPACITY && block->n + block->room > 0;
}

struct store_block store_block_of(sqlite3_stmt *row)
{
    return (struct store_block){.number = sqlite3_column_int64(row, 0),
                                .partition = sqlite3_column_int64(row, 1),
                                .n = sqlite3_column_int64(row, 2),
                                .room = sqlite3_column_int64(row, 3),
                                .version = sqlite3_column_int64(row, 4)};
}

int store_get_block(struct store *store, int64_t number, struct store_block *block, int *found,
                    struct error *err)
{
    sqlite3_stmt *statement;
    *block = (struct store_block){.number = number};
    int rc = store_look_up(store, KEPT_GET_BLOCK, number, &statement, found, err);
    if (rc != 0 || !*found) return rc;
    *block = store_block_of(statement);
    sqlite3_reset(statement);
    return 0;
}

int store_put_block(struct store *store, const struct store_block *block, int is_new,
                    struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_keep(store, is_new ? KEPT_ADD_BLOCK : KEPT_CHANGE_BLOCK, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, block->number);
    sqlite3_bind_int64(statement, 2, block->partition);
    sqlite3_bind_int64(statement, 3, block->n);
    sqlite3_bind_int64(statement, 4, block->room);
    sqlite3_bind_int64(statement, 5, block->version);
    return store_run(store, statement, err);
}

int store_put_data(struct store *store, int64_t number, const void *bytes, size_t size,
                   struct error *err)
{
    return store_run_with_bytes(store, KEPT_PUT_DATA, number, bytes, size, err);
}

int store_get_data(struct store *store, int64_t number, sqlite3_stmt **data, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    *data = NULL;
    int rc = store_keep(store, KEPT_GET_DATA, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, number);
    rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row) *data = statement;
    return rc;
}

int store_open_data(struct store *store, int64_t number, sqlite3_blob **blob, struct error *err)
{
    int opened;
    if (*blob != NULL) {
        opened = sqlite3_blob_reopen(*blob, number);
    } else {
        char *table = sqlite3_mprintf("%s_data", store->name);
        if (table == NULL) return error_nomem(err);
        opened = sqlite3_blob_open(store->db, store->schema, table, "bytes", number, 1, blob);
        sqlite3_free(table);
    }
    return opened == SQLITE_OK ? 0 : statement_error(store->db, opened, err);
}

int store_close_data(struct store *store, sqlite3_blob *blob, int rc, struct error *err)
{
    int closed = sqlite3_blob_close(blob);
    return rc == 0 && closed != SQLITE_OK ? statement_error(store->db, closed, err) : rc;
}

int store_delete_block(struct store *store, int64_t number, struct error *err)
{
    int rc = store_run_with(store, KEPT_DELETE_BLOCK, number, err);
    return rc == 0 ? store_run_with(store, KEPT_DELETE_DATA, number, err) : rc;
}

int store_put_centroid(struct store *store, int64_t partition, const float *centroid,
                       size_t dimensions, struct error *err)
{
    return store_run_with_bytes(store, KEPT_PUT_CENTROID, partition, centroid,
                                dimensions * sizeof *centroid, err);
}

int store_delete_partitions(struct store *store, struct store_state *state, struct error *err)
{
    int rc = store_execute(store, "DELETE FROM " X_PARTITIONS, err);
    state->partitions = 0;
    return rc == 0 ? store_set(store, "partitions", 0, err) : rc;
}

/* ---- many at once ---------------------------------------------------------------------------- */

int store_delete_blocks(struct store *store, struct error *err)
{
    int rc = store_execute(store, "DELETE FROM " X_BLOCKS, err);
    return rc == 0 ? store_execute(store, "DELETE FROM " X_DATA, err) : rc;
}

int store_delete_blocks_until(struct store *store, int64_t last, struct error *err)
{
    int rc = statement_execute(store->db, err, "DELETE FROM " X_BLOCKS " WHERE block <= %lld",
                               store->schema, store->name, (long long)last);
    return rc == 0 ? store_delete_lost_data(store, err) : rc;
}

int store_delete_lost_data(struct store *store, struct error *err)
{
    return store_execute(
        store, "DELETE FROM " X_DATA " WHERE block NOT IN (SELECT block FROM " X_BLOCKS ")", err);
}

int store_delete_all(struct store *store, struct store_state *state, struct error *err)
{
    int rc = store_execute(store, "DELETE FROM " X_ROWS, err);
    if (rc == 0) rc = store_delete_slots(store, state, err);
    if (rc == 0) rc = store_delete_blocks(store, err);
    if (rc == 0 && store_keeps_vectors(store))
        rc = store_execute(store, "DELETE FROM " X_VECTORS, err);
    return rc == 0 && store_is_partitioned(store) ? store_delete_partitions(store, state, err) : rc;
}

/* ---- X_model --------------------------------------------------------------------------------- */

int store_read_model(struct store *store, struct buffer *bytes, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc = store_prepare(store, "SELECT bytes FROM " X_MODEL " ORDER BY id", 0, &statement, err);
    while (rc == 0 && (rc = statement_step(store->db, statement, &row, err)) == 0 && row) {
        const void *piece = sqlite3_column_blob(statement, 0);
        size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        rc = piece == NULL && sqlite3_column_type(statement, 0) == SQLITE_BLOB && size > 0
                 ? error_nomem(err)
                 : buffer_append(bytes, piece, size, err);
    }
    sqlite3_finalize(statement);
    return rc;
}

int store_write_model(struct store *store, struct span bytes, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = store_execute(store, "DELETE FROM " X_MODEL, err);
    if (rc == 0)
        rc = store_prepare(store, "INSERT INTO " X_MODEL "(bytes) VALUES (?1)", 0, &statement, err);
    for (size_t at = 0; rc == 0 && at < bytes.size; at += MODEL_PIECE) {
        size_t left = bytes.size - at;
        sqlite3_bind_blob64(statement, 1, bytes.data + at, left < MODEL_PIECE ? left : MODEL_PIECE,
                            SQLITE_STATIC);
        rc = store_run(store, statement, err);
    }
    sqlite3_finalize(statement);
    return rc;
}
