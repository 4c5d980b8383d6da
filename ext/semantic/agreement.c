#include "semantic/agreement.h"

#include <string.h>

#include "sqlite/shared_cache.h"
#include "sqlite/statement.h"

/* Says nothing where another connection shares the cache, which may not have committed. */
static int read_version(struct semantic_table *table, uint32_t *version)
{
    unsigned number = 0;
    if (shared_cache_has_others(table->store.db)) return 0;
    int rc = sqlite3_file_control(table->store.db, table->store.schema, SQLITE_FCNTL_DATA_VERSION,
                                  &number);
    *version = number;
    return rc == SQLITE_OK;
}

/* Of a statement that gives one row to one virtual table and touches nothing else. */
static int is_harmless(const char *opcode)
{
    static const char *const harmless[] = {"Init",        "String8", "Variable", "Null", "VUpdate",
                                           "Transaction", "VBegin",  "Goto",     "Halt"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (opcode != NULL && strcmp(opcode, harmless[i]) == 0) return 1;
    return 0;
}

static int gives_a_command(sqlite3 *db, const char *sql, int *harmless, struct error *err)
{
    sqlite3_stmt *explain;
    int row = 0;
    int rc = statement_prepare(db, &explain, err, "EXPLAIN %s", sql);
    *harmless = rc == 0;
    while (rc == 0 && *harmless && (rc = statement_step(db, explain, &row, err)) == 0 && row)
        *harmless = is_harmless((const char *)sqlite3_column_text(explain, 1));
    sqlite3_finalize(explain);
    return rc == ERROR_NOMEM || rc == ERROR_INTERRUPTED ? rc : 0;
}

/* The statement that runs outside a transaction, and writes: the only one, and a command? */
static int is_command_alone(sqlite3 *db, int *alone, struct error *err)
{
    sqlite3_stmt *writer = NULL;
    *alone = 0;
    if (!sqlite3_get_autocommit(db)) return 0;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s != NULL; s = sqlite3_next_stmt(db, s)) {
        if (!sqlite3_stmt_busy(s) || sqlite3_stmt_readonly(s)) continue;
        if (writer != NULL) return 0;
        writer = s;
    }
    const char *sql = writer == NULL ? NULL : sqlite3_sql(writer);
    return sql == NULL ? 0 : gives_a_command(db, sql, alone, err);
}

/* Not by PRAGMA table_list, which reads every schema: of a file that is attached twice that is a
 * lock in the way of our own commit. */
static int read_schema(struct semantic_table *table, struct agreement_watch *watch,
                       struct error *err)
{
    const char *schema = table->store.schema, *name = table->store.name;
    const char *content = table->config.content;
    sqlite3 *db = table->store.db;
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(
        db, &statement, err,
        "WITH content(name) AS (SELECT name FROM \"%w\".sqlite_master WHERE type = 'table' AND "
        "rootpage > 0 AND name = coalesce(%Q, %Q || '_text') COLLATE nocase), "
        "triggered(name) AS (SELECT tbl_name FROM \"%w\".sqlite_master WHERE type = 'trigger' "
        "UNION ALL SELECT tbl_name FROM temp.sqlite_master WHERE type = 'trigger') "
        "SELECT EXISTS (SELECT 1 FROM content) AND NOT EXISTS (SELECT 1 FROM content AS c, "
        "pragma_table_xinfo(c.name, %Q) WHERE hidden = 2), "
        "NOT EXISTS (SELECT 1 FROM triggered WHERE substr(name, 1, 1 + length(%Q)) = %Q || '_' "
        "COLLATE nocase)",
        schema, content, name, schema, schema, name, name);
    if (rc == 0) rc = statement_step(db, statement, &row, err);
    watch->is_table = row && sqlite3_column_int(statement, 0);
    watch->is_alone = row && sqlite3_column_int(statement, 1);
    sqlite3_finalize(statement);
    return rc;
}

int agreement_is_clean(struct semantic_table *table, uint32_t *version)
{
    return sqlite3_txn_state(table->store.db, table->store.schema) != SQLITE_TXN_WRITE &&
           read_version(table, version);
}

int agreement_is_of_file(struct semantic_table *table, uint32_t version, int *is_of_file,
                         struct error *err)
{
    struct agreement_watch watch = {0};
    int rc = 0;
    if (!table->source.is_looked_at || table->source.version != version) {
        rc = read_schema(table, &watch, err);
        table->source.is_looked_at = rc == 0;
        table->source.is_of_file = watch.is_table;
        table->source.version = version;
    }
    *is_of_file = rc == 0 && table->source.is_of_file;
    return rc;
}

int agreement_find(struct semantic_table *table, struct agreement_watch *watch, int *agree,
                   struct error *err)
{
    const struct agreement *agreement = &table->agreement;
    sqlite3 *db = table->store.db;
    int rc = 0;
    *agree = 0;
    *watch = (struct agreement_watch){0};
    watch->is_clean = sqlite3_txn_state(db, table->store.schema) != SQLITE_TXN_WRITE;
    if (!watch->is_clean) rc = is_command_alone(db, &watch->by_command, err);
    if (rc != 0 || (!watch->is_clean && !watch->by_command)) return rc;
    watch->is_clean = read_version(table, &watch->version);
    if (!watch->is_clean) return 0;
    *agree = agreement->state == AGREEMENT_KNOWN && agreement->version == watch->version;
    watch->is_table = *agree; /* and still is: a change of the schema is a commit */
    return *agree ? 0 : read_schema(table, watch, err);
}

void agreement_keep(struct semantic_table *table, const struct agreement_watch *watch,
                    uint32_t n_commits, const struct agreement *found)
{
    struct agreement agreement = *found;
    sqlite3 *db = table->store.db;
    table->agreement = (struct agreement){0};
    if (!watch->is_clean || !watch->is_table) return;
    agreement.state = AGREEMENT_AT_COMMIT;
    if (!watch->by_command) {
        if (sqlite3_txn_state(db, table->store.schema) == SQLITE_TXN_WRITE ||
            !read_version(table, &agreement.version) ||
            agreement.version != watch->version + n_commits)
            return;
        agreement.state = AGREEMENT_KNOWN;
    }
    table->agreement = agreement;
}

void agreement_abandon(struct semantic_table *table)
{
    if (table->agreement.state == AGREEMENT_AT_COMMIT) table->agreement = (struct agreement){0};
}

void agreement_commit(struct semantic_table *table)
{
    struct agreement *agreement = &table->agreement;
    if (agreement->state != AGREEMENT_AT_COMMIT) return;
    agreement->state = read_version(table, &agreement->version) ? AGREEMENT_KNOWN : AGREEMENT_NONE;
}
