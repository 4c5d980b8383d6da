#include "store/words.h"

#include <string.h>

#include "base/hash.h"
#include "store/history.h"
#include "store/statements.h"

/* ---- X_fts made, dropped, renamed ------------------------------------------------------------ */

/* FTS5 neither clears nor drops a table that it cannot read. */
static int is_unreadable(int rc, const struct error *err)
{
    if ((rc != ERROR_STORAGE && rc != ERROR_CORRUPT) || err == NULL) return 0;
    return (err->storage_code & 0xff) == SQLITE_CORRUPT ||
           (strstr(err->text, "no such table") != NULL && strstr(err->text, "_fts") != NULL) ||
           strstr(err->text, "vtable constructor failed") != NULL ||
           strstr(err->text, "invalid fts5 file format") != NULL;
}

/* FTS5 tells what it misses; we add what to do. */
int words_explain(const struct store *store, int rc, struct error *err)
{
    if (is_unreadable(rc, err)) {
        char what[sizeof err->text];
        sqlite3_snprintf(sizeof what, what, "%s", err->text);
        return error_set(err, ERROR_CORRUPT,
                         "the words of %s: %.300s ('optimize' writes them anew)", store->name,
                         what);
    }
    if (rc != ERROR_STORAGE || err == NULL) return rc;
    int storage_code = err->storage_code;
    if (strstr(err->text, "no such module: fts5") != NULL)
        error_set(err, ERROR_STORAGE,
                  "this SQLite was built without FTS5, which keeps the words of %s", store->name);
    else error_context(err, "the words of %s", store->name);
    err->storage_code = storage_code;
    return rc;
}

/* Bytes of words that FTS5 keeps in memory before it writes them, sorted, to a piece of their own,
 * where it would write each MiB: pieces are joined later, again and again. */
#define KEPT_BYTES (4 << 20)

/* Is in X_fts_config from then on. */
static int keep_more(struct store *store, struct error *err)
{
    return statement_execute(store->db, err,
                             "INSERT INTO \"%w\".\"%w_fts\"(\"%w_fts\", rank) VALUES "
                             "('hashsize', %d)",
                             store->schema, store->name, store->name, KEPT_BYTES);
}

int words_create(struct store *store, struct error *err)
{
    int rc =
        statement_execute(store->db, err,
                          "CREATE VIRTUAL TABLE \"%w\".\"%w_fts\" USING fts5(text, content='', "
                          "tokenize=%Q)",
                          store->schema, store->name, store->tokenizer);
    if (rc == 0) return keep_more(store, err);
    if (rc != ERROR_STORAGE || err == NULL || (err->storage_code & 0xff) != SQLITE_ERROR) return rc;
    /* FTS5 says why, unless it has no memory for that. */
    if (strstr(err->text, "vtable constructor failed") != NULL) return error_nomem(err);
    if (strstr(err->text, "no such module: fts5") != NULL)
        return error_set(err, ERROR_INVALID,
                         "lexical = 'fts5' needs FTS5, and this SQLite was built without it: leave "
                         "the option out, or load FTS5");
    char what[sizeof err->text];
    sqlite3_snprintf(sizeof what, what, "%s", err->text);
    return error_set(err, ERROR_INVALID,
                     "tokenizer '%.100s': FTS5 says: %.200s (there are: unicode61, ascii, porter "
                     "before one of these, trigram, with their options, and those that the "
                     "application registered)",
                     store->tokenizer, what);
}

/* What FTS5 makes at CREATE. */
static int restore_tables(struct store *store, struct error *err)
{
    static const char *const tables[] = {
        "data\"(id INTEGER PRIMARY KEY, block BLOB)",
        "idx\"(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID",
        "docsize\"(id INTEGER PRIMARY KEY, sz BLOB)",
        "config\"(k PRIMARY KEY, v) WITHOUT ROWID",
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof *tables; i++)
        rc = statement_execute(store->db, err, "CREATE TABLE IF NOT EXISTS \"%w\".\"%w_fts_%s",
                               store->schema, store->name, tables[i]);
    return rc;
}

/* The same, of no documents. */
static int empty(struct store *store, struct error *err)
{
    static const char *const statements[] = {
        "DELETE FROM \"%w\".\"%w_fts_data\"",
        "INSERT INTO \"%w\".\"%w_fts_data\" VALUES (1, x''), (10, x'00000000000000')",
        "DELETE FROM \"%w\".\"%w_fts_idx\"",
        "DELETE FROM \"%w\".\"%w_fts_docsize\"",
        "REPLACE INTO \"%w\".\"%w_fts_config\" VALUES ('version', 4)",
    };
    int rc = restore_tables(store, err);
    for (size_t i = 0; rc == 0 && i < sizeof statements / sizeof *statements; i++)
        rc = statement_execute(store->db, err, statements[i], store->schema, store->name);
    return rc;
}

static int drop(struct store *store, struct error *err)
{
    return statement_execute(store->db, err, "DROP TABLE IF EXISTS \"%w\".\"%w_fts\"",
                             store->schema, store->name);
}

int words_drop(struct store *store, struct error *err)
{
    int rc = drop(store, err);
    if (is_unreadable(rc, err)) {
        rc = empty(store, err);
        if (rc == 0) rc = drop(store, err);
    }
    return words_explain(store, rc, err);
}

/* X_fts, or the first of its tables, that is not there; NULL: all are. */
static int find_missing(struct store *store, const char **missing, struct error *err)
{
    static const char *const suffixes[] = {"fts", "fts_data", "fts_idx", "fts_docsize",
                                           "fts_config"};
    int rc = 0, there = 1;
    *missing = NULL;
    for (size_t i = 0; rc == 0 && there && i < sizeof suffixes / sizeof *suffixes; i++) {
        sqlite3_stmt *statement;
        rc = statement_prepare(store->db, &statement, err,
                               "SELECT 1 FROM \"%w\".sqlite_master WHERE type = 'table' AND "
                               "name = '%q_%q' COLLATE nocase",
                               store->schema, store->name, suffixes[i]);
        if (rc == 0) rc = statement_step(store->db, statement, &there, err);
        sqlite3_finalize(statement);
        if (!there) *missing = suffixes[i];
    }
    return rc;
}

static int drop_tables(struct store *store, struct error *err)
{
    static const char *const suffixes[] = {"data", "idx", "docsize", "config", "content"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof suffixes / sizeof *suffixes; i++)
        rc = statement_execute(store->db, err, "DROP TABLE IF EXISTS \"%w\".\"%w_fts_%s\"",
                               store->schema, store->name, suffixes[i]);
    return rc;
}

/* Makes X_fts, or those of its tables that are not there. */
static int restore(struct store *store, struct error *err)
{
    const char *missing;
    int rc = find_missing(store, &missing, err);
    if (rc != 0 || missing == NULL) return rc;
    if (strcmp(missing, "fts") != 0) return restore_tables(store, err);
    rc = drop_tables(store, err);
    return rc == 0 ? words_create(store, err) : rc;
}

int words_rename(struct store *store, const char *name, struct error *err)
{
    return words_explain(store,
                         statement_execute(store->db, err,
                                           "ALTER TABLE \"%w\".\"%w_fts\" RENAME TO \"%w_fts\"",
                                           store->schema, store->name, name),
                         err);
}

int words_prepare(struct store *store, int all, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = 0;
    for (size_t i = all ? KEPT_PUT_WORDS : KEPT_PUT_WORDS + 1; rc == 0 && i < N_KEPT; i++)
        if (store->kept[i] == NULL) rc = store_keep(store, i, &statement, err);
    return words_explain(store, rc, err);
}

/* ---- documents ------------------------------------------------------------------------------- */

static int has_document(struct store *store, int64_t document, int *has, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_look_up(store, KEPT_HAS_DOCUMENT, document, &statement, has, err);
    if (rc == 0 && *has) sqlite3_reset(statement);
    return rc;
}

/* The exception that is of that row. */
static int find_exception(struct store *store, int64_t id, int64_t *document, int *found,
                          struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_look_up(store, KEPT_DOCUMENT_OF, id, &statement, found, err);
    if (rc != 0 || !*found) return rc;
    *document = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return 0;
}

/* NULL: the document is dead. */
static int put_exception(struct store *store, int64_t document, const int64_t *id,
                         struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_keep(store, KEPT_PUT_DOCUMENT, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, document);
    if (id != NULL) sqlite3_bind_int64(statement, 2, *id);
    return store_run(store, statement, err);
}

/* *has: there is a document of the row's own number, dead by now. */
static int bury(struct store *store, int64_t id, int *has, struct error *err)
{
    int64_t document;
    int found;
    int rc = find_exception(store, id, &document, &found, err);
    if (rc == 0 && found) rc = store_run_with(store, KEPT_BURY_DOCUMENT, document, err);
    if (rc == 0) rc = has_document(store, id, has, err);
    /* Where X_docs has it already, it is dead or another row's. */
    return rc == 0 && *has ? put_exception(store, id, NULL, err) : rc;
}

/* Only after INT64_MIN was a row's id: a number below 0 that no document has, the first that comes
 * of the row's id by hashing. */
static int find_gap(struct store *store, int64_t id, int64_t *document, struct error *err)
{
    int rc = 0, has = 1;
    for (uint64_t n = 0; rc == 0 && has; n++) {
        *document = (int64_t)(hash_bytes(&id, sizeof id, n) | (uint64_t)1 << 63);
        rc = has_document(store, *document, &has, err);
    }
    return rc;
}

/* The lowest number, or 0 if that is lower. */
static int first_document(struct store *store, int64_t *first, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    *first = 0;
    int rc = store_keep(store, KEPT_FIRST_DOCUMENT, &statement, err);
    if (rc == 0) rc = statement_step(store->db, statement, &row, err);
    if (rc != 0) return rc;
    if (row) {
        int64_t lowest = sqlite3_column_int64(statement, 0);
        if (lowest < 0) *first = lowest;
        sqlite3_reset(statement);
    }
    return 0;
}

static int free_document(struct store *store, int64_t id, struct words_numbers *numbers,
                         int64_t *document, struct error *err)
{
    int64_t first = 0, n = (int64_t)numbers->n_rows;
    int rc = 0, taken = 1; /* by a row whose id it is */
    while (rc == 0 && taken && numbers->next < numbers->end) {
        *document = numbers->next++;
        rc = has_document(store, *document, &taken, err);
    }
    if (rc == 0 && taken) rc = first_document(store, &first, err);
    if (rc != 0 || !taken) return rc;
    if (first == INT64_MIN) return find_gap(store, id, document, err);
    if (first < INT64_MIN + n) n = 1;
    *document = first - n;
    numbers->next = *document + 1;
    numbers->end = first;
    return 0;
}

int words_add(struct store *store, int64_t document, struct span text, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_keep(store, KEPT_PUT_WORDS, &statement, err);
    store->write->has_words = 1;
    if (rc == 0) {
        sqlite3_bind_int64(statement, 1, document);
        sqlite3_bind_text64(statement, 2, text.data, text.size, SQLITE_STATIC, SQLITE_UTF8);
        store->reads_words = 1;
        rc = store_run(store, statement, err);
    }
    return words_explain(store, rc, err);
}

/* FTS5 closes what it reads by when a MATCH ends. */
int words_rest(struct store *store, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    if (!store->reads_words || sqlite3_get_autocommit(store->db) ||
        sqlite3_libversion_number() >= 3054000)
        return 0;
    int rc = store_keep(store, KEPT_REST_WORDS, &statement, err);
    if (rc == 0) rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row) sqlite3_reset(statement);
    if (rc == 0) store->reads_words = 0;
    return words_explain(store, rc, err);
}

int words_put(struct store *store, int64_t id, struct span text, struct error *err)
{
    struct words_numbers one = {.n_rows = 1};
    return words_put_many(store, id, text, &one, err);
}

int words_put_many(struct store *store, int64_t id, struct span text, struct words_numbers *numbers,
                   struct error *err)
{
    int64_t document = id;
    int has;
    int rc = words_explain(store, bury(store, id, &has, err), err);
    if (rc == 0 && has) rc = free_document(store, id, numbers, &document, err);
    if (rc == 0) rc = words_add(store, document, text, err);
    if (rc == 0 && document != id) rc = put_exception(store, document, &id, err);
    return rc == 0 ? store_run_with(store, KEPT_DELETE_WORDLESS, id, err) : rc;
}

int words_unknown_from(struct store *store, int64_t id, int *unknown, struct error *err)
{
    int64_t any, n_wordless = 0, last = 0;
    int rc = store_ask(store, STORE_ANY_EXCEPTION, 0, 0, &any, err);
    if (rc == 0) rc = store_ask(store, STORE_N_WORDLESS, 0, 0, &n_wordless, err);
    if (rc == 0)
        rc = words_explain(store, store_ask(store, STORE_LAST_DOCUMENT, 0, 0, &last, err), err);
    *unknown = !any && n_wordless == 0 && id > 0 && id > last;
    return rc;
}

int words_kill(struct store *store, int64_t id, struct error *err)
{
    int has;
    int rc = words_explain(store, bury(store, id, &has, err), err);
    return rc == 0 ? store_run_with(store, KEPT_DELETE_WORDLESS, id, err) : rc;
}

int words_postpone(struct store *store, int64_t id, struct error *err)
{
    int has;
    int rc = words_explain(store, bury(store, id, &has, err), err);
    return rc == 0 ? store_run_with(store, KEPT_PUT_WORDLESS, id, err) : rc;
}

int words_postpone_own(struct store *store, struct error *err)
{
    return store_execute(
        store, "INSERT INTO " X_WORDLESS " SELECT id FROM " X_ROWS " WHERE own >= 1", err);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int run_command(struct store *store, const char *name, struct error *err)
{
    store->write->has_words = 1;
    return statement_execute(store->db, err,
                             "INSERT INTO \"%w\".\"%w_fts\"(\"%w_fts\") VALUES "
                             "(%Q)",
                             store->schema, store->name, store->name, name);
}

static int command(struct store *store, const char *name, struct error *err)
{
    return words_explain(store, run_command(store, name, err), err);
}

int words_clear(struct store *store, struct error *err)
{
    int rc = history_clear(store, err);
    if (rc == 0) rc = restore(store, err);
    if (rc == 0) rc = run_command(store, "delete-all", err);
    rc = words_explain(store, is_unreadable(rc, err) ? empty(store, err) : rc, err);
    if (rc == 0) rc = store_execute(store, "DELETE FROM " X_DOCS, err);
    return rc == 0 ? store_execute(store, "DELETE FROM " X_WORDLESS, err) : rc;
}

int words_merge(struct store *store, struct error *err)
{
    return command(store, "optimize", err);
}

/* A savepoint makes FTS5 write, and SQLite has one below each statement of this kind. */
int words_settle(struct store *store, struct error *err)
{
    int rc = statement_execute(store->db, err, "INSERT INTO " X_WORDLESS " SELECT 0 WHERE 0",
                               store->schema, store->name);
    if (rc == 0) store->write->has_words = 0;
    return rc;
}

/* ---- what contradicts what ------------------------------------------------------------------- */

/* Each finds none: numbers of rows or documents. EXISTS, as X_docs has NULLs. */
static const struct {
    const char *sql, *what, *message;
} contradictions[] = {
    {"SELECT doc FROM " X_DOCS " WHERE doc NOT IN (SELECT id FROM " X_FTS_DOCSIZE ")", "document",
     "it is kept for an exception, and there is no such document"},
    {"SELECT id FROM " X_FTS_DOCSIZE " WHERE typeof(sz) <> 'blob' OR length(sz) = 0", "document",
     "its length is not there"},
    {"SELECT doc FROM " X_DOCS " WHERE doc = id", "document",
     "it is kept for an exception, and is none"},
    {"SELECT id FROM " X_DOCS " WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM " X_ROWS ")",
     "row", "it has words, and no vector"},
    {"SELECT id FROM " X_DOCS " AS x WHERE id IN (SELECT id FROM " X_FTS_DOCSIZE
     ") AND NOT EXISTS (SELECT 1 FROM " X_DOCS " AS y WHERE y.doc = x.id)",
     "row", "it has two documents of words"},
    {"SELECT id FROM " X_FTS_DOCSIZE " WHERE id NOT IN (SELECT doc FROM " X_DOCS
     ") AND id NOT IN (SELECT id FROM " X_ROWS ")",
     "row", "it has words, and no vector"},
    {"SELECT id FROM " X_ROWS " AS r WHERE own = 0 AND id NOT IN (SELECT id FROM " X_WORDLESS
     ") AND NOT EXISTS (SELECT 1 FROM " X_DOCS " AS x WHERE x.id = r.id) AND (id NOT IN "
     "(SELECT id FROM " X_FTS_DOCSIZE ") OR id IN (SELECT doc FROM " X_DOCS "))",
     "row", "it has a vector, and no words"},
    {"SELECT id FROM " X_WORDLESS " WHERE id NOT IN (SELECT id FROM " X_ROWS ")", "row",
     "it waits for its words, and has no vector"},
    {"SELECT id FROM " X_WORDLESS " AS w WHERE EXISTS (SELECT 1 FROM " X_DOCS
     " AS x WHERE x.id = w.id) OR (id IN (SELECT id FROM " X_FTS_DOCSIZE
     ") AND id NOT IN (SELECT doc FROM " X_DOCS "))",
     "row", "it waits for its words, and has some"},
};

int words_check_places(struct store *store, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    /* Below are FTS5's own records; each piece of what it has written has a row in X_fts_idx. A
     * WHERE that is false throughout would have SQLite go through all rows of a FROM. */
    int rc = store_prepare(store,
                           "SELECT NOT EXISTS (SELECT 1 FROM " X_FTS_IDX ") AND EXISTS (SELECT 1 "
                           "FROM " X_FTS_DATA " WHERE id > 10)",
                           0, &statement, err);
    if (rc == 0) rc = statement_step(store->db, statement, &row, err);
    int is_lost = rc == 0 && row && sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    if (is_lost)
        rc = error_set(err, ERROR_CORRUPT,
                       "the words of %s: %s_fts_idx says of none where it is ('optimize' writes "
                       "them anew)",
                       store->name, store->name);
    return words_explain(store, rc, err);
}

int words_check(struct store *store, struct error *err)
{
    const char *schema = store->schema, *name = store->name, *missing;
    int row = 0, rc = find_missing(store, &missing, err);
    /* FTS5 itself may miss it only when X_fts is opened the next time. */
    if (rc == 0 && missing != NULL)
        rc = error_set(err, ERROR_CORRUPT,
                       "the words of %s: %s_%s is not there ('optimize' writes them anew)", name,
                       name, missing);
    if (rc == 0) rc = words_check_places(store, err);
    for (size_t i = 0; rc == 0 && i < sizeof contradictions / sizeof *contradictions; i++) {
        sqlite3_stmt *statement;
        rc = statement_prepare(store->db, &statement, err, contradictions[i].sql, schema, name,
                               schema, name, schema, name, schema, name, schema, name);
        if (rc == 0) rc = statement_step(store->db, statement, &row, err);
        if (rc == 0 && row)
            rc = error_set(err, ERROR_CORRUPT, "%s %lld: %s ('optimize' mends it)",
                           contradictions[i].what, (long long)sqlite3_column_int64(statement, 0),
                           contradictions[i].message);
        sqlite3_finalize(statement);
    }
    return rc;
}

int words_check_index(struct store *store, struct error *err)
{
    return command(store, "integrity-check", err);
}
