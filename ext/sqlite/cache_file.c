/*
 * cache_file.c: the persistent cache of vectors.
 *
 *     PRAGMA application_id = 0x72726E6B ("rrnk"); PRAGMA user_version = 1;
 *     CREATE TABLE vectors(key BLOB PRIMARY KEY NOT NULL, used INTEGER NOT NULL,
 *                          vector BLOB NOT NULL) STRICT;
 *     CREATE INDEX vectors_by_use ON vectors(used);
 *
 * key is the SHA-256 of (length of the model's name, name, dimensions asked for, role, SHA-256 of
 * the text), the numbers as 8 bytes little-endian. used is the second, since 1970, of the last use;
 * reading moves it only when it is a day old, and together with other writes, so that a read is a
 * read. vector is float32 little-endian, as vector/codec.h has it.
 *
 * A table with rowids, not WITHOUT ROWID: the keys are random, so the latter writes a vector into
 * the middle of the tree, four rows a page inside it. Measured with 20,000 vectors of 384 / 1536
 * dimensions: 34 / 61 us a row instead of 163 / 145, half the bytes for the small ones.
 *
 * WAL with synchronous=NORMAL: what was flushed survives a crash of the process; a power cut may
 * take the last flushes, never the file. Where there can be no WAL (a network share) the file works
 * with a rollback journal and synchronous=FULL.
 *
 * Bounded by the pages in use, counted before each insert: while there are too many, the
 * EVICT_ROWS least recently used rows go. That is done a few rows at a time rather than a tenth of
 * the file at once: deleting 100 MiB takes seconds in which other processes wait.
 *
 * Nothing here returns ERROR_STORAGE: with SQLITE_FULL or SQLITE_IOERR as the result of one of our
 * functions SQLite would roll back the user's transaction, for a file that is not theirs.
 *
 * The bytes of the file are not trusted: no triggers, no views, no schema but ours, no value longer
 * than a vector, no memory mapping (a file cut short would be a SIGBUS).
 */
#include "sqlite/cache_file.h"

#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "sqlite/api.h"
#include "vector/codec.h"

#define APPLICATION_ID 0x72726E6B
#define FILE_VERSION 1
#define DAY 86400
#define PATIENCE 90 /* as nobody can interrupt it */
#define OPENING_PATIENCE 2000
#define WAL_TRIES 20
#define TOUCHED 64
#define EVICT_ROWS 64
/* Rounds of EVICT_ROWS before one insert: 4096 of the smallest rows are larger than the largest, so
 * the ceiling holds; a file that is far above it (it had another one) shrinks step by step. */
#define EVICT_ROUNDS 64
/* What a row may take besides its vector: key twice, headers, the pages of both indexes. */
#define ROW_OVERHEAD 4096
#define MAX_VALUE (VECTOR_MAX_DIMENSIONS * (int)sizeof(float) + 1024)

static const char table_sql[] = "CREATE TABLE vectors(key BLOB PRIMARY KEY NOT NULL, "
                                "used INTEGER NOT NULL, vector BLOB NOT NULL) STRICT";
static const char index_sql[] = "CREATE INDEX vectors_by_use ON vectors(used)";

enum { BEGIN, COMMIT, FIND, KEEP, TOUCH, EVICT, PAGES, FREE_PAGES, N_STATEMENTS };

static const char *const statement_sql[N_STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [FIND] = "SELECT rowid, used, vector FROM vectors WHERE key = ?1",
    [KEEP] = "REPLACE INTO vectors(key, used, vector) VALUES (?1, ?2, ?3)",
    [TOUCH] = "UPDATE vectors SET used = ?2 WHERE rowid = ?1",
    [EVICT] = ("DELETE FROM vectors WHERE rowid IN "
               "(SELECT rowid FROM vectors ORDER BY used, rowid LIMIT ?1)"),
    [PAGES] = "PRAGMA page_count",
    [FREE_PAGES] = "PRAGMA freelist_count",
};

struct cache_file {
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    struct cache_file_limits limits;
    uint64_t page_size;
    size_t n_kept, n_lost;    /* since the last flush: in the open transaction; not stored */
    int64_t touched[TOUCHED]; /* rowids that were read and whose `used` is old */
    size_t n_touched;
    int patience; /* milliseconds; halved each time it was in vain, so that a lock that stays costs
                     one wait and not one a vector */
};

/* ---- SQLite ---------------------------------------------------------------------------------- */

static int set_error(sqlite3 *db, int rc, struct error *err)
{
    if ((rc & 0xff) == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM) return error_nomem(err);
    int code = (rc & 0xff) == SQLITE_NOTADB ? ERROR_INVALID : ERROR_UNAVAILABLE;
    return error_set(err, code, "%s", db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

/* "cache file '/its/path': what went wrong"; gives back rc. */
static int name_file(const struct cache_file *file, int rc, struct error *err)
{
    const char *path = sqlite3_db_filename(file->db, "main");
    if (rc != 0) error_context(err, "cache file '%.300s'", path != NULL ? path : "");
    return rc;
}

static int execute(struct cache_file *file, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(file->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : set_error(file->db, rc, err);
}

/* The first column of the first row; 0 if there is none. */
static int step_number(struct cache_file *file, sqlite3_stmt *statement, int64_t *number,
                       struct error *err)
{
    int rc = sqlite3_step(statement);
    *number = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) rc = sqlite3_reset(statement);
    else sqlite3_reset(statement);
    return rc == SQLITE_OK ? 0 : set_error(file->db, rc, err);
}

static int query_number(struct cache_file *file, const char *sql, int64_t *number,
                        struct error *err)
{
    sqlite3_stmt *statement;
    *number = 0;
    int rc = sqlite3_prepare_v2(file->db, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK) return set_error(file->db, rc, err);
    rc = step_number(file, statement, number, err);
    sqlite3_finalize(statement);
    return rc;
}

/* Steps a statement that gives no row; the bindings are dropped, they point to the caller's. */
static int run(struct cache_file *file, int which, struct error *err)
{
    sqlite3_stmt *statement = file->statements[which];
    int rc = sqlite3_step(statement);
    rc = rc == SQLITE_DONE ? 0 : set_error(file->db, rc, err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return rc;
}

static int is_busy(sqlite3 *db)
{
    return (sqlite3_errcode(db) & 0xff) == SQLITE_BUSY;
}

static void set_patience(struct cache_file *file, int milliseconds)
{
    file->patience = milliseconds;
    sqlite3_busy_timeout(file->db, milliseconds);
}

static int in_transaction(const struct cache_file *file)
{
    return !sqlite3_get_autocommit(file->db);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void update_number(struct sha256 *hash, uint64_t number)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(number >> (8 * i));
    sha256_update(hash, bytes, sizeof bytes);
}

static void make_key(const struct store_key *key, unsigned char digest[SHA256_SIZE])
{
    struct sha256 hash;
    size_t length = strlen(key->model);
    sha256(key->text.data, key->text.size, digest);
    sha256_init(&hash);
    update_number(&hash, length);
    sha256_update(&hash, key->model, length);
    update_number(&hash, key->dimensions);
    update_number(&hash, (uint64_t)(int64_t)key->role);
    sha256_update(&hash, digest, SHA256_SIZE);
    sha256_final(&hash, digest);
}

/* ---- transactions ---------------------------------------------------------------------------- */

static int begin(struct cache_file *file, struct error *err)
{
    if (in_transaction(file)) return 0;
    int rc = run(file, BEGIN, err);
    if (rc == 0 && file->patience != file->limits.patience)
        set_patience(file, file->limits.patience);
    else if (rc != 0 && is_busy(file->db)) set_patience(file, file->patience / 2);
    return rc;
}

/* After an error SQLite may have rolled back: then all that was kept since the flush is lost. */
static void notice_rollback(struct cache_file *file)
{
    if (in_transaction(file)) return;
    file->n_lost += file->n_kept;
    file->n_kept = 0;
}

static int commit(struct cache_file *file, struct error *err)
{
    int rc = run(file, COMMIT, err);
    if (rc != 0 && in_transaction(file)) sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
    if (rc != 0) file->n_lost += file->n_kept;
    file->n_kept = 0;
    return rc;
}

/* Writes down what was read: in the transaction that is open, or in one that waits for nobody. It
 * is a hint; where it cannot be written it is forgotten. */
static void write_touched(struct cache_file *file)
{
    int64_t now = file->limits.now();
    int alone = !in_transaction(file), rc = 0;
    sqlite3_stmt *statement = file->statements[TOUCH];
    if (file->n_touched == 0) return;
    if (alone) {
        sqlite3_busy_timeout(file->db, 0);
        rc = run(file, BEGIN, NULL);
        sqlite3_busy_timeout(file->db, file->patience);
    }
    for (size_t i = 0; rc == 0 && i < file->n_touched; i++) {
        sqlite3_bind_int64(statement, 1, file->touched[i]);
        sqlite3_bind_int64(statement, 2, now);
        rc = run(file, TOUCH, NULL);
    }
    file->n_touched = 0;
    notice_rollback(file);
    if (alone && in_transaction(file)) commit(file, NULL);
}

/* ---- the store ------------------------------------------------------------------------------- */

static int is_old(const struct cache_file *file, int64_t used)
{
    int64_t now = file->limits.now();
    /* The future: a clock that was wrong, or a hand that wrote it. */
    return used < now - DAY || used > now + DAY;
}

/* The row's vector, if it is one. */
static int read_row(struct cache_file *file, const struct store_key *key, float **vector,
                    size_t *dimensions, struct error *err)
{
    sqlite3_stmt *statement = file->statements[FIND];
    const void *bytes = sqlite3_column_blob(statement, 2);
    size_t size = (size_t)sqlite3_column_bytes(statement, 2), n;
    if (bytes == NULL && sqlite3_errcode(file->db) == SQLITE_NOMEM) return error_nomem(err);
    if (bytes == NULL || sqlite3_column_type(statement, 2) != SQLITE_BLOB) return 0;
    if (vector_check(bytes, size, &n, NULL) != 0) return 0;
    if (key->dimensions != 0 && key->dimensions != n) return 0;
    *vector = memory_alloc(n, sizeof **vector);
    if (*vector == NULL) return error_nomem(err);
    memcpy(*vector, bytes, size);
    *dimensions = n;
    if (is_old(file, sqlite3_column_int64(statement, 1)) && file->n_touched < TOUCHED)
        file->touched[file->n_touched++] = sqlite3_column_int64(statement, 0);
    return 0;
}

static int cache_file_find(void *context, const struct store_key *key, float **vector,
                           size_t *dimensions, struct error *err)
{
    struct cache_file *file = context;
    sqlite3_stmt *statement = file->statements[FIND];
    unsigned char digest[SHA256_SIZE];
    *vector = NULL;
    *dimensions = 0;
    if (file->n_touched == TOUCHED) write_touched(file);
    make_key(key, digest);
    sqlite3_bind_blob(statement, 1, digest, sizeof digest, SQLITE_STATIC);
    int rc = sqlite3_step(statement), code = 0;
    if (rc == SQLITE_ROW) code = read_row(file, key, vector, dimensions, err);
    /* A value longer than a vector is no vector. */
    else if (rc != SQLITE_DONE && rc != SQLITE_TOOBIG) code = set_error(file->db, rc, err);
    if ((rc & 0xff) == SQLITE_BUSY) set_patience(file, file->patience / 2);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    notice_rollback(file);
    return name_file(file, code, err);
}

/* The bytes of the pages that hold something. */
static int used_bytes(struct cache_file *file, uint64_t *bytes, struct error *err)
{
    int64_t pages, free_pages = 0;
    int rc = step_number(file, file->statements[PAGES], &pages, err);
    if (rc == 0) rc = step_number(file, file->statements[FREE_PAGES], &free_pages, err);
    /* The number of free pages comes from the file: it may be anything. */
    if (free_pages < 0 || free_pages > pages) free_pages = 0;
    *bytes = (uint64_t)(pages - free_pages) * file->page_size;
    return rc;
}

/* Forgets the least recently used rows until `size` bytes more are below the ceiling. */
static int make_room(struct cache_file *file, uint64_t size, struct error *err)
{
    for (int round = 0; round < EVICT_ROUNDS; round++) {
        uint64_t bytes;
        int rc = used_bytes(file, &bytes, err);
        if (rc != 0 || bytes + size <= file->limits.ceiling) return rc;
        sqlite3_bind_int(file->statements[EVICT], 1, EVICT_ROWS);
        rc = run(file, EVICT, err);
        if (rc != 0 || sqlite3_changes(file->db) == 0) return rc;
    }
    return 0;
}

static int insert(struct cache_file *file, const struct store_key *key, const float *vector,
                  size_t size, struct error *err)
{
    sqlite3_stmt *statement = file->statements[KEEP];
    unsigned char digest[SHA256_SIZE];
    make_key(key, digest);
    sqlite3_bind_blob(statement, 1, digest, sizeof digest, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, file->limits.now());
    sqlite3_bind_blob(statement, 3, vector, (int)size, SQLITE_STATIC);
    return run(file, KEEP, err);
}

static int cache_file_keep(void *context, const struct store_key *key, const float *vector,
                           size_t dimensions, struct error *err)
{
    struct cache_file *file = context;
    size_t n, size = dimensions <= VECTOR_MAX_DIMENSIONS ? dimensions * sizeof *vector : SIZE_MAX;
    int rc = vector_check(vector, size, &n, err);
    if (rc == 0 && key->dimensions != 0 && key->dimensions != n)
        rc = error_set(err, ERROR_INVALID, "expected %zu dimensions, not %zu", key->dimensions, n);
    if (rc != 0) return name_file(file, rc, err);
    rc = begin(file, err);
    if (rc == 0) rc = make_room(file, (uint64_t)size + ROW_OVERHEAD, err);
    if (rc == 0) rc = insert(file, key, vector, size, err);
    if (rc == 0) file->n_kept++;
    else file->n_lost++;
    notice_rollback(file);
    return name_file(file, rc, err);
}

static int cache_file_flush(void *context, struct error *err)
{
    struct cache_file *file = context;
    int rc = 0;
    write_touched(file);
    if (in_transaction(file)) rc = commit(file, err);
    size_t n = file->n_lost;
    file->n_lost = 0;
    const char *plural = n == 1 ? "" : "s";
    if (rc != 0) error_context(err, "%zu vector%s not stored", n, plural);
    else if (n > 0) rc = error_set(err, ERROR_UNAVAILABLE, "%zu vector%s not stored", n, plural);
    return name_file(file, rc, err);
}

static void cache_file_close(void *context)
{
    struct cache_file *file = context;
    if (file == NULL) return;
    if (file->statements[COMMIT] != NULL) cache_file_flush(file, NULL);
    for (int i = 0; i < N_STATEMENTS; i++) sqlite3_finalize(file->statements[i]);
    sqlite3_close_v2(file->db);
    memory_free(file);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Whether the file is empty; ERROR_INVALID if it is neither that nor ours. Reads only, inside a
 * transaction: another process may be filling the file. */
static int look(struct cache_file *file, int *is_empty, struct error *err)
{
    int64_t application, version = 0, n_objects = 0;
    int rc = query_number(file, "PRAGMA application_id", &application, err);
    if (rc == 0) rc = query_number(file, "PRAGMA user_version", &version, err);
    if (rc == 0) rc = query_number(file, "SELECT count(*) FROM sqlite_master", &n_objects, err);
    if (rc != 0) return rc;
    *is_empty = application == 0 && version == 0 && n_objects == 0;
    if (*is_empty || (application == APPLICATION_ID && version == FILE_VERSION)) return 0;
    if (application == APPLICATION_ID)
        return error_set(err, ERROR_INVALID,
                         "expected version %d of the cache, not %lld (a newer release wrote it)",
                         FILE_VERSION, (long long)version);
    return error_set(err, ERROR_INVALID,
                     "the database of another application, not a cache (name a file that does not "
                     "exist yet)");
}

/* Nothing is in the file but what create() put there. */
static int check_schema(struct cache_file *file, struct error *err)
{
    int64_t is_ours = 0;
    char *sql = sqlite3_mprintf("SELECT count(*) = 2 AND sum(sql IN (%Q, %Q)) = 2 "
                                "FROM sqlite_master WHERE name NOT GLOB 'sqlite_*'",
                                table_sql, index_sql);
    if (sql == NULL) return error_nomem(err);
    int rc = query_number(file, sql, &is_ours, err);
    sqlite3_free(sql);
    if (rc == 0 && !is_ours)
        rc = error_set(err, ERROR_INVALID,
                       "its tables were changed (remove the file to begin anew)");
    return rc;
}

/* Another process may do the same: whoever has the lock second finds it done. */
static int create(struct cache_file *file, struct error *err)
{
    int is_empty = 0;
    int rc = execute(file, "BEGIN IMMEDIATE", err);
    if (rc != 0) return rc;
    rc = look(file, &is_empty, err);
    if (rc == 0 && is_empty) rc = execute(file, table_sql, err);
    if (rc == 0 && is_empty) rc = execute(file, index_sql, err);
    if (rc == 0 && is_empty) {
        char *sql = sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %d",
                                    APPLICATION_ID, FILE_VERSION);
        rc = sql == NULL ? error_nomem(err) : execute(file, sql, err);
        sqlite3_free(sql);
    }
    if (rc == 0) rc = execute(file, "COMMIT", err);
    if (in_transaction(file)) sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* Nobody may look at the file while its journal changes, once in its life. It is not worth a long
 * wait: the file works without WAL too, and the next to open it tries again. */
static int set_journal(struct cache_file *file, struct error *err)
{
    int rc = SQLITE_BUSY, is_wal = 0;
    sqlite3_busy_timeout(file->db, 0);
    for (int i = 0; i < WAL_TRIES && (rc & 0xff) == SQLITE_BUSY; i++) {
        sqlite3_stmt *statement;
        if (i > 0) sqlite3_sleep(5);
        rc = sqlite3_prepare_v2(file->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
        if (rc != SQLITE_OK) break;
        const char *mode = sqlite3_step(statement) == SQLITE_ROW
                               ? (const char *)sqlite3_column_text(statement, 0)
                               : NULL;
        is_wal = mode != NULL && strcmp(mode, "wal") == 0;
        rc = sqlite3_finalize(statement);
    }
    sqlite3_busy_timeout(file->db, file->patience);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) return set_error(file->db, rc, err);
    return execute(file, is_wal ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL", err);
}

/* Before the first look at a file that may be anybody's: it must not change it. */
static void be_careful(struct cache_file *file)
{
    static const int off[] = {SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW,
                              SQLITE_DBCONFIG_TRUSTED_SCHEMA};
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        sqlite3_db_config(file->db, off[i], 0, NULL);
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_limit(file->db, SQLITE_LIMIT_LENGTH, MAX_VALUE);
    sqlite3_extended_result_codes(file->db, 1);
    set_patience(file, file->limits.patience);
}

static int prepare(struct cache_file *file, struct error *err)
{
    for (int i = 0; i < N_STATEMENTS; i++) {
        int rc = sqlite3_prepare_v3(file->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &file->statements[i], NULL);
        if (rc != SQLITE_OK) return set_error(file->db, rc, err);
    }
    return 0;
}

static int set_up(struct cache_file *file, struct error *err)
{
    int is_empty = 0;
    int64_t page_size = 0;
    be_careful(file);
    int rc = execute(file,
                     "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; "
                     "PRAGMA cell_size_check = ON",
                     err);
    if (rc == 0) rc = execute(file, "BEGIN", err);
    if (rc == 0) rc = look(file, &is_empty, err);
    if (in_transaction(file)) sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
    if (rc == 0) sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    if (rc == 0 && sqlite3_db_readonly(file->db, "main") != 0)
        rc = error_set(err, ERROR_UNAVAILABLE, "it cannot be written");
    if (rc == 0 && is_empty) rc = create(file, err);
    if (rc == 0) rc = check_schema(file, err);
    if (rc == 0) rc = set_journal(file, err);
    if (rc == 0) rc = execute(file, "PRAGMA journal_size_limit = 4194304", err);
    if (rc == 0) rc = query_number(file, "PRAGMA page_size", &page_size, err);
    if (rc == 0) rc = prepare(file, err);
    file->page_size = (uint64_t)page_size;
    return rc;
}

static int64_t system_now(void)
{
    return (int64_t)time(NULL);
}

int cache_file_open(const char *path, struct catalog_store *store, struct error *err)
{
    struct cache_file_limits limits = {CACHE_FILE_CEILING, system_now, OPENING_PATIENCE};
    int rc = cache_file_open_limited(path, &limits, store, err);
    if (rc != 0) return rc;
    struct cache_file *file = store->context;
    file->limits.patience = PATIENCE;
    set_patience(file, PATIENCE);
    return 0;
}

int cache_file_open_limited(const char *path, const struct cache_file_limits *limits,
                            struct catalog_store *store, struct error *err)
{
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOMUTEX;
    *store = (struct catalog_store){0};
    if (*path == '\0' || strcmp(path, ":memory:") == 0)
        return error_set(err, ERROR_INVALID, "cache file '%s': expected the path of a file", path);
    struct cache_file *file = memory_zalloc(1, sizeof *file);
    if (file == NULL) return error_nomem(err);
    file->limits = *limits;
    int rc = sqlite3_open_v2(path, &file->db, flags, NULL);
    rc = rc != SQLITE_OK ? set_error(file->db, rc, err) : set_up(file, err);
    if (rc != 0) {
        error_context(err, "cache file '%.300s'", path);
        cache_file_close(file);
        return rc;
    }
    *store = (struct catalog_store){cache_file_find, cache_file_keep, cache_file_flush,
                                    cache_file_close, file};
    return 0;
}
