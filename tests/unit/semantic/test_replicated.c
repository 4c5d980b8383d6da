/* A file system of dqlite's name: of a SELECT that writes it would replicate nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "semantic/semantic.h"

static void execute(sqlite3 *db, const char *sql, const char *expected)
{
    char *message = NULL;
    sqlite3_exec(db, sql, NULL, NULL, &message);
    assert_string_equal(message == NULL ? "" : message, expected);
    sqlite3_free(message);
}

static int64_t count(sqlite3 *db)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM x", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return n;
}

static sqlite3 *open_by(const char *vfs, const char *path)
{
    struct connection *connection;
    struct error err;
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
                     SQLITE_OK);
    assert_int_equal(connection_new(db, &connection, &err), 0);
    assert_int_equal(semantic_register(connection), SQLITE_OK);
    connection_release(connection);
    return db;
}

static void test_semantic_sync(void **state)
{
    sqlite3_vfs like = *sqlite3_vfs_find(NULL);
    char path[] = "/tmp/test_replicated.XXXXXX";
    (void)state;
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    like.zName = "dqlite-1";
    assert_int_equal(sqlite3_vfs_register(&like, 0), SQLITE_OK);
    sqlite3 *db = open_by(like.zName, path);
    execute(db, "CREATE TABLE c(id INTEGER PRIMARY KEY, t)", "");
    execute(db, "INSERT INTO c VALUES (1, 'bats in caves'), (2, 'ships at sea')", "");
    execute(db,
            "CREATE VIRTUAL TABLE x USING semantic_index(content = 'c', text = 't', "
            "lexical = 'none')",
            "");
    execute(db, "SELECT * FROM semantic_sync('x')",
            "semantic_sync: dqlite does not replicate what a SELECT writes: INSERT INTO x(x) "
            "VALUES ('sync 100') until nothing is pending");
    assert_int_equal(count(db), 0);
    execute(db, "INSERT INTO x(x) VALUES ('sync 1')", "");
    assert_int_equal(count(db), 1);
    sqlite3_close(db);
    db = open_by(NULL, path);
    execute(db, "SELECT * FROM semantic_sync('x')", "");
    assert_int_equal(count(db), 2);
    sqlite3_close(db);
    sqlite3_vfs_unregister(&like);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_semantic_sync)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
