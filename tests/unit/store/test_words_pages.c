/*
 * test_words_pages.c: FTS5's own pages, beside what FTS5 itself says of them (fts5vocab), whole and
 * damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "store/word_index.h"
#include "store/words_pages.h"

static void begin(struct tables *tables)
{
    tables_execute(tables, "BEGIN; SELECT count(*) FROM X_config");
}

/* All documents of a token; *known as words_pages_next has it. */
static int read_token(struct tables *tables, const char *token, struct words_list *list, int *known,
                      struct error *err)
{
    struct words_pages pages;
    int more = 1;
    *list = (struct words_list){0};
    int rc = words_pages_open(&pages, &tables->store, err);
    if (rc == 0 && pages.is_known) {
        words_pages_begin(&pages, (struct span){token, strlen(token)}, 0);
        while (rc == 0 && more) rc = words_pages_next(&pages, list, &more, err);
    }
    *known = rc == 0 && pages.is_known;
    words_pages_close(&pages);
    return rc;
}

/* What the vocabulary of FTS5 has of a token: a row for each place. */
static void check_token(struct tables *tables, const char *token)
{
    struct words_list list;
    struct error err = {0};
    sqlite3_stmt *statement;
    int known;
    size_t n = 0;
    assert_int_equal(read_token(tables, token, &list, &known, &err), 0);
    assert_true(known);
    assert_int_equal(sqlite3_prepare_v2(tables->db,
                                        "SELECT doc, count(*), max(offset) FROM X_places "
                                        "WHERE term = ?1 GROUP BY doc ORDER BY doc",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(statement, 1, token, -1, SQLITE_STATIC);
    for (; sqlite3_step(statement) == SQLITE_ROW; n++) {
        assert_true(n < list.n);
        assert_int_equal(list.items[n].document, sqlite3_column_int64(statement, 0));
        assert_int_equal(list.items[n].count, sqlite3_column_int64(statement, 1));
        assert_int_equal(list.items[n].last, sqlite3_column_int64(statement, 2));
    }
    assert_int_equal(n, list.n);
    sqlite3_finalize(statement);
    words_list_empty(&list);
}

/* Each of all tokens that there are, and some that are not. */
static void check_all(struct tables *tables)
{
    sqlite3_stmt *statement;
    begin(tables);
    assert_int_equal(
        sqlite3_prepare_v2(tables->db, "SELECT term FROM X_terms", -1, &statement, NULL),
        SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW)
        check_token(tables, (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    check_token(tables, "a");
    check_token(tables, "wb");
    check_token(tables, "wzzz");
    tables_execute(tables, "COMMIT");
}

/* Pages of so many bytes, merged by so much. */
static void create(struct tables *tables, int page_bytes, int automerge)
{
    words_create(tables, "rerank unicode61");
    char *sql =
        sqlite3_mprintf("INSERT INTO X_fts(X_fts, rank) VALUES ('pgsz', %d), ('automerge', %d);"
                        "CREATE VIRTUAL TABLE X_places USING fts5vocab(X_fts, instance);"
                        "CREATE VIRTUAL TABLE X_terms USING fts5vocab(X_fts, row)",
                        page_bytes, automerge);
    tables_execute(tables, sql);
    sqlite3_free(sql);
}

/* Documents from a number on, each so many further, in n transactions. */
static void add(struct tables *tables, uint64_t *seed, int64_t first, int64_t distance, int n)
{
    char text[8192];
    for (int i = 0; i < n; i++) {
        tables_execute(tables, "BEGIN");
        for (int j = 0; j < 20; j++, first += distance) {
            words_text(seed, j == 7 ? 500 : words_random(seed, 30), text, sizeof text);
            words_add(tables, first, text);
        }
        tables_execute(tables, "COMMIT");
    }
}

static void test_as_fts5_has_them(void **state)
{
    static const int page_bytes[] = {32, 64, 200, 1000, 4050};
    (void)state;
    for (size_t i = 0; i < sizeof page_bytes / sizeof *page_bytes; i++) {
        struct tables tables;
        uint64_t seed = i + 1;
        create(&tables, page_bytes[i], i % 2 ? 0 : 4);
        add(&tables, &seed, 1, 1, 4);
        check_all(&tables);
        add(&tables, &seed, INT64_MIN, (int64_t)1 << 40, 2);
        add(&tables, &seed, 1000, 100000, 3);
        check_all(&tables);
        add(&tables, &seed, 500, 1, 1); /* between those of other segments */
        tables_execute(&tables, "INSERT INTO X_fts(X_fts, rank) VALUES ('merge', 20)");
        check_all(&tables);
        tables_execute(&tables, "INSERT INTO X_fts(X_fts) VALUES ('optimize')");
        check_all(&tables);
        tables_close(&tables);
    }
}

/* ---- what is not known ----------------------------------------------------------------------- */

static int is_known(struct tables *tables, const char *token)
{
    struct words_list list;
    struct error err = {0};
    int known;
    assert_int_equal(read_token(tables, token, &list, &known, &err), 0);
    words_list_empty(&list);
    return known;
}

static void test_left_to_fts5(void **state)
{
    struct tables tables;
    (void)state;
    words_create(&tables, "unicode61");
    assert_false(is_known(&tables, "cat")); /* outside of a transaction */
    begin(&tables);
    assert_false(is_known(&tables, "cat")); /* no statistics yet */
    words_add(&tables, 1, "cat");
    assert_true(is_known(&tables, "cat")); /* from FTS5's memory */
    assert_false(tables.write.has_words);
    tables_execute(&tables, "COMMIT");
    begin(&tables);
    assert_true(is_known(&tables, "cat"));
    assert_true(is_known(&tables, "dog"));
    tables_execute(&tables, "COMMIT; BEGIN; UPDATE X_fts_data SET block = "
                            "x'000000000102010002010101010101' WHERE id = 10"); /* one twice */
    assert_false(is_known(&tables, "dog"));
    tables_execute(&tables, "ROLLBACK; BEGIN; UPDATE X_fts_data SET block = "
                            "x'000000000101010001010101' WHERE id = 10");
    assert_true(is_known(&tables, "dog"));
    tables_execute(&tables, "ROLLBACK; BEGIN; UPDATE X_fts_data SET block = "
                            "x'ffffffffffffffffff01' WHERE id = 1"); /* documents */
    assert_false(is_known(&tables, "dog"));
    tables_execute(&tables, "ROLLBACK; UPDATE X_fts_config SET v = 5 WHERE k = 'version'");
    begin(&tables);
    assert_false(is_known(&tables, "cat"));
    tables_execute(&tables, "UPDATE X_fts_config SET v = 4; COMMIT; DROP TABLE X_fts_config");
    begin(&tables);
    assert_false(is_known(&tables, "cat"));
    tables_execute(&tables, "COMMIT");
    tables_close(&tables);
}

/* Two columns, a document that is deleted: pages as an X_fts of ours has none. */
static void test_other_tables(void **state)
{
    struct tables tables;
    (void)state;
    words_create(&tables, "unicode61");
    tables_execute(&tables,
                   "DROP TABLE X_fts; CREATE VIRTUAL TABLE X_fts USING fts5(a, b, content = '');"
                   "INSERT INTO X_fts(rowid, a, b) VALUES (1, 'cat', 'dog')");
    begin(&tables);
    assert_false(is_known(&tables, "dog"));
    tables_execute(&tables, "COMMIT; DROP TABLE X_fts;"
                            "CREATE VIRTUAL TABLE X_fts USING fts5(text, content = '');"
                            "INSERT INTO X_fts(X_fts, rank) VALUES ('automerge', 0);"
                            "INSERT INTO X_fts(rowid, text) VALUES (1, 'cat'), (2, 'cat');"
                            "INSERT INTO X_fts(X_fts, rowid, text) VALUES ('delete', 1, 'cat')");
    begin(&tables);
    assert_false(is_known(&tables, "cat"));
    tables_execute(&tables, "COMMIT");
    tables_close(&tables);
}

/* Any byte of any page may be another: whatever is read then, it ends, and touches nothing else. */
static void test_damage(void **state)
{
    struct tables tables;
    uint64_t seed = 5;
    (void)state;
    create(&tables, 100, 4);
    add(&tables, &seed, 1, 3, 3);
    int64_t n_rows = tables_number(&tables, "SELECT count(*) FROM X_fts_data");
    for (int i = 0; i < 400; i++) {
        char *sql = sqlite3_mprintf(
            "BEGIN; UPDATE X_fts_data SET block = CAST(substr(block, 1, %d) || x'%02x' || "
            "substr(block, %d) AS BLOB) WHERE rowid = (SELECT rowid FROM X_fts_data LIMIT 1 "
            "OFFSET %d); COMMIT",
            i % 60, (int)words_random(&seed, 256), i % 60 + 1 + i % 2,
            (int)words_random(&seed, (uint64_t)n_rows));
        tables_execute(&tables, "CREATE TEMP TABLE kept AS SELECT * FROM X_fts_data");
        tables_execute(&tables, sql);
        sqlite3_free(sql);
        begin(&tables);
        is_known(&tables, "waa");
        is_known(&tables, "\1wbas");
        is_known(&tables, "wfds");
        tables_execute(&tables, "COMMIT; REPLACE INTO X_fts_data SELECT * FROM kept;"
                                "DROP TABLE kept");
    }
    check_all(&tables);
    tables_close(&tables);
}

static int read_some(void *context, struct error *err)
{
    struct words_list list;
    int known, rc = read_token(context, "waa", &list, &known, err);
    if (rc == 0 && !known) fail_msg("the pages are not known");
    words_list_empty(&list);
    return rc;
}

static void test_out_of_memory(void **state)
{
    struct tables tables;
    uint64_t seed = 6;
    (void)state;
    create(&tables, 100, 4);
    add(&tables, &seed, 1, 3, 1);
    begin(&tables);
    each_allocation(read_some, &tables);
    tables_execute(&tables, "COMMIT");
    tables_close(&tables);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_fts5_has_them), cmocka_unit_test(test_left_to_fts5),
        cmocka_unit_test(test_other_tables),     cmocka_unit_test(test_damage),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
