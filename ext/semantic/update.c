#include "semantic/update.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "semantic/agreement.h"
#include "semantic/command.h"
#include "semantic/content.h"
#include "semantic/embedded.h"
#include "semantic/embedder.h"
#include "semantic/flush.h"
#include "semantic/pending.h"
#include "semantic/wording.h"
#include "sqlite/argument.h"
#include "sqlite/result.h"
#include "store/keys.h"
#include "store/words.h"
#include "store/write.h"
#include "text/blank.h"

/* Takes over what the row owns. When much waits that is written first: a statement that fails then
 * has noted nothing. Words are written last: should that fail half way, the transaction is torn. */
static int add_pending(struct semantic_table *table, struct pending_row *row, struct error *err)
{
    struct semantic_pending *pending = table->pending;
    int is_full = pending->n_rows - pending->n_flushed >= PENDING_MAX_ROWS ||
                  pending->n_bytes >= PENDING_MAX_BYTES;
    int has_new_words = 0;
    int rc = is_full ? flush_pending(table, err) : 0;
    if (rc == 0) rc = wording_begin(table, row, &has_new_words, err);
    if (rc != 0) {
        pending_row_deinit(row);
        return rc;
    }
    rc = pending_add(pending, row, err);
    if (rc != 0 || !has_new_words) return rc;
    return wording_write(table, &pending->rows[pending->n_rows - 1], err);
}

static int delete_row(struct semantic_table *table, int64_t id, struct error *err)
{
    struct pending_row row = {.kind = PENDING_DELETE, .id = id};
    return add_pending(table, &row, err);
}

/* The dimensions that a given vector must have: the index's, or those of one that waits already. */
static int check_given_vector(struct semantic_table *table, const struct argument_vector *vector,
                              struct error *err)
{
    struct store_state state = {0};
    int64_t n = 0;
    int rc = 0;
    for (size_t i = table->pending->n_flushed; state.dimensions == 0 && i < table->pending->n_rows;
         i++)
        state.dimensions = table->pending->rows[i].dimensions;
    if (state.dimensions == 0) rc = store_ask(&table->store, STORE_DIMENSIONS, 0, 0, &n, err);
    if (n > 0) state.dimensions = (size_t)n;
    if (rc == 0) rc = store_check_dimensions(&state, "the vector given", vector->dimensions, err);
    if (rc == 0) rc = semantic_check_direction(table, vector->data, vector->dimensions, err);
    return rc;
}

static int copy_vector(sqlite3_value *value, struct semantic_table *table, struct pending_row *row,
                       struct error *err)
{
    struct argument_vector vector = {0};
    int rc = argument_vector(value, &vector, err);
    if (rc == 0) rc = check_given_vector(table, &vector, err);
    if (rc == 0) {
        row->vector = memory_alloc(vector.dimensions, sizeof *row->vector);
        if (row->vector == NULL) rc = error_nomem(err);
        else memcpy(row->vector, vector.data, vector.dimensions * sizeof *row->vector);
        row->dimensions = vector.dimensions;
    }
    argument_vector_deinit(&vector);
    if (rc == ERROR_INVALID) error_context(err, "embedding");
    return rc;
}

static int no_such_row(const struct semantic_table *table, int64_t id, sqlite3_value *key,
                       struct error *err)
{
    const char *content = table->config.content;
    if (key == NULL)
        return error_set(err, ERROR_INVALID, "%s has no row %lld to index", content, (long long)id);
    const char *text = (const char *)sqlite3_value_text(key);
    int is_blob = sqlite3_value_type(key) == SQLITE_BLOB;
    return error_set(err, ERROR_INVALID, "%s has no row to index whose %s is %.100s", content,
                     table->config.content_rowid,
                     is_blob        ? "that blob"
                     : text == NULL ? "that"
                                    : text);
}

/* The row's text from the content table, or why it cannot be embedded. *indexable = 0 when there is
 * nothing to embed. */
static int read_content_text(struct semantic_table *table, struct pending_row *row,
                             sqlite3_value *key, int *indexable, struct error *err)
{
    struct buffer text;
    struct error bad;
    int exists;
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = key == NULL ? content_text(table, row->id, &text, &bad, &exists, indexable, err)
                         : content_find(table, key, row->kind == PENDING_VECTOR, &row->id, &text,
                                        &bad, &exists, indexable, err);
    if (rc == 0 && !exists && row->kind == PENDING_TEXT) rc = no_such_row(table, row->id, key, err);
    if (rc == 0) row->hash = content_hash(&text, &bad);
    int is_wanted = row->kind == PENDING_TEXT
                        ? *indexable || bad.code != 0
                        : table->store.tokenizer != NULL && *indexable && bad.code == 0;
    if (rc == 0 && is_wanted) rc = pending_take_text(row, &text, &bad, err);
    buffer_deinit(&text);
    return rc;
}

/* The row's text from the statement: `value` may be NULL. */
static int take_text(struct pending_row *row, sqlite3_value *value, struct error *err)
{
    struct span text = {NULL, 0};
    if (sqlite3_value_type(value) == SQLITE_NULL && row->kind == PENDING_VECTOR) return 0;
    int rc = sqlite3_value_type(value) == SQLITE_NULL ? 0 : argument_text(value, &text, err);
    if (rc == 0) rc = model_check_text(text, 0, err);
    if (rc == 0 && row->kind == PENDING_TEXT && text_is_blank(text)) row->kind = PENDING_BLANK;
    if (rc == 0 && text.data != NULL) {
        row->hash = hash_bytes(text.data, text.size, 0);
        row->text = memory_copy(text.data, text.size);
        row->text_size = text.size;
        if (row->text == NULL) rc = error_nomem(err);
    }
    if (rc == ERROR_INVALID) error_context(err, "row %lld", (long long)row->id);
    return rc;
}

static int is_given(sqlite3_value *value)
{
    return !sqlite3_value_nochange(value) && sqlite3_value_type(value) != SQLITE_NULL;
}

/* An INSERT has NULL for what it does not name, an UPDATE says that it does not change it. */
static int is_written(sqlite3_value *value, int is_update)
{
    return is_update ? !sqlite3_value_nochange(value) : is_given(value);
}

/* Only embedding, the commands and (without content) text can be written. */
static int check_columns(struct semantic_table *table, sqlite3_value **columns, int is_update,
                         struct error *err)
{
    static const char *const names[COLUMN_CONTENT] = {"query",     "k",    "similarity", "distance",
                                                      "relevance", "rank", NULL,         NULL};
    for (int i = 0; i < COLUMN_CONTENT; i++)
        if (names[i] != NULL && is_written(columns[i], is_update))
            return error_set(err, ERROR_INVALID, "column %s cannot be written", names[i]);
    for (int i = 0; i < table->n_words_columns; i++)
        if (is_written(columns[COLUMN_CONTENT + (int)table->n_columns + i], is_update))
            return error_set(err, ERROR_INVALID, "column %s cannot be written",
                             semantic_words_names[table->words_columns[i]]);
    for (size_t i = 0; table->config.content != NULL && i < table->n_columns; i++)
        if ((is_update || i != table->key) && is_written(columns[COLUMN_CONTENT + i], is_update))
            return error_set(err, ERROR_INVALID, "column %s belongs to %s: change it there",
                             table->columns[i].name, table->config.content);
    return 0;
}

/* The largest id in the shadow tables of a row that is not about to be deleted. */
static int last_stored_id(struct semantic_table *table, int64_t *id, struct error *err)
{
    int64_t most = INT64_MAX;
    for (int n_deleted = 0;; n_deleted++) {
        int rc = store_ask(&table->store, STORE_LAST_ID, most, 0, id, err);
        const struct pending_row *waiting = pending_find(table->pending, *id);
        if (rc != 0 || waiting == NULL || waiting->kind != PENDING_DELETE) return rc;
        if (n_deleted % 32 < 31 && *id > INT64_MIN) {
            most = *id - 1;
            continue;
        }
        if ((rc = flush_pending(table, err)) != 0) return rc;
        most = INT64_MAX;
    }
}

static int next_id(struct semantic_table *table, int64_t *id, struct error *err)
{
    if (table->config.content != NULL)
        return error_set(err, ERROR_INVALID, "a row needs its %s: that of %s",
                         table->store.keeps_keys ? table->config.content_rowid : "rowid",
                         table->config.content);
    int rc = last_stored_id(table, id, err);
    const struct semantic_pending *pending = table->pending;
    for (size_t i = pending->n_rows; rc == 0 && i > pending->n_flushed; i--) {
        const struct pending_row *row = &pending->rows[i - 1];
        if (row->id > *id && row->kind != PENDING_DELETE && pending_find(pending, row->id) == row)
            *id = row->id;
    }
    if (rc == 0 && *id == INT64_MAX)
        rc = error_set(err, ERROR_INVALID, "no rowid is left: %lld is in use", (long long)*id);
    if (rc == 0) ++*id;
    return rc;
}

/* Whether an index with texts of its own has the row, or will when what waits is written. */
static int is_taken(struct semantic_table *table, int64_t id, int *taken, struct error *err)
{
    const struct pending_row *waiting = pending_find(table->pending, id);
    struct semantic_pending *pending = table->pending;
    if (waiting != NULL) {
        *taken = waiting->kind != PENDING_DELETE;
        return 0;
    }
    /* New rows mostly come after all others. */
    int rc = pending->knows_last
                 ? 0
                 : store_ask(&table->store, STORE_LAST_ID, INT64_MAX, 0, &pending->last_id, err);
    pending->knows_last = rc == 0;
    *taken = 0;
    return rc == 0 && id <= pending->last_id ? store_has_row(&table->store, id, taken, err) : rc;
}

/* What the statement says of a row that is there (sqlite3_vtab_on_conflict). An index of a content
 * table takes each for "look at it again". *is_new: it replaces what is there. */
static int check_conflict(struct semantic_table *table, int64_t id, int *is_new, int *conflict,
                          struct error *err)
{
    int taken;
    if (table->config.content != NULL) return 0;
    int rc = is_taken(table, id, &taken, err);
    *is_new = rc == 0 && taken;
    *conflict = *is_new && sqlite3_vtab_on_conflict(table->store.db) != SQLITE_REPLACE;
    return rc;
}

/* A text that is none breaks a constraint of an index that keeps it: OR IGNORE passes over it. */
static int violate(struct error *err, int *conflict)
{
    err->code = ERROR_STORAGE;
    err->storage_code = SQLITE_CONSTRAINT;
    *conflict = 1;
    return ERROR_STORAGE;
}

/* One row written: new, or again; `is_new`: nothing of what was there stays. Of a keyed index by
 * its key, if there is one, which makes *id. */
static int put_row(struct semantic_table *table, int64_t *id, sqlite3_value *key, int is_new,
                   sqlite3_value **columns, int *conflict, struct error *err)
{
    struct pending_row row = {.kind = PENDING_TEXT, .id = *id, .is_new = is_new};
    int indexable = 1, rc = 0;
    if (is_given(columns[COLUMN_EMBEDDING])) {
        row.kind = PENDING_VECTOR;
        rc = copy_vector(columns[COLUMN_EMBEDDING], table, &row, err);
    }
    if (rc == 0 && table->config.content != NULL)
        rc = read_content_text(table, &row, key, &indexable, err);
    *id = row.id;
    if (rc == 0 && table->config.content == NULL) {
        rc = take_text(&row, columns[COLUMN_CONTENT], err);
        if (rc == ERROR_INVALID) rc = violate(err, conflict);
    }
    if (rc != 0) {
        pending_row_deinit(&row);
        return rc;
    }
    int is_known = key == NULL || row.id != 0;
    if (row.kind == PENDING_TEXT && !indexable)
        return is_known ? delete_row(table, row.id, err) : 0;
    return add_pending(table, &row, err);
}

/* The key that an INSERT into a keyed index names; NULL: it names a row by its rowid, which must be
 * one of the index. */
static int read_key(struct semantic_table *table, sqlite3_value *rowid, sqlite3_value **columns,
                    sqlite3_value **key, struct error *err)
{
    const char *name = table->config.content_rowid;
    sqlite3_stmt *known;
    *key = NULL;
    if (table->key != SIZE_MAX && is_given(columns[COLUMN_CONTENT + table->key])) {
        *key = columns[COLUMN_CONTENT + table->key];
        return sqlite3_value_type(rowid) == SQLITE_NULL
                   ? 0
                   : error_set(err, ERROR_INVALID,
                               "a row is named by its %s: the rowid is the index's own, leave it "
                               "out",
                               name);
    }
    if (!table->store.keeps_keys || sqlite3_value_type(rowid) == SQLITE_NULL) return 0;
    int rc = keys_get(&table->store, sqlite3_value_int64(rowid), &known, err);
    if (rc == 0 && known == NULL)
        rc = error_set(err, ERROR_INVALID, "the index has no row %lld: name a new one by its %s",
                       (long long)sqlite3_value_int64(rowid), name);
    if (known != NULL) sqlite3_reset(known);
    return rc;
}

/* The id of the row of that key, which gets one if there is something to embed; 0: neither the
 * index nor the content has anything of it. */
static int find_id(struct semantic_table *table, sqlite3_value *key, int64_t *id, struct error *err)
{
    struct buffer text;
    struct error bad;
    int exists, found;
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = content_find(table, key, 0, id, &text, &bad, &exists, &found, err);
    buffer_deinit(&text);
    return rc;
}

/* The text of a row that changed, for its words. What cannot be read now is told, or read, when the
 * row is written. */
static int read_changed_text(struct semantic_table *table, struct pending_row *row,
                             struct error *err)
{
    struct buffer text;
    struct error bad, unread;
    int exists, found;
    if (table->store.tokenizer == NULL) return 0;
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = content_text(table, row->id, &text, &bad, &exists, &found, &unread);
    if (rc == 0 && found) {
        row->hash = content_hash(&text, &bad);
        rc = pending_take_text(row, &text, &bad, &unread);
    }
    buffer_deinit(&text);
    if (rc != ERROR_NOMEM && rc != ERROR_INTERRUPTED) return 0;
    *err = unread;
    return rc;
}

/* Notes a row of the content that changed, or is about to: it is read when it is written. */
static int note_changed(struct semantic_table *table, enum pending_kind kind, sqlite3_value *id,
                        sqlite3_value **columns, struct error *err)
{
    const char *name = table->store.name;
    const char *word = kind == PENDING_CHANGED ? "changed" : "changing";
    struct pending_row row = {.kind = kind};
    sqlite3_value *key;
    if (table->config.content == NULL)
        return error_set(err, ERROR_INVALID,
                         "'%s' is of a row of the content table, and %s has texts of its own", word,
                         name);
    int rc = read_key(table, id, columns, &key, err);
    if (rc != 0) return rc;
    if (key == NULL && table->store.keeps_keys && is_given(columns[COLUMN_QUERY]))
        key = columns[COLUMN_QUERY]; /* our own triggers, see upkeep.h */
    if (key == NULL && sqlite3_value_type(id) == SQLITE_NULL)
        return error_set(err, ERROR_INVALID,
                         "'%s' needs a row: INSERT INTO %s(%s, %s) VALUES ('%s', %s)", word, name,
                         name, table->store.keeps_keys ? table->config.content_rowid : "rowid",
                         word, table->store.keeps_keys ? "'a key'" : "7");
    if (key == NULL) row.id = sqlite3_value_int64(id);
    else rc = find_id(table, key, &row.id, err);
    if (rc != 0 || (key != NULL && row.id == 0)) return rc;
    if (kind == PENDING_CHANGED) rc = read_changed_text(table, &row, err);
    if (rc == 0) rc = add_pending(table, &row, err);
    /* By a trigger: the statement has a savepoint, at whose end FTS5 writes and rests. */
    table->store.reads_words = 0;
    return rc;
}

/* A row that semantic_pending gave, see embedded.h. */
static int put_embedded(struct semantic_table *table, int64_t id, sqlite3_value *key,
                        const char *hash, sqlite3_value *embedding, int *conflict,
                        struct error *err)
{
    struct pending_row row = {.kind = PENDING_TEXT, .id = id};
    int needed = 0;
    int rc = embedded_settle(table, hash, is_given(embedding), &row, &needed, err);
    *conflict = rc == ERROR_STORAGE && err->storage_code == SQLITE_CONSTRAINT;
    if (rc == 0 && is_given(embedding)) rc = copy_vector(embedding, table, &row, err);
    if (rc == ERROR_INVALID || *conflict) content_name_row(table, id, key, err);
    if (rc == 0 && needed) return add_pending(table, &row, err);
    pending_row_deinit(&row);
    return rc;
}

/* INSERT INTO x(x) VALUES ('...'); 'embedded ...', 'changed' and 'changing' come with a row. */
static int take_command(struct semantic_table *table, sqlite3_value **argv, sqlite3_int64 *rowid,
                        int *conflict, struct error *err)
{
    static const char embedded[] = "embedded ";
    sqlite3_value **columns = argv + 2;
    const char *text = (const char *)sqlite3_value_text(columns[COLUMN_TABLE]);
    if (text == NULL) return error_nomem(err);
    int is_row = sqlite3_strnicmp(text, embedded, sizeof embedded - 1) == 0,
        is_change = sqlite3_stricmp(text, "changed") == 0,
        is_key = is_row || is_change || sqlite3_stricmp(text, "changing") == 0;
    for (int i = 0; i < COLUMN_CONTENT + (int)table->n_columns + table->n_words_columns; i++)
        if (i != COLUMN_TABLE && !(is_row && i == COLUMN_EMBEDDING) &&
            !(is_key && !is_row && table->store.keeps_keys && i == COLUMN_QUERY) &&
            !(is_key && table->key != SIZE_MAX && i == COLUMN_CONTENT + (int)table->key) &&
            is_given(columns[i]))
            return error_set(err, ERROR_INVALID, "%s",
                             is_row ? "'embedded' takes a rowid and an embedding: name no other "
                                      "column"
                                    : "a command stands alone: name no other column");
    if (is_change) return note_changed(table, PENDING_CHANGED, argv[1], columns, err);
    if (is_key && !is_row) return note_changed(table, PENDING_CHANGING, argv[1], columns, err);
    if (!is_row && sqlite3_value_type(argv[1]) != SQLITE_NULL)
        return error_set(err, ERROR_INVALID, "'%.100s' is of no single row: name no rowid", text);
    if (!is_row) return semantic_command(table, text, err);
    sqlite3_value *key;
    int64_t id = 0;
    int rc = read_key(table, argv[1], columns, &key, err);
    if (rc == 0 && key != NULL) rc = find_id(table, key, &id, err);
    if (rc != 0) return rc;
    if (key == NULL && !argument_integer(argv[1], &id))
        return error_set(err, ERROR_INVALID, "'embedded' needs the %s of its row",
                         table->store.keeps_keys ? table->config.content_rowid : "rowid");
    *rowid = id;
    return put_embedded(table, *rowid, key, text + sizeof embedded - 1, columns[COLUMN_EMBEDDING],
                        conflict, err);
}

static int insert(struct semantic_table *table, sqlite3_value **argv, sqlite3_int64 *rowid,
                  int *conflict, struct error *err)
{
    sqlite3_value **columns = argv + 2;
    if (sqlite3_value_type(columns[COLUMN_TABLE]) != SQLITE_NULL)
        return take_command(table, argv, rowid, conflict, err);
    int64_t id = 0;
    int is_new = 0;
    sqlite3_value *key;
    int rc = check_columns(table, columns, 0, err);
    if (rc == 0) rc = read_key(table, argv[1], columns, &key, err);
    if (rc == 0 && sqlite3_value_type(argv[1]) != SQLITE_NULL) {
        id = sqlite3_value_int64(argv[1]);
        rc = check_conflict(table, id, &is_new, conflict, err);
    } else if (rc == 0 && key == NULL) {
        rc = next_id(table, &id, err);
    }
    if (rc == 0 && !*conflict) rc = put_row(table, &id, key, is_new, columns, conflict, err);
    *rowid = id;
    return rc;
}

/* UPDATE: of the text or of the vector; a column that did not change says so. */
static int change(struct semantic_table *table, sqlite3_value **argv, int *conflict,
                  struct error *err)
{
    sqlite3_value **columns = argv + 2;
    int64_t before = sqlite3_value_int64(argv[0]), id = sqlite3_value_int64(argv[1]);
    int rc = check_columns(table, columns, 1, err);
    if (rc == 0 && is_given(columns[COLUMN_TABLE]))
        rc = error_set(err, ERROR_INVALID, "commands are given by INSERT INTO %s(%s) VALUES (...)",
                       table->store.name, table->store.name);
    if (rc == 0 && id != before)
        rc = error_set(err, ERROR_INVALID,
                       "a rowid cannot be changed: delete the row and insert it again");
    return rc == 0 ? put_row(table, &id, NULL, 0, columns, conflict, err) : rc;
}

/* SQLITE_CONSTRAINT, and before SQLite 3.41 none of its extended codes, makes SQLite do what the
 * statement says of conflicts. Only while nothing was changed: never because a write of ours met
 * one, in tables that were tampered with. */
static int result_conflict(sqlite3_vtab *base, const char *name)
{
    sqlite3_free(base->zErrMsg);
    base->zErrMsg = sqlite3_mprintf("UNIQUE constraint failed: %s.rowid", name);
    return base->zErrMsg == NULL ? SQLITE_NOMEM : SQLITE_CONSTRAINT;
}

int semantic_update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *rowid)
{
    struct semantic_table *table = (struct semantic_table *)base;
    struct error err = table->broken;
    int rc = err.code, conflict = 0;
    if (rc == 0 && argc == 1) rc = delete_row(table, sqlite3_value_int64(argv[0]), &err);
    else if (rc == 0 && sqlite3_value_type(argv[0]) == SQLITE_NULL)
        rc = insert(table, argv, rowid, &conflict, &err);
    else if (rc == 0) rc = change(table, argv, &conflict, &err);
    if (rc == 0) rc = words_rest(&table->store, &err);
    if (rc == 0) return conflict ? result_conflict(base, table->store.name) : SQLITE_OK;
    rc = result_table_error(base, table->store.name, &err);
    return (rc & 0xff) == SQLITE_CONSTRAINT && !conflict ? SQLITE_ERROR : rc;
}

int semantic_begin(sqlite3_vtab *base)
{
    struct semantic_table *table = (struct semantic_table *)base;
    agreement_abandon(table);
    table->pending->explicit_transaction = !sqlite3_get_autocommit(table->store.db);
    return SQLITE_OK;
}

int semantic_sync_transaction(sqlite3_vtab *base)
{
    struct semantic_table *table = (struct semantic_table *)base;
    struct error err;
    int was_torn = table->pending->write.step == STORE_TORN;
    if (flush_at_commit(table, &err) == 0) return SQLITE_OK;
    int rc = result_table_error(base, table->store.name, &err);
    /* At COMMIT any code but SQLITE_BUSY makes SQLite roll everything back. With it the transaction
     * stays open, to be committed again or rolled back: if it is still there, as an interrupt of a
     * statement that writes has rolled it back. */
    int is_gone =
        err.code == ERROR_INTERRUPTED && !was_torn && table->pending->write.step == STORE_TORN;
    return table->pending->explicit_transaction && !is_gone ? SQLITE_BUSY : rc;
}

static int end_transaction(struct semantic_table *table)
{
    pending_clear(table->pending);
    store_write_over(&table->pending->write);
    return SQLITE_OK;
}

int semantic_commit(sqlite3_vtab *base)
{
    agreement_commit((struct semantic_table *)base);
    return end_transaction((struct semantic_table *)base);
}

int semantic_rollback(sqlite3_vtab *base)
{
    agreement_abandon((struct semantic_table *)base);
    return end_transaction((struct semantic_table *)base);
}

int semantic_savepoint(sqlite3_vtab *base, int number)
{
    struct semantic_table *table = (struct semantic_table *)base;
    struct error err;
    if (pending_savepoint(table->pending, number, &err) != 0)
        return result_table_error(base, table->store.name, &err);
    store_write_savepoint(&table->pending->write, number);
    return SQLITE_OK;
}

int semantic_release(sqlite3_vtab *base, int number)
{
    struct semantic_pending *pending = ((struct semantic_table *)base)->pending;
    pending_release(pending, number);
    store_write_release(&pending->write, number);
    return SQLITE_OK;
}

int semantic_rollback_to(sqlite3_vtab *base, int number)
{
    struct semantic_pending *pending = ((struct semantic_table *)base)->pending;
    pending_rollback_to(pending, number);
    store_write_rollback_to(&pending->write, number);
    return SQLITE_OK;
}
