/* Vectors behind codes in runs: beside a plain list of them after any history, and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/seen.h"
#include "store/waiting.h"

enum { SIZE = 1536, MOST_IDS = 400 };

static const struct store_options bits = {INDEX_COSINE, INDEX_BIT, 0, 0, INDEX_FLOAT32};

/* What X_vectors should have: by id, from -MOST_IDS / 2 on, the byte that fills the vector; 0: it
 * is not there. */
struct expected {
    unsigned char bytes[MOST_IDS];
};

static int64_t id_of(size_t i)
{
    return (int64_t)i - MOST_IDS / 2;
}

/* Writes rows from place `first` on, each `step` after the other. */
static void put(struct tables *tables, struct expected *model, size_t first, size_t step, size_t n,
                unsigned char byte)
{
    static unsigned char vectors[MOST_IDS][SIZE];
    struct block_row rows[MOST_IDS];
    struct error err = {0};
    for (size_t i = 0; i < n; i++) {
        size_t at = first + i * step;
        assert_true(at < MOST_IDS);
        memset(vectors[i], byte, SIZE);
        model->bytes[at] = byte;
        rows[i] = (struct block_row){.id = id_of(at), .stored = vectors[i]};
    }
    tables->write.step = STORE_WRITING;
    assert_int_equal(runs_put(&tables->store, SIZE, rows, n, &err), 0);
    tables->write.step = STORE_IDLE;
}

/* Deletes n rows, each `step` after the other, together. */
static void drop(struct tables *tables, struct expected *model, size_t first, size_t step, size_t n)
{
    struct error err = {0};
    int64_t ids[MOST_IDS];
    for (size_t i = 0; i < n; i++) {
        model->bytes[first + i * step] = 0;
        ids[i] = id_of(first + i * step);
    }
    tables->write.step = STORE_WRITING;
    assert_int_equal(runs_delete(&tables->store, SIZE, ids, n, &err), 0);
    tables->write.step = STORE_IDLE;
}

static void expect(struct tables *tables, const struct expected *model)
{
    struct runs_scan scan = {.vector_size = SIZE};
    struct error err = {0};
    unsigned char stored[SIZE];
    const void *vector;
    size_t size;
    int64_t id;
    int row;
    assert_int_equal(store_query(&tables->store, STORE_VECTORS, &scan.statement, &err), 0);
    for (size_t i = 0; i < MOST_IDS; i++) {
        int rc = runs_get(&tables->store, id_of(i), SIZE, stored, &err);
        assert_int_equal(rc, model->bytes[i] == 0 ? ERROR_CORRUPT : 0);
        if (rc != 0) continue;
        assert_int_equal(runs_next(&scan, &tables->store, &row, &id, &vector, &size, &err), 0);
        assert_true(row);
        assert_int_equal(id, id_of(i));
        assert_int_equal(size, SIZE);
        assert_memory_equal(vector, stored, SIZE);
        for (size_t j = 0; j < SIZE; j++) assert_int_equal(stored[j], model->bytes[i]);
    }
    assert_int_equal(runs_next(&scan, &tables->store, &row, &id, &vector, &size, &err), 0);
    assert_false(row);
    sqlite3_finalize(scan.statement);
}

static int64_t n_runs(struct tables *tables)
{
    return tables_number(tables, "SELECT count(*) FROM X_vectors");
}

/* In order, some at a time or one by one: full runs but the last. */
static void test_in_order(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 7, 100};
    for (size_t s = 0; s < 4; s++) {
        struct tables tables;
        struct expected model = {{0}};
        tables_create(&tables, &bits);
        for (size_t at = 0; at < 300; at += steps[s])
            put(&tables, &model, at, 1, at + steps[s] < 300 ? steps[s] : 300 - at,
                (unsigned char)(at % 200 + 1));
        expect(&tables, &model);
        assert_int_equal(n_runs(&tables), 100);
        tables_close(&tables);
    }
}

/* Pages of another size, as VACUUM makes them: what is there is read, what is new fills them. */
static void test_page_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *pragma;
        int64_t n_runs;
    } sizes[] = {{"PRAGMA page_size = 8192; VACUUM", 20 + 60},
                 {"PRAGMA page_size = 65536; VACUUM", 20 + 60},
                 {"PRAGMA page_size = 512; VACUUM", 20 + 30}};
    for (size_t i = 0; i < 3; i++) {
        struct tables tables;
        struct expected model = {{0}};
        tables_create(&tables, &bits);
        put(&tables, &model, 0, 1, 60, 1);
        assert_int_equal(n_runs(&tables), 20);
        store_finalize(&tables.store);
        tables_execute(&tables, sizes[i].pragma);
        put(&tables, &model, 100, 1, 60, 2);
        expect(&tables, &model);
        assert_in_range(n_runs(&tables), 30, 80);
        tables_close(&tables);
    }
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct tables tables;
        struct expected model = {{0}};
        uint64_t draw = seed;
        tables_create(&tables, &bits);
        for (int turn = 0; turn < 150; turn++) {
            size_t first = random_bits(&draw) % MOST_IDS, step = 1 + random_bits(&draw) % 9,
                   n = 1 + random_bits(&draw) % 30;
            while (first + (n - 1) * step >= MOST_IDS) n--;
            if (random_bits(&draw) % 3 > 0)
                put(&tables, &model, first, step, n, (unsigned char)(turn + 1));
            else drop(&tables, &model, first, step, random_bits(&draw) % 2 > 0 ? n : 1);
            if (turn % 10 == 0) expect(&tables, &model);
        }
        expect(&tables, &model);
        tables_close(&tables);
    }
}

/* The bytes of the run that begins there; 0: none does. */
static int64_t bytes_of(struct tables *tables, size_t at)
{
    char *sql = sqlite3_mprintf("SELECT ifnull((SELECT length(vector) FROM X_vectors WHERE id = "
                                "%lld), 0)",
                                (long long)id_of(at));
    int64_t n = tables_number(tables, sql);
    sqlite3_free(sql);
    return n;
}

/* What rows leave behind in a run: zeros while half of it is used, and room for others. */
static void test_places(void **state)
{
    (void)state;
    enum { FULL = 3 * (SIZE + 8) };
    struct tables tables;
    struct expected model = {{0}};
    tables_create(&tables, &bits);
    put(&tables, &model, 0, 2, 9, 1);
    drop(&tables, &model, 2, 1, 1); /* the second of a run */
    assert_int_equal(bytes_of(&tables, 0), FULL);
    assert_int_equal(tables_number(&tables, "SELECT count(*) FROM X_vectors WHERE "
                                            "substr(vector, 25 + 2 * 1536) = zeroblob(1536)"),
                     1);
    expect(&tables, &model);
    put(&tables, &model, 1, 1, 1, 2); /* between two that are there */
    assert_int_equal(bytes_of(&tables, 0), FULL);
    drop(&tables, &model, 4, 2, 2); /* the last of a run and the first of the next */
    assert_int_equal(bytes_of(&tables, 0), FULL);
    assert_int_equal(bytes_of(&tables, 6), FULL);
    put(&tables, &model, 0, 1, 1, 3);
    put(&tables, &model, 11, 1, 1, 3);
    assert_int_equal(bytes_of(&tables, 0), FULL);
    assert_int_equal(bytes_of(&tables, 6), FULL);
    expect(&tables, &model);
    drop(&tables, &model, 0, 1, 1);
    assert_int_equal(bytes_of(&tables, 0), SIZE + 8); /* it is not of the first id */
    drop(&tables, &model, 8, 1, 4);                   /* all of one */
    assert_int_equal(n_runs(&tables), 2);
    expect(&tables, &model);
    tables_close(&tables);
}

/* Places that are to spare are used, and what the next run hides goes, also twice. */
static void test_tidy(void **state)
{
    (void)state;
    struct tables tables;
    struct expected model = {{0}};
    struct error err = {0};
    tables_create(&tables, &bits);
    put(&tables, &model, 0, 1, 300, 1);
    for (size_t at = 0; at < 300; at += 3) drop(&tables, &model, at + at / 3 % 3, 1, 1);
    put(&tables, &model, 300, 1, 9, 2);
    assert_in_range(tables_number(&tables, "SELECT sum(length(vector)) FROM X_vectors"),
                    102 * 3 * SIZE, 104 * 3 * (SIZE + 8));
    for (int turn = 0; turn < 2; turn++) {
        tables.write.step = STORE_WRITING;
        assert_int_equal(runs_tidy(&tables.store, SIZE, &err), 0);
        tables.write.step = STORE_IDLE;
        expect(&tables, &model);
        assert_in_range(n_runs(&tables), 70, 72);
        assert_in_range(tables_number(&tables, "SELECT sum(length(vector)) FROM X_vectors"),
                        209 * SIZE, 211 * (SIZE + 8));
    }
    tables_close(&tables);
}

static void test_entangled(void **state)
{
    (void)state;
    struct tables tables;
    struct expected model = {{0}};
    struct error err = {0};
    tables_create(&tables, &bits);
    put(&tables, &model, 0, 4, 12, 1); /* four runs of every fourth id */
    for (size_t at = 12; at <= 24; at += 12) {
        char *sql = sqlite3_mprintf("UPDATE X_vectors SET id = id - 5 WHERE id = %lld",
                                    (long long)id_of(at));
        tables_execute(&tables, sql);
        sqlite3_free(sql);
        model.bytes[at - 4] = 0;
    }
    tables.write.step = STORE_WRITING;
    assert_int_equal(runs_tidy(&tables.store, SIZE, &err), 0);
    tables.write.step = STORE_IDLE;
    expect(&tables, &model);
    tables_close(&tables);
}

/* Runs that have not got their first ids, as earlier versions wrote them. */
static void test_earlier(void **state)
{
    (void)state;
    struct tables tables;
    struct expected model = {{0}};
    tables_create(&tables, &bits);
    put(&tables, &model, 0, 2, 30, 1);
    tables_execute(&tables, "UPDATE X_vectors SET vector = substr(vector, 9) WHERE "
                            "length(vector) > 1536");
    assert_int_equal(bytes_of(&tables, 0), 3 * SIZE + 16);
    expect(&tables, &model);
    drop(&tables, &model, 0, 1, 1);
    drop(&tables, &model, 8, 1, 1);
    drop(&tables, &model, 16, 1, 1);
    drop(&tables, &model, 24, 2, 2);
    put(&tables, &model, 30, 1, 3, 2);
    put(&tables, &model, 58, 1, 5, 2);
    put(&tables, &model, 42, 1, 1, 2);
    expect(&tables, &model);
    tables_close(&tables);
}

/* The ends of int64, and what is in one table alone; rows that wait have vectors, too. */
static void test_compare(void **state)
{
    (void)state;
    static unsigned char vector[SIZE], waiting_vectors[3 * SIZE];
    const struct block_row rows[] = {{.id = INT64_MIN, .stored = vector},
                                     {.id = -1, .stored = vector},
                                     {.id = 0, .stored = vector},
                                     {.id = 7, .stored = vector},
                                     {.id = INT64_MAX, .stored = vector}};
    struct tables tables;
    struct error err = {0};
    struct ids only_rows = {0}, only_vectors = {0};
    tables_create(&tables, &bits);
    tables.write.step = STORE_WRITING;
    for (size_t i = 5; i > 0; i--)
        assert_int_equal(runs_put(&tables.store, SIZE, rows + i - 1, 1, &err), 0);
    assert_int_equal(runs_put(&tables.store, SIZE, rows, 5, &err), 0);
    assert_int_equal(runs_put(&tables.store, SIZE, rows, 0, &err), 0);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(runs_get(&tables.store, rows[i].id, SIZE, vector, &err), 0);
    tables_execute(&tables,
                   "INSERT INTO X_rows(id, hash, own, block) VALUES (-1, 0, 0, 0), "
                   "(3, 0, 0, 0), (4, 0, 0, 0), (7, 0, 0, 0), (9223372036854775804, 0, 0, 0), "
                   "(9223372036854775806, 0, 0, 0)");
    struct store_waiting listed[] = {{-2, 1, 1}, {4, 1, 2}, {INT64_MAX - 3, 1, 3}};
    struct waiting_rows waiting = {
        .n = 3, .vector_size = SIZE, .rows = listed, .vectors = waiting_vectors};
    assert_int_equal(waiting_compare(&tables.store, &waiting, &only_rows, &only_vectors, &err), 0);
    assert_int_equal(only_rows.n, 2);
    assert_int_equal(only_rows.items[0], 3);
    assert_int_equal(only_rows.items[1], INT64_MAX - 1);
    assert_int_equal(only_vectors.n, 4);
    assert_int_equal(only_vectors.items[0], INT64_MIN);
    assert_int_equal(only_vectors.items[1], -2);
    assert_int_equal(only_vectors.items[2], 0);
    assert_int_equal(only_vectors.items[3], INT64_MAX);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(runs_delete(&tables.store, SIZE, &rows[i].id, 1, &err), 0);
        assert_int_equal(runs_delete(&tables.store, SIZE, &rows[i].id, 1, &err), 0); /* not there */
    }
    assert_int_equal(n_runs(&tables), 0);
    tables.write.step = STORE_IDLE;
    ids_deinit(&only_rows);
    ids_deinit(&only_vectors);
    tables_close(&tables);
}

/* A run that is damaged is one row's; others go beside it, and what is written over it mends it. */
static void test_damage(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "x''", "x'00'", "zeroblob(4625)", "zeroblob(1535)", "'a text'",
        /* a row in a place behind one that has none */
        "x'3bffffffffffffff00000000000000803dffffffffffffff' || zeroblob(3 * 1536)",
        /* an id that lies before the run */
        "x'3affffffffffffff3cffffffffffffff3dffffffffffffff' || zeroblob(3 * 1536)"};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct tables tables;
        struct expected model = {{0}};
        struct error err = {0};
        unsigned char stored[SIZE];
        tables_create(&tables, &bits);
        put(&tables, &model, 0, 1, 9, 1);
        char *sql = sqlite3_mprintf("UPDATE X_vectors SET vector = %s WHERE id = %lld", damages[i],
                                    (long long)id_of(3));
        tables_execute(&tables, sql);
        sqlite3_free(sql);
        assert_int_equal(runs_get(&tables.store, id_of(3), SIZE, stored, &err), ERROR_CORRUPT);
        assert_non_null(strstr(err.text, "row -197: expected a vector of 1536 bytes, not "));
        assert_int_equal(runs_get(&tables.store, id_of(4), SIZE, stored, &err), ERROR_CORRUPT);
        assert_string_equal(err.text,
                            "row -196: its vector is not there ('optimize' forgets the row)");
        put(&tables, &model, 4, 1, 1, 2);
        assert_int_equal(runs_get(&tables.store, id_of(4), SIZE, stored, &err), 0);
        put(&tables, &model, 3, 1, 1, 3);
        model.bytes[5] = 0;
        expect(&tables, &model);
        tables_close(&tables);
    }
}

/* Ids that do not ascend are no run, which writes would be merged into. */
static void test_order(void **state)
{
    (void)state;
    static const char *const others[] = {
        "x'080000000000000009000000000000000400000000000000'", /* 8, 9, 4 */
        "x'080000000000000008000000000000000900000000000000'",
        "x'010000000000000002000000000000000300000000000000'",
        "x'ffffffffffffffff02000000000000000300000000000000'"};
    static unsigned char vectors[3 * SIZE], stored[SIZE];
    const struct block_row rows[] = {{.id = 3, .stored = vectors},
                                     {.id = 8, .stored = vectors + SIZE},
                                     {.id = 9, .stored = vectors + 2 * SIZE}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct tables tables;
        struct error err = {0};
        tables_create(&tables, &bits);
        char *sql = sqlite3_mprintf("INSERT INTO X_vectors VALUES (1, %s || zeroblob(4 * %d))",
                                    others[i], SIZE);
        tables_execute(&tables, sql);
        sqlite3_free(sql);
        assert_int_equal(runs_get(&tables.store, 1, SIZE, stored, &err), ERROR_CORRUPT);
        assert_string_equal(err.text, "row 1: expected a vector of 1536 bytes, not 6168");
        tables.write.step = STORE_WRITING;
        assert_int_equal(runs_put(&tables.store, SIZE, rows, 3, &err), 0);
        tables.write.step = STORE_IDLE;
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(runs_get(&tables.store, rows[j].id, SIZE, stored, &err), 0);
        tables_close(&tables);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),  cmocka_unit_test(test_page_sizes),
        cmocka_unit_test(test_random),    cmocka_unit_test(test_compare),
        cmocka_unit_test(test_damage),    cmocka_unit_test(test_places),
        cmocka_unit_test(test_tidy),      cmocka_unit_test(test_earlier),
        cmocka_unit_test(test_entangled), cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
