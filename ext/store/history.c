#include "store/history.h"

#include "store/statements.h"

#define NUMBER_BYTES 8

struct history {
    int64_t generations[HISTORY_MOST + 1]; /* [n] the latest last */
    size_t n;
};

static int read_history(struct store *store, struct history *history, struct error *err)
{
    sqlite3_stmt *statement;
    const void *bytes = NULL;
    size_t size = 0;
    int row = 0, rc = store_keep(store, KEPT_GET_HISTORY, &statement, err);
    history->n = 0;
    if (rc == 0) rc = statement_step(store->db, statement, &row, err);
    if (rc != 0 || !row) return rc;
    if (sqlite3_column_type(statement, 0) == SQLITE_BLOB)
        rc = statement_column_bytes(statement, 0, &bytes, &size, err);
    if (rc == 0 && size % NUMBER_BYTES == 0 && size <= HISTORY_MOST * NUMBER_BYTES)
        for (const unsigned char *at = bytes; size > 0; size -= NUMBER_BYTES) {
            uint64_t number = 0;
            for (int i = 0; i < NUMBER_BYTES; i++) number |= (uint64_t)*at++ << 8 * i;
            history->generations[history->n++] = (int64_t)number;
        }
    sqlite3_reset(statement);
    return rc;
}

static int write_history(struct store *store, const struct history *history, struct error *err)
{
    unsigned char bytes[HISTORY_MOST * NUMBER_BYTES], *to = bytes;
    size_t first = history->n > HISTORY_MOST ? history->n - HISTORY_MOST : 0;
    sqlite3_stmt *statement;
    for (size_t i = first; i < history->n; i++)
        for (int j = 0; j < NUMBER_BYTES; j++)
            *to++ = (unsigned char)((uint64_t)history->generations[i] >> 8 * j);
    int rc = store_keep(store, KEPT_SET, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, "history", -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, bytes, (int)(to - bytes), SQLITE_STATIC);
    return store_run(store, statement, err);
}

int history_add(struct store *store, int64_t before, int64_t generation, struct error *err)
{
    struct history history;
    int rc = read_history(store, &history, err);
    if (rc != 0) return rc;
    if (history.n == 0 || history.generations[history.n - 1] != before) history.n = 0;
    history.generations[history.n++] = generation;
    return write_history(store, &history, err);
}

int history_clear(struct store *store, struct error *err)
{
    return store_execute(store, "DELETE FROM " X_CONFIG " WHERE key = 'history'", err);
}

int history_has(struct store *store, int64_t earlier, int64_t generation, int *has,
                struct error *err)
{
    struct history history;
    int rc = read_history(store, &history, err);
    *has = 0;
    if (rc != 0 || history.n == 0 || history.generations[history.n - 1] != generation) return rc;
    for (size_t i = 0; i < history.n; i++)
        if (history.generations[i] == earlier) *has = 1;
    return 0;
}
