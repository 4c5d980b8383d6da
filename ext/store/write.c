#include "store/write.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"
#include "store/codes.h"
#include "store/failures.h"
#include "store/history.h"
#include "store/keys.h"
#include "store/placement.h"
#include "store/reader.h"
#include "store/runs.h"
#include "store/waiting.h"
#include "store/words.h"

#define ROWS_PER_DELETE 1024

/* ---- begin and end --------------------------------------------------------------------------- */

int store_write_check(const struct store *store, struct error *err)
{
    /* Writing: a trigger that someone put on a shadow table uses the index. */
    if (store->write->step == STORE_IDLE) return 0;
    return error_set(err, ERROR_INVALID,
                     "an earlier write of this transaction failed half way: ROLLBACK");
}

uint64_t store_hash_changes(const struct store_change *changes, size_t n_changes, uint64_t before)
{
    uint64_t hash = before;
    for (size_t i = 0; i < n_changes; i++) {
        const struct store_change *change = &changes[i];
        const uint64_t numbers[] = {(uint64_t)change->id, change->hash, (uint64_t)change->kind,
                                    (uint64_t)change->own, change->dimensions};
        hash = hash_bytes(numbers, sizeof numbers, hash);
        if (change->kind == STORE_PUT)
            hash = hash_bytes(change->vector, change->dimensions * sizeof(float), hash);
    }
    return hash;
}

int store_write_open(struct store *store, struct error *err)
{
    struct store_write *write = store->write;
    int rc = store_write_check(store, err);
    if (rc != 0) return rc;
    write->step = STORE_WRITING;
    write->begun_at = write->n_savepoints;
    return 0;
}

/* What this version writes, earlier ones do not read. */
static int renew_format(struct store *store, struct store_state *state, struct error *err)
{
    if (state->format == STORE_FORMAT) return 0;
    state->format = STORE_FORMAT;
    int rc = store_set(store, "storage", store->options.vectors, err);
    return rc == 0 ? store_set(store, "format", STORE_FORMAT, err) : rc;
}

int store_write_begin(struct store *store, struct store_state *state, uint64_t written,
                      struct error *err)
{
    const int64_t before[] = {state->created, state->generation};
    int rc = store_write_check(store, err);
    if (rc == 0) rc = reader_open_cache(store, err);
    if (rc == 0) rc = store_write_open(store, err);
    if (rc != 0) return rc;
    index_cache_written(store->cache);
    state->generation = store_number(hash_bytes(before, sizeof before, written));
    state->note = STORE_OPEN;
    rc = renew_format(store, state, err);
    if (rc == 0 && store->tokenizer != NULL) {
        rc = history_add(store, before[1], state->generation, err);
        if (rc == 0) rc = store_note(store, state, err);
        state->note = STORE_TO_NOTE;
    }
    return rc == 0 ? 0 : store_write_close(store, rc);
}

int store_write_end(struct store *store, struct store_state *state, int rc, struct error *err)
{
    if (rc == 0 && state->note != STORE_IS_READ && state->note != STORE_IN_SLOTS)
        rc = store_note(store, state, err);
    return store_write_close(store, rc);
}

int store_write_close(struct store *store, int rc)
{
    struct store_write *write = store->write;
    /* Idle: rolled back by what failed. */
    assert(write->step == STORE_WRITING || (write->step == STORE_IDLE && rc != 0));
    if (write->step == STORE_WRITING) write->step = rc == 0 ? STORE_IDLE : STORE_TORN;
    /* Another write may come to the same generation, and end it. */
    if (rc != 0) placement_forget(store);
    return rc;
}

void store_write_savepoint(struct store_write *write, int number)
{
    size_t n = (size_t)number + 1;
    if (n > write->n_savepoints) write->n_savepoints = n;
}

void store_write_release(struct store_write *write, int number)
{
    if (number < 0 || write->n_savepoints <= (size_t)number) return;
    write->n_savepoints = (size_t)number;
    /* Its number comes again, for one that is younger than the write. */
    if (write->begun_at > write->n_savepoints) write->begun_at = write->n_savepoints;
}

void store_write_rollback_to(struct store_write *write, int number)
{
    if (number < 0) {
        store_write_over(write);
        return;
    }
    if (write->n_savepoints <= (size_t)number) return;
    if ((size_t)number < write->begun_at) write->step = STORE_IDLE;
    write->n_savepoints = (size_t)number + 1;
}

void store_write_over(struct store_write *write)
{
    *write = (struct store_write){0};
}

/* ---- dimensions ------------------------------------------------------------------------------ */

static const char *maker(const struct store_state *state, const struct store_change *change)
{
    return change->own ? "the vector given" : state->model;
}

int store_check_dimensions(const struct store_state *state, const char *who, size_t dimensions,
                           struct error *err)
{
    if (state->dimensions == 0 || state->dimensions == dimensions) return 0;
    return error_set(err, ERROR_INVALID, "expected %zu dimensions, as the index has, not %zu (%s)",
                     state->dimensions, dimensions, who);
}

int store_check_changes(const struct store_state *state, const struct store_change *changes,
                        size_t n_changes, struct error *err)
{
    struct store_state first = *state;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_changes; i++) {
        if (changes[i].kind != STORE_PUT) continue;
        rc = store_check_dimensions(&first, maker(state, &changes[i]), changes[i].dimensions, err);
        first.dimensions = changes[i].dimensions;
    }
    return rc;
}

static int learn_dimensions(struct store *store, struct store_state *state,
                            const struct store_change *changes, size_t n_changes, struct error *err)
{
    int rc = store_check_changes(state, changes, n_changes, err);
    for (size_t i = 0; rc == 0 && state->dimensions == 0 && i < n_changes; i++) {
        if (changes[i].kind != STORE_PUT) continue;
        rc = store_set(store, "dimensions", (int64_t)changes[i].dimensions, err);
        state->dimensions = changes[i].dimensions;
    }
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int compare_places(const void *a, const void *b)
{
    const struct block_place *x = a, *y = b;
    if (x->block != y->block) return x->block < y->block ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Without rows an index has no partitions: the first centroid is that of the first rows, and would
 * tell of them. */
static int delete_last_partitions(struct store *store, struct store_state *state, struct error *err)
{
    int64_t last_block;
    if (state->partitions == 0 || state->n_waiting > 0) return 0;
    int rc = store_ask(store, STORE_LAST_BLOCK, 0, 0, &last_block, err);
    return rc == 0 && last_block == 0 ? store_delete_partitions(store, state, err) : rc;
}

/* Which of the rows that change are there: in blocks, [*n], in which. A row that waits does so no
 * longer. */
static int find_places(struct store *store, struct store_state *state,
                       const struct store_change *changes, size_t n_changes,
                       struct block_place *places, size_t *n, int *any, sqlite3_blob **blob,
                       struct error *err)
{
    int rc = 0;
    *n = 0;
    *any = 0;
    for (size_t i = 0; rc == 0 && i < n_changes; i++) {
        struct store_row row;
        int found;
        rc = store_get_row(store, changes[i].id, &row, &found, err);
        if (rc != 0 || !found) continue;
        *any = 1;
        if (!waiting_remove(state, changes[i].id))
            places[(*n)++] = (struct block_place){row.block, changes[i].id};
    }
    if (rc != 0 || !store_keeps_vectors(store)) return rc;
    qsort(places, *n, sizeof *places, compare_places);
    return codes_find(store, state, places, *n, blob, err);
}

/* Takes all rows that are there, *any, out of their blocks, *moves, and slots. */
static int remove_rows(struct store *store, struct store_state *state,
                       const struct store_change *changes, size_t n_changes, int *any, int *moves,
                       struct error *err)
{
    size_t n = 0;
    sqlite3_blob *blob = NULL;
    struct block_place *places = memory_alloc(n_changes, sizeof *places);
    int rc = places == NULL
                 ? error_nomem(err)
                 : find_places(store, state, changes, n_changes, places, &n, any, &blob, err);
    *moves = n > 0;
    if (*any) state->note = STORE_TO_NOTE;
    if (rc == 0) qsort(places, n, sizeof *places, compare_places);
    for (size_t begin = 0, end; rc == 0 && begin < n; begin = end) {
        for (end = begin + 1; end < n && places[end].block == places[begin].block;) end++;
        if (begin > 0) rc = cancel_check(store->cancel, err);
        if (rc == 0) rc = blocks_remove(store, state, places + begin, end - begin, &blob, err);
    }
    rc = store_close_data(store, blob, rc, err);
    memory_free(places);
    return rc == 0 && *any ? delete_last_partitions(store, state, err) : rc;
}

static int delete_row(struct store *store, const struct store_change *change, struct error *err)
{
    int rc = store_delete(store, change, err);
    if (rc == 0 && store->tokenizer != NULL) rc = words_kill(store, change->id, err);
    if (rc == 0 && store->keeps_keys && change->kind == STORE_DELETE)
        rc = keys_delete(store, change->id, err);
    return rc;
}

/* The vectors of rows that go, where they are behind codes. */
static int delete_vectors(struct store *store, const struct index_layout *layout,
                          const struct store_change *changes, size_t n_changes, struct error *err)
{
    struct ids ids = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_changes; i++)
        if (changes[i].kind != STORE_PUT) rc = ids_add(&ids, changes[i].id, err);
    ids_sort(&ids);
    if (rc == 0) rc = runs_delete(store, index_vector_size(layout), ids.items, ids.n, err);
    ids_deinit(&ids);
    return rc;
}

/* The rows that have vectors into blocks, or where they wait for that, and into the other tables.
 * A block that a row was taken out of is being written anyway, and has room. */
static int put_rows(struct store *store, struct store_state *state, struct block_row *rows,
                    size_t n_rows, size_t vector_size, int moves, struct error *err)
{
    int waits = 0, rc = moves ? 0 : waiting_take(store, state, rows, n_rows, &waits, err);
    if (rc == 0 && !waits) rc = placement_place(store, state, rows, n_rows, 0, err);
    /* Rows that come in the order of their ids go into full pages. */
    qsort(rows, n_rows, sizeof *rows, block_row_compare);
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        rc = store_put(store, rows[i].change, placement_of(store, &rows[i]), err);
    if (rc == 0 && !waits && store_keeps_vectors(store))
        rc = runs_put(store, vector_size, rows, n_rows, err);
    return rc == 0 && !waits && n_rows > 0 ? waiting_prepare(store, state, err) : rc;
}

/* The bytes of vectors as they are stored: those given, or *made, which the caller frees. */
static int make_vectors(const struct index_layout *layout, struct block_row *rows, size_t n_rows,
                        unsigned char **made, struct error *err)
{
    size_t size = index_vector_size(layout);
    for (size_t i = 0; i < n_rows; i++) rows[i].stored = rows[i].change->vector;
    if (layout->vectors == INDEX_FLOAT32 || n_rows == 0) return 0;
    float *scratch = memory_alloc(layout->dimensions, sizeof *scratch);
    *made = memory_alloc(n_rows, size);
    for (size_t i = 0; *made != NULL && scratch != NULL && i < n_rows; i++) {
        rows[i].stored = *made + i * size;
        index_vector_write(layout, rows[i].change->vector, scratch, *made + i * size);
    }
    int rc = *made == NULL || scratch == NULL ? error_nomem(err) : 0;
    memory_free(scratch);
    return rc;
}

static int place_rows(struct store *store, struct store_state *state,
                      const struct store_change *changes, size_t n_changes, int moves,
                      struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    unsigned char *made = NULL;
    size_t n = 0;
    struct block_row *placed = memory_alloc(n_changes, sizeof *placed);
    if (placed == NULL) return error_nomem(err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_changes; i++) {
        const struct store_change *change = &changes[i];
        if (change->kind != STORE_PUT) rc = delete_row(store, change, err);
        else placed[n++] = (struct block_row){.id = change->id, .change = change};
    }
    if (rc == 0 && n < n_changes && store_keeps_vectors(store))
        rc = delete_vectors(store, &layout, changes, n_changes, err);
    if (rc == 0) rc = make_vectors(&layout, placed, n, &made, err);
    if (rc == 0) rc = put_rows(store, state, placed, n, index_vector_size(&layout), moves, err);
    memory_free(made);
    memory_free(placed);
    return rc;
}

int store_write_rows(struct store *store, struct store_state *state,
                     const struct store_change *changes, size_t n_changes, struct error *err)
{
    assert(store->write->step == STORE_WRITING);
    int any = 0, moves = 0, rc = learn_dimensions(store, state, changes, n_changes, err);
    if (rc == 0 && state->has_list) rc = waiting_settle(store, state, err);
    if (rc == 0) rc = remove_rows(store, state, changes, n_changes, &any, &moves, err);
    if (rc == 0) rc = failures_write(store, state, changes, n_changes, err);
    if (rc == 0) rc = place_rows(store, state, changes, n_changes, moves, err);
    return rc == 0 && any ? waiting_clear(store, state, changes, n_changes, err) : rc;
}

int store_delete_rows(struct store *store, struct store_state *state, const int64_t *ids,
                      size_t n_ids, enum store_change_kind kind, struct error *err)
{
    struct store_change *changes = memory_alloc(ROWS_PER_DELETE, sizeof *changes);
    int rc = changes == NULL ? error_nomem(err) : 0;
    for (size_t begin = 0; rc == 0 && begin < n_ids; begin += ROWS_PER_DELETE) {
        size_t n = n_ids - begin < ROWS_PER_DELETE ? n_ids - begin : ROWS_PER_DELETE;
        for (size_t i = 0; i < n; i++)
            changes[i] = (struct store_change){.kind = kind, .id = ids[begin + i]};
        rc = store_write_rows(store, state, changes, n, err);
    }
    memory_free(changes);
    return rc;
}
