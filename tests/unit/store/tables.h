/*
 * tables.h: the shadow tables of an index X on a plain connection: no virtual table, no model.
 *
 * For one test program, which includes cmocka.h before.
 */
#ifndef TESTS_STORE_TABLES_H
#define TESTS_STORE_TABLES_H

#include <math.h>
#include <sqlite3.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "store/schema.h"
#include "store/write.h"
#include "vector/random.h"

enum { DIMENSIONS = 32 }; /* a code of bits is smaller than an id */

struct tables {
    sqlite3 *db;
    struct connection *connection;
    struct store_write write;
    struct store store;
};

static const struct schema_config usual_config = {"lexical:hash", "lexical:overlap",
                                                  "[[\"text\",\"TEXT\"]]", 0};

/* A database without tables, or what the file has. */
static inline void tables_connect_to(struct tables *tables, const char *file,
                                     const struct store_options *options)
{
    struct error err = {0};
    *tables = (struct tables){0};
    assert_int_equal(sqlite3_open(file, &tables->db), SQLITE_OK);
    assert_int_equal(connection_new(tables->db, &tables->connection, &err), 0);
    assert_int_equal(catalog_set(tables->connection->catalog, CATALOG_THREADS, "1", &err), 0);
    assert_int_equal(
        store_init(&tables->store, tables->connection, "main", "X", &tables->write, &err), 0);
    tables->store.options = *options;
}

static inline void tables_connect(struct tables *tables, const struct store_options *options)
{
    tables_connect_to(tables, ":memory:", options);
}

static inline void tables_create(struct tables *tables, const struct store_options *options)
{
    struct error err = {0};
    tables_connect(tables, options);
    assert_int_equal(schema_create(&tables->store, &usual_config, &err), 0);
}

static inline void tables_close(struct tables *tables)
{
    store_deinit(&tables->store);
    connection_release(tables->connection);
    assert_int_equal(sqlite3_close(tables->db), SQLITE_OK);
}

/* What the store has read of the tables is forgotten. */
static inline void tables_reopen(struct tables *tables)
{
    struct error err = {0};
    struct store_options options = tables->store.options;
    store_deinit(&tables->store);
    assert_int_equal(
        store_init(&tables->store, tables->connection, "main", "X", &tables->write, &err), 0);
    tables->store.options = options;
}

static inline void tables_execute(struct tables *tables, const char *sql)
{
    assert_int_equal(sqlite3_exec(tables->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* The number that SQL gives; -1 for NULL, or no row. */
static inline int64_t tables_number(struct tables *tables, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(tables->db, sql, -1, &statement, NULL), SQLITE_OK);
    int64_t number = -1;
    if (sqlite3_step(statement) == SQLITE_ROW &&
        sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

/* The vector of a row, from its id: of length 1, so that it is nearest to itself by any metric. */
static inline void tables_vector(int64_t id, float *vector)
{
    uint64_t seed = (uint64_t)id * 0xD6E8FEB86659FD93u;
    double sum = 0.0;
    random_vector(&seed, DIMENSIONS, vector);
    for (size_t i = 0; i < DIMENSIONS; i++) sum += (double)vector[i] * vector[i];
    for (size_t i = 0; i < DIMENSIONS; i++) vector[i] = (float)(vector[i] / sqrt(sum));
}

/* Rows `first` to `last`, each with its vector, in one write. 0 or an error code. */
static inline int tables_write(struct tables *tables, int64_t first, int64_t last,
                               struct error *err)
{
    struct store *store = &tables->store;
    struct store_state state;
    size_t n = (size_t)(last - first + 1);
    float *vectors = memory_alloc(n, DIMENSIONS * sizeof *vectors);
    struct store_change *changes = memory_zalloc(n, sizeof *changes);
    int rc = vectors == NULL || changes == NULL ? error_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        int64_t id = first + (int64_t)i;
        tables_vector(id, vectors + i * DIMENSIONS);
        changes[i] = (struct store_change){.kind = STORE_PUT,
                                           .id = id,
                                           .hash = (uint64_t)id * 3,
                                           .own = id % 2 == 0,
                                           .text = "text",
                                           .text_size = 4,
                                           .vector = vectors + i * DIMENSIONS,
                                           .dimensions = DIMENSIONS};
    }
    if (rc == 0) rc = store_read_state(store, &state, err);
    if (rc == 0) rc = store_write_begin(store, &state, store_hash_changes(changes, n, 0), err);
    if (rc == 0)
        rc = store_write_end(store, &state, store_write_rows(store, &state, changes, n, err), err);
    memory_free(vectors);
    memory_free(changes);
    return rc;
}

/* Deletes rows by their ids, in one write. */
static inline int tables_delete(struct tables *tables, const int64_t *ids, size_t n,
                                enum store_change_kind kind, struct error *err)
{
    struct store *store = &tables->store;
    struct store_state state;
    int rc = store_read_state(store, &state, err);
    if (rc == 0)
        rc =
            store_write_begin(store, &state, hash_bytes(ids, n * sizeof *ids, (uint64_t)kind), err);
    return rc == 0 ? store_write_end(store, &state,
                                     store_delete_rows(store, &state, ids, n, kind, err), err)
                   : rc;
}

#endif
