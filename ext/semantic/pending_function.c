/*
 * pending_function.c: SELECT * FROM semantic_pending('movie_index' [, schema]).
 *
 * What a sync would write, embedded here and written nowhere: rowid (of a keyed index the key),
 * hash, embedding. Rows to delete come first, without an embedding; rows that cannot be embedded
 * have none either, but a reason: behind the hash, and in the (hidden) column message. embedded.h
 * says what the hash is and who takes them.
 *
 * Any connection can ask, one that may only read too. Batches are those of a sync; one is in memory
 * at a time, and the index is connected for one at a time, so that a row of ours holds no statement
 * on it open.
 */
#include <string.h>

#include "base/memory.h"
#include "semantic/content.h"
#include "semantic/embedded.h"
#include "semantic/flush.h"
#include "semantic/registry.h"
#include "semantic/semantic.h"
#include "semantic/sync.h"
#include "sqlite/table_function.h"

enum {
    PENDING_ROWID,
    PENDING_HASH,
    PENDING_EMBEDDING,
    PENDING_INDEX,      /* the first argument; the other is the schema */
    PENDING_MESSAGE = 5 /* hidden too: rows that cannot be embedded say why */
};

struct pending_cursor {
    struct table_cursor base;
    char *schema, *name; /* owned; of the index */
    struct semantic_sync *sync;
    struct store_state state; /* that the batch belongs to */
    size_t at;                /* of the rows to delete, then of the batch */
    int is_deleting, is_keyed;
    sqlite3_value *key; /* owned; of the row, where the index is keyed */
};

static void pending_free(struct table_cursor *base)
{
    struct pending_cursor *cursor = (struct pending_cursor *)base;
    sync_close(cursor->sync);
    sqlite3_value_free(cursor->key);
    memory_free(cursor->schema);
    memory_free(cursor->name);
}

static int collect(struct pending_cursor *cursor, struct error *err)
{
    sqlite3_stmt *pin = NULL;
    struct semantic_sync *sync = cursor->sync;
    cursor->at = 0;
    int rc = registry_pin(table_cursor_context(&cursor->base), cursor->schema, cursor->name, &pin,
                          &sync->table, err);
    if (rc == 0) rc = store_read_state(&sync->table->store, &cursor->state, err);
    if (rc == 0) rc = sync_collect(sync, err);
    sqlite3_finalize(pin);
    return rc;
}

/* Goes to the row at cursor->at, or to the first that comes after what has ended. */
static int settle(struct pending_cursor *cursor, struct error *err)
{
    struct semantic_sync *sync = cursor->sync;
    int rc = 0;
    if (cursor->is_deleting && cursor->at < sync->found.gone.n + sync->found.settled.n) return 0;
    if (cursor->is_deleting) cursor->at = 0;
    cursor->is_deleting = 0;
    while (rc == 0 && cursor->at == sync->n_rows) {
        rc = sync_failure(sync, err);
        cursor->base.is_done = sync->n_collected == sync->n_wanted;
        if (rc != 0 || cursor->base.is_done) return rc;
        rc = collect(cursor, err);
    }
    return rc;
}

static int64_t row_id(const struct pending_cursor *cursor)
{
    const struct semantic_sync *sync = cursor->sync;
    size_t at = cursor->at;
    if (!cursor->is_deleting) return sync->rows[at].id;
    return at < sync->found.gone.n ? sync->found.gone.items[at]
                                   : sync->found.settled.items[at - sync->found.gone.n];
}

/* A keyed index names a row by its key: the id is its own, and a new row has none yet. */
static int read_key(struct pending_cursor *cursor, struct error *err)
{
    struct semantic_sync *sync = cursor->sync;
    sqlite3_stmt *pin = NULL;
    if (!cursor->is_keyed || cursor->base.is_done) return 0;
    sqlite3_value_free(cursor->key);
    cursor->key = NULL;
    int rc = registry_pin(table_cursor_context(&cursor->base), cursor->schema, cursor->name, &pin,
                          &sync->table, err);
    if (rc == 0)
        rc = content_key(sync->table, &sync->found.keys, row_id(cursor), &cursor->key, err);
    sqlite3_finalize(pin);
    return rc;
}

static int pending_next(struct table_cursor *base, struct error *err)
{
    struct pending_cursor *cursor = (struct pending_cursor *)base;
    cursor->at++;
    int rc = settle(cursor, err);
    return rc == 0 ? read_key(cursor, err) : rc;
}

/* Each node fits by itself: a fit reads all content, and gives the same bytes everywhere. One that
 * is to be made again may wait until then. */
static int check_fit(const struct semantic_table *index, const struct semantic_sync *sync,
                     struct error *err)
{
    if (!sync->fit) return 0;
    return error_set(err, ERROR_INVALID,
                     "the model of %s is fitted by its first sync: INSERT INTO %s(%s) VALUES "
                     "('sync') where it is written, then ask again",
                     index->store.name, index->store.name, index->store.name);
}

static int pending_start(struct table_cursor *base, struct error *err)
{
    struct pending_cursor *cursor = (struct pending_cursor *)base;
    struct semantic_table *index;
    sqlite3_stmt *pin = NULL;
    int rc = registry_open(table_cursor_context(base), base->arguments[0], base->arguments[1], &pin,
                           &index, err);
    if (rc == 0) rc = registry_copy_names(index, &cursor->schema, &cursor->name, err);
    if (rc == 0) rc = flush_pending(index, err);
    if (rc == 0) rc = store_read_state(&index->store, &cursor->state, err);
    if (rc == 0) rc = sync_open(index, SYNC_AS_FITTED, NULL, &cursor->sync, err);
    if (rc == 0) rc = check_fit(index, cursor->sync, err);
    if (rc == 0) cursor->is_keyed = index->store.keeps_keys;
    sqlite3_finalize(pin);
    cursor->is_deleting = 1;
    if (rc == 0) rc = settle(cursor, err);
    return rc == 0 ? read_key(cursor, err) : rc;
}

static void result_hash(sqlite3_context *context, const struct pending_cursor *cursor,
                        const struct pending_row *row)
{
    char hash[EMBEDDED_HASH_SIZE];
    const char *why = row == NULL ? NULL : row->refused;
    embedded_hash(&cursor->state, row == NULL ? EMBEDDED_NO_TEXT : row->hash, hash);
    char *text = sqlite3_mprintf("%s%s%s", hash, why == NULL ? "" : " ", why == NULL ? "" : why);
    if (text == NULL) sqlite3_result_error_nomem(context);
    else sqlite3_result_text(context, text, -1, sqlite3_free);
}

static void pending_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    const struct pending_cursor *cursor = (struct pending_cursor *)base;
    const struct semantic_sync *sync = cursor->sync;
    const struct pending_row *row = cursor->is_deleting ? NULL : &sync->rows[cursor->at];
    if (column == PENDING_ROWID && cursor->is_keyed) {
        if (cursor->key != NULL) sqlite3_result_value(context, cursor->key);
    } else if (column == PENDING_ROWID) {
        sqlite3_result_int64(context, row_id(cursor));
    } else if (column == PENDING_HASH) {
        result_hash(context, cursor, row);
    } else if (column == PENDING_MESSAGE && row != NULL && row->refused != NULL) {
        sqlite3_result_text(context, row->refused, -1, SQLITE_TRANSIENT);
    } else if (column == PENDING_EMBEDDING && row != NULL && row->vector != NULL) {
        sqlite3_result_blob64(context, row->vector, row->dimensions * sizeof *row->vector,
                              SQLITE_TRANSIENT);
    }
}

static const struct table_function pending_function = {
    .name = "semantic_pending",
    .usage = "the name of a semantic_index: semantic_pending('movie_index')",
    .declaration =
        "CREATE TABLE x(rowid, hash, embedding, \"index\" HIDDEN, schema HIDDEN, message HIDDEN)",
    .first_argument = PENDING_INDEX,
    .n_arguments = 2,
    .n_needed = 1,
    .is_direct_only = 1,
    .cursor_size = sizeof(struct pending_cursor),
    .start = pending_start,
    .next = pending_next,
    .column = pending_column,
    .free = pending_free,
};

int pending_function_register(struct connection *connection, struct semantic_registry *registry)
{
    return table_function_register(connection, &pending_function, registry);
}
