/*
 * pending_function.c: SELECT * FROM semantic_pending('movie_index' [, schema]).
 *
 * What a sync would write, embedded here and written nowhere: rowid, hash, embedding. Rows to
 * delete come first, without an embedding; rows that cannot be embedded have none either, but a
 * (hidden) message. Rows of a keyed index are named by the (hidden) key, as their ids may be new.
 * embedded.h says what the hash is and who takes the rows.
 * Any connection can ask, one that may only read too. Batches are those of a sync; one is in memory
 * at a time, and the index is connected for one at a time, so that a row of ours holds no statement
 * on it open.
 */
#include <string.h>

#include "base/memory.h"
#include "semantic/embedded.h"
#include "semantic/flush.h"
#include "semantic/registry.h"
#include "semantic/semantic.h"
#include "semantic/sync.h"
#include "sqlite/result.h"
#include "sqlite/table_function.h"
#include "store/keys.h"

enum {
    PENDING_ROWID,
    PENDING_HASH,
    PENDING_EMBEDDING,
    PENDING_INDEX,       /* the first argument; the other is the schema */
    PENDING_MESSAGE = 5, /* hidden too: rows that cannot be embedded say why */
    PENDING_KEY          /* and what names a row of a keyed index; else the rowid */
};

struct pending_cursor {
    struct table_cursor base;
    char *schema, *name; /* owned; of the index */
    struct semantic_sync *sync;
    struct store_state state; /* that the batch belongs to */
    size_t at;                /* of the rows to delete, then of the batch */
    int is_deleting;
};

static void pending_free(struct table_cursor *base)
{
    struct pending_cursor *cursor = (struct pending_cursor *)base;
    sync_close(cursor->sync);
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
    if (cursor->is_deleting && cursor->at < sync->gone.n) return 0;
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

static int pending_next(struct table_cursor *base, struct error *err)
{
    struct pending_cursor *cursor = (struct pending_cursor *)base;
    cursor->at++;
    return settle(cursor, err);
}

/* Each node fits by itself: a fit reads all content, and gives the same bytes everywhere. */
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
    if (rc == 0) {
        cursor->schema = memory_copy(index->store.schema, strlen(index->store.schema));
        cursor->name = memory_copy(index->store.name, strlen(index->store.name));
        if (cursor->schema == NULL || cursor->name == NULL) rc = error_nomem(err);
    }
    if (rc == 0) rc = flush_pending(index, err);
    if (rc == 0) rc = store_read_state(&index->store, &cursor->state, err);
    if (rc == 0) rc = sync_open(index, SYNC_CHANGES, NULL, &cursor->sync, err);
    if (rc == 0) rc = check_fit(index, cursor->sync, err);
    sqlite3_finalize(pin);
    cursor->is_deleting = 1;
    return rc == 0 ? settle(cursor, err) : rc;
}

/* The key of an id: of those that are new, or of those that the index knows. */
static int result_key(struct pending_cursor *cursor, sqlite3_context *context, int64_t id,
                      struct error *err)
{
    struct semantic_table *index;
    sqlite3_stmt *pin = NULL, *key = NULL;
    sqlite3_value *value = content_new_key(&cursor->sync->keys, id);
    if (value != NULL) {
        sqlite3_result_value(context, value);
        return 0;
    }
    int rc = registry_pin(table_cursor_context(&cursor->base), cursor->schema, cursor->name, &pin,
                          &index, err);
    if (rc == 0 && !index->store.keeps_keys) sqlite3_result_int64(context, id);
    else if (rc == 0) rc = keys_get(&index->store, id, &key, err);
    if (key != NULL) {
        sqlite3_result_value(context, sqlite3_column_value(key, 0));
        sqlite3_reset(key);
    }
    sqlite3_finalize(pin);
    return rc;
}

static void pending_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    struct pending_cursor *cursor = (struct pending_cursor *)base;
    const struct semantic_sync *sync = cursor->sync;
    const struct pending_row *row = cursor->is_deleting ? NULL : &sync->rows[cursor->at];
    int64_t id = row == NULL ? sync->gone.items[cursor->at] : row->id;
    struct error err;
    if (column == PENDING_ROWID) {
        sqlite3_result_int64(context, id);
    } else if (column == PENDING_KEY) {
        if (result_key(cursor, context, id, &err) != 0)
            result_error(context, "semantic_pending", &err);
    } else if (column == PENDING_HASH) {
        char hash[EMBEDDED_HASH_SIZE];
        embedded_hash(&cursor->state, row == NULL ? EMBEDDED_NO_TEXT : row->hash, hash);
        sqlite3_result_text(context, hash, -1, SQLITE_TRANSIENT);
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
        "CREATE TABLE x(rowid, hash, embedding, \"index\" HIDDEN, schema HIDDEN, message HIDDEN, "
        "key HIDDEN)",
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
