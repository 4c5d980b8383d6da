/* Codes of rows: found after they were moved, blocks that become one, files of earlier formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/codes.h"
#include "store/seen.h"

static const struct store_options kinds[] = {
    {INDEX_COSINE, INDEX_BIT, STORE_AUTO, 0, INDEX_FLOAT32},
    {INDEX_L2, INDEX_INT8, 5, 1, INDEX_FLOAT32},
    {INDEX_DOT, INDEX_BIT, 0, 0, INDEX_COMPACT},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds, N_ROWS = 3000 };

/* Rows that come a hundred at a time: partitions are cut again and again. */
static void fill(struct tables *tables, int kind)
{
    tables_create(tables, &kinds[kind]);
    for (int64_t id = 1; id <= N_ROWS; id += 100) write_rows(tables, id, id + 99);
}

/* The blocks of rows, as they are found. */
static int find(struct tables *tables, struct block_place *places, size_t n, struct error *err)
{
    struct store_state state;
    sqlite3_blob *blob = NULL;
    int rc = store_read_state(&tables->store, &state, err);
    if (rc == 0) rc = codes_find(&tables->store, &state, places, n, &blob, err);
    return store_close_data(&tables->store, blob, rc, err);
}

/* Whether the block of a place has its id. */
static int is_right(struct tables *tables, const struct block_place *place)
{
    struct store_state state;
    struct block_bytes block;
    struct error err = {0};
    assert_int_equal(store_read_state(&tables->store, &state, &err), 0);
    struct index_layout layout = blocks_layout(&tables->store, &state);
    assert_int_equal(block_read(&tables->store, &layout, place->block, &block, &err), 0);
    int is_there = index_row_find(&block.rows, block.n, place->id) < block.n;
    block_free(&block);
    return is_there;
}

static void test_all_are_found(void **state)
{
    (void)state;
    static struct block_place places[N_ROWS];
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        struct error err = {0};
        fill(&tables, kind);
        check(&tables);
        for (int64_t i = 0; i < N_ROWS; i++) places[i].id = N_ROWS - i;
        assert_int_equal(find(&tables, places, N_ROWS, &err), 0);
        for (int64_t i = 0; i < N_ROWS; i++) {
            assert_int_equal(places[i].id, N_ROWS - i);
            assert_true(is_right(&tables, &places[i]));
        }
        assert_int_equal(find(&tables, places, 0, &err), 0);
        tables_close(&tables);
    }
}

/* A partition has a few blocks, of which one has room, and no page of the file is left empty. */
static void test_blocks_become_one(void **state)
{
    (void)state;
    struct tables tables;
    fill(&tables, 0);
    assert_int_equal(tables_number(&tables,
                                   "SELECT max(n) FROM (SELECT count(*) AS n FROM X_blocks "
                                   "WHERE room > 0 GROUP BY partition)"),
                     1);
    int64_t n_blocks = tables_number(&tables, "SELECT count(*) FROM X_blocks"),
            n_partitions = tables_number(&tables, "SELECT count(*) FROM X_partitions");
    assert_in_range(n_partitions, 30, 100);
    assert_in_range(n_blocks, n_partitions, 3 * n_partitions);
    assert_true(tables_number(&tables, "SELECT sum(room) FROM X_blocks") < N_ROWS / 2);
    tables_close(&tables);
    tables_create(&tables, &kinds[2]); /* a partition that is not cut: one code after the other */
    for (int64_t id = 1; id <= 1000; id += 10) write_rows(&tables, id, id + 9);
    assert_in_range(tables_number(&tables, "SELECT count(*) FROM X_blocks"), 2, 7);
    assert_true(tables_number(&tables, "SELECT sum(room) FROM X_blocks") < 200);
    check(&tables);
    tables_close(&tables);
}

/* A row whose vector is damaged is looked for everywhere; one without a code is told. */
static void test_without_a_vector(void **state)
{
    (void)state;
    static const char *const damages[] = {"DELETE FROM X_vectors WHERE id = 77",
                                          "UPDATE X_vectors SET vector = x'00' WHERE id = 77",
                                          ("UPDATE X_vectors SET vector = zeroblob(length(vector)) "
                                           "WHERE id = 77")};
    const int64_t id = 77, last = N_ROWS;
    for (int kind = 0; kind < N_KINDS; kind++) {
        if (kinds[kind].vectors != INDEX_FLOAT32) continue; /* not in a run of its own */
        for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
            struct tables tables;
            struct error err = {0};
            fill(&tables, kind);
            tables_execute(&tables, damages[i]);
            assert_int_equal(tables_delete(&tables, &id, 1, STORE_DELETE, &err), 0);
            check(&tables);
            tables_execute(&tables, "UPDATE X_data SET bytes = zeroblob(length(bytes))");
            tables_execute(&tables, "BEGIN");
            assert_int_equal(tables_delete(&tables, &last, 1, STORE_DELETE, &err), ERROR_CORRUPT);
            assert_string_equal(err.text, "row 3000: it is in no block ('optimize' mends it)");
            tables_execute(&tables, "ROLLBACK");
            store_write_over(&tables.write);
            optimize(&tables);
            assert_int_equal(tables_delete(&tables, &last, 1, STORE_DELETE, &err), 0);
            check(&tables);
            tables_close(&tables);
        }
    }
}

static void test_damage(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *text;
    } damages[] = {
        {"UPDATE X_config SET value = 0 WHERE key = 'partitions'",
         "the partitions are missing ('optimize' mends them)"},
        {"UPDATE X_blocks SET n = -1", ": its size is damaged ('optimize' mends it)"},
        {"UPDATE X_data SET bytes = x'00'", ": its bytes have a wrong size ('optimize' mends it)"},
        {"DELETE FROM X_data", "no such rowid"},
    };
    struct block_place place = {.id = 5};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct tables tables;
        struct error err = {0};
        fill(&tables, 0);
        tables_execute(&tables, damages[i].sql);
        assert_int_not_equal(find(&tables, &place, 1, &err), 0);
        if (strstr(err.text, damages[i].text) == NULL) fail_msg("%s", err.text);
        tables_close(&tables);
    }
}

/* A code that is there twice. */
static void test_twice(void **state)
{
    (void)state;
    struct tables tables;
    struct error err = {0};
    fill(&tables, 1);
    tables_execute(&tables, "UPDATE X_data SET bytes = (SELECT bytes FROM X_data d JOIN X_blocks b "
                            "USING (block) WHERE d.block > X_data.block AND n + room = (SELECT n + "
                            "room FROM X_blocks b WHERE b.block = X_data.block) LIMIT 1) WHERE "
                            "block = (SELECT a.block FROM X_blocks a JOIN X_blocks b ON b.block > "
                            "a.block AND b.n = a.n AND b.room = a.room LIMIT 1)");
    int rc = store_integrity_check(&tables.store, &err);
    assert_int_equal(rc, ERROR_CORRUPT);
    tables_close(&tables);
}

/* An index of an earlier format says where codes were, and learns the new one by its first write;
 * until then whoever reads the old one may. */
static void test_earlier_formats(void **state)
{
    (void)state;
    static const char *const formats[] = {"2", "3"};
    const int64_t gone[] = {3, 700, 2999};
    for (size_t i = 0; i < 2; i++) {
        for (int kind = 0; kind < N_KINDS; kind++) {
            struct tables tables;
            struct error err = {0};
            if (kinds[kind].vectors != INDEX_FLOAT32 && i == 0) continue;
            fill(&tables, kind);
            /* Format 2 has no 'storage', and by later ones that would be another. */
            char *sql = sqlite3_mprintf("UPDATE X_config SET value = %s WHERE key = 'format';"
                                        "DELETE FROM X_config WHERE key = 'storage' AND %d;"
                                        "UPDATE X_rows SET block = id %% 7",
                                        formats[i], i == 0);
            tables_execute(&tables, sql);
            sqlite3_free(sql);
            check(&tables);
            assert_int_equal(nearest(&tables, 700), 700);
            assert_int_equal(
                tables_number(&tables, "SELECT value FROM X_config WHERE key = 'format'"),
                formats[i][0] - '0');
            assert_int_equal(tables_delete(&tables, gone, 3, STORE_DELETE, &err), 0);
            assert_int_equal(
                tables_number(&tables, "SELECT value FROM X_config WHERE key = 'format'"),
                STORE_FORMAT);
            assert_int_equal(
                tables_number(&tables, "SELECT value FROM X_config WHERE key = 'storage'"),
                kinds[kind].vectors);
            write_rows(&tables, 2990, 3050);
            assert_int_equal(nearest(&tables, 3050), 3050);
            check(&tables);
            tables_close(&tables);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_found),
        cmocka_unit_test(test_blocks_become_one),
        cmocka_unit_test(test_without_a_vector),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_earlier_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
