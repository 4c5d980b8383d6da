#include "store/waiting.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/placement.h"
#include "store/runs.h"

/* Rows that wait, of those that are written together. */
#define MOST_TOGETHER 8

/* ---- writing --------------------------------------------------------------------------------- */

/* The vectors of rows into full runs. */
static int pack(struct store *store, size_t vector_size, struct block_row *rows, size_t n_rows,
                struct error *err)
{
    int rc = 0;
    qsort(rows, n_rows, sizeof *rows, block_row_compare);
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        rc = runs_delete(store, vector_size, rows[i].id, err);
    return rc == 0 ? runs_put(store, vector_size, rows, n_rows, err) : rc;
}

/* The codes of all that wait into blocks. */
static int write_all(struct store *store, struct store_state *state, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    size_t size = index_vector_size(&layout), n = state->n_waiting;
    struct block_row rows[STORE_MOST_WAITING];
    unsigned char *vectors = memory_alloc(n, size);
    int rc = vectors == NULL ? error_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        int64_t id = state->waiting[i].id;
        rows[i] = (struct block_row){.id = id, .stored = vectors + i * size};
        rc = runs_get(store, id, size, vectors + i * size, err);
        if (rc == 0) rc = index_vector_check(&layout, id, rows[i].stored, size, err);
    }
    state->n_waiting = 0;
    if (rc == 0) rc = store_put_waiting(store, state, err);
    if (rc == 0) rc = placement_place(store, state, rows, n, 0, err);
    if (rc == 0) rc = placement_move(store, rows, n, err);
    if (rc == 0) rc = pack(store, size, rows, n, err);
    memory_free(vectors);
    return rc;
}

/* The rows whose vectors are in a block become rows of it. */
static int admit_all(struct store *store, struct store_state *state, struct error *err)
{
    int64_t ids[STORE_MOST_WAITING], block = state->waiting[0].where;
    size_t n = state->n_waiting;
    for (size_t i = 0; i < n; i++) ids[i] = state->waiting[i].id;
    state->n_waiting = 0;
    int rc = store_put_waiting(store, state, err);
    return rc == 0 ? blocks_admit(store, state, block, ids, n, err) : rc;
}

int waiting_settle(struct store *store, struct store_state *state, struct error *err)
{
    if (state->n_waiting == 0) return 0;
    return store_keeps_vectors(store) ? write_all(store, state, err) : admit_all(store, state, err);
}

int waiting_drop(struct store *store, struct store_state *state, struct error *err)
{
    if (!store_keeps_vectors(store)) return waiting_settle(store, state, err);
    state->n_waiting = 0;
    return store_put_waiting(store, state, err);
}

/* Behind the rows of the block that the next row goes to, and those that wait for it. */
static int add_to_block(struct store *store, struct store_state *state, struct block_row *rows,
                        size_t n_rows, int *fits, struct error *err)
{
    int64_t block;
    int rc = store_ask(store, STORE_BLOCK_WITH_ROOM, 0, 0, &block, err);
    *fits = 0;
    if (rc != 0 || block == 0) return rc;
    if (state->n_waiting > 0) block = state->waiting[0].where;
    return blocks_write_ahead(store, state, block, state->n_waiting, rows, n_rows, fits, err);
}

static int list(struct store *store, struct store_state *state, const struct block_row *rows,
                size_t n_rows, struct error *err)
{
    int has_codes = store_keeps_vectors(store);
    for (size_t i = 0; i < n_rows; i++)
        state->waiting[state->n_waiting++] =
            (struct store_waiting){rows[i].id, has_codes ? rows[i].partition : rows[i].block};
    return store_put_waiting(store, state, err);
}

int waiting_take(struct store *store, struct store_state *state, struct block_row *rows,
                 size_t n_rows, int *taken, struct error *err)
{
    int64_t is_large = 0;
    int has_codes = store_keeps_vectors(store), rc = 0;
    *taken = state->keeps_waiting && n_rows > 0 && n_rows <= MOST_TOGETHER &&
             (has_codes ? state->partitions != 0 : !store_is_partitioned(store));
    if (*taken) rc = store_ask(store, STORE_IS_LARGE, 0, 0, &is_large, err);
    *taken = *taken && rc == 0 && is_large != 0;
    if (*taken && state->n_waiting + n_rows > STORE_MOST_WAITING)
        rc = waiting_settle(store, state, err);
    if (*taken && rc == 0 && has_codes) {
        rc = placement_find(store, state, rows, n_rows, err);
    } else if (*taken && rc == 0) {
        rc = add_to_block(store, state, rows, n_rows, taken, err);
    }
    if (rc != 0) return rc;
    if (*taken) return list(store, state, rows, n_rows, err);
    return has_codes ? 0 : waiting_settle(store, state, err);
}

int waiting_remove(struct store_state *state, int64_t id)
{
    size_t i = 0;
    while (i < state->n_waiting && state->waiting[i].id != id) i++;
    if (i == state->n_waiting) return 0;
    memmove(state->waiting + i, state->waiting + i + 1,
            (--state->n_waiting - i) * sizeof *state->waiting);
    return 1;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

size_t waiting_partitions(const struct store_state *state, int64_t found[STORE_MOST_WAITING])
{
    size_t n = 0;
    for (size_t i = 0; i < state->n_waiting; i++) found[i] = state->waiting[i].where;
    qsort(found, state->n_waiting, sizeof *found, compare_numbers);
    for (size_t i = 0; i < state->n_waiting; i++)
        if (n == 0 || found[n - 1] != found[i]) found[n++] = found[i];
    return n;
}

size_t waiting_count(const struct store_state *state, int64_t partition)
{
    size_t n = 0;
    for (size_t i = 0; i < state->n_waiting; i++) n += state->waiting[i].where == partition;
    return n;
}

int waiting_fill(struct store *store, const struct store_state *state,
                 const struct index_partitions *partitions, int64_t partition,
                 const struct index_rows *rows, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    size_t size = index_vector_size(&layout), place = 0, at = partitions->n;
    if (partitions->n > 0) at = index_partitions_find(partitions, partition);
    if (at == partitions->n)
        return error_set(err, ERROR_CORRUPT,
                         "the partition of a row that has no code yet is not there ('optimize' "
                         "mends it)");
    void *stored = memory_alloc(size, 1);
    float *point = memory_alloc(layout.dimensions, sizeof *point);
    int rc = stored == NULL || point == NULL ? error_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < state->n_waiting; i++) {
        const struct store_waiting *waiting = &state->waiting[i];
        if (waiting->where != partition) continue;
        rc = runs_get(store, waiting->id, size, stored, err);
        if (rc == 0) rc = index_vector_check(&layout, waiting->id, stored, size, err);
        if (rc != 0) break;
        index_vector_point(&layout, stored, point);
        index_row_write(&layout, rows, place++, waiting->id, stored, point,
                        partitions->centroids + at * layout.dimensions);
    }
    memory_free(stored);
    memory_free(point);
    return rc;
}
