/* An SQLite that was built without FTS5: here one whose function and module are taken away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "semantic/semantic.h"

static char logged[400];

static void keep_warning(void *context, int code, const char *text)
{
    (void)context;
    if (code == SQLITE_WARNING) snprintf(logged, sizeof logged, "%s", text);
}

static void give_nothing(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    (void)values;
    sqlite3_result_null(context);
}

static sqlite3 *open_database(void)
{
    static const char *kept[] = {"json_each", NULL};
    struct connection *connection;
    struct error err;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_create_function(db, "fts5", 1, SQLITE_UTF8, NULL, give_nothing, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_drop_modules(db, kept), SQLITE_OK);
    assert_int_equal(connection_new(db, &connection, &err), 0);
    assert_int_equal(semantic_register(connection), SQLITE_OK);
    connection_release(connection);
    logged[0] = '\0';
    return db;
}

static void execute(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s", message);
}

static void refuse(sqlite3 *db, const char *sql, const char *why)
{
    char *message = NULL;
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_ERROR);
    assert_string_equal(message, why);
    sqlite3_free(message);
}

/* The first value that SQL gives; "": NULL. */
static void expect(sqlite3 *db, const char *sql, const char *value)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const char *found = (const char *)sqlite3_column_text(statement, 0);
    assert_string_equal(found == NULL ? "" : found, value);
    sqlite3_finalize(statement);
}

static void test_the_default_goes_without_words(void **state)
{
    (void)state;
    sqlite3 *db = open_database();
    execute(db, "CREATE VIRTUAL TABLE x USING semantic_index();"
                "INSERT INTO x(rowid, text) VALUES (1, 'a puppy sleeps'), (2, 'the stock market')");
    assert_string_equal(logged, "x has no words, and finds rows by vectors alone: this SQLite was "
                                "built without FTS5");
    for (int i = 0; i < 2; i++) {
        expect(db, "SELECT rowid FROM x('dogs', 1)", "1");
        expect(db, "SELECT rank FROM x('dogs') ORDER BY similarity DESC LIMIT 1 OFFSET 1", "2");
        expect(db, "SELECT advice FROM semantic_status('x')",
               "it has no words, as it was made by an SQLite without FTS5: DROP it, and make it "
               "anew by another");
        expect(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'x~_fts%' ESCAPE '~'", "0");
        execute(db, "PRAGMA writable_schema = RESET"); /* connects it again */
    }
    execute(db, "INSERT INTO x(x) VALUES ('integrity-check'); DROP TABLE x");
    expect(db, "SELECT count(*) FROM sqlite_schema", "0");
    sqlite3_close(db);
}

static void test_who_asks_is_told(void **state)
{
    (void)state;
    sqlite3 *db = open_database();
    refuse(db, "CREATE VIRTUAL TABLE x USING semantic_index(lexical = 'fts5')",
           "semantic_index: lexical = 'fts5' needs FTS5, and this SQLite was built without it: "
           "leave the option out, or load FTS5");
    refuse(db, "CREATE VIRTUAL TABLE x USING semantic_index(weight = 0.5)",
           "semantic_index: option weight needs lexical = 'fts5': without words an index ranks by "
           "its vectors alone");
    execute(db, "CREATE VIRTUAL TABLE x USING semantic_index(lexical = 'none');"
                "CREATE VIRTUAL TABLE y USING semantic_index(model = 'builtin:lexical')");
    expect(db, "SELECT advice FROM semantic_status('x')", "");
    assert_string_equal(logged, "");
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_default_goes_without_words),
        cmocka_unit_test(test_who_asks_is_told),
    };
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOG, keep_warning, NULL), SQLITE_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
