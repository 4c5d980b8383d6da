/*
 * asked.h: an index of bits, and a reader whose vectors are looked at or compared, all of them.
 *
 * For one test program, which includes cmocka.h before.
 */
#ifndef TESTS_STORE_ASKED_H
#define TESTS_STORE_ASKED_H

#include "store/seen.h"
#include "store/vectors.h"

static const struct store_options bits = {INDEX_COSINE, INDEX_BIT, 0, 0, INDEX_FLOAT32};

struct asked {
    struct store_reader reader;
    struct index_storage storage;
};

static inline void begin(struct tables *tables, struct asked *asked)
{
    struct store_state state;
    struct error err = {0};
    assert_int_equal(store_read_state(&tables->store, &state, &err), 0);
    reader_open(&tables->store, &asked->reader, &asked->storage);
    assert_int_equal(reader_begin(&asked->reader, &state, &err), 0);
}

/* Compares all vectors; the nearest row to that of an id is itself. */
static inline int scan(struct asked *asked, int64_t id, struct error *err)
{
    struct top_k hits;
    float vector[DIMENSIONS];
    tables_vector(id, vector);
    struct index_query query = {.vector = vector, .k = 1, .min_similarity = -INFINITY};
    struct index_search search = reader_search(&asked->reader, &asked->storage);
    search.exactly = 1;
    top_k_init(&hits, 1);
    int rc = index_search(&search, &query, 1, &hits, err);
    if (rc == 0) assert_int_equal(hits.hits[0].id, id);
    top_k_deinit(&hits);
    return rc;
}

#endif
