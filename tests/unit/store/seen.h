/*
 * seen.h: what is seen of the shadow tables of tables.h: written, searched and read.
 *
 * For one test program, which includes cmocka.h before.
 */
#ifndef TESTS_STORE_SEEN_H
#define TESTS_STORE_SEEN_H

#include "store/integrity.h"
#include "store/optimize.h"
#include "store/reader.h"
#include "store/tables.h"

static inline void check(struct tables *tables)
{
    struct error err = {0};
    int rc = store_integrity_check(&tables->store, &err);
    if (rc != 0) fail_msg("%s", err.text);
    assert_int_equal(tables->write.step, STORE_IDLE);
}

static inline void write_rows(struct tables *tables, int64_t first, int64_t last)
{
    struct error err = {0};
    assert_int_equal(tables_write(tables, first, last, &err), 0);
}

static inline void optimize(struct tables *tables)
{
    struct store *store = &tables->store;
    struct store_state state;
    struct error err = {0};
    assert_int_equal(store_read_state(store, &state, &err), 0);
    assert_int_equal(store_write_begin(store, &state, 0, &err), 0);
    assert_int_equal(store_write_end(store, &state, store_optimize(store, &state, &err), &err), 0);
}

/* The nearest row to the vector of a row. */
static inline int64_t nearest(struct tables *tables, int64_t id)
{
    struct store_state state;
    struct store_reader reader;
    struct index_storage storage;
    struct error err = {0};
    struct top_k hits;
    struct top_k_hit best = {0};
    float vector[DIMENSIONS];
    tables_vector(id, vector);
    struct index_query query = {.vector = vector, .k = 1, .min_similarity = -INFINITY};
    assert_int_equal(store_read_state(&tables->store, &state, &err), 0);
    reader_open(&tables->store, &reader, &storage);
    assert_int_equal(reader_begin(&reader, &state, &err), 0);
    struct index_search search = reader_search(&reader, &storage);
    top_k_init(&hits, 1);
    assert_int_equal(index_search(&search, &query, 1, &hits, &err), 0);
    int found = top_k_pop(&hits, &best);
    top_k_deinit(&hits);
    reader_close(&reader);
    return found ? best.id : 0;
}

/* Whether the stored vector of a row is its own, bit for bit, or what is written of it; false if it
 * is not there. */
static inline int holds(struct tables *tables, int64_t id)
{
    struct store_state state;
    struct store_reader reader;
    struct index_storage storage;
    struct error err = {0};
    float vector[DIMENSIONS], scratch[DIMENSIONS], stored[DIMENSIONS];
    const void *bytes;
    size_t size;
    int found;
    tables_vector(id, vector);
    assert_int_equal(store_read_state(&tables->store, &state, &err), 0);
    reader_open(&tables->store, &reader, &storage);
    assert_int_equal(reader_begin(&reader, &state, &err), 0);
    assert_int_equal(storage.fetch(storage.context, id, &bytes, &size, &found, &err), 0);
    if (found) {
        index_vector_write(&reader.layout, vector, scratch, stored);
        assert_int_equal(size, index_vector_size(&reader.layout));
        assert_memory_equal(bytes, stored, size);
        assert_int_equal(reader_vector(&reader, id, &bytes, &size, &found, &err), 0);
        index_vector_read(&reader.layout, stored, vector);
        assert_int_equal(size, sizeof vector);
        assert_memory_equal(bytes, vector, size);
    }
    reader_close(&reader);
    return found;
}

#endif
