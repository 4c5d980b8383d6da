/* Rows that wait to be put into blocks: how they are found, until when they wait, and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/seen.h"
#include "store/waiting.h"

enum { N_ROWS = 600 };

/* With codes and without, in partitions and not. */
static const struct store_options kinds[] = {
    {INDEX_COSINE, INDEX_EXACT, 0, 1, INDEX_FLOAT32},
    {INDEX_L2, INDEX_EXACT, 0, 0, INDEX_COMPACT},
    {INDEX_COSINE, INDEX_INT8, 0, 1, INDEX_HALF},
    {INDEX_COSINE, INDEX_BIT, STORE_AUTO, 0, INDEX_FLOAT32},
    {INDEX_DOT, INDEX_EXACT, STORE_AUTO, 0, INDEX_FLOAT32},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static int64_t n_waiting(struct tables *tables)
{
    struct store_state now;
    struct error err = {0};
    assert_int_equal(store_read_state(&tables->store, &now, &err), 0);
    return (int64_t)now.n_waiting;
}

/* What X_config says of them; -1: there are no slots. */
static int64_t noted(struct tables *tables)
{
    struct store_state now;
    struct error err = {0};
    assert_int_equal(store_read_state(&tables->store, &now, &err), 0);
    return now.has_slots ? now.slots.waiting : -1;
}

static void write_singly(struct tables *tables, int64_t first, int64_t last)
{
    for (int64_t id = first; id <= last; id++) write_rows(tables, id, id);
}

static void drop_row(struct tables *tables, int64_t id)
{
    struct error err = {0};
    assert_int_equal(tables_delete(tables, &id, 1, STORE_DELETE, &err), 0);
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
        tables_create(&tables, &kinds[kind]);
        write_singly(&tables, 1, 3);
        assert_int_equal(n_waiting(&tables), 0); /* a small index */
        assert_int_equal(noted(&tables), -1);
        write_rows(&tables, 4, N_ROWS);
        assert_int_equal(n_waiting(&tables), 0);
        assert_int_equal(noted(&tables), 0);
        write_singly(&tables, N_ROWS + 1, N_ROWS + 20);
        write_rows(&tables, N_ROWS + 21, N_ROWS + 24);
        assert_int_equal(n_waiting(&tables), 24);
        assert_int_equal(noted(&tables), 0); /* the slots say it */
        expect(&tables, N_ROWS + 24, 0);
        drop_row(&tables, N_ROWS + 17);
        assert_int_equal(n_waiting(&tables), 23);
        assert_int_equal(noted(&tables), 0xFEFFFF);
        expect(&tables, N_ROWS + 24, N_ROWS + 17);
        write_rows(&tables, N_ROWS + 17, N_ROWS + 17);
        write_rows(&tables, N_ROWS + 24, N_ROWS + 24); /* again */
        assert_int_equal(noted(&tables), 0x1FEFFFF);
        write_rows(&tables, 5, 5); /* one of a block: back to it */
        assert_int_equal(n_waiting(&tables), 24);
        drop_row(&tables, 6);
        assert_int_equal(n_waiting(&tables), 24);
        expect(&tables, N_ROWS + 24, 0);
        write_singly(&tables, N_ROWS + 25, N_ROWS + 80); /* more than there are slots */
        assert_in_range(n_waiting(&tables), 1, STORE_MOST_WAITING);
        expect(&tables, N_ROWS + 80, 0);
        write_rows(&tables, N_ROWS + 81, N_ROWS + 120);
        expect(&tables, N_ROWS + 120, 0);
        write_singly(&tables, N_ROWS + 121, N_ROWS + 122);
        optimize(&tables);
        assert_int_equal(n_waiting(&tables), 0);
        assert_int_equal(noted(&tables), 0);
        expect(&tables, N_ROWS + 122, 0);
        write_singly(&tables, N_ROWS + 123, N_ROWS + 130);
        assert_int_equal(n_waiting(&tables), 8);
        expect(&tables, N_ROWS + 130, 0);
        for (int64_t id = N_ROWS + 131; id <= N_ROWS + 200; id += 3)
            write_rows(&tables, id, id + 2);
        for (int64_t id = N_ROWS + 131; id <= N_ROWS + 200; id += 7)
            write_rows(&tables, id, id + 1);
        expect(&tables, N_ROWS + 202, 0);
        tables_close(&tables);
    }
}

/* Blocks and partitions stay while only rows that wait are left; then all goes. */
static void test_only_they_are_left(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
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
        assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_waiting WHERE "
                                                "vector <> zeroblob(length(vector)) OR "
                                                "head <> zeroblob(32)"),
                         0);
        tables_close(&tables);
    }
}

/* Nothing stays of what was deleted, in a slot that it has left either. */
static void test_nothing_stays(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        tables_create(&tables, &kinds[kind]);
        write_rows(&tables, 1, N_ROWS);
        write_singly(&tables, N_ROWS + 1, N_ROWS + 33);
        assert_int_equal(n_waiting(&tables), 1);
#define N_USED "SELECT count(*) FROM X_waiting WHERE vector <> zeroblob(length(vector))"
        assert_int_equal(tables_number(&tables, N_USED), 32);
        drop_row(&tables, N_ROWS + 7);
        write_rows(&tables, N_ROWS + 9, N_ROWS + 9);
        drop_row(&tables, N_ROWS + 33);
        assert_int_equal(tables_number(&tables, N_USED), 29);
        expect(&tables, N_ROWS + 32, N_ROWS + 7);
        tables_close(&tables);
    }
}

/* The same writes give the same bytes; what goes back is there again, by its generation too. */
static void test_rollback(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        struct store_state before, after;
        struct error err = {0};
        tables_create(&tables, &kinds[kind]);
        write_rows(&tables, 1, N_ROWS);
        write_singly(&tables, N_ROWS + 1, N_ROWS + 30);
        assert_int_equal(store_read_state(&tables.store, &before, &err), 0);
        for (int turn = 0; turn < 2; turn++) {
            tables_execute(&tables, "BEGIN");
            write_singly(&tables, N_ROWS + 31, N_ROWS + 35);
            drop_row(&tables, N_ROWS + 3);
            assert_int_equal(nearest(&tables, N_ROWS + 35), N_ROWS + 35);
            tables_execute(&tables, "ROLLBACK");
            store_write_over(&tables.write);
            assert_int_equal(store_read_state(&tables.store, &after, &err), 0);
            assert_int_equal(after.generation, before.generation);
            assert_int_equal(after.n_waiting, before.n_waiting);
            expect(&tables, N_ROWS + 30, 0);
        }
        tables_close(&tables);
    }
}

/* Where a user has a table of that name. */
static void test_a_name_that_is_taken(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        tables_create(&tables, &kinds[kind]);
        tables_execute(&tables, "DROP TABLE X_waiting; CREATE TABLE X_waiting(mine)");
        write_rows(&tables, 1, N_ROWS);
        write_singly(&tables, N_ROWS + 1, N_ROWS + 3);
        assert_int_equal(noted(&tables), -1);
        assert_int_equal(tables_number(&tables, "SELECT sum(n) FROM X_blocks"), N_ROWS + 3);
        expect(&tables, N_ROWS + 3, 0);
        optimize(&tables);
        assert_int_equal(noted(&tables), -1);
        tables_close(&tables);
    }
}

/* ---- earlier formats ------------------------------------------------------------------------- */

enum { N_LISTED = 3 };

/* The last rows of the last block wait as formats 3 and 4 have it. */
static void list_as_before(struct tables *tables, int64_t ids[N_LISTED])
{
    struct store *store = &tables->store;
    struct store_state now;
    struct block_bytes block;
    struct error err = {0};
    int64_t list[2 * N_LISTED], last = tables_number(tables, "SELECT max(block) FROM X_blocks "
                                                             "WHERE n > 3");
    assert_int_equal(store_read_state(store, &now, &err), 0);
    struct index_layout layout = blocks_layout(store, &now);
    assert_int_equal(block_read(store, &layout, last, &block, &err), 0);
    for (size_t i = 0; i < N_LISTED; i++) {
        list[2 * i] = ids[i] = block.rows.ids[block.n - N_LISTED + i];
        list[2 * i + 1] = store_keeps_vectors(store) ? block.partition : last;
    }
    block_free(&block);
    tables_execute(tables, "DROP TABLE X_waiting; DELETE FROM X_config WHERE key = 'waiting';"
                           "UPDATE X_config SET value = 4 WHERE key = 'format'");
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(tables->db, "INSERT INTO X_config VALUES ('waiting', ?1)",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_blob(statement, 1, list, sizeof list, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
    char *sql = sqlite3_mprintf(
        "UPDATE X_blocks SET n = n - 3, room = room + 3, version = version + 1 WHERE block = %lld;"
        "UPDATE X_config SET value = value + 1 WHERE key = 'generation';"
        "UPDATE X_rows SET block = 0 WHERE %d AND id IN (%lld, %lld, %lld)",
        (long long)last, store->options.quantize == INDEX_INT8, (long long)ids[0],
        (long long)ids[1], (long long)ids[2]);
    tables_execute(tables, sql);
    sqlite3_free(sql);
    tables_reopen(tables);
}

static void expect_listed(struct tables *tables, const int64_t ids[N_LISTED])
{
    check(tables);
    for (size_t i = 0; i < N_LISTED; i++) {
        assert_int_equal(nearest(tables, ids[i]), ids[i]);
        assert_true(holds(tables, ids[i]));
    }
}

/* They are read as they are, until something is written: 0 another row, 1 one of them, 2 all of it
 * anew, 3 nothing is left. */
static void test_a_list_of_before(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS - 1; kind++) /* in partitions vectors did not wait */
        for (int what = 0; what < 4; what++) {
            struct tables tables;
            struct store_state now;
            struct error err = {0};
            int64_t ids[N_LISTED];
            tables_create(&tables, &kinds[kind]);
            write_rows(&tables, 1, N_ROWS);
            list_as_before(&tables, ids);
            assert_int_equal(n_waiting(&tables), N_LISTED);
            expect_listed(&tables, ids);
            if (what == 0) write_rows(&tables, N_ROWS + 1, N_ROWS + 1);
            if (what == 1) write_rows(&tables, ids[1], ids[1]);
            if (what == 2) optimize(&tables);
            if (what < 3) {
                expect_listed(&tables, ids);
                assert_int_equal(tables_number(&tables, "SELECT sum(n) FROM X_blocks"),
                                 N_ROWS + (what == 0));
                write_rows(&tables, N_ROWS + 2, N_ROWS + 2);
                assert_int_equal(n_waiting(&tables), 1);
            } else {
                assert_int_equal(store_read_state(&tables.store, &now, &err), 0);
                assert_int_equal(store_write_begin(&tables.store, &now, 0, &err), 0);
                int rc = store_delete_all(&tables.store, &now, &err);
                assert_int_equal(store_write_end(&tables.store, &now, rc, &err), 0);
                assert_int_equal(noted(&tables), -1);
            }
            assert_int_equal(n_waiting(&tables), what < 3);
            assert_int_equal(
                tables_number(&tables, "SELECT value FROM X_config WHERE key = 'format'"), 5);
            check(&tables);
            tables_close(&tables);
        }
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* What damage gives: an error, as the check says it; 'optimize' mends what it says it does. */
static void damage(int kind, const char *sql, const char *text)
{
    struct tables tables;
    struct store_state now;
    struct error err = {0};
    tables_create(&tables, &kinds[kind]);
    write_rows(&tables, 1, N_ROWS);
    write_singly(&tables, N_ROWS + 1, N_ROWS + 3);
    drop_row(&tables, N_ROWS + 1);
    write_singly(&tables, N_ROWS + 4, N_ROWS + 4);
    tables_execute(&tables, sql);
    tables_reopen(&tables);
    int rc = store_read_state(&tables.store, &now, &err);
    if (rc == 0) rc = store_integrity_check(&tables.store, &err);
    if (strstr(err.text, text) == NULL || rc != ERROR_CORRUPT) fail_msg("%s: %s", sql, err.text);
    if (strstr(err.text, "'optimize'") != NULL) {
        optimize(&tables);
        check(&tables);
        assert_int_equal(nearest(&tables, N_ROWS), N_ROWS);
    }
    tables_close(&tables);
}

static void test_damage(void **state)
{
    (void)state;
#define CONFIG(value) "UPDATE X_config SET value = " value " WHERE key = 'waiting'"
#define BITS(bits) CONFIG("CAST(x'" bits "' || substr(value, 9) AS BLOB)")
#define SLOT(what) "UPDATE X_waiting SET " what " WHERE slot = 2"
#define HEAD(at, bytes)                                                                            \
    SLOT("head = CAST(substr(head, 1, " at " - 1) || " bytes " || substr(head, " at " + 8) AS "    \
         "BLOB)")
    for (int kind = 0; kind < N_KINDS; kind++) {
        static const char *const lists[] = {
            "NULL",
            "0",
            "'x'",
            "zeroblob(17)",
            "zeroblob(265)",
            "zeroblob(33 * 16)",
            "CAST(zeroblob(7) || x'80' || substr(value, 9) AS BLOB)",
            "CAST(x'0000000001' || substr(value, 6) AS BLOB)"};
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
            char *sql = sqlite3_mprintf(CONFIG("%s"), lists[i]);
            damage(kind, sql, "X_config: the list of rows that wait is damaged");
            sqlite3_free(sql);
        }
        damage(kind, BITS("0700008000000000"), ""); /* slots without a row */
        damage(kind, "DELETE FROM X_waiting WHERE slot = 2",
               "X_config: it speaks of rows that wait and are not there");
        damage(kind, "DELETE FROM X_waiting", "X_config: it speaks of rows that wait");
        damage(kind, SLOT("slot = 33"), "X_config: it speaks of rows that wait");
        damage(kind, SLOT("slot = 0"), "X_config: it speaks of rows that wait");
        damage(kind, SLOT("head = x'00'"), "X_waiting: slot 2 is damaged");
        damage(kind, SLOT("head = 7"), "X_waiting: slot 2 is damaged");
        damage(kind, SLOT("vector = x'00'"), "row 602: expected a vector of ");
        damage(kind, SLOT("vector = 'x'"), "row 602: expected a vector of ");
        if (kinds[kind].vectors == INDEX_FLOAT32)
            damage(kind, SLOT("vector = CAST(x'0000c07f' || substr(vector, 5) AS BLOB)"),
                   "row 602: ");
        /* The id of another row; one that is in no table; one that waits, too. */
        damage(kind, HEAD("17", "x'0700000000000000'"), "");
        damage(kind, HEAD("17", "x'ffffffffffffff7f'"), "row 9223372036854775807: it is wrongly");
        damage(kind, HEAD("17", "x'5b02000000000000'"), "row 603: it waits twice");
        if (store_keeps_vectors(&(struct store){.options = kinds[kind]}) || kind == N_KINDS - 1)
            damage(kind, HEAD("25", "x'ffffffffffffff7f'"), "partition is not there");
        /* Off the list: what was written on top of what X_config says is not found then. */
        damage(kind, BITS("0000000000000000"), "");
        damage(kind, CONFIG("x''"), "603 rows, but 600 in blocks");
        damage(kind, "UPDATE X_config SET value = value + 1 WHERE key = 'generation'",
               "603 rows, but 602 in blocks");
        /* As one that is made of rows that wait. */
        damage(kind,
               "INSERT INTO X_blocks SELECT 0, partition, 1, 0, (SELECT value FROM X_config "
               "WHERE key = 'generation') FROM X_blocks LIMIT 1",
               "block 0: ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_wait),
        cmocka_unit_test(test_only_they_are_left),
        cmocka_unit_test(test_nothing_stays),
        cmocka_unit_test(test_rollback),
        cmocka_unit_test(test_a_name_that_is_taken),
        cmocka_unit_test(test_a_list_of_before),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
