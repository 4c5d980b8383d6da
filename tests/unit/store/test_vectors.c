/*
 * test_vectors.c: vectors of an index with codes, as searches keep them in memory; and what of them
 * outlives writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "base/failing_memory.h"
#include "store/asked.h"

enum { N_ROWS = 5000, MOST_ROWS = 9000 };

static char folder[] = "/tmp/vectors_XXXXXX";
static char path[64];

/* Fetches the rows from `first` on; each is its own. */
static void fetch(struct asked *asked, int64_t first, int64_t n)
{
    struct error err = {0};
    for (int64_t id = first; id < first + n; id++) {
        float vector[DIMENSIONS];
        const void *bytes;
        size_t size;
        int found;
        tables_vector(id, vector);
        assert_int_equal(
            asked->storage.fetch(asked->storage.context, id, &bytes, &size, &found, &err), 0);
        assert_true(found);
        assert_int_equal(size, sizeof vector);
        assert_memory_equal(bytes, vector, size);
    }
}

/* How many are in memory. */
static int64_t n_kept(const struct asked *asked)
{
    int64_t n = 0;
    for (int64_t id = 1; id <= MOST_ROWS; id++) n += vectors_find(&asked->reader, id) != NULL;
    return n;
}

static void create(struct tables *tables, struct asked *asked)
{
    tables_create(tables, &bits);
    write_rows(tables, 1, N_ROWS);
    begin(tables, asked); /* the first search of a process may be the last */
    reader_close(&asked->reader);
    begin(tables, asked);
}

/* Four for each that was fetched, those of the least ids; each block when it is due. */
static void test_block_by_block(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct index_layout layout = {INDEX_COSINE, INDEX_EXACT, DIMENSIONS, INDEX_FLOAT32};
    int64_t capacity = (int64_t)index_block_capacity(&layout, N_ROWS);
    assert_in_range(capacity, 500, N_ROWS / 2);
    create(&tables, &asked);
    fetch(&asked, N_ROWS - 99, 100);
    assert_int_equal(n_kept(&asked), 0);
    for (int64_t n = 100, most = (capacity - 1) / 4; n < most; n += 100)
        fetch(&asked, N_ROWS - 99, n + 100 < most ? 100 : most - n);
    assert_int_equal(n_kept(&asked), 0);
    for (int i = 0; i < 3; i++) fetch(&asked, N_ROWS, 1); /* a block ends with a run */
    int64_t n_first = n_kept(&asked);
    assert_in_range(n_first, capacity, capacity + 7);
    assert_non_null(vectors_find(&asked.reader, n_first));
    assert_null(index_snapshot_vectors(asked.reader.snapshot));
    fetch(&asked, 1, n_first); /* from memory: nothing is due */
    assert_int_equal(n_kept(&asked), n_first);
    while (n_kept(&asked) < N_ROWS) fetch(&asked, N_ROWS, 1);
    assert_non_null(index_snapshot_vectors(asked.reader.snapshot));
    fetch(&asked, 1, N_ROWS);
    reader_close(&asked.reader);
    tables_close(&tables);
}

/* A scan of all keeps all of a small index, for whoever comes after. */
static void test_scan(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct error err = {0};
    create(&tables, &asked);
    assert_int_equal(scan(&asked, 77, &err), 0);
    assert_int_equal(n_kept(&asked), N_ROWS);
    reader_close(&asked.reader);
    begin(&tables, &asked);
    assert_non_null(index_snapshot_vectors(asked.reader.snapshot));
    fetch(&asked, 1, N_ROWS);
    reader_close(&asked.reader);
    tables_close(&tables);
}

static void test_budget(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct error err = {0};
    create(&tables, &asked);
    struct catalog *catalog = tables.connection->catalog;
    assert_int_equal(catalog_set(catalog, CATALOG_MEMORY_BUDGET, "2600000", &err), 0);
    assert_int_equal(scan(&asked, 4711, &err), 0);
    assert_int_equal(n_kept(&asked), 0); /* 680,000 bytes with ids: over a quarter */
    fetch(&asked, 1, N_ROWS);
    assert_int_equal(catalog_set(catalog, CATALOG_MEMORY_BUDGET, "4000000", &err), 0);
    assert_int_equal(scan(&asked, 4711, &err), 0);
    assert_int_equal(n_kept(&asked), N_ROWS);
    reader_close(&asked.reader);
    tables_close(&tables);
}

/* Rows that are not what the snapshot tells are not kept: whoever wants them is told by the read
 * that finds out. */
static void test_damage(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "INSERT INTO X_vectors SELECT 99999, vector FROM X_vectors WHERE id = 1",
        "DELETE FROM X_vectors WHERE id > 4990", "UPDATE X_vectors SET vector = x'00' WHERE id = 7",
        "UPDATE X_vectors SET vector = '' WHERE id IN (SELECT max(id) FROM X_vectors)"};
    for (size_t i = 0; i < 4; i++) {
        struct tables tables;
        struct asked asked;
        struct error err = {0};
        create(&tables, &asked);
        tables_execute(&tables, damages[i]);
        for (int turn = 0; turn < 2; turn++) {
            assert_int_equal(scan(&asked, 77, &err), i < 2 ? 0 : ERROR_CORRUPT);
            assert_int_equal(n_kept(&asked), 0);
        }
        if (i == 2)
            assert_non_null(strstr(err.text, "row 7: expected a vector of 128 bytes, not 1"));
        fetch(&asked, 77, 2 * N_ROWS / 3); /* those that are there, and enough of them */
        assert_int_equal(n_kept(&asked), 0);
        reader_close(&asked.reader);
        tables_close(&tables);
    }
}

/* The table is edited between the list and a read of it. */
static void test_changed_after_the_list(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct error err = {0};
    create(&tables, &asked);
    struct index_snapshot *vectors;
    const struct index_storage *storage;
    assert_int_equal(asked.storage.vectors(asked.storage.context, &vectors, &storage, &err), 0);
    assert_ptr_equal(vectors, atomic_load(&asked.reader.snapshot->vectors));
    tables_execute(&tables, "DELETE FROM X_vectors WHERE id > 2500");
    assert_int_equal(scan(&asked, 77, &err), ERROR_CORRUPT);
    assert_non_null(strstr(err.text, "changed under the index"));
    /* And by a write of this connection: the rows are another snapshot's. */
    write_rows(&tables, 1, 1);
    assert_int_equal(scan(&asked, 77, &err), ERROR_INVALID);
    assert_non_null(strstr(err.text, "the index was changed while a search of it was read"));
    reader_close(&asked.reader);
    tables_close(&tables);
}

static int interrupt(void *context)
{
    return ++*(int *)context >= 2;
}

/* What fails half-way goes on from there. */
static void test_interrupted(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct error err = {0};
    int n_calls = 0;
    create(&tables, &asked);
    sqlite3_progress_handler(tables.db, 4000, interrupt, &n_calls);
    assert_int_equal(scan(&asked, 77, &err), ERROR_INTERRUPTED);
    sqlite3_progress_handler(tables.db, 0, NULL, NULL);
    assert_true(n_kept(&asked) < N_ROWS);
    assert_int_equal(scan(&asked, 77, &err), 0);
    assert_int_equal(n_kept(&asked), N_ROWS);
    fetch(&asked, 1, N_ROWS);
    reader_close(&asked.reader);
    tables_close(&tables);
}

/* ---- writes ---------------------------------------------------------------------------------- */

/* What the index should have: the id that each row's vector is made of; 0: there is no row. */
static int64_t like[MOST_ROWS + 1];

/* Writes rows with the vectors of others, in one write. */
static void put(struct tables *tables, int64_t first, int64_t n, int64_t offset)
{
    struct store *store = &tables->store;
    struct store_state state;
    struct error err = {0};
    struct store_change *changes = memory_zalloc((size_t)n, sizeof *changes);
    float *vectors = memory_alloc((size_t)n, DIMENSIONS * sizeof *vectors);
    for (int64_t i = 0; i < n; i++) {
        like[first + i] = first + i + offset;
        tables_vector(first + i + offset, vectors + i * DIMENSIONS);
        changes[i] = (struct store_change){.kind = STORE_PUT,
                                           .id = first + i,
                                           .text = "text",
                                           .text_size = 4,
                                           .vector = vectors + i * DIMENSIONS,
                                           .dimensions = DIMENSIONS};
    }
    tables_execute(tables, "SAVEPOINT w");
    assert_int_equal(store_read_state(store, &state, &err), 0);
    uint64_t hash = store_hash_changes(changes, (size_t)n, 0);
    assert_int_equal(store_write_begin(store, &state, hash, &err), 0);
    int rc = store_write_rows(store, &state, changes, (size_t)n, &err);
    assert_int_equal(store_write_end(store, &state, rc, &err), 0);
    tables_execute(tables, "RELEASE w");
    memory_free(vectors);
    memory_free(changes);
}

static void take_away(struct tables *tables, int64_t first, int64_t n)
{
    struct error err = {0};
    int64_t ids[200];
    assert_in_range(n, 1, 200);
    for (int64_t i = 0; i < n; i++) like[ids[i] = first + i] = 0;
    tables_execute(tables, "SAVEPOINT w");
    assert_int_equal(tables_delete(tables, ids, (size_t)n, STORE_DELETE, &err), 0);
    tables_execute(tables, "RELEASE w");
}

/* Whether all vectors are in memory; what is there is what was written. */
static int holds_all(struct tables *tables)
{
    struct asked asked;
    begin(tables, &asked);
    for (int64_t id = 1; id <= MOST_ROWS; id++) {
        float vector[DIMENSIONS], scratch[DIMENSIONS];
        unsigned char stored[DIMENSIONS * sizeof(float)];
        const void *found = vectors_find(&asked.reader, id);
        if (found == NULL) continue;
        assert_int_not_equal(like[id], 0);
        tables_vector(like[id], vector);
        index_vector_write(&asked.reader.layout, vector, scratch, stored);
        assert_memory_equal(found, stored, index_vector_size(&asked.reader.layout));
    }
    int all = index_snapshot_vectors(asked.reader.snapshot) != NULL;
    reader_close(&asked.reader);
    return all;
}

/* Searches by codes, and all vectors. */
static void warm_up(struct tables *tables, int64_t id)
{
    struct asked asked;
    struct error err = {0};
    assert_int_equal(nearest(tables, id), id);
    begin(tables, &asked);
    assert_int_equal(scan(&asked, id, &err), 0);
    reader_close(&asked.reader);
}

static void fill(struct tables *tables, const struct store_options *options, const char *file)
{
    struct error err = {0};
    memset(like, 0, sizeof like);
    unlink(path);
    tables_connect_to(tables, file, options);
    tables_execute(tables, "PRAGMA synchronous = off; PRAGMA journal_mode = wal");
    assert_int_equal(schema_create(&tables->store, &usual_config, &err), 0);
    for (int64_t first = 1; first <= N_ROWS; first += 1000) put(tables, first, 1000, 0);
    warm_up(tables, 77);
    warm_up(tables, 77);
}

/* Rows are written, replaced, deleted, alone and together: the others stay in memory. */
static void test_writes(void **state)
{
    (void)state;
    static const struct store_options kinds[] = {
        {INDEX_COSINE, INDEX_BIT, 0, 0, INDEX_FLOAT32},
        {INDEX_L2, INDEX_INT8, 0, 0, INDEX_FLOAT32},
        {INDEX_DOT, INDEX_BIT, 0, 0, INDEX_HALF},
        {INDEX_COSINE, INDEX_INT8, 0, 0, INDEX_COMPACT},
    };
    for (size_t i = 0; i < 8; i++) {
        struct tables tables;
        fill(&tables, &kinds[i % 4], i < 4 ? ":memory:" : path);
        assert_true(holds_all(&tables));
        put(&tables, 17, 1, 100000);
        assert_true(holds_all(&tables));
        put(&tables, 17, 1, 200000); /* it waits */
        assert_true(holds_all(&tables));
        put(&tables, N_ROWS + 1, 1, 0);
        assert_true(holds_all(&tables));
        for (int64_t n = 2; n < 50; n++)
            put(&tables, N_ROWS + n, 1, 0); /* those that wait settle */
        assert_true(holds_all(&tables));
        take_away(&tables, 1, 3);
        assert_true(holds_all(&tables));
        put(&tables, 2, 1, 0);
        take_away(&tables, 2000, 200);
        put(&tables, 4000, 150, 300000);
        assert_true(holds_all(&tables));
        for (int64_t n = 0; n < 3000; n += 500) { /* a block grows, and is cut */
            put(&tables, N_ROWS + 100 + n, 500, 0);
            assert_true(holds_all(&tables));
        }
        warm_up(&tables, 77);
        warm_up(&tables, N_ROWS + 200);
        optimize(&tables); /* all codes move */
        holds_all(&tables);
        check(&tables);
        tables_close(&tables);
    }
}

/* With partitions, of which searches look at some: what is in memory is right. */
static void test_partitions(void **state)
{
    (void)state;
    static const struct store_options some = {INDEX_COSINE, INDEX_BIT, 20, 0, INDEX_FLOAT32};
    struct tables tables;
    fill(&tables, &some, ":memory:");
    for (int64_t i = 0; i < 200; i++) {
        if (i % 5 == 4) take_away(&tables, 1 + i * 17 % N_ROWS, 1);
        else put(&tables, 1 + i * 101 % (N_ROWS + 50), 1 + i % 7, i * 1000);
        holds_all(&tables);
        if (i % 20 == 0) warm_up(&tables, 4999);
    }
    check(&tables);
    tables_close(&tables);
}

/* What was undone is not there, and what another connection wrote is. */
static void test_undone(void **state)
{
    (void)state;
    struct tables tables, other;
    fill(&tables, &bits, path);
    tables_connect_to(&other, path, &bits);
    for (int64_t i = 0; i < 10; i++) {
        int64_t before = like[300 + i];
        tables_execute(&tables, "BEGIN");
        put(&tables, 300 + i, 1, 500000);
        assert_true(holds_all(&tables));
        tables_execute(&tables, "SAVEPOINT s");
        put(&tables, 300 + i, 1, 600000);
        assert_true(holds_all(&tables));
        tables_execute(&tables, "ROLLBACK TO s");
        like[300 + i] = 300 + i + 500000;
        assert_true(holds_all(&tables));
        tables_execute(&tables, i % 2 ? "ROLLBACK" : "COMMIT");
        if (i % 2) like[300 + i] = before;
        assert_true(holds_all(&other));
        put(&other, 700 + i, 1, 700000);
        assert_true(holds_all(&tables));
    }
    tables_close(&other);
    tables_close(&tables);
}

/* The block that a row was in before is not in memory: a row of it may be gone. */
static void test_unknown(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct error err = {0};
    fill(&tables, &bits, ":memory:");
    tables_reopen(&tables); /* nothing is in memory */
    begin(&tables, &asked);
    assert_int_equal(scan(&asked, 77, &err), 0); /* no code is read */
    reader_close(&asked.reader);
    assert_true(holds_all(&tables));
    put(&tables, 17, 1, 100000);
    assert_false(holds_all(&tables));
    tables_close(&tables);
}

/* Takes over again what an older snapshot had. */
static int take_over(void *context, struct error *err)
{
    struct tables *tables = context;
    struct store_state state;
    struct asked asked;
    reader_open(&tables->store, &asked.reader, &asked.storage);
    int rc = store_read_state(&tables->store, &state, err);
    if (rc == 0) rc = reader_begin(&asked.reader, &state, err);
    reader_close(&asked.reader);
    return rc;
}

static int take_over_anew(void *context, struct error *err)
{
    struct tables *tables = context;
    long n = failing_memory_after;
    failing_memory_after = -1;
    put(tables, 40, 1, 1000 * (1 + like[40] % 7));
    failing_memory_after = n;
    return take_over(tables, err);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct tables tables;
    struct error err = {0};
    int rc = ERROR_NOMEM;
    fill(&tables, &bits, path);
    for (int i = 0; i < 40; i++) assert_int_equal(take_over_anew(&tables, &err), 0);
    for (long n = 0; rc != 0 && n < 1000; n++) {
        failing_memory_after = n;
        rc = take_over_anew(&tables, &err);
        failing_memory_after = -1;
        assert_true(rc == 0 || rc == ERROR_NOMEM);
        holds_all(&tables);
    }
    assert_int_equal(rc, 0);
    tables_close(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_by_block),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_changed_after_the_list),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_undone),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_out_of_memory),
    };
    failing_memory_bind();
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof path, "%s/x.db", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}
