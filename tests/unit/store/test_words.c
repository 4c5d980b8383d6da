/* The words of rows: which document is whose, also at the end of the numbers; without FTS5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/tables.h"
#include "store/words.h"

static const struct store_options options = {INDEX_COSINE, INDEX_EXACT, 0, 0, INDEX_FLOAT32};

static void create(struct tables *tables, const char *tokenizer)
{
    struct error err = {0};
    tables_connect(tables, &options);
    tables->store.tokenizer = memory_copy(tokenizer, strlen(tokenizer));
    assert_int_equal(schema_create(&tables->store, &usual_config, &err), 0);
}

enum what { PUT, KILL, POSTPONE, CLEAR };

static int try(struct tables *tables, enum what what, int64_t id, const char *text,
               struct error *err)
{
    struct store *store = &tables->store;
    int rc = store_write_open(store, err);
    if (rc != 0) return rc;
    if (what == PUT) rc = words_put(store, id, (struct span){text, strlen(text)}, err);
    if (what == KILL) rc = words_kill(store, id, err);
    if (what == POSTPONE) rc = words_postpone(store, id, err);
    if (what == CLEAR) rc = words_clear(store, err);
    return store_write_close(store, rc);
}

static void do_it(struct tables *tables, enum what what, int64_t id, const char *text)
{
    struct error err = {0};
    assert_int_equal(try(tables, what, id, text, &err), 0);
}

/* The row whose living document has the word; -1: none has. */
static int64_t row_of(struct tables *tables, const char *word)
{
    char *sql =
        sqlite3_mprintf("SELECT coalesce(d.id, f.rowid) FROM X_fts AS f LEFT JOIN X_docs AS "
                        "d ON d.doc = f.rowid WHERE X_fts MATCH %Q AND (d.doc IS NULL OR "
                        "d.id IS NOT NULL)",
                        word);
    int64_t row = tables_number(tables, sql);
    sqlite3_free(sql);
    return row;
}

static void test_documents(void **state)
{
    (void)state;
    struct tables tables;
    create(&tables, "unicode61");
    do_it(&tables, PUT, 7, "cat");
    do_it(&tables, PUT, 8, "dog");
    assert_int_equal(row_of(&tables, "cat"), 7);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_docs"), 0);
    do_it(&tables, PUT, 7, "bat");
    assert_int_equal(row_of(&tables, "cat"), -1);
    assert_int_equal(row_of(&tables, "bat"), 7);
    assert_int_equal(tables_number(&tables, "SELECT doc FROM X_docs WHERE id = 7"), -1);
    /* A row has the number that is another row's document. */
    do_it(&tables, PUT, -1, "owl");
    assert_int_equal(row_of(&tables, "bat"), 7);
    assert_int_equal(row_of(&tables, "owl"), -1 /* the row */);
    assert_int_equal(tables_number(&tables, "SELECT id FROM X_docs WHERE doc = -2"), -1);
    do_it(&tables, KILL, 7, NULL);
    do_it(&tables, KILL, 7, NULL);
    do_it(&tables, KILL, 99, NULL);
    assert_int_equal(row_of(&tables, "bat"), -1);
    do_it(&tables, POSTPONE, 8, NULL);
    assert_int_equal(row_of(&tables, "dog"), -1);
    assert_int_equal(tables_number(&tables, "SELECT id FROM X_wordless"), 8);
    do_it(&tables, PUT, 8, "dog");
    assert_int_equal(row_of(&tables, "dog"), 8);
    assert_int_equal(tables_number(&tables, "SELECT id FROM X_wordless"), -1);
    do_it(&tables, CLEAR, 0, NULL);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_docs"), 0);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_fts_docsize"), 0);
    tables_close(&tables);
}

static void test_the_last_numbers(void **state)
{
    (void)state;
    struct tables tables;
    create(&tables, "unicode61");
    do_it(&tables, PUT, INT64_MIN, "first");
    do_it(&tables, PUT, INT64_MAX, "last");
    do_it(&tables, PUT, INT64_MIN, "second");
    do_it(&tables, PUT, INT64_MAX, "later");
    do_it(&tables, PUT, INT64_MIN + 1, "third");
    assert_int_equal(row_of(&tables, "first"), -1);
    assert_int_equal(row_of(&tables, "last"), -1);
    assert_true(row_of(&tables, "second") == INT64_MIN);
    assert_true(row_of(&tables, "later") == INT64_MAX);
    assert_true(row_of(&tables, "third") == INT64_MIN + 1);
    tables_close(&tables);
}

static void put_many(struct tables *tables, size_t n, const int64_t *ids)
{
    struct words_numbers numbers = {.n_rows = n};
    struct error err = {0};
    assert_int_equal(store_write_open(&tables->store, &err), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(
            words_put_many(&tables->store, ids[i], (struct span){"bat", 3}, &numbers, &err), 0);
    assert_int_equal(store_write_close(&tables->store, 0), 0);
}

static void test_numbers_of_many(void **state)
{
    (void)state;
    static const int64_t ids[] = {7, 8, 9}, last[] = {7, INT64_MIN + 1};
    struct tables tables;
    create(&tables, "unicode61");
    do_it(&tables, PUT, 7, "cat");
    do_it(&tables, PUT, 9, "cat");
    put_many(&tables, 3, ids);
    assert_int_equal(tables_number(&tables, "SELECT doc FROM X_docs WHERE id = 7"), -3);
    assert_int_equal(tables_number(&tables, "SELECT doc FROM X_docs WHERE id = 9"), -2);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_docs WHERE id = 8"), 0);
    put_many(&tables, 3, ids);
    assert_int_equal(tables_number(&tables, "SELECT doc FROM X_docs WHERE id = 7"), -6);
    static const int64_t negative[] = {9, -8, 7}; /* the second has a number between */
    put_many(&tables, 3, negative);
    assert_int_equal(tables_number(&tables, "SELECT doc FROM X_docs WHERE id = 9"), -9);
    assert_int_equal(tables_number(&tables, "SELECT doc FROM X_docs WHERE id = 7"), -7);
    do_it(&tables, PUT, INT64_MIN + 1, "first");
    put_many(&tables, 2, last); /* one number is left, and then a gap */
    assert_true(tables_number(&tables, "SELECT doc FROM X_docs WHERE id = 7") == INT64_MIN);
    assert_int_equal(row_of(&tables, "first"), -1);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_docs WHERE id IS NOT NULL"), 4);
    tables_close(&tables);
}

static int unknown_from(struct tables *tables, int64_t id)
{
    struct error err = {0};
    int unknown = -1;
    assert_int_equal(words_unknown_from(&tables->store, id, &unknown, &err), 0);
    return unknown;
}

static void test_rows_without_documents(void **state)
{
    (void)state;
    struct tables tables;
    create(&tables, "unicode61");
    assert_true(unknown_from(&tables, 1));
    assert_false(unknown_from(&tables, 0)); /* a document may have that number */
    do_it(&tables, PUT, 7, "cat");
    assert_false(unknown_from(&tables, 7));
    assert_true(unknown_from(&tables, 8));
    assert_true(unknown_from(&tables, INT64_MAX));
    do_it(&tables, POSTPONE, 9, NULL);
    assert_false(unknown_from(&tables, 8));
    do_it(&tables, KILL, 9, NULL);
    assert_true(unknown_from(&tables, 8));
    do_it(&tables, PUT, 7, "bat"); /* its document is another */
    assert_false(unknown_from(&tables, 8));
    do_it(&tables, CLEAR, 0, NULL);
    assert_true(unknown_from(&tables, 1));
    tables_close(&tables);
}

static void assert_wrong(struct tables *tables, const char *sql, const char *message)
{
    struct error err = {0};
    tables_execute(tables, "SAVEPOINT a");
    tables_execute(tables, sql);
    assert_int_equal(words_check(&tables->store, &err), ERROR_CORRUPT);
    if (strstr(err.text, message) == NULL) fail_msg("%s: %s", sql, err.text);
    tables_execute(tables, "ROLLBACK TO a; RELEASE a");
}

static void test_contradictions(void **state)
{
    (void)state;
    struct tables tables;
    struct error err = {0};
    create(&tables, "unicode61");
    assert_int_equal(tables_write(&tables, 1, 4, &err), 0);
    for (int64_t id = 1; id <= 3; id++) do_it(&tables, PUT, id, "cat");
    do_it(&tables, PUT, 3, "bat");
    assert_int_equal(words_check(&tables.store, &err), 0); /* 4 is the user's own */
    assert_int_equal(words_check_index(&tables.store, &err), 0);
    assert_wrong(&tables, "INSERT INTO X_docs VALUES (50, NULL)", "document 50: ");
    assert_wrong(&tables, "INSERT INTO X_docs VALUES (1, 1)", "document 1: ");
    assert_wrong(&tables, "UPDATE X_docs SET id = 60 WHERE id = 3", "row 60: ");
    assert_wrong(&tables, "UPDATE X_docs SET id = 2 WHERE id = 3", "row 2: it has two documents");
    assert_wrong(&tables, "DELETE FROM X_rows WHERE id = 1", "row 1: it has words");
    assert_wrong(&tables, "INSERT INTO X_docs VALUES (1, NULL)", "row 1: it has a vector");
    assert_wrong(&tables, "DELETE FROM X_fts_docsize WHERE id = 1", "row 1: it has a vector");
    assert_wrong(&tables, "INSERT INTO X_wordless VALUES (70)", "row 70: ");
    assert_wrong(&tables, "INSERT INTO X_wordless VALUES (3)", "row 3: it waits");
    assert_wrong(&tables, "INSERT INTO X_wordless VALUES (1)", "row 1: it waits");
    int64_t gone = 3;
    assert_int_equal(tables_delete(&tables, &gone, 1, STORE_DELETE, &err), 0);
    assert_int_equal(row_of(&tables, "bat"), -1);
    assert_int_equal(words_check(&tables.store, &err), 0);
    tables_close(&tables);
}

static void test_names(void **state)
{
    (void)state;
    struct tables tables;
    struct error err = {0};
    create(&tables, "porter unicode61 remove_diacritics 2");
    do_it(&tables, PUT, 7, "running cats");
    assert_int_equal(row_of(&tables, "cat"), 7);
    tables_execute(&tables, "CREATE TABLE Y_fts_idx(a)");
    assert_int_equal(schema_rename(&tables.store, "Y", &err), ERROR_INVALID);
    assert_non_null(strstr(err.text, "Y_fts_idx is there already"));
    assert_int_equal(schema_rename(&tables.store, "Z", &err), 0);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM sqlite_schema WHERE name LIKE "
                                            "'X%'"),
                     0);
    assert_int_equal(tables_number(&tables, "SELECT rowid FROM Z_fts('run')"), 7);
    tables_execute(&tables, "DROP TABLE Y_fts_idx");
    tables_close(&tables);
}

static void test_tokenizers(void **state)
{
    (void)state;
    struct tables tables;
    struct error err = {0};
    tables_connect(&tables, &options);
    tables.store.tokenizer = memory_copy("no such", 7);
    assert_int_equal(schema_create(&tables.store, &usual_config, &err), ERROR_INVALID);
    assert_non_null(strstr(err.text, "tokenizer 'no such': FTS5 says: no such tokenizer: no ("));
    assert_int_equal(schema_create(&tables.store, &usual_config, NULL), ERROR_STORAGE);
    tables_close(&tables);
}

static void test_without_fts5(void **state)
{
    (void)state;
    static const char *keep[] = {"none", NULL};
    struct tables tables;
    struct error err = {0};
    create(&tables, "unicode61");
    do_it(&tables, PUT, 7, "cat");
    store_finalize(&tables.store);
    assert_int_equal(sqlite3_drop_modules(tables.db, keep), SQLITE_OK);
    tables_execute(&tables, "PRAGMA writable_schema = RESET");
    assert_int_equal(words_prepare(&tables.store, 1, &err), ERROR_STORAGE);
    assert_non_null(strstr(err.text, "built without FTS5, which keeps the words of X"));
    do_it(&tables, KILL, 7, NULL); /* is ordinary SQL */
    tables_close(&tables);
    tables_connect(&tables, &options);
    assert_int_equal(sqlite3_drop_modules(tables.db, keep), SQLITE_OK);
    tables.store.tokenizer = memory_copy("unicode61", 9);
    assert_int_equal(schema_create(&tables.store, &usual_config, &err), ERROR_INVALID);
    assert_non_null(strstr(err.text, "needs FTS5, and this SQLite was built without it"));
    tables_close(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),       cmocka_unit_test(test_the_last_numbers),
        cmocka_unit_test(test_numbers_of_many), cmocka_unit_test(test_rows_without_documents),
        cmocka_unit_test(test_contradictions),  cmocka_unit_test(test_names),
        cmocka_unit_test(test_tokenizers),      cmocka_unit_test(test_without_fts5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
