/*
 * test_retrieve.c: from queries to ranked rows, below SQL: what the virtual table and the functions
 * on an index ask for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <math.h>
#include <sqlite3.h>

#include "semantic/module.h"
#include "semantic/retrieve.h"

enum { N_ROWS = 200, N_QUERIES = 150 }; /* more than two groups of queries */

static const struct retrieve_limits all = {
    .k = SIZE_MAX, .hint = SIZE_MAX, .min_similarity = -INFINITY};

struct fixture {
    sqlite3 *db;
    struct semantic_registry *registry;
    struct retrieval retrieval;
};

static void execute(struct fixture *fixture, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(fixture->db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s", message);
}

/* `exact` and `bits`: row i points to an angle of i hundredths; `texts`: three words. */
static int set_up(void **state)
{
    static struct fixture fixture;
    struct connection *connection;
    struct error err;
    fixture = (struct fixture){0};
    assert_int_equal(sqlite3_open(":memory:", &fixture.db), SQLITE_OK);
    assert_int_equal(connection_new(fixture.db, &connection, &err), 0);
    assert_int_equal(registry_new(connection, &fixture.registry, &err), 0);
    assert_int_equal(module_register(connection, fixture.registry), SQLITE_OK);
    connection_release(connection);
    execute(&fixture,
            "CREATE VIRTUAL TABLE exact USING semantic_index(dimensions = 2);"
            "CREATE VIRTUAL TABLE bits USING semantic_index(dimensions = 2, quantize = 'bit');"
            "CREATE VIRTUAL TABLE texts USING semantic_index(model = 'builtin:lexical');"
            "CREATE VIRTUAL TABLE empty USING semantic_index(model = 'builtin:lexical')");
    for (int i = 1; i <= N_ROWS; i++) {
        char *sql =
            sqlite3_mprintf("INSERT INTO exact(rowid, embedding) VALUES (%d, '[%.9f, %.9f]');"
                            "INSERT INTO bits(rowid, embedding) VALUES (%d, '[%.9f, %.9f]')",
                            i, cos(i / 100.0), sin(i / 100.0), i, cos(i / 100.0), sin(i / 100.0));
        execute(&fixture, sql);
        sqlite3_free(sql);
    }
    execute(&fixture, "INSERT INTO texts(rowid, text) VALUES (1, 'cats sleep'), (2, 'dogs bark'), "
                      "(3, 'fish swim')");
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    retrieve_close(&fixture->retrieval);
    assert_int_equal(sqlite3_close(fixture->db), SQLITE_OK);
    return 0;
}

/* A value of SQL, which the caller frees. */
static sqlite3_value *value_of(struct fixture *fixture, const char *expression)
{
    sqlite3_stmt *statement;
    char *sql = sqlite3_mprintf("SELECT %s", expression);
    assert_int_equal(sqlite3_prepare_v2(fixture->db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    sqlite3_value *value = sqlite3_value_dup(sqlite3_column_value(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_free(sql);
    return value;
}

static void open_named(struct fixture *fixture, const char *name)
{
    struct error err;
    sqlite3_value *value = value_of(fixture, name);
    retrieve_close(&fixture->retrieval);
    assert_int_equal(retrieve_open_named(&fixture->retrieval, fixture->registry, value, NULL, &err),
                     0);
    sqlite3_value_free(value);
}

static void search(struct fixture *fixture, struct semantic_query *queries, size_t n,
                   const struct retrieve_limits *limits)
{
    struct error err = {0};
    if (retrieve_search(&fixture->retrieval, queries, n, limits, &err) != 0)
        fail_msg("%s", err.text);
}

/* The next row is that one. */
static void expect(struct fixture *fixture, size_t query, int64_t id, int64_t rank)
{
    struct retrieve_row row;
    struct error err;
    int found;
    assert_int_equal(retrieve_next(&fixture->retrieval, &row, &found, &err), 0);
    assert_true(found);
    assert_int_equal(row.query, query);
    assert_int_equal(row.id, id);
    assert_int_equal(row.rank, rank);
    assert_true(row.distance == 1 - row.similarity);
}

static void expect_end(struct fixture *fixture)
{
    struct retrieve_row row;
    struct error err;
    int found = 1;
    assert_int_equal(retrieve_next(&fixture->retrieval, &row, &found, &err), 0);
    assert_false(found);
}

static const float east[] = {1, 0};

static struct semantic_query eastward(void)
{
    return (struct semantic_query){.vector = {east, 2, NULL}};
}

static void test_all(void **state)
{
    struct semantic_query query = eastward();
    open_named(*state, "'exact'");
    search(*state, &query, 1, &all);
    for (int i = 1; i <= N_ROWS; i++) expect(*state, 0, i, i);
    expect_end(*state);
    expect_end(*state);
    search(*state, &query, 1, &all);
    expect(*state, 0, 1, 1);
}

static void test_limits(void **state)
{
    static const int64_t only[] = {-7, 20, 30, 40, 150};
    struct semantic_query query = eastward();
    struct retrieve_limits limits = all;
    open_named(*state, "'exact'");
    limits.k = 3;
    search(*state, &query, 1, &limits);
    for (int i = 1; i <= 3; i++) expect(*state, 0, i, i);
    expect_end(*state);
    limits = all;
    limits.only = only;
    limits.n_only = 5;
    limits.min_similarity = cos(0.405);
    search(*state, &query, 1, &limits);
    for (int i = 1; i <= 3; i++) expect(*state, 0, only[i], i);
    expect_end(*state);
}

/* More rows than the hint says: all of them, each once, in order. */
static void test_hint(void **state)
{
    struct semantic_query query = eastward();
    struct retrieve_limits limits = all;
    open_named(*state, "'exact'");
    limits.hint = 5;
    search(*state, &query, 1, &limits);
    for (int i = 1; i <= N_ROWS; i++) expect(*state, 0, i, i);
    expect_end(*state);
    limits.k = 7;
    search(*state, &query, 1, &limits);
    for (int i = 1; i <= 7; i++) expect(*state, 0, i, i);
    expect_end(*state);
    limits.hint = N_ROWS + 1;
    limits.k = SIZE_MAX;
    search(*state, &query, 1, &limits);
    for (int i = 1; i <= N_ROWS; i++) expect(*state, 0, i, i);
    expect_end(*state);
}

/* Groups of queries; those that are null have no rows. Each has the rest beyond its own hint. */
static void test_queries(void **state)
{
    struct semantic_query queries[N_QUERIES];
    float vectors[N_QUERIES][2];
    struct retrieve_limits limits = all;
    for (int i = 0; i < N_QUERIES; i++) {
        vectors[i][0] = (float)cos((i + 1.1) / 100);
        vectors[i][1] = (float)sin((i + 1.1) / 100);
        queries[i] = (struct semantic_query){.vector = {vectors[i], 2, NULL}};
        if (i % 50 == 3) queries[i] = (struct semantic_query){0};
    }
    open_named(*state, "'exact'");
    for (size_t hint = 1; hint <= 3; hint++) {
        limits.k = 2;
        limits.hint = hint;
        search(*state, queries, N_QUERIES, &limits);
        for (int i = 0; i < N_QUERIES; i++) {
            if (i % 50 == 3) continue;
            expect(*state, (size_t)i, i + 1, 1);
            expect(*state, (size_t)i, i + 2, 2);
        }
        expect_end(*state);
    }
}

static void test_exactly(void **state)
{
    struct fixture *fixture = *state;
    struct semantic_query query = eastward();
    struct retrieve_limits limits = all;
    open_named(fixture, "'bits'");
    limits.k = 3;
    search(fixture, &query, 1, &limits);
    for (int i = 1; i <= 3; i++) expect(fixture, 0, i, i);
    limits.exactly = 1;
    search(fixture, &query, 1, &limits);
    for (int i = 1; i <= 3; i++) expect(fixture, 0, i, i);
    expect_end(fixture);
    assert_int_equal(fixture->retrieval.n_scanned, N_ROWS);
    assert_int_equal(fixture->retrieval.n_rescored, 0);
}

static void read_query(struct fixture *fixture, const char *expression, sqlite3_value **value,
                       struct semantic_query *query)
{
    struct error err;
    *value = value_of(fixture, expression);
    assert_int_equal(semantic_query_read(query, fixture->retrieval.table, *value, &err), 0);
}

/* Texts, and NULL, as SQL has them. */
static void test_read(void **state)
{
    static const char *const expressions[] = {"'a dog barks'", "NULL", "'cat'", "12"};
    struct fixture *fixture = *state;
    struct semantic_query queries[4];
    sqlite3_value *values[4];
    struct retrieve_limits limits = all;
    open_named(fixture, "'texts'");
    for (int i = 0; i < 4; i++) {
        read_query(fixture, expressions[i], &values[i], &queries[i]);
        assert_null(queries[i].vector.data);
    }
    assert_null(queries[1].text.data);
    limits.k = 1;
    search(fixture, queries, 3, &limits);
    expect(fixture, 0, 2, 1);
    expect(fixture, 2, 1, 1);
    expect_end(fixture);
    retrieve_close(&fixture->retrieval);
    for (int i = 0; i < 4; i++) {
        semantic_query_deinit(&queries[i]);
        sqlite3_value_free(values[i]);
    }
}

/* A BLOB is a vector, a text only if it is one of the index's dimensions: here two. */
static void test_read_vectors(void **state)
{
    static const struct {
        const char *expression;
        size_t dimensions;
        const char *text; /* what is asked for; NULL: none */
    } cases[] = {
        {"x'0000803f'", 1, NULL},
        {"'[1, 0]'", 2, NULL},
        {"' [1,0] '", 2, NULL},
        {"'[1]'", 0, "[1]"},
        {"'[1, 0, 0]'", 0, "[1, 0, 0]"},
        {"'[1, 0'", 0, "[1, 0"},
        {"'[1, \"a\"]'", 0, "[1, \"a\"]"},
        {"'[1e99, 0]'", 0, "[1e99, 0]"},
        {"'[]'", 0, "[]"},
        {"'a' || char(0) || 'b'", 0, "a b"},
        {"CAST(x'c361c3a9ff' AS TEXT)", 0, " a\xC3\xA9 "},
        {"char(0, 32)", 0, NULL},
        {"char(0x3000, 0x200B, 0xFEFF, 0xAD)", 0, NULL},
        {"''", 0, NULL},
    };
    struct fixture *fixture = *state;
    open_named(fixture, "'exact'");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct semantic_query query;
        sqlite3_value *value;
        const char *text = cases[i].text;
        read_query(fixture, cases[i].expression, &value, &query);
        assert_int_equal(query.vector.dimensions, cases[i].dimensions);
        assert_int_equal(query.text.size, text == NULL ? 0 : strlen(text));
        if (text == NULL) assert_null(query.text.data);
        else assert_memory_equal(query.text.data, text, query.text.size);
        semantic_query_deinit(&query);
        sqlite3_value_free(value);
    }
}

static void assert_blamed(struct fixture *fixture, struct semantic_query *queries, size_t blamed,
                          const char *text)
{
    struct error err = {0};
    assert_int_equal(retrieve_search(&fixture->retrieval, queries, 2, &all, &err), ERROR_INVALID);
    assert_int_equal(fixture->retrieval.blamed, blamed);
    assert_string_equal(err.text, text);
    expect_end(fixture);
}

static void test_blamed(void **state)
{
    static const float zeros[] = {0, 0, 0};
    struct fixture *fixture = *state;
    struct semantic_query queries[2] = {eastward(), {.vector = {zeros, 3, NULL}}};
    open_named(fixture, "'exact'");
    assert_blamed(fixture, queries, 1,
                  "expected 2 dimensions, as the index has, not 3 (the query)");
    queries[1].vector.dimensions = 2;
    assert_blamed(fixture, queries, 1,
                  "the zero vector has no direction, which metric 'cosine' needs");
    queries[1] = (struct semantic_query){.text = {" ", 1}};
    assert_blamed(fixture, queries, 1, "the text is empty");
}

/* Without a row an index has no dimensions, and no query a row. */
static void test_nothing(void **state)
{
    struct semantic_query query = eastward();
    open_named(*state, "'empty'");
    search(*state, &query, 1, &all);
    expect_end(*state);
    search(*state, NULL, 0, &all);
    expect_end(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),          cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hint),         cmocka_unit_test(test_queries),
        cmocka_unit_test(test_exactly),      cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_vectors), cmocka_unit_test(test_blamed),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
