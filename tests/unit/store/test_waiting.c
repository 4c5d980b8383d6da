/* Rows that wait to be put into blocks: how they are found, until when they wait, and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/seen.h"
#include "store/waiting.h"

enum { N_ROWS = 300 };

/* With codes and without; the last is one whose rows never wait. */
static const struct store_options kinds[] = {
    {INDEX_COSINE, INDEX_EXACT, 0, 1, INDEX_FLOAT32},
    {INDEX_L2, INDEX_EXACT, 0, 0, INDEX_COMPACT},
    {INDEX_COSINE, INDEX_INT8, 0, 1, INDEX_HALF},
    {INDEX_COSINE, INDEX_BIT, STORE_AUTO, 0, INDEX_FLOAT32},
    {INDEX_DOT, INDEX_EXACT, STORE_AUTO, 0, INDEX_FLOAT32},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds, NEVER = N_KINDS - 1 };

static int64_t n_waiting(struct tables *tables)
{
    return tables_number(tables, "SELECT length(value) / 16 FROM X_config WHERE key = 'waiting'");
}

static void write_singly(struct tables *tables, int64_t first, int64_t last)
{
    for (int64_t id = first; id <= last; id++) write_rows(tables, id, id);
}

/* All rows are there, found by their vectors, and by their ids. */
static void expect(struct tables *tables, int64_t last, int64_t without)
{
    check(tables);
    for (int64_t id = last - 40; id <= last; id++) {
        if (id != without) assert_int_equal(nearest(tables, id), id);
        else assert_int_not_equal(nearest(tables, id), id);
        assert_int_equal(holds(tables, id), id != without);
    }
}

static void test_they_wait(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        struct error err = {0};
        tables_create(&tables, &kinds[kind]);
        int waits = kind != NEVER;
        write_singly(&tables, 1, 3);
        assert_int_equal(n_waiting(&tables), 0); /* a small index */
        write_rows(&tables, 4, N_ROWS);
        assert_int_equal(n_waiting(&tables), 0);
        write_singly(&tables, N_ROWS + 1, N_ROWS + 20);
        write_rows(&tables, N_ROWS + 21, N_ROWS + 28);
        /* Without codes one makes the block that those after it wait for. */
        int first = kinds[kind].quantize == INDEX_EXACT;
        assert_int_equal(n_waiting(&tables), (28 - first) * waits);
        expect(&tables, N_ROWS + 28, 0);
        const int64_t gone = N_ROWS + 17;
        assert_int_equal(tables_delete(&tables, &gone, 1, STORE_DELETE, &err), 0);
        /* Without codes places of a block are exchanged: no row waits then. */
        int n = !waits || kinds[kind].quantize == INDEX_EXACT ? 0 : 27;
        assert_int_equal(n_waiting(&tables), n);
        expect(&tables, N_ROWS + 28, gone);
        write_rows(&tables, gone, gone);
        write_rows(&tables, N_ROWS + 20, N_ROWS + 20); /* again */
        expect(&tables, N_ROWS + 28, 0);
        write_singly(&tables, N_ROWS + 29, N_ROWS + 80); /* more than the list has room for */
        expect(&tables, N_ROWS + 80, 0);
        write_rows(&tables, N_ROWS + 81, N_ROWS + 120);
        expect(&tables, N_ROWS + 120, 0);
        write_singly(&tables, N_ROWS + 121, N_ROWS + 122);
        optimize(&tables);
        assert_int_equal(n_waiting(&tables), 0);
        expect(&tables, N_ROWS + 122, 0);
        tables_close(&tables);
    }
}

/* Blocks and partitions stay while only rows that wait are left; then all goes. */
static void test_only_they_are_left(void **state)
{
    (void)state;
    for (int kind = 0; kind < NEVER; kind++) {
        struct tables tables;
        struct error err = {0};
        int64_t ids[N_ROWS];
        tables_create(&tables, &kinds[kind]);
        write_rows(&tables, 1, N_ROWS);
        write_singly(&tables, N_ROWS + 1, N_ROWS + 2);
        for (int64_t i = 0; i < N_ROWS; i++) ids[i] = i + 1;
        assert_int_equal(tables_delete(&tables, ids, N_ROWS, STORE_DELETE, &err), 0);
        check(&tables);
        assert_int_equal(nearest(&tables, N_ROWS + 1), N_ROWS + 1);
        write_rows(&tables, 5, 5);
        assert_int_equal(nearest(&tables, 5), 5);
        const int64_t last[] = {N_ROWS + 1, N_ROWS + 2, 5};
        assert_int_equal(tables_delete(&tables, last, 3, STORE_DELETE, &err), 0);
        check(&tables);
        assert_int_equal(nearest(&tables, 5), 0);
        assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_data"), 0);
        tables_close(&tables);
    }
}

/* An index of a version without this has no list, and its rows never wait. */
static void test_without_a_list(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        tables_create(&tables, &kinds[kind]);
        tables_execute(&tables, "DELETE FROM X_config WHERE key = 'waiting'");
        write_rows(&tables, 1, N_ROWS);
        write_singly(&tables, N_ROWS + 1, N_ROWS + 3);
        assert_int_equal(n_waiting(&tables), -1);
        assert_int_equal(tables_number(&tables, "SELECT sum(n) FROM X_blocks"), N_ROWS + 3);
        expect(&tables, N_ROWS + 3, 0);
        optimize(&tables);
        assert_int_equal(n_waiting(&tables), -1);
        tables_close(&tables);
    }
}

/* What a damaged list gives: an error, as the check says it; 'optimize' mends it where there are
 * codes. */
static void damage(int kind, const char *sql, const char *text)
{
    struct tables tables;
    struct store_state now;
    struct error err = {0};
    tables_create(&tables, &kinds[kind]);
    write_rows(&tables, 1, N_ROWS);
    write_singly(&tables, N_ROWS + 1, N_ROWS + 2);
    tables_execute(&tables, sql);
    int rc = store_read_state(&tables.store, &now, &err);
    if (rc == 0) rc = store_integrity_check(&tables.store, &err);
    assert_int_equal(rc, ERROR_CORRUPT);
    if (strstr(err.text, text) == NULL) fail_msg("%s", err.text);
    if (kinds[kind].quantize != INDEX_EXACT && strstr(text, "optimize") != NULL) {
        optimize(&tables);
        check(&tables);
        assert_int_equal(nearest(&tables, N_ROWS + 2), N_ROWS + 2);
    }
    tables_close(&tables);
}

static void test_damage(void **state)
{
    (void)state;
#define LIST(bytes) "UPDATE X_config SET value = " bytes " WHERE key = 'waiting'"
    for (int kind = 0; kind < NEVER; kind++) {
        int has_codes = kinds[kind].quantize != INDEX_EXACT;
        damage(kind, LIST("7"), "the list of rows that wait is damaged");
        damage(kind, LIST("NULL"), "the list of rows that wait is damaged");
        damage(kind, LIST("zeroblob(17)"), "the list of rows that wait is damaged");
        damage(kind, LIST("zeroblob(33 * 16)"), "the list of rows that wait is damaged");
        damage(kind, LIST("zeroblob(16)"),
               has_codes ? "row 0: it is wrongly listed as one that waits ('optimize' mends it)"
                         : "row 0: it is wrongly listed as one that waits");
        damage(kind, LIST("CAST(substr(value, 1, 16) || substr(value, 1, 16) AS BLOB)"),
               "is wrongly listed");
        damage(kind, LIST("x''"),
               has_codes ? "302 rows, but 300 in blocks ('optimize' mends it)"
                         : "302 rows, but 301 in blocks");
        if (has_codes) {
            damage(kind,
                   LIST("CAST(substr(value, 1, 8) || zeroblob(8) || substr(value, 17) AS BLOB)"),
                   "its partition is not there ('optimize' mends it)");
            damage(kind, "DELETE FROM X_vectors WHERE id = 301", "its vector is not there");
            /* As one that is made of rows that wait. */
            damage(kind,
                   "INSERT INTO X_blocks SELECT 0, partition, 1, 0, (SELECT value FROM X_config "
                   "WHERE key = 'generation') FROM X_blocks LIMIT 1",
                   "block 0: ");
        } else {
            damage(kind, "UPDATE X_blocks SET n = n + room - 1, room = 1 WHERE room > 0", "");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_wait),
        cmocka_unit_test(test_only_they_are_left),
        cmocka_unit_test(test_without_a_list),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
