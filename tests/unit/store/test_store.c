/* The shadow tables without a virtual table: made, written, read, optimized, damaged, dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/integrity.h"
#include "store/optimize.h"
#include "store/reader.h"
#include "store/seen.h"

static const struct store_options kinds[] = {
    {INDEX_COSINE, INDEX_EXACT, 0, 1, INDEX_FLOAT32},
    {INDEX_L2, INDEX_EXACT, 0, 0, INDEX_FLOAT32},
    {INDEX_DOT, INDEX_EXACT, STORE_AUTO, 1, INDEX_FLOAT32},
    {INDEX_COSINE, INDEX_INT8, 0, 1, INDEX_FLOAT32},
    {INDEX_COSINE, INDEX_BIT, 0, 0, INDEX_FLOAT32},
    {INDEX_L2, INDEX_INT8, 4, 1, INDEX_FLOAT32},
    {INDEX_COSINE, INDEX_BIT, STORE_AUTO, 1, INDEX_FLOAT32},
    {INDEX_COSINE, INDEX_EXACT, 0, 1, INDEX_COMPACT},
    {INDEX_L2, INDEX_EXACT, 4, 0, INDEX_COMPACT},
    {INDEX_COSINE, INDEX_BIT, 0, 1, INDEX_COMPACT},
    {INDEX_DOT, INDEX_EXACT, 0, 1, INDEX_HALF},
    {INDEX_COSINE, INDEX_INT8, 0, 1, INDEX_HALF},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* ---- the tables ------------------------------------------------------------------------------ */

static void test_names(void **state)
{
    (void)state;
    static const char *const ours[] = {"config",  "ROWS",       "blocks", "data",
                                       "vectors", "partitions", "text",   "model"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) assert_true(schema_is_shadow(ours[i]));
    assert_false(schema_is_shadow("rowss"));
    assert_false(schema_is_shadow(""));
}

static void test_which_tables_there_are(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        tables_create(&tables, &kinds[kind]);
        const struct store *store = &tables.store;
        int64_t n = 7 + store_keeps_vectors(store) + store_is_partitioned(store) +
                    store->options.keeps_texts;
        assert_int_equal(tables_number(&tables, "SELECT count(*) FROM sqlite_schema WHERE "
                                                "type = 'table' AND name LIKE 'X\\_%' ESCAPE '\\'"),
                         n);
        assert_int_equal(tables_number(&tables, "SELECT value FROM X_config WHERE key = 'format'"),
                         STORE_FORMAT);
        check(&tables);
        tables_close(&tables);
    }
}

static void test_config_comes_back(void **state)
{
    (void)state;
    struct tables tables;
    struct error err = {0};
    struct schema_stored stored;
    struct store_state now;
    tables_create(&tables, &kinds[3]);
    assert_int_equal(schema_read(&tables.store, &stored, &err), 0);
    assert_string_equal(stored.reranker, usual_config.reranker);
    assert_string_equal(stored.columns, usual_config.columns);
    schema_stored_deinit(&stored);
    assert_int_equal(store_read_state(&tables.store, &now, &err), 0);
    assert_string_equal(now.model, usual_config.model);
    assert_int_equal(now.dimensions, 0);
    assert_int_equal(now.generation, 0);
    tables_close(&tables);
}

static void refuse_config(struct tables *tables, const char *text)
{
    struct error err = {0};
    struct schema_stored stored;
    assert_int_equal(schema_read(&tables->store, &stored, &err), ERROR_CORRUPT);
    assert_string_equal(err.text, text);
    schema_stored_deinit(&stored);
}

static void test_config_that_is_not_ours(void **state)
{
    (void)state;
    struct tables tables;
    struct store_state now;
    struct error err = {0};
    tables_create(&tables, &kinds[3]);
    tables.store.options.metric = INDEX_DOT;
    refuse_config(&tables, "X_config: metric or quantize is not what CREATE VIRTUAL TABLE says "
                           "(drop the index and create it again)");
    tables.store.options.metric = INDEX_COSINE;
    tables_execute(&tables, "UPDATE X_config SET value = 65537 WHERE key = 'dimensions'");
    assert_int_equal(store_read_state(&tables.store, &now, &err), ERROR_CORRUPT);
    tables_execute(&tables, "DELETE FROM X_config WHERE key = 'columns'");
    refuse_config(&tables, "X_config: the reranker's name or the column list is missing "
                           "(drop the index and create it again)");
    tables_execute(&tables, "UPDATE X_config SET value = 1 WHERE key = 'format'");
    refuse_config(&tables, "X has format version 1, and this version of rerank reads 2 to 5");
    tables_close(&tables);
}

/* What X_config says of format, storage and words, and what is read of it; -1: it is refused. */
static void test_formats(void **state)
{
    (void)state;
    static const struct {
        const char *format, *storage, *lexical;
        int vectors;
    } cases[] = {
        {"2", "NULL", "NULL", INDEX_FLOAT32},
        {"2", "NULL", "'unicode61'", INDEX_FLOAT32}, /* as versions between wrote it */
        {"3", "NULL", "NULL", INDEX_COMPACT},
        {"3", "NULL", "'unicode61'", INDEX_COMPACT},
        {"3", "0", "'unicode61'", INDEX_FLOAT32},
        {"3", "1", "'unicode61'", INDEX_COMPACT},
        {"3", "1", "NULL", INDEX_COMPACT},
        {"3", "2", "NULL", INDEX_HALF},
        {"3", "2", "'unicode61'", INDEX_HALF},
        {"3", "0", "NULL", INDEX_FLOAT32},
        {"4", "2", "NULL", INDEX_HALF},
        {"4", "0", "'unicode61'", INDEX_FLOAT32},
        {"2", "1", "NULL", -1},
        {"2", "2", "NULL", -1},
        {"3", "3", "NULL", -1},
        {"3", "'much'", "NULL", -1},
        {"4", "3", "NULL", -1},
        {"5", "0", "NULL", INDEX_FLOAT32},
        {"6", "0", "NULL", -1},
        {"NULL", "NULL", "NULL", -1},
    };
    struct schema_stored stored;
    struct error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tables tables;
        tables_create(&tables, &kinds[3]);
        char *sql = sqlite3_mprintf(
            "DELETE FROM X_config WHERE key IN ('format', 'storage', 'lexical');"
            "INSERT INTO X_config SELECT * FROM (SELECT 'format' AS k, %s AS v UNION ALL SELECT "
            "'storage', %s UNION ALL SELECT 'lexical', %s) WHERE v IS NOT NULL",
            cases[i].format, cases[i].storage, cases[i].lexical);
        tables_execute(&tables, sql);
        sqlite3_free(sql);
        int rc = schema_read(&tables.store, &stored, &err);
        assert_int_equal(rc, cases[i].vectors < 0 ? ERROR_CORRUPT : 0);
        if (rc == 0) assert_int_equal(tables.store.options.vectors, cases[i].vectors);
        schema_stored_deinit(&stored);
        tables_close(&tables);
    }
}

static void test_rename_and_drop(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        struct error err = {0};
        tables_create(&tables, &kinds[kind]);
        write_rows(&tables, 1, 3);
        assert_int_equal(schema_rename(&tables.store, "Y", &err), 0);
        assert_int_equal(tables_number(&tables, "SELECT count(*) FROM Y_rows"), 3);
        assert_int_equal(schema_drop(&tables.store, &err), 0); /* of what is called X */
        memory_free(tables.store.name);
        tables.store.name = memory_copy("Y", 1);
        assert_non_null(tables.store.name);
        check(&tables);
        assert_true(holds(&tables, 2));
        assert_int_equal(schema_drop(&tables.store, &err), 0);
        assert_int_equal(tables_number(&tables, "SELECT count(*) FROM sqlite_schema"), 0);
        tables_close(&tables);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void test_a_row(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        struct error err = {0};
        struct store_row row;
        int64_t answer;
        int found;
        tables_create(&tables, &kinds[kind]);
        struct store *store = &tables.store;
        write_rows(&tables, 41, 42);
        assert_int_equal(store_get_row(store, 41, &row, &found, &err), 0);
        assert_true(found);
        assert_int_equal(row.hash, 123);
        assert_false(row.own);
        assert_int_equal(row.block, 1);
        assert_int_equal(store_get_row(store, 42, &row, &found, &err), 0);
        assert_true(row.own);
        assert_int_equal(store_get_row(store, 43, &row, &found, &err), 0);
        assert_false(found);
        assert_int_equal(store_ask(store, STORE_ANY_OWN, 0, 0, &answer, &err), 0);
        assert_int_equal(answer, 1);
        if (store->options.keeps_texts) {
            assert_int_equal(store_ask(store, STORE_LAST_ID, INT64_MAX, 0, &answer, &err), 0);
            assert_int_equal(answer, 42);
        }
        assert_int_equal(nearest(&tables, 41), 41);
        tables_close(&tables);
    }
}

/* A sequence of writes after which each row has the vector that was written last, or none. */
static void test_many_rows(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        struct error err = {0};
        static int64_t odd[1000];
        tables_create(&tables, &kinds[kind]);
        write_rows(&tables, 1, 2000);
        for (int64_t i = 0; i < 1000; i++) odd[i] = 2 * i + 1;
        assert_int_equal(tables_delete(&tables, odd, 1000, STORE_DELETE, &err), 0);
        check(&tables);
        write_rows(&tables, 1900, 3100); /* some of them again */
        for (int64_t id = 1; id <= 3100; id += 97)
            assert_int_equal(holds(&tables, id), id >= 1900 || id % 2 == 0);
        check(&tables);
        optimize(&tables);
        check(&tables);
        for (int64_t id = 2; id <= 3100; id += 222) assert_int_equal(nearest(&tables, id), id);
        for (int64_t id = 1; id <= 3100; id += 97)
            assert_int_equal(holds(&tables, id), id >= 1900 || id % 2 == 0);
        assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_rows"), 949 + 1201);
        tables_close(&tables);
    }
}

static void test_partitions_are_cut(void **state)
{
    (void)state;
    struct tables tables;
    tables_create(&tables, &kinds[5]);
    for (int64_t id = 1; id <= 2000; id += 100) write_rows(&tables, id, id + 99);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_partitions"), 4);
    assert_int_equal(tables_number(&tables, "SELECT count(DISTINCT partition) FROM X_blocks"), 4);
    check(&tables);
    tables_close(&tables);
}

static void test_forgotten_rows_keep_their_text(void **state)
{
    (void)state;
    struct tables tables;
    struct error err = {0};
    static const int64_t ids[] = {1, 3, 99};
    tables_create(&tables, &kinds[0]);
    write_rows(&tables, 1, 5);
    assert_int_equal(tables_delete(&tables, ids, 3, STORE_FORGET, &err), 0);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_rows"), 3);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_text"), 5);
    assert_false(holds(&tables, 3));
    check(&tables);
    tables_close(&tables);
}

static void test_delete_all(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        struct store_state now;
        struct error err = {0};
        tables_create(&tables, &kinds[kind]);
        struct store *store = &tables.store;
        write_rows(&tables, 1, 50);
        assert_int_equal(store_read_state(store, &now, &err), 0);
        assert_int_equal(store_write_begin(store, &now, 0, &err), 0);
        assert_int_equal(store_write_end(store, &now, store_delete_all(store, &now, &err), &err),
                         0);
        assert_int_equal(now.partitions, 0);
        assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_rows"), 0);
        assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_data"), 0);
        check(&tables);
        write_rows(&tables, 7, 9);
        assert_int_equal(nearest(&tables, 8), 8);
        check(&tables);
        tables_close(&tables);
    }
}

/* ---- dimensions ------------------------------------------------------------------------------ */

static void test_dimensions_are_learnt(void **state)
{
    (void)state;
    struct tables tables;
    struct store_state now;
    struct error err = {0};
    float vector[DIMENSIONS + 1] = {1.0f};
    struct store_change changes[] = {
        {.kind = STORE_DELETE, .id = 8},
        {.kind = STORE_PUT, .id = 1, .vector = vector, .dimensions = DIMENSIONS},
        {.kind = STORE_PUT, .id = 2, .vector = vector, .dimensions = DIMENSIONS + 1, .own = 1},
    };
    tables_create(&tables, &kinds[0]);
    assert_int_equal(store_read_state(&tables.store, &now, &err), 0);
    assert_int_equal(store_check_changes(&now, changes, 2, &err), 0);
    assert_int_equal(store_check_changes(&now, changes, 3, &err), ERROR_INVALID);
    assert_string_equal(err.text,
                        "expected 32 dimensions, as the index has, not 33 (the vector given)");
    assert_int_equal(now.dimensions, 0);
    write_rows(&tables, 1, 1);
    assert_int_equal(store_read_state(&tables.store, &now, &err), 0);
    assert_int_equal(now.dimensions, DIMENSIONS);
    changes[2].own = 0;
    assert_int_equal(store_check_changes(&now, changes, 3, &err), ERROR_INVALID);
    assert_string_equal(err.text,
                        "expected 32 dimensions, as the index has, not 33 (lexical:hash)");
    tables_close(&tables);
}

/* ---- transactions ---------------------------------------------------------------------------- */

/* After ROLLBACK the generation of before is back, and with it what was read then. */
static void test_rollback(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        tables_create(&tables, &kinds[kind]);
        write_rows(&tables, 1, 300);
        assert_int_equal(nearest(&tables, 5), 5);
        tables_execute(&tables, "BEGIN");
        write_rows(&tables, 301, 700);
        assert_int_equal(nearest(&tables, 600), 600);
        tables_execute(&tables, "ROLLBACK");
        store_write_over(&tables.write);
        assert_int_equal(nearest(&tables, 5), 5);
        assert_true(nearest(&tables, 600) <= 300);
        check(&tables);
        tables_close(&tables);
    }
}

/* What a failed write has left is what ROLLBACK TO undoes. */
static void test_a_torn_write(void **state)
{
    (void)state;
    struct tables tables;
    struct error err = {0};
    tables_create(&tables, &kinds[3]);
    write_rows(&tables, 1, 300);
    tables_execute(&tables, "BEGIN; SAVEPOINT s");
    store_write_savepoint(&tables.write, 0);
    tables_execute(&tables, "UPDATE X_data SET bytes = zeroblob(7) WHERE block = 1");
    assert_int_equal(tables_write(&tables, 1, 400, &err), ERROR_CORRUPT);
    assert_string_equal(err.text, "block 1: its bytes have a wrong size ('optimize' mends it)");
    assert_int_equal(tables_write(&tables, 500, 500, &err), ERROR_INVALID);
    tables_execute(&tables, "ROLLBACK TO s");
    store_write_rollback_to(&tables.write, 0);
    check(&tables);
    write_rows(&tables, 1, 400);
    tables_execute(&tables, "COMMIT");
    store_write_over(&tables.write);
    check(&tables);
    tables_close(&tables);
}

/* ---- damage ---------------------------------------------------------------------------------- */

struct damage {
    const char *sql, *text;
    int is_mended; /* by 'optimize' */
};

static void find_damage(const struct store_options *options, const struct damage *damages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct tables tables;
        struct error err = {0};
        tables_create(&tables, options);
        write_rows(&tables, 1, 20);
        tables_execute(&tables, damages[i].sql);
        tables_reopen(&tables);
        assert_int_equal(store_integrity_check(&tables.store, &err), ERROR_CORRUPT);
        assert_string_equal(err.text, damages[i].text);
        if (damages[i].is_mended) {
            optimize(&tables);
            check(&tables);
        }
        tables_close(&tables);
    }
}

static void test_damage_of_blocks(void **state)
{
    (void)state;
    static const struct damage damages[] = {
        {"DELETE FROM X_data", "block 1: its bytes are not there", 0},
        {"UPDATE X_blocks SET room = -1", "block 1: its size is damaged", 0},
        {"UPDATE X_rows SET block = 2 WHERE id = 7",
         "row 7: it lies in block 1, which is not its place", 1},
        {"INSERT INTO X_rows VALUES(21, 0, 0, 1)", "there are 21 rows, but 20 in blocks", 0},
        {"INSERT INTO X_data VALUES(2, x'00')",
         "block 2: its bytes belong to no block ('optimize' mends it)", 1},
        {"DELETE FROM X_text WHERE id = 3", "row 3: its vector has no text", 0},
    };
    find_damage(&kinds[0], damages, sizeof damages / sizeof *damages);
}

static void test_damage_of_codes(void **state)
{
    (void)state;
    static const struct damage damages[] = {
        {"UPDATE X_data SET bytes = zeroblob(length(bytes))",
         "row 0: it lies in block 1, which is not its place ('optimize' mends it)", 1},
        {"DELETE FROM X_vectors WHERE id = 4",
         "row 4: its vector is not there ('optimize' forgets the row)", 1},
        {"UPDATE X_vectors SET vector = x'00' WHERE id = 4",
         "row 4: expected a vector of 128 bytes, not 1", 0},
        {"UPDATE X_vectors SET vector = zeroblob(128) WHERE id = 4", "row 4: its vector is zero",
         0},
        {"UPDATE X_vectors SET vector = (SELECT vector FROM X_vectors WHERE id = 5) WHERE id = 4",
         "row 4: its code is not that of its vector ('optimize' mends it)", 1},
        {"INSERT INTO X_vectors SELECT 99, vector FROM X_vectors WHERE id = 4",
         "row 99: its vector belongs to no row ('optimize' mends it)", 1},
        {"DELETE FROM X_partitions", "the partitions are damaged ('optimize' mends them)", 1},
        {"UPDATE X_config SET value = 0 WHERE key = 'partitions'",
         "block 1: its partition is not there ('optimize' mends it)", 1},
    };
    find_damage(&kinds[3], damages, sizeof damages / sizeof *damages);
}

static void test_damage_of_compact_vectors(void **state)
{
    (void)state;
    static const struct damage in_blocks[] = {
        {"UPDATE X_data SET bytes = substr(bytes, 1, 160) || zeroblob(length(bytes) - 160)",
         "row 1: its vector is zero", 0},
        {"UPDATE X_data SET bytes = substr(bytes, 1, 160) || "
         "CAST(replace(hex(zeroblob((length(bytes) - 160) / 2)), '00', 'zz') AS BLOB)",
         "row 1: the bytes of its vector are none that storage = 'int8' writes", 0},
        {"UPDATE X_data SET bytes = substr(bytes, 2)", "block 1: its bytes have a wrong size", 0},
        {"UPDATE X_config SET value = 2 WHERE key = 'format'",
         "X_config: format or dimensions is damaged (drop the index and create it again)", 0},
    };
    /* Runs of five: rows 6 to 10. */
    static const struct damage beside_codes[] = {
        {"UPDATE X_vectors SET vector = substr(vector, 2) WHERE id = 6",
         "row 6: expected a vector of 36 bytes, not 219", 0},
        {"UPDATE X_vectors SET vector = zeroblob(36) WHERE id = 6", "row 6: its vector is zero", 0},
        {"UPDATE X_vectors SET vector = CAST(substr(vector, 1, 40) || zeroblob(4) || "
         "substr(vector, 45) AS BLOB) WHERE id = 6",
         "row 6: the bytes of its vector are none that storage = 'int8' writes", 0},
        {"UPDATE X_vectors SET vector = CAST(substr(vector, 1, 40) || (SELECT substr(vector, 41) "
         "FROM X_vectors WHERE id = 11) AS BLOB) WHERE id = 6",
         "row 6: its code is not that of its vector ('optimize' mends it)", 1},
    };
    find_damage(&kinds[7], in_blocks, sizeof in_blocks / sizeof *in_blocks);
    find_damage(&kinds[9], beside_codes, sizeof beside_codes / sizeof *beside_codes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_which_tables_there_are),
        cmocka_unit_test(test_config_comes_back),
        cmocka_unit_test(test_config_that_is_not_ours),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_rename_and_drop),
        cmocka_unit_test(test_a_row),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_partitions_are_cut),
        cmocka_unit_test(test_forgotten_rows_keep_their_text),
        cmocka_unit_test(test_delete_all),
        cmocka_unit_test(test_dimensions_are_learnt),
        cmocka_unit_test(test_rollback),
        cmocka_unit_test(test_a_torn_write),
        cmocka_unit_test(test_damage_of_blocks),
        cmocka_unit_test(test_damage_of_codes),
        cmocka_unit_test(test_damage_of_compact_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
