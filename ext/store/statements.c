#include "store/statements.h"

#include <assert.h>

_Static_assert(N_KEPT == STORE_N_KEPT, "struct store has a place for each");

/* The texts of all rows, where texts are kept. */
#define TEXTS                                                                                      \
    "SELECT id, text FROM " X_TEXT " UNION ALL SELECT id, NULL FROM " X_ROWS                       \
    " WHERE id NOT IN (SELECT id FROM " X_TEXT ")"

/* That of row ?1: NULL if there is a row alone. */
#define TEXT_OF(columns, nulls)                                                                    \
    "SELECT " columns " FROM " X_TEXT " WHERE id = ?1 UNION ALL SELECT id, " nulls " FROM " X_ROWS \
    " WHERE id = ?1 LIMIT 1"

static const char *const kept_sql[N_KEPT] = {
    [STORE_N_ROWS] = "SELECT count(*) FROM " X_ROWS,
    [STORE_ROW_FROM] = "SELECT min(id) FROM " X_ROWS " WHERE id >= ?1",
    [STORE_LAST_ROW] = "SELECT max(id) FROM " X_ROWS,
    [STORE_ANY_OWN] = "SELECT 1 FROM " X_ROWS " WHERE own >= 1 LIMIT 1",
    [STORE_LAST_ID] =
        "SELECT max(id) FROM (SELECT max(id) AS id FROM " X_TEXT " WHERE id <= ?1 UNION ALL "
        "SELECT max(id) FROM " X_ROWS " WHERE id <= ?1)",
    [STORE_HAS_ID] =
        "SELECT 1 FROM " X_ROWS " WHERE id = ?1 UNION ALL SELECT 1 FROM " X_TEXT " WHERE id = ?1",
    [STORE_N_BLOCKS] = "SELECT count(*) FROM " X_BLOCKS,
    [STORE_LAST_BLOCK] = "SELECT max(block) FROM " X_BLOCKS,
    [STORE_BLOCK_WITH_ROOM] =
        "SELECT block FROM " X_BLOCKS " WHERE partition = ?1 AND room > 0 AND block > ?2 "
        "ORDER BY room DESC, block DESC LIMIT 1",
    [STORE_LAST_CAPACITY] = "SELECT n + room FROM " X_BLOCKS
                            " WHERE partition = ?1 AND room = 0 ORDER BY block DESC LIMIT 1",
    [STORE_N_ROWS_OF_PARTITION] =
        "SELECT sum(n) FROM " X_BLOCKS " WHERE partition = ?1 AND block > ?2",
    [STORE_N_PARTITIONS] = "SELECT count(*) FROM " X_PARTITIONS,
    [STORE_N_FAILURES] = "SELECT count(*) FROM " X_FAILURES,
    [STORE_ANY_FAILURE] = "SELECT 1 FROM " X_FAILURES " LIMIT 1",
    /* Lengths of BLOBs are in the heads of their rows: nothing of them is read. */
    [STORE_VECTOR_BYTES] = "SELECT sum(length(vector)) FROM " X_VECTORS,
    [STORE_DATA_BYTES] = "SELECT sum(length(bytes)) FROM " X_DATA,
    [STORE_TEXT_BYTES] = "SELECT sum(length(CAST(text AS BLOB))) FROM " X_TEXT,
    [STORE_MODEL_BYTES] = "SELECT sum(length(bytes)) FROM " X_MODEL,
    [STORE_FITTED_ON] = "SELECT value FROM " X_CONFIG " WHERE key = 'fitted_on'",
    [STORE_WORD_BYTES] = "SELECT sum(length(block)) FROM " X_FTS_DATA,
    [STORE_N_DEAD] = "SELECT count(*) FROM " X_DOCS " WHERE id IS NULL",
    [STORE_ANY_EXCEPTION] = "SELECT 1 FROM " X_DOCS " LIMIT 1",
    [STORE_LAST_DOCUMENT] = "SELECT max(id) FROM " X_FTS_DOCSIZE,
    [STORE_N_WORDLESS] = "SELECT count(*) FROM " X_WORDLESS,
    [STORE_IS_WORDLESS] = "SELECT 1 FROM " X_WORDLESS " WHERE id = ?1",
    [STORE_WORDS_VERSION] = "SELECT v FROM " X_FTS_CONFIG " WHERE k = 'version'",
    [STORE_GENERATION] = "SELECT value FROM " X_CONFIG " WHERE key = 'generation'",
    [STORE_DIMENSIONS] = "SELECT value FROM " X_CONFIG " WHERE key = 'dimensions'",
    [STORE_NEXT_RUN] =
        "SELECT ifnull(min(id), 9223372036854775807) FROM " X_VECTORS " WHERE id > ?1",
    [STORE_PAGE_SIZE] = "PRAGMA \"%w\".page_size",
    [STORE_N_PLACED] = "SELECT sum(n) FROM " X_BLOCKS,
    [KEPT_STATE] = "SELECT key, value FROM " X_CONFIG, /* few, and some of them are not asked for */
    [KEPT_SET] = "REPLACE INTO " X_CONFIG "(key, value) VALUES (?1, ?2)",
    [KEPT_SLOTS] = "SELECT slot, head FROM " X_WAITING " WHERE slot >= ?1 ORDER BY slot",
    [KEPT_GET_SLOT] = "SELECT vector FROM " X_WAITING " WHERE slot = ?1",
    [KEPT_MAKE_SLOT] = "INSERT INTO " X_WAITING "(slot, head, vector) VALUES (?1, ?2, ?3)",
    /* SQLite overwrites a row in its pages if it has read that it stays as large. */
    [KEPT_PUT_SLOT] = "UPDATE " X_WAITING " SET head = ?2, vector = ?3 WHERE slot = ?1 AND "
                      "length(head) = length(?2) AND length(vector) = length(?3)",
    [KEPT_PUT_ROW] = "REPLACE INTO " X_ROWS "(id, hash, own, block) VALUES (?1, ?2, ?3, ?4)",
    [KEPT_GET_ROW] = "SELECT hash, own, block FROM " X_ROWS " WHERE id = ?1",
    [KEPT_MOVE_ROW] = "UPDATE " X_ROWS " SET block = ?2 WHERE id = ?1",
    [KEPT_DELETE_ROW] = "DELETE FROM " X_ROWS " WHERE id = ?1",
    [KEPT_PUT_TEXT] = "REPLACE INTO " X_TEXT "(id, text) VALUES (?1, ?2)",
    [KEPT_DELETE_TEXT] = "DELETE FROM " X_TEXT " WHERE id = ?1",
    [KEPT_PUT_RUN] = "REPLACE INTO " X_VECTORS "(id, vector) VALUES (?1, ?2)",
    [KEPT_CHANGE_RUN] = "UPDATE " X_VECTORS " SET vector = ?2 WHERE id = ?1",
    [KEPT_GET_RUN] = "SELECT id, vector FROM " X_VECTORS " WHERE id <= ?1 ORDER BY id DESC",
    [KEPT_DELETE_RUN] = "DELETE FROM " X_VECTORS " WHERE id = ?1",
    [KEPT_VECTORS_FROM] = "SELECT id, vector FROM " X_VECTORS " WHERE id >= ifnull((SELECT max(id) "
                          "FROM " X_VECTORS " WHERE id <= ?1), ?1) ORDER BY id",
    [KEPT_RUNS] = "SELECT id, vector FROM " X_VECTORS " WHERE id >= ?1 ORDER BY id",
    /* Two, and no REPLACE: that may delete before it fails, so SQLite has a savepoint below it, and
     * at each savepoint FTS5 writes what it keeps in memory. */
    [KEPT_ADD_BLOCK] =
        "INSERT INTO " X_BLOCKS "(block, partition, n, room, version) VALUES (?1, ?2, ?3, ?4, ?5)",
    [KEPT_CHANGE_BLOCK] = "UPDATE " X_BLOCKS " SET partition = ?2, n = ?3, room = ?4, version = ?5 "
                          "WHERE block = ?1",
    [KEPT_GET_BLOCK] =
        "SELECT block, partition, n, room, version FROM " X_BLOCKS " WHERE block = ?1",
    [KEPT_BLOCK_OF_ROW] = "SELECT b.block, b.partition, b.n, b.room, b.version FROM " X_ROWS
                          " r JOIN " X_BLOCKS " b ON b.block = r.block WHERE r.id = ?1",
    [KEPT_BLOCKS_OF_PARTITION] = "SELECT block, partition, n, room, version FROM " X_BLOCKS
                                 " WHERE partition = ?1 AND block > ?2",
    [KEPT_DELETE_BLOCK] = "DELETE FROM " X_BLOCKS " WHERE block = ?1",
    [KEPT_PUT_DATA] = "INSERT INTO " X_DATA "(block, bytes) VALUES (?1, ?2)",
    [KEPT_GET_DATA] = "SELECT bytes FROM " X_DATA " WHERE block = ?1",
    [KEPT_DELETE_DATA] = "DELETE FROM " X_DATA " WHERE block = ?1",
    [KEPT_PUT_CENTROID] = "REPLACE INTO " X_PARTITIONS "(partition, centroid) VALUES (?1, ?2)",
    [KEPT_PUT_FAILURE] =
        "INSERT INTO " X_FAILURES "(id, hash, attempts, at, message) "
        "VALUES (?1, ?2, 1, CAST(strftime('%%s', 'now') AS INT), ?3) ON CONFLICT(id) DO UPDATE SET "
        "attempts = CASE hash WHEN excluded.hash THEN attempts + 1 ELSE 1 END, "
        "hash = excluded.hash, at = excluded.at, message = excluded.message",
    [KEPT_GET_FAILURE] = "SELECT hash FROM " X_FAILURES " WHERE id = ?1",
    [KEPT_DELETE_FAILURE] = "DELETE FROM " X_FAILURES " WHERE id = ?1",
    [KEPT_GET_HISTORY] = "SELECT value FROM " X_CONFIG " WHERE key = 'history'",
    [KEPT_WORDS_ROW] = "SELECT block FROM " X_FTS_DATA " WHERE id = ?1",
    [KEPT_WORDS_ROWS] =
        "SELECT id, block FROM " X_FTS_DATA " WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    [KEPT_WORDS_PLACE] =
        "SELECT pgno FROM " X_FTS_IDX " WHERE segid = ?1 AND term <= ?2 ORDER BY term DESC LIMIT 1",
    [KEPT_WORDS_LENGTH] = "SELECT sz FROM " X_FTS_DOCSIZE " WHERE id = ?1",
    [KEPT_WORDS_LENGTHS] = "SELECT id, sz FROM " X_FTS_DOCSIZE,
    [KEPT_WORDS_RANGE] =
        "SELECT (SELECT min(id) FROM " X_FTS_DOCSIZE "), (SELECT max(id) FROM " X_FTS_DOCSIZE ")",
    [KEPT_REST_WORDS] = "SELECT 1 FROM " X_FTS " WHERE text MATCH 'zqxj'",
    [KEPT_PUT_WORDS] = "INSERT INTO " X_FTS "(rowid, text) VALUES (?1, ?2)",
    [KEPT_HAS_DOCUMENT] = "SELECT 1 FROM " X_FTS_DOCSIZE " WHERE id = ?1",
    [KEPT_FIRST_DOCUMENT] = "SELECT min(id) FROM " X_FTS_DOCSIZE,
    [KEPT_DOCUMENT_OF] = "SELECT doc FROM " X_DOCS " WHERE id = ?1",
    [KEPT_PUT_DOCUMENT] = "INSERT OR IGNORE INTO " X_DOCS "(doc, id) VALUES (?1, ?2)",
    [KEPT_BURY_DOCUMENT] = "UPDATE " X_DOCS " SET id = NULL WHERE doc = ?1",
    [KEPT_PUT_WORDLESS] = "INSERT OR IGNORE INTO " X_WORDLESS "(id) VALUES (?1)",
    [KEPT_DELETE_WORDLESS] = "DELETE FROM " X_WORDLESS " WHERE id = ?1",
};

static const char *const query_sql[] = {
    [STORE_CONFIG] = "SELECT value FROM " X_CONFIG " WHERE key = ?1",
    [STORE_IDS] = "SELECT id FROM " X_ROWS " ORDER BY id",
    [STORE_ROWS] = "SELECT id, hash, own FROM " X_ROWS " ORDER BY id",
    [STORE_ROWS_AND_WORDS] = "SELECT r.id, r.hash, r.own, w.id IS NOT NULL FROM " X_ROWS
                             " r LEFT JOIN " X_WORDLESS " w ON w.id = r.id ORDER BY r.id",
    [STORE_WORDLESS] = "SELECT id FROM " X_WORDLESS " ORDER BY id",
    [STORE_MODEL_IDS] = "SELECT id FROM " X_ROWS " WHERE own = 0 ORDER BY id",
    [STORE_TEXT_IDS] = "SELECT id FROM " X_TEXT " UNION SELECT id FROM " X_ROWS " ORDER BY id",
    [STORE_TEXTS] = TEXTS " ORDER BY id",
    [STORE_TEXT] = TEXT_OF("id, text", "NULL"),
    [STORE_DOCUMENT] = TEXT_OF("id, text, text", "NULL, NULL"),
    [STORE_VECTORS] = "SELECT id, vector FROM " X_VECTORS " ORDER BY id",
    [STORE_BLOCKS] = "SELECT block, partition, n, room, version FROM " X_BLOCKS " ORDER BY block",
    [STORE_BLOCK_NUMBERS] = "SELECT block FROM " X_BLOCKS,
    [STORE_BLOCKS_UNTIL] = "SELECT block FROM " X_BLOCKS " WHERE block <= ?1 ORDER BY block",
    [STORE_DATA] = "SELECT d.bytes, b.version FROM " X_DATA " d LEFT JOIN " X_BLOCKS
                   " b ON b.block = d.block WHERE d.block = ?1",
    [STORE_CENTROIDS] = "SELECT partition, centroid FROM " X_PARTITIONS " ORDER BY partition",
    [STORE_LOST_DATA] =
        "SELECT block FROM " X_DATA " WHERE block NOT IN (SELECT block FROM " X_BLOCKS ")",
    [STORE_ROWS_WITHOUT_TEXT] =
        "SELECT id FROM " X_ROWS " WHERE own = 0 AND id NOT IN (SELECT id FROM " X_TEXT ")",
    [STORE_FAILURES] = "SELECT id, hash, message, attempts, at FROM " X_FAILURES " ORDER BY id",
    [STORE_LOST_FAILURES] = "SELECT id FROM " X_FAILURES " WHERE id IN (SELECT id FROM " X_ROWS ")",
};

void store_finalize(struct store *store)
{
    for (int i = 0; i < STORE_N_KEPT + STORE_N_KEPT_KEYS; i++) {
        sqlite3_finalize(store->kept[i]);
        store->kept[i] = NULL;
    }
}

int store_prepare(struct store *store, const char *sql, unsigned flags, sqlite3_stmt **statement,
                  struct error *err)
{
    return statement_prepare_text(store->db, statement, flags, err,
                                  sqlite3_mprintf(sql, store->schema, store->name, store->schema,
                                                  store->name, store->schema, store->name));
}

int store_query(struct store *store, enum store_query which, sqlite3_stmt **statement,
                struct error *err)
{
    return store_prepare(store, query_sql[which], 0, statement, err);
}

int store_keep(struct store *store, size_t which, sqlite3_stmt **statement, struct error *err)
{
    *statement = store->kept[which];
    if (*statement != NULL) {
        sqlite3_reset(*statement);
        return 0;
    }
    int rc = store_prepare(store, kept_sql[which], SQLITE_PREPARE_PERSISTENT, statement, err);
    store->kept[which] = *statement;
    return rc;
}

int store_ask(struct store *store, enum store_question which, int64_t first, int64_t second,
              int64_t *answer, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0, n_parameters;
    *answer = 0;
    int rc = store_keep(store, which, &statement, err);
    if (rc != 0) return rc;
    n_parameters = sqlite3_bind_parameter_count(statement);
    if (n_parameters > 0) sqlite3_bind_int64(statement, 1, first);
    if (n_parameters > 1) sqlite3_bind_int64(statement, 2, second);
    rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row) {
        *answer = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return rc;
}

int store_run(struct store *store, sqlite3_stmt *statement, struct error *err)
{
    assert(store->write->step == STORE_WRITING);
    return statement_run(store->db, statement, err);
}

int store_run_with(struct store *store, enum store_kept which, int64_t number, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_keep(store, which, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, number);
    return store_run(store, statement, err);
}

int store_run_with_bytes(struct store *store, enum store_kept which, int64_t number,
                         const void *bytes, size_t size, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_keep(store, which, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, number);
    sqlite3_bind_blob64(statement, 2, bytes, size, SQLITE_STATIC);
    return store_run(store, statement, err);
}

int store_execute(struct store *store, const char *sql, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_prepare(store, sql, 0, &statement, err);
    if (rc == 0) rc = store_run(store, statement, err);
    sqlite3_finalize(statement);
    return rc;
}

int store_look_up(struct store *store, size_t which, int64_t number, sqlite3_stmt **statement,
                  int *found, struct error *err)
{
    *found = 0;
    int rc = store_keep(store, which, statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(*statement, 1, number);
    return statement_step(store->db, *statement, found, err);
}
