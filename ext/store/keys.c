#include "store/keys.h"

#include <string.h>

#include "sqlite/argument.h"

/* The place of a name is that of its schema and index: sqlite3_mprintf puts them in. */
#define X_KEYS "\"%w\".\"%w_keys\""

enum { FIND, GET, PUT, DELETE, LAST, N_KEPT };
_Static_assert(N_KEPT == STORE_N_KEPT_KEYS, "struct store has a place for each");

static const char *const kept_sql[N_KEPT] = {
    [FIND] = "SELECT id FROM " X_KEYS " WHERE key = ?1",
    [GET] = "SELECT key FROM " X_KEYS " WHERE id = ?1",
    [PUT] = "INSERT INTO " X_KEYS "(id, key) VALUES (?1, ?2)",
    [DELETE] = "DELETE FROM " X_KEYS " WHERE id = ?1",
    [LAST] = ("SELECT max(id) FROM " X_KEYS),
};

/* A kept statement, prepared at first use, reset and ready to be bound. */
static int keep(struct store *store, size_t which, sqlite3_stmt **statement, struct error *err)
{
    *statement = store->kept[STORE_N_KEPT + which];
    if (*statement != NULL) {
        sqlite3_reset(*statement);
        return 0;
    }
    int rc = statement_prepare_text(store->db, statement, SQLITE_PREPARE_PERSISTENT, err,
                                    sqlite3_mprintf(kept_sql[which], store->schema, store->name));
    store->kept[STORE_N_KEPT + which] = *statement;
    return rc;
}

static int bind_key(struct store *store, sqlite3_stmt *statement, int parameter,
                    struct keys_value key, struct error *err)
{
    const char *affinity = key.affinity == NULL ? "BLOB" : key.affinity;
    int type = sqlite3_value_type(key.value), bound;
    int is_number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    int wants_text = strcmp(affinity, "TEXT") == 0, wants_any = strcmp(affinity, "BLOB") == 0;
    int64_t n;
    if (is_number && wants_text) {
        const char *text = (const char *)sqlite3_value_text(key.value);
        if (text == NULL) return error_nomem(err);
        bound = sqlite3_bind_text(statement, parameter, text, -1, SQLITE_TRANSIENT);
    } else if (type == SQLITE_TEXT && !wants_text && !wants_any &&
               argument_integer(key.value, &n)) {
        bound = sqlite3_bind_int64(statement, parameter, n);
    } else {
        bound = sqlite3_bind_value(statement, parameter, key.value);
    }
    return bound == SQLITE_OK ? 0 : statement_error(store->db, bound, err);
}

int keys_find(struct store *store, struct keys_value key, int64_t *id, int *found,
              struct error *err)
{
    sqlite3_stmt *statement;
    *found = 0;
    int rc = keep(store, FIND, &statement, err);
    if (rc == 0) rc = bind_key(store, statement, 1, key, err);
    if (rc == 0) rc = statement_step(store->db, statement, found, err);
    if (rc == 0 && *found) {
        *id = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    if (statement != NULL) sqlite3_clear_bindings(statement);
    return rc;
}

int keys_get(struct store *store, int64_t id, sqlite3_stmt **key, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    *key = NULL;
    int rc = keep(store, GET, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, id);
    rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row) *key = statement;
    return rc;
}

/* Whether an id is in use. */
static int is_used(struct store *store, int64_t id, int *used, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = keys_get(store, id, &statement, err);
    *used = statement != NULL;
    if (*used) sqlite3_reset(statement);
    return rc;
}

int keys_put(struct store *store, struct keys_value key, int64_t *id, struct error *err)
{
    sqlite3_stmt *statement;
    int64_t last_rowid = sqlite3_last_insert_rowid(store->db);
    int found, used = 1;
    int rc = keys_find(store, key, id, &found, err);
    if (rc != 0 || found) return rc;
    if (*id > 0) rc = is_used(store, *id, &used, err);
    if (rc == 0) rc = keep(store, PUT, &statement, err);
    if (rc != 0) return rc;
    if (used) sqlite3_bind_null(statement, 1);
    else sqlite3_bind_int64(statement, 1, *id);
    rc = bind_key(store, statement, 2, key, err);
    if (rc == 0) rc = statement_run(store->db, statement, err);
    if (rc == 0) *id = sqlite3_last_insert_rowid(store->db);
    sqlite3_set_last_insert_rowid(store->db, last_rowid); /* the user's row, not one of ours */
    return rc;
}

int keys_delete(struct store *store, int64_t id, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = keep(store, DELETE, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, id);
    return statement_run(store->db, statement, err);
}

int keys_last(struct store *store, int64_t *id, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    *id = 0;
    int rc = keep(store, LAST, &statement, err);
    if (rc == 0) rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row) {
        *id = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return rc;
}

int keys_tidy(struct store *store, int keeps_failures, struct error *err)
{
    const char *schema = store->schema, *name = store->name;
    if (!keeps_failures)
        return statement_execute(store->db, err,
                                 "DELETE FROM " X_KEYS
                                 " WHERE id NOT IN (SELECT id FROM \"%w\".\"%w_rows\")",
                                 schema, name, schema, name);
    return statement_execute(store->db, err,
                             "DELETE FROM " X_KEYS
                             " WHERE id NOT IN (SELECT id FROM \"%w\".\"%w_rows\") AND id NOT IN "
                             "(SELECT id FROM \"%w\".\"%w_failures\")",
                             schema, name, schema, name, schema, name);
}

int keys_check(struct store *store, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(
        store->db, &statement, err,
        "SELECT id FROM \"%w\".\"%w_rows\" WHERE id NOT IN (SELECT id FROM " X_KEYS ")",
        store->schema, store->name, store->schema, store->name);
    if (rc == 0) rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: its key is not there ('sync' mends it)",
                       (long long)sqlite3_column_int64(statement, 0));
    sqlite3_finalize(statement);
    return rc;
}
