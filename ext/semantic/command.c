#include "semantic/command.h"

#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "semantic/columns.h"
#include "semantic/content.h"
#include "semantic/embedder.h"
#include "semantic/flush.h"
#include "semantic/registry.h"
#include "semantic/sync.h"
#include "semantic/upkeep.h"
#include "semantic/wording.h"
#include "sqlite/statement.h"
#include "store/integrity.h"
#include "store/optimize.h"
#include "store/words.h"
#include "store/write.h"

/* Nothing of a statement that fails is written, but what was paid for is not lost: it is found by
 * the next try. That is nothing to tell of a model that is built in, which costs nothing. */
static void tell_what_is_kept(const struct semantic_sync *sync, struct error *err)
{
    size_t n = sync->n_embedded;
    if (catalog_entry_model(sync->entry)->methods->fit != NULL ||
        catalog_is_embedded(sync->table->connection->catalog, sync->entry))
        return;
    for (size_t i = 0; i < sync->n_rows; i++) n += sync->rows[i].vector != NULL;
    if (n > 0)
        error_context(err,
                      "nothing is written, but the vectors of %zu rows are kept in memory, and the "
                      "next try asks for the rest only",
                      n);
}

static int do_batches(struct semantic_sync *sync, struct error *err)
{
    int rc = 0;
    while (rc == 0 && sync_pending(sync)) {
        rc = sync_collect(sync, err);
        if (rc == 0) rc = sync_failure(sync, err);
        if (rc == 0) rc = sync_store(sync, err);
        if (rc == 0) rc = sync_stored(sync, err);
    }
    if (rc != 0 && rc != ERROR_NOMEM) tell_what_is_kept(sync, err);
    return rc;
}

static int synchronize(struct semantic_table *table, enum sync_kind kind, size_t most,
                       struct error *err)
{
    struct progress *progress;
    struct semantic_sync *sync = NULL;
    int rc = progress_begin(table, &progress, err);
    if (rc == 0) rc = sync_open(table, kind, progress, &sync, err);
    if (rc == 0) {
        sync_limit(sync, most);
        rc = do_batches(sync, err);
    }
    sync_close(sync);
    progress_end(progress, rc);
    return rc;
}

/* 'sync', and 'sync 10000' for so many rows at most. */
static int read_bound(const char *text, size_t *most, struct error *err)
{
    const char *p = text;
    for (*most = 0; *p >= '0' && *p <= '9'; p++) {
        size_t digit = (size_t)(*p - '0');
        *most = *most > (SIZE_MAX - digit) / 10 ? SIZE_MAX : *most * 10 + digit;
    }
    if (*p != '\0' || *most == 0)
        return error_set(err, ERROR_INVALID,
                         "sync: expected a number of rows, 1 or more, not '%.100s'", text);
    return 0;
}

static int sync_some(struct semantic_table *table, const char *bound, struct error *err)
{
    size_t most = 0;
    int rc = read_bound(bound, &most, err);
    return rc == 0 ? synchronize(table, SYNC_CHANGES, most, err) : rc;
}

/* The batch is for this table, as this connection sees it now. Where all is embedded again all
 * batches are one: until then the rows are found by the vectors that they had. */
static int store_batch(struct semantic_table *table, struct error *err)
{
    struct semantic_sync *sync = table->registry->storing;
    sync->table = table;
    int rc = sync_store(sync, err);
    while (rc == 0 && sync->is_whole && sync->n_collected < sync->n_wanted) {
        rc = sync_stored(sync, err);
        if (rc == 0) rc = sync_collect(sync, err);
        if (rc == 0) rc = sync_store(sync, err);
    }
    return rc;
}

static int optimize(struct semantic_table *table, struct error *err)
{
    struct store_state state;
    int rc = store_read_state(&table->store, &state, err);
    if (rc == 0) rc = store_write_begin(&table->store, &state, hash_bytes("optimize", 8, 0), err);
    if (rc != 0) return rc;
    rc = store_optimize(&table->store, &state, err);
    if (rc == 0) rc = wording_optimize(table, err);
    return store_write_end(&table->store, &state, rc, err);
}

/* One row of the index against the content, whose rows may have been given other numbers. */
static int check_number(struct semantic_table *table, sqlite3_stmt *row, struct buffer *text,
                        struct error *err)
{
    int64_t id = sqlite3_column_int64(row, 0);
    uint64_t hash = (uint64_t)sqlite3_column_int64(row, 1);
    int exists, found, is_own = sqlite3_column_int(row, 2);
    struct error bad;
    buffer_clear(text);
    int rc = content_text(table, id, text, &bad, &exists, &found, err);
    if (rc != 0 || (is_own && !exists) || (exists && hash == content_hash(text, &bad))) return rc;
    return error_set(
        err, ERROR_CORRUPT,
        "row %lld: it has another text now. %.100s has no INTEGER PRIMARY KEY, so that "
        "VACUUM gives its rows other numbers ('sync' mends it, until the next VACUUM)",
        (long long)id, table->config.content);
}

/* Of a content whose rows do not keep their numbers. */
static int check_numbers(struct semantic_table *table, struct error *err)
{
    const struct store *store = &table->store;
    struct buffer text;
    sqlite3_stmt *scan = NULL;
    int row = 0, keeps = 1;
    if (store->keeps_keys || table->pending->n_rows > table->pending->n_flushed) return 0;
    int rc = columns_keep_rowids(table, &keeps, err);
    buffer_init(&text, CONTENT_MAX_TEXT);
    /* No error, as nothing is wrong yet: PRAGMA integrity_check would show it like damage. */
    if (rc == 0 && !keeps)
        sqlite3_log(SQLITE_WARNING,
                    "%s: %s has no INTEGER PRIMARY KEY: VACUUM may renumber its rows, and their "
                    "vectors be taken for those of others: declare one, or name a UNIQUE NOT NULL "
                    "column as content_rowid",
                    store->name, table->config.content);
    if (rc == 0 && !keeps) rc = store_query(&table->store, STORE_ROWS, &scan, err);
    while (rc == 0 && !keeps && (rc = statement_step(store->db, scan, &row, err)) == 0 && row) {
        rc = check_number(table, scan, &text, err);
        if (rc == 0) rc = cancel_check(store->cancel, err);
    }
    sqlite3_finalize(scan);
    buffer_deinit(&text);
    return rc;
}

/* Of rows that wait the words are written, and the vectors not yet. */
static int check_words(struct semantic_table *table, struct error *err)
{
    if (table->store.tokenizer == NULL || table->pending->n_rows > table->pending->n_flushed)
        return 0;
    return words_check(&table->store, err);
}

int semantic_integrity_check(struct semantic_table *table, struct error *err)
{
    int rc = store_integrity_check(&table->store, err);
    if (rc == 0) rc = check_words(table, err);
    if (rc == 0) rc = check_numbers(table, err);
    if (rc == 0) rc = semantic_check_fitted(table, err);
    return rc == 0 ? upkeep_check(table, err) : rc;
}

/* And what only a statement that writes can check: PRAGMA integrity_check, which is none, asks FTS5
 * itself. */
static int check_integrity(struct semantic_table *table, struct error *err)
{
    int rc = semantic_integrity_check(table, err);
    return rc == 0 ? wording_check(table, err) : rc;
}

/* Of ours, that write now: see semantic_command(). */
static int n_statements(const struct semantic_table *table)
{
    return table->registry->whole == NULL ? 1 : 2;
}

/* A name as options have it: bare or quoted. */
static int use_content(struct semantic_table *table, const char *name, struct error *err)
{
    struct name_list names = {0};
    int rc = name_list_parse(name, &names, err);
    if (rc == 0 && names.n_names != 1)
        rc = error_set(err, ERROR_INVALID, "expected one table or view, not '%.100s'", name);
    if (rc == 0) rc = columns_use_content(table, names.names[0], n_statements(table), err);
    name_list_deinit(&names);
    return rc;
}

static int run(struct semantic_table *table, const char *command, struct error *err)
{
    /* Before rows that wait are written: they may wait for the content's new name. */
    if (sqlite3_strnicmp(command, "content ", 8) == 0) return use_content(table, command + 8, err);
    int rc = flush_pending(table, err);
    if (rc == 0) rc = columns_look(table, err);
    if (rc != 0) return rc;
    columns_renew(table, n_statements(table));
    if (sqlite3_stricmp(command, "sync") == 0)
        return synchronize(table, SYNC_CHANGES, SIZE_MAX, err);
    if (sqlite3_strnicmp(command, "sync ", 5) == 0) return sync_some(table, command + 5, err);
    if (sqlite3_stricmp(command, "retry") == 0)
        return synchronize(table, SYNC_RETRY, SIZE_MAX, err);
    if (sqlite3_stricmp(command, "rebuild") == 0)
        return synchronize(table, SYNC_REBUILD, SIZE_MAX, err);
    if (sqlite3_stricmp(command, "optimize") == 0) return optimize(table, err);
    if (sqlite3_stricmp(command, "upkeep") == 0) return upkeep_restore(table, err);
    if (sqlite3_stricmp(command, "integrity-check") == 0) return check_integrity(table, err);
    if (strcmp(command, "store-batch") == 0 && table->registry->storing != NULL)
        return store_batch(table, err);
    return error_set(err, ERROR_INVALID,
                     "unknown command '%.100s' (there are: sync, sync N, retry, rebuild, optimize, "
                     "upkeep, integrity-check, content NAME; and of a row: changed, changing, "
                     "embedded HASH)",
                     command);
}

/* Of several writes, which are to be done all or not at all. */
static int has_parts(const char *command)
{
    static const char *const words[] = {"sync", "sync ", "retry", "rebuild", "upkeep", "content "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        if (sqlite3_strnicmp(command, words[i], (int)n) == 0 &&
            (words[i][n - 1] == ' ' || command[n] == '\0'))
            return 1;
    }
    return 0;
}

/* Whole or an error, also in a transaction: there SQLite can take back what a statement wrote only
 * where it may write several rows, and INSERT ... VALUES with one is none of these. So it is run
 * again, as a statement that is. */
int semantic_command(struct semantic_table *table, const char *command, struct error *err)
{
    struct semantic_registry *registry = table->registry;
    const struct store *store = &table->store;
    struct error whole = {0};
    if (sqlite3_get_autocommit(store->db) || registry->whole != NULL || !has_parts(command)) {
        int rc = run(table, command, err);
        if (rc != 0 && registry->whole != NULL) *registry->whole = *err;
        return rc;
    }
    registry->whole = &whole;
    int rc = statement_execute(store->db, err, "INSERT INTO \"%w\".\"%w\"(\"%w\") SELECT %Q",
                               store->schema, store->name, store->name, command);
    registry->whole = NULL;
    if (rc != 0 && whole.code != 0) *err = whole;
    return rc != 0 && whole.code != 0 ? whole.code : rc;
}
