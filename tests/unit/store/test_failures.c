/* Rows that cannot be embedded: what X_failures records of them, and when it forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/failures.h"
#include "store/integrity.h"
#include "store/tables.h"

static const struct store_options with_texts = {INDEX_COSINE, INDEX_INT8, 0, 1, INDEX_FLOAT32};
static const struct store_options without = {INDEX_COSINE, INDEX_EXACT, 0, 0, INDEX_FLOAT32};

/* One row whose text of that hash is refused; NULL: there is nothing to embed. */
static void refuse(struct tables *tables, int64_t id, uint64_t hash, const char *text,
                   const char *why)
{
    struct store *store = &tables->store;
    struct store_state state;
    struct error err = {0};
    struct store_change change = {.kind = STORE_REFUSE,
                                  .id = id,
                                  .hash = hash,
                                  .text = text,
                                  .text_size = text == NULL ? 0 : strlen(text),
                                  .why = why};
    assert_int_equal(store_read_state(store, &state, &err), 0);
    assert_int_equal(store_write_begin(store, &state, store_hash_changes(&change, 1, 0), &err), 0);
    assert_int_equal(
        store_write_end(store, &state, store_write_rows(store, &state, &change, 1, &err), &err), 0);
    assert_int_equal(store_integrity_check(store, &err), 0);
}

static void assert_failure(struct tables *tables, int64_t id, int recorded, uint64_t hash,
                           int64_t attempts)
{
    struct store_state state;
    struct error err = {0};
    uint64_t stored;
    int64_t n;
    int found;
    assert_int_equal(store_read_state(&tables->store, &state, &err), 0);
    assert_int_equal(failures_find(&tables->store, &state, id, &stored, &found, &err), 0);
    assert_int_equal(found, recorded);
    assert_int_equal(failures_count(&tables->store, &state, &n, &err), 0);
    assert_int_equal(failures_look(&tables->store, &state, &err), 0);
    assert_int_equal(state.lacks_failures, n == 0);
    assert_int_equal(failures_find(&tables->store, &state, id, &stored, &found, &err), 0);
    assert_int_equal(found, recorded);
    if (!recorded) return;
    assert_int_equal(stored, hash);
    assert_int_equal(tables_number(tables, "SELECT attempts FROM X_failures"), attempts);
}

static void test_attempts(void **state)
{
    (void)state;
    struct tables tables;
    tables_create(&tables, &without);
    assert_failure(&tables, 5, 0, 0, 0);
    refuse(&tables, 5, 77, NULL, "too long");
    assert_failure(&tables, 5, 1, 77, 1);
    refuse(&tables, 5, 77, NULL, "too long");
    assert_failure(&tables, 5, 1, 77, 2);
    refuse(&tables, 5, 78, NULL, "no text");
    assert_failure(&tables, 5, 1, 78, 1);
    assert_failure(&tables, 6, 0, 0, 0);
    assert_int_equal(tables_number(&tables, "SELECT at > 1700000000 FROM X_failures"), 1);
    tables_close(&tables);
}

/* A row that has a vector, is deleted, forgotten or has nothing to embed is no failure. */
static void test_what_ends_a_failure(void **state)
{
    (void)state;
    struct tables tables;
    struct store_state now;
    struct error err = {0};
    const int64_t id = 5;
    tables_create(&tables, &with_texts);
    for (int how = 0; how < 5; how++) {
        assert_int_equal(tables_write(&tables, 1, 9, &err), 0);
        refuse(&tables, id, 77, "a text", "too long");
        assert_failure(&tables, id, 1, 77, 1);
        assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_rows"), 8);
        if (how == 0) assert_int_equal(tables_write(&tables, 3, 6, &err), 0);
        if (how == 1) assert_int_equal(tables_delete(&tables, &id, 1, STORE_DELETE, &err), 0);
        if (how == 2) assert_int_equal(tables_delete(&tables, &id, 1, STORE_FORGET, &err), 0);
        if (how == 3) refuse(&tables, id, 0, " ", NULL);
        if (how == 4) {
            assert_int_equal(store_read_state(&tables.store, &now, &err), 0);
            assert_int_equal(store_write_begin(&tables.store, &now, 0, &err), 0);
            assert_int_equal(store_write_end(&tables.store, &now,
                                             failures_clear(&tables.store, &now, &err), &err),
                             0);
        }
        assert_failure(&tables, id, 0, 0, 0);
        assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_text WHERE id = 5"),
                         how != 1);
    }
    tables_close(&tables);
}

static void test_the_text_is_kept(void **state)
{
    (void)state;
    struct tables tables;
    tables_create(&tables, &with_texts);
    refuse(&tables, 5, 77, "a text", "too long");
    assert_int_equal(tables_number(&tables, "SELECT text = 'a text' FROM X_text"), 1);
    refuse(&tables, 5, 77, NULL, "what is there cannot be read");
    assert_int_equal(tables_number(&tables, "SELECT text = 'a text' FROM X_text"), 1);
    refuse(&tables, 5, 0, NULL, NULL);
    assert_int_equal(tables_number(&tables, "SELECT text IS NULL FROM X_text"), 1);
    tables_close(&tables);
}

/* As the version before left it. */
static void test_an_older_index(void **state)
{
    (void)state;
    struct tables tables;
    struct store_state now;
    struct store_change change = {.kind = STORE_REFUSE, .id = 5, .why = "too long"};
    struct error err = {0};
    tables_create(&tables, &without);
    tables_execute(&tables, "DROP TABLE X_failures; DELETE FROM X_config WHERE key = 'failures'");
    tables_reopen(&tables);
    assert_failure(&tables, 5, 0, 0, 0);
    assert_int_equal(tables_write(&tables, 1, 9, &err), 0);
    tables_execute(&tables, "BEGIN");
    refuse(&tables, 5, 77, NULL, "too long");
    assert_failure(&tables, 5, 1, 77, 1);
    tables_execute(&tables, "ROLLBACK; CREATE TABLE X_failures(mine)");
    tables_reopen(&tables);
    assert_failure(&tables, 5, 0, 0, 0);
    assert_int_equal(store_read_state(&tables.store, &now, &err), 0);
    assert_int_equal(store_write_begin(&tables.store, &now, 0, &err), 0);
    assert_int_equal(store_write_end(&tables.store, &now,
                                     store_write_rows(&tables.store, &now, &change, 1, &err), &err),
                     ERROR_INVALID);
    assert_non_null(strstr(err.text, "X_failures is there already"));
    assert_int_equal(schema_drop(&tables.store, &err), 0);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM sqlite_schema"), 1);
    tables_close(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_what_ends_a_failure),
        cmocka_unit_test(test_the_text_is_kept),
        cmocka_unit_test(test_an_older_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
