#include "store/waiting.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/placement.h"
#include "store/schema.h"
#include "store/statements.h"

/* Rows that wait, of those that are written together: more go into blocks for less. */
#define MOST_TOGETHER 4

/* Rows in blocks from which on some wait: the slots are one in 16 of them, at most. */
#define LEAST_ROWS 512

static size_t vector_size_of(const struct store *store, const struct store_state *state)
{
    struct index_layout layout = blocks_layout(store, state);
    return index_vector_size(&layout);
}

/* ---- slots ----------------------------------------------------------------------------------- */

/* A slot is there, of this size, or the row would be nowhere. `vector` NULL: zeros. */
static int put_slot(struct store *store, const struct store_slot_head *head, int64_t slot,
                    const void *vector, size_t vector_size, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_keep(store, KEPT_PUT_SLOT, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, slot);
    sqlite3_bind_blob(statement, 2, head, sizeof *head, SQLITE_STATIC);
    if (vector == NULL) sqlite3_bind_zeroblob64(statement, 3, vector_size);
    else sqlite3_bind_blob64(statement, 3, vector, vector_size, SQLITE_STATIC);
    rc = store_run(store, statement, err);
    if (rc == 0 && sqlite3_changes(store->db) == 0)
        rc = error_set(err, ERROR_CORRUPT, "%s_waiting: slot %lld is damaged", store->name,
                       (long long)slot);
    return rc;
}

static int make_slots(struct store *store, size_t vector_size, struct error *err)
{
    static const struct store_slot_head none = {0};
    sqlite3_stmt *statement;
    int rc = store_execute(store, "DELETE FROM " X_WAITING, err);
    if (rc == 0) rc = store_keep(store, KEPT_MAKE_SLOT, &statement, err);
    for (int slot = 1; rc == 0 && slot <= STORE_MOST_WAITING; slot++) {
        sqlite3_bind_int(statement, 1, slot);
        sqlite3_bind_blob(statement, 2, &none, sizeof none, SQLITE_STATIC);
        sqlite3_bind_zeroblob64(statement, 3, vector_size);
        rc = store_run(store, statement, err);
    }
    return rc;
}

int waiting_prepare(struct store *store, struct store_state *state, struct error *err)
{
    int64_t n_rows;
    int there = 0;
    if (state->has_slots) return 0;
    int rc = store_ask(store, STORE_N_PLACED, 0, 0, &n_rows, err);
    if (rc == 0 && n_rows >= LEAST_ROWS) rc = schema_create_waiting(store, &there, err);
    if (rc != 0 || !there) return rc;
    state->has_slots = 1;
    state->has_list = 0;
    state->slots = (struct store_slots){0};
    state->has_other_ids = 1;
    return make_slots(store, vector_size_of(store, state), err);
}

static int waits_in(const struct store_state *state, int64_t slot)
{
    for (size_t i = 0; i < state->n_waiting; i++)
        if (state->waiting[i].slot == slot) return 1;
    return 0;
}

int waiting_clear(struct store *store, struct store_state *state,
                  const struct store_change *changes, size_t n_changes, struct error *err)
{
    static const struct store_slot_head none = {0};
    size_t size = vector_size_of(store, state);
    int rc = 0;
    for (int i = 0; state->has_slots && rc == 0 && i < STORE_MOST_WAITING; i++) {
        size_t at = 0;
        while (at < n_changes && changes[at].id != state->slots.ids[i]) at++;
        if (at == n_changes || waits_in(state, i + 1)) continue;
        state->slots.ids[i] = 0;
        state->has_other_ids = 1;
        rc = put_slot(store, &none, i + 1, NULL, size, err);
    }
    return rc;
}

/* ---- the rows -------------------------------------------------------------------------------- */

/* The vector of a slot. */
static int read_slot(struct store *store, const struct store_waiting *row, void *vector,
                     size_t vector_size, struct error *err)
{
    sqlite3_stmt *statement;
    const void *bytes = NULL;
    size_t size = 0;
    int found, rc = store_look_up(store, KEPT_GET_SLOT, row->slot, &statement, &found, err);
    if (rc == 0 && found) rc = statement_column_bytes(statement, 0, &bytes, &size, err);
    if (rc == 0 && size != vector_size)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                       (long long)row->id, vector_size, size);
    if (rc == 0) memcpy(vector, bytes, size);
    if (found) sqlite3_reset(statement);
    return rc;
}

/* By an earlier format, without codes: all vectors behind the rows of a block, in the order of the
 * list. */
static int read_behind(struct store *store, const struct store_state *state,
                       struct block_bytes *block, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    int rc = block_read(store, &layout, state->listed_for, block, err);
    if (rc == 0 && state->n_waiting > block->capacity - block->n)
        rc = error_set(err, ERROR_CORRUPT, "block %lld: more rows wait for it than it has room for",
                       (long long)block->number);
    return rc;
}

/* The vector of a row; `block`: what read_behind() read. */
static int read_vector(struct store *store, const struct store_state *state,
                       const struct store_waiting *row, const struct block_bytes *block,
                       void *vector, size_t vector_size, struct error *err)
{
    size_t place = block->n;
    if (row->slot != 0) return read_slot(store, row, vector, vector_size, err);
    if (block->bytes == NULL) return runs_get(store, row->id, vector_size, vector, err);
    for (size_t i = 0; state->waiting[i].id != row->id; i++) place++;
    memcpy(vector, block->rows.components + place * vector_size, vector_size);
    return 0;
}

static int compare_rows(const void *a, const void *b)
{
    const struct store_waiting *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* `lenient`: leaves out what is damaged. */
static int read_rows(struct store *store, const struct store_state *state, int lenient,
                     struct waiting_rows *waiting, struct error *err)
{
    size_t n = state->n_waiting, size = vector_size_of(store, state);
    struct store_waiting *rows;
    struct block_bytes block = {0};
    int has_codes = store_keeps_vectors(store), rc = 0;
    waiting_free(waiting);
    *waiting = (struct waiting_rows){
        .generation = state->generation, .vector_size = size, .in_runs = state->has_list};
    if (n == 0) return 0;
    waiting->vectors = memory_alloc(n, size);
    waiting->rows = rows = memory_alloc(n, sizeof *rows);
    if (waiting->vectors == NULL || rows == NULL) return error_nomem(err);
    memcpy(rows, state->waiting, n * sizeof *rows);
    qsort(rows, n, sizeof *rows, compare_rows);
    if (state->has_list && !has_codes) rc = read_behind(store, state, &block, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        size_t to = waiting->n;
        rc = read_vector(store, state, &rows[i], &block, waiting->vectors + to * size, size, err);
        if (rc == 0 && to > 0 && rows[to - 1].id == rows[i].id)
            rc = error_set(err, ERROR_CORRUPT, "row %lld: it waits twice", (long long)rows[i].id);
        if (rc == 0) rows[waiting->n++] = rows[i];
        if (rc == ERROR_CORRUPT && lenient) rc = 0;
    }
    block_free(&block);
    return rc;
}

int waiting_read(struct store *store, const struct store_state *state, struct waiting_rows *waiting,
                 struct error *err)
{
    return read_rows(store, state, 0, waiting, err);
}

void waiting_free(struct waiting_rows *waiting)
{
    memory_free(waiting->rows);
    memory_free(waiting->vectors);
    *waiting = (struct waiting_rows){0};
}

const void *waiting_find(const struct waiting_rows *waiting, int64_t id)
{
    for (size_t i = 0; i < waiting->n; i++)
        if (waiting->rows[i].id == id) return waiting->vectors + i * waiting->vector_size;
    return NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* All that wait, as rows to be written; none of them waits then. `lenient`: but those that are
 * damaged. */
static int take_out(struct store *store, struct store_state *state, int lenient,
                    struct waiting_rows *waiting, struct block_row rows[STORE_MOST_WAITING],
                    struct error *err)
{
    int rc = read_rows(store, state, lenient, waiting, err);
    for (size_t i = 0; rc == 0 && i < waiting->n; i++)
        rows[i] = (struct block_row){.id = waiting->rows[i].id,
                                     .stored = waiting->vectors + i * waiting->vector_size};
    state->n_waiting = 0;
    state->note = STORE_TO_NOTE;
    return rc;
}

static int put_vectors(struct store *store, const struct waiting_rows *waiting,
                       struct block_row *rows, struct error *err)
{
    if (!store_keeps_vectors(store) || waiting->in_runs) return 0;
    qsort(rows, waiting->n, sizeof *rows, block_row_compare);
    return runs_put(store, waiting->vector_size, rows, waiting->n, err);
}

int waiting_settle(struct store *store, struct store_state *state, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct waiting_rows waiting = {0};
    struct block_row rows[STORE_MOST_WAITING];
    int rc = take_out(store, state, 0, &waiting, rows, err);
    for (size_t i = 0; rc == 0 && i < waiting.n; i++)
        rc = index_vector_check(&layout, rows[i].id, rows[i].stored, waiting.vector_size, err);
    if (rc == 0) rc = placement_place(store, state, rows, waiting.n, 0, err);
    if (rc == 0) rc = placement_move(store, rows, waiting.n, err);
    if (rc == 0) rc = put_vectors(store, &waiting, rows, err);
    waiting_free(&waiting);
    return rc;
}

int waiting_drop(struct store *store, struct store_state *state, struct error *err)
{
    struct waiting_rows waiting = {0};
    struct block_row rows[STORE_MOST_WAITING];
    int rc;
    if (store_keeps_vectors(store)) {
        rc = take_out(store, state, 1, &waiting, rows, err);
        if (rc == 0) rc = put_vectors(store, &waiting, rows, err);
        waiting_free(&waiting);
    } else {
        rc = waiting_settle(store, state, err);
    }
    return rc == 0 ? store_delete_slots(store, state, err) : rc;
}

/* The slot that a row has just left; 0: none. */
static int64_t left_slot(const struct store_state *state, int64_t id)
{
    for (int64_t slot = 1; slot <= STORE_MOST_WAITING; slot++)
        if (state->left >> (slot - 1) & 1 && state->slots.ids[slot - 1] == id) return slot;
    return 0;
}

/* The one behind all that are taken. */
static int64_t next_slot(const struct store_state *state)
{
    return state->n_waiting == 0 ? 1 : state->waiting[state->n_waiting - 1].slot + 1;
}

/* Rows that are there already come into blocks before the first of these that has no slot, if there
 * may be too few: those that were left, and that another may take first, count as taken. */
static int make_place(struct store *store, struct store_state *state, const struct block_row *rows,
                      size_t n_rows, struct error *err)
{
    int64_t n = 0, next = next_slot(state);
    for (size_t i = 0; i < n_rows; i++) {
        int64_t left = left_slot(state, rows[i].id);
        n += left == 0;
        if (left >= next) next = left + 1;
    }
    if (n == 0 || next + n - 1 <= STORE_MOST_WAITING) return 0;
    state->left = 0;
    return waiting_settle(store, state, err);
}

static int compare_slots(const void *a, const void *b)
{
    const struct store_waiting *x = a, *y = b;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static int take_row(struct store *store, struct store_state *state, const struct block_row *row,
                    size_t vector_size, struct error *err)
{
    int64_t left = left_slot(state, row->id), slot = left != 0 ? left : next_slot(state);
    const struct store_slot_head head = {state->base, state->generation, row->id, row->partition};
    state->waiting[state->n_waiting++] = (struct store_waiting){row->id, row->partition, slot};
    qsort(state->waiting, state->n_waiting, sizeof *state->waiting, compare_slots);
    state->slots.ids[slot - 1] = row->id;
    state->has_other_ids = 1;
    state->left &= ~((uint64_t)1 << (slot - 1));
    return put_slot(store, &head, slot, row->stored, vector_size, err);
}

int waiting_take(struct store *store, struct store_state *state, struct block_row *rows,
                 size_t n_rows, int *taken, struct error *err)
{
    size_t size = vector_size_of(store, state);
    int rc = 0;
    *taken = state->has_slots && n_rows > 0 && n_rows <= MOST_TOGETHER &&
             (state->partitions != 0 || !store_is_partitioned(store));
    if (!*taken) return 0;
    rc = make_place(store, state, rows, n_rows, err);
    if (rc == 0 && store_is_partitioned(store))
        rc = placement_find(store, state, rows, n_rows, err);
    for (size_t i = 0; rc == 0 && i < n_rows; i++) rc = take_row(store, state, &rows[i], size, err);
    if (state->note == STORE_OPEN) state->note = STORE_IN_SLOTS;
    return rc;
}

int waiting_remove(struct store_state *state, int64_t id)
{
    size_t i = 0;
    while (i < state->n_waiting && state->waiting[i].id != id) i++;
    if (i == state->n_waiting) return 0;
    state->left |= (uint64_t)1 << (state->waiting[i].slot - 1);
    memmove(state->waiting + i, state->waiting + i + 1,
            (--state->n_waiting - i) * sizeof *state->waiting);
    return 1;
}

/* ---- reading --------------------------------------------------------------------------------- */

size_t waiting_partitions(const struct store_state *state, int64_t found[STORE_MOST_WAITING])
{
    size_t n = 0;
    for (size_t i = 0; i < state->n_waiting; i++) found[i] = state->waiting[i].partition;
    qsort(found, state->n_waiting, sizeof *found, ids_compare);
    for (size_t i = 0; i < state->n_waiting; i++)
        if (n == 0 || found[n - 1] != found[i]) found[n++] = found[i];
    return n;
}

size_t waiting_count(const struct store_state *state, int64_t partition)
{
    size_t n = 0;
    for (size_t i = 0; i < state->n_waiting; i++) n += state->waiting[i].partition == partition;
    return n;
}

int waiting_fill(const struct index_layout *layout, const struct waiting_rows *waiting,
                 const struct index_partitions *partitions, int64_t partition,
                 const struct index_rows *rows, struct error *err)
{
    const float *centroid = NULL;
    size_t place = 0, at = 0;
    if (partitions != NULL) {
        at = index_partitions_find(partitions, partition);
        if (at == partitions->n)
            return error_set(
                err, ERROR_CORRUPT,
                "the partition of a row that waits is not there ('optimize' mends it)");
        centroid = partitions->centroids + at * layout->dimensions;
    }
    float *point = memory_alloc(layout->dimensions, sizeof *point);
    int rc = point == NULL ? error_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < waiting->n; i++) {
        const unsigned char *stored = waiting->vectors + i * waiting->vector_size;
        int64_t id = waiting->rows[i].id;
        if (waiting->rows[i].partition != partition) continue;
        rc = index_vector_check(layout, id, stored, waiting->vector_size, err);
        if (rc != 0) break;
        if (layout->quantize != INDEX_EXACT) index_vector_point(layout, stored, point);
        index_row_write(layout, rows, place++, id, stored, point, centroid);
    }
    memory_free(point);
    return rc;
}

int waiting_next(struct waiting_scan *scan, struct store *store, int *row, int64_t *id,
                 const void **vector, size_t *size, struct error *err)
{
    const struct waiting_rows *waiting = scan->waiting;
    int rc = 0;
    if (!scan->is_ahead)
        rc = runs_next(&scan->runs, store, &scan->more, &scan->id, &scan->vector, &scan->size, err);
    scan->is_ahead = 1;
    *row = 1;
    if (!waiting->in_runs && scan->i < waiting->n &&
        (!scan->more || waiting->rows[scan->i].id <= scan->id)) {
        *id = waiting->rows[scan->i].id;
        *vector = waiting->vectors + scan->i++ * waiting->vector_size;
        *size = waiting->vector_size;
        return rc;
    }
    *row = scan->more;
    *id = scan->id;
    *vector = scan->vector;
    *size = scan->size;
    scan->is_ahead = !scan->more; /* stepped once more the statement would begin again */
    return rc;
}

/* Both tables, side by side. */
static int compare(struct store *store, struct waiting_scan *scan, sqlite3_stmt *rows,
                   struct ids *only_rows, struct ids *only_vectors, struct error *err)
{
    int64_t id = 0, row_id = 0;
    const void *vector;
    size_t size;
    int more = 1, row = 1;
    int rc = waiting_next(scan, store, &more, &id, &vector, &size, err);
    if (rc == 0) rc = statement_step(store->db, rows, &row, err);
    while (rc == 0 && (more || row)) {
        if (row) row_id = sqlite3_column_int64(rows, 0);
        int takes_row = row && (!more || row_id <= id),
            takes_vector = more && (!row || id <= row_id);
        if (takes_row && !takes_vector) rc = ids_add(only_rows, row_id, err);
        if (takes_vector && !takes_row) rc = ids_add(only_vectors, id, err);
        if (rc == 0 && takes_vector)
            rc = waiting_next(scan, store, &more, &id, &vector, &size, err);
        if (rc == 0 && takes_row) rc = statement_step(store->db, rows, &row, err);
    }
    return rc;
}

int waiting_compare(struct store *store, const struct waiting_rows *waiting, struct ids *only_rows,
                    struct ids *only_vectors, struct error *err)
{
    struct waiting_scan scan = {.runs = {.vector_size = waiting->vector_size}, .waiting = waiting};
    sqlite3_stmt *rows = NULL;
    int rc = store_query(store, STORE_VECTORS, &scan.runs.statement, err);
    if (rc == 0) rc = store_query(store, STORE_IDS, &rows, err);
    if (rc == 0) rc = compare(store, &scan, rows, only_rows, only_vectors, err);
    sqlite3_finalize(scan.runs.statement);
    sqlite3_finalize(rows);
    return rc;
}
