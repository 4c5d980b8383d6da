#include "store/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "store/placement.h"
#include "store/store.h"

#define ROWS_PER_DELETE 1024

/* Blocks double up to so many rows; from there on a part's next block is as large as the last. */
#define DOUBLING_ROWS 256

struct index_layout blocks_layout(const struct semantic_table *table,
                                  const struct semantic_state *state)
{
    return (struct index_layout){table->config.metric, table->config.quantize, state->dimensions};
}

/* ---- one block ------------------------------------------------------------------------------- */

void block_free(struct block_bytes *block)
{
    memory_free(block->bytes);
    *block = (struct block_bytes){0};
}

static int corrupt_block(const struct semantic_table *table, int64_t number, const char *what,
                         struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "block %lld: %s%s", (long long)number, what,
                     table->config.quantize == INDEX_EXACT ? "" : " ('optimize' mends it)");
}

static int make_room(const struct index_layout *layout, struct block_bytes *block,
                     struct error *err)
{
    block->bytes = memory_zalloc(index_block_size(layout, block->capacity), 1);
    if (block->bytes == NULL) return error_nomem(err);
    block->rows = index_block_rows(layout, block->bytes, block->capacity);
    return 0;
}

static int read_entry(struct semantic_table *table, struct block_bytes *block, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc = store_statement(table, STATEMENT_GET_BLOCK, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, block->number);
    if ((rc = statement_step(table->db, statement, &row, err)) != 0) return rc;
    int64_t n = row ? sqlite3_column_int64(statement, 1) : 0,
            room = row ? sqlite3_column_int64(statement, 2) : 0;
    block->partition = row ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    if (!row) return corrupt_block(table, block->number, "is not there", err);
    if (n < 0 || room < 0 || n > INDEX_MAX_CAPACITY || room > INDEX_MAX_CAPACITY || n + room == 0)
        return corrupt_block(table, block->number, "its size is damaged", err);
    block->n = (size_t)n;
    block->capacity = (size_t)(n + room);
    return 0;
}

int block_read(struct semantic_table *table, const struct index_layout *layout, int64_t number,
               struct block_bytes *block, struct error *err)
{
    sqlite3_stmt *statement;
    const void *bytes;
    size_t size;
    int row = 0;
    *block = (struct block_bytes){.number = number};
    int rc = read_entry(table, block, err);
    if (rc == 0) rc = store_statement(table, STATEMENT_GET_DATA, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, number);
    rc = statement_step(table->db, statement, &row, err);
    if (rc == 0 && !row) rc = corrupt_block(table, number, "its bytes are not there", err);
    if (rc == 0) rc = statement_column_bytes(statement, 0, &bytes, &size, err);
    if (rc == 0 && size != index_block_size(layout, block->capacity))
        rc = corrupt_block(table, number, "its bytes have a wrong size", err);
    if (rc == 0) rc = make_room(layout, block, err);
    if (rc == 0) memcpy(block->bytes, bytes, size);
    if (row) sqlite3_reset(statement);
    if (rc != 0) block_free(block);
    return rc;
}

/* The block's line in X_blocks. */
static int put_entry(struct semantic_table *table, const struct semantic_state *state,
                     const struct block_bytes *block, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(table, STATEMENT_PUT_BLOCK, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, block->number);
    sqlite3_bind_int64(statement, 2, block->partition);
    sqlite3_bind_int64(statement, 3, (int64_t)block->n);
    sqlite3_bind_int64(statement, 4, (int64_t)(block->capacity - block->n));
    sqlite3_bind_int64(statement, 5, state->generation);
    return store_run(table, statement, err);
}

static int put_new(struct semantic_table *table, const struct semantic_state *state,
                   const struct block_bytes *block, struct error *err)
{
    struct index_layout layout = blocks_layout(table, state);
    sqlite3_stmt *statement;
    int rc = store_statement(table, STATEMENT_PUT_DATA, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, block->number);
    sqlite3_bind_blob64(statement, 2, block->bytes, index_block_size(&layout, block->capacity),
                        SQLITE_STATIC);
    rc = store_run(table, statement, err);
    return rc == 0 ? put_entry(table, state, block, err) : rc;
}

/* A stored block, opened to read and write single places. */
static int open_stored(struct semantic_table *table, int64_t number, sqlite3_blob **blob,
                       struct error *err)
{
    char *name = sqlite3_mprintf("%s_data", table->name);
    *blob = NULL;
    if (name == NULL) return error_nomem(err);
    int opened = sqlite3_blob_open(table->db, table->schema, name, "bytes", number, 1, blob);
    int rc = opened == SQLITE_OK ? 0 : argument_storage_error(table->db, opened, err);
    sqlite3_free(name);
    return rc;
}

static int close_stored(struct semantic_table *table, sqlite3_blob *blob, int rc, struct error *err)
{
    int closed = sqlite3_blob_close(blob);
    return rc == 0 && closed != SQLITE_OK ? argument_storage_error(table->db, closed, err) : rc;
}

static int check_stored(const struct semantic_table *table, const struct index_layout *layout,
                        const struct block_bytes *block, sqlite3_blob *blob, struct error *err)
{
    if ((size_t)sqlite3_blob_bytes(blob) == index_block_size(layout, block->capacity)) return 0;
    return corrupt_block(table, block->number, "its bytes have a wrong size", err);
}

/* Writes the first n places of `rows` to a stored block, from place `first` on. */
static int write_places(struct semantic_table *table, sqlite3_blob *blob,
                        const struct index_arrays *arrays, const struct index_rows *rows,
                        size_t first, size_t n, struct error *err)
{
    const void *const from[] = {rows->ids, rows->offsets, rows->scales, rows->errors,
                                rows->components};
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < INDEX_ARRAYS; i++)
        if (from[i] != NULL)
            rc = sqlite3_blob_write(blob, from[i], (int)(n * arrays->size[i]),
                                    (int)(arrays->offset[i] + first * arrays->size[i]));
    return rc == SQLITE_OK ? 0 : argument_storage_error(table->db, rc, err);
}

/* Copies a place of a stored block over another; scratch holds one row's components. */
static int move_place(struct semantic_table *table, sqlite3_blob *blob,
                      const struct index_arrays *arrays, size_t from, size_t to, void *scratch,
                      struct error *err)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < INDEX_ARRAYS; i++) {
        int size = (int)arrays->size[i];
        if (size == 0) continue;
        rc = sqlite3_blob_read(blob, scratch, size,
                               (int)(arrays->offset[i] + from * arrays->size[i]));
        if (rc == SQLITE_OK)
            rc = sqlite3_blob_write(blob, scratch, size,
                                    (int)(arrays->offset[i] + to * arrays->size[i]));
    }
    return rc == SQLITE_OK ? 0 : argument_storage_error(table->db, rc, err);
}

int blocks_drop(struct semantic_table *table, int64_t number, struct error *err)
{
    int rc = store_delete_with(table, STATEMENT_DELETE_BLOCK, number, err);
    return rc == 0 ? store_delete_with(table, STATEMENT_DELETE_DATA, number, err) : rc;
}

/* ---- appending ------------------------------------------------------------------------------- */

int blocks_ask(struct semantic_table *table, enum semantic_statement which, int64_t argument,
               int64_t second, int64_t *answer, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    *answer = 0;
    int rc = store_statement(table, which, &statement, err);
    if (rc != 0) return rc;
    if (sqlite3_bind_parameter_count(statement) > 0) sqlite3_bind_int64(statement, 1, argument);
    if (sqlite3_bind_parameter_count(statement) > 1) sqlite3_bind_int64(statement, 2, second);
    rc = statement_step(table->db, statement, &row, err);
    if (rc == 0 && row) {
        *answer = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return rc;
}

/* Rows into the places of a block from its n on. */
static void fill(const struct index_layout *layout, struct block_bytes *block,
                 const float *centroid, struct block_row *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++) {
        index_row_write(layout, &block->rows, block->n++, rows[i].id, rows[i].vector,
                        rows[i].turned, centroid);
        rows[i].block = block->number;
    }
}

static int append_new(struct semantic_table *table, const struct semantic_state *state,
                      const struct block_target *target, struct block_row *rows, size_t n_rows,
                      size_t *n_done, struct error *err)
{
    struct index_layout layout = blocks_layout(table, state);
    struct block_bytes block = {.partition = target->partition};
    int64_t last = 0, capacity = 0;
    int rc = blocks_ask(table, STATEMENT_LAST_BLOCK, 0, 0, &last, err);
    if (rc == 0)
        rc = blocks_ask(table, STATEMENT_LAST_CAPACITY, target->partition, 0, &capacity, err);
    if (rc != 0) return rc;
    if (last >= INT64_MAX - 1 || last < 0 || capacity < 0 || capacity > INDEX_MAX_CAPACITY)
        return corrupt_block(table, last, "its number or size is damaged", err);
    size_t wanted = (size_t)capacity * (capacity < DOUBLING_ROWS ? 2 : 1);
    if (wanted < n_rows) wanted = n_rows;
    block.number = last + 1;
    block.capacity = index_block_capacity(&layout, wanted);
    rc = make_room(&layout, &block, err);
    *n_done = n_rows < block.capacity ? n_rows : block.capacity;
    if (rc == 0) fill(&layout, &block, target->centroid, rows, *n_done);
    if (rc == 0) rc = put_new(table, state, &block, err);
    block_free(&block);
    return rc;
}

/* Into the room that a stored block has. */
static int append_stored(struct semantic_table *table, const struct semantic_state *state,
                         const struct block_target *target, int64_t number, struct block_row *rows,
                         size_t n_rows, size_t *n_done, struct error *err)
{
    struct index_layout layout = blocks_layout(table, state);
    struct block_bytes stored = {.number = number}, added = {.number = number};
    struct index_arrays arrays;
    sqlite3_blob *blob = NULL;
    int rc = read_entry(table, &stored, err);
    if (rc == 0) rc = open_stored(table, number, &blob, err);
    if (rc == 0) rc = check_stored(table, &layout, &stored, blob, err);
    size_t room = stored.capacity - stored.n;
    *n_done = added.capacity = n_rows < room ? n_rows : room;
    if (rc == 0) rc = make_room(&layout, &added, err);
    if (rc == 0) {
        fill(&layout, &added, target->centroid, rows, *n_done);
        index_block_arrays(&layout, stored.capacity, &arrays);
        rc = write_places(table, blob, &arrays, &added.rows, stored.n, *n_done, err);
    }
    rc = close_stored(table, blob, rc, err);
    stored.n += *n_done;
    if (rc == 0) rc = put_entry(table, state, &stored, err);
    block_free(&added);
    return rc;
}

int blocks_append(struct semantic_table *table, const struct semantic_state *state,
                  const struct block_target *target, struct block_row *rows, size_t n_rows,
                  struct error *err)
{
    int rc = 0;
    while (rc == 0 && n_rows > 0) {
        int64_t number;
        size_t n_done = 0;
        rc = blocks_ask(table, STATEMENT_BLOCK_WITH_ROOM, target->partition, target->after, &number,
                        err);
        if (rc == 0 && number == 0)
            rc = append_new(table, state, target, rows, n_rows, &n_done, err);
        else if (rc == 0)
            rc = append_stored(table, state, target, number, rows, n_rows, &n_done, err);
        rows += n_done;
        n_rows -= n_done;
        if (rc == 0) rc = cancel_check(&table->connection->cancel, err);
    }
    return rc;
}

/* ---- removing -------------------------------------------------------------------------------- */

/* Where rows lie that are to go. */
struct place {
    int64_t block, id;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->block != y->block) return x->block < y->block ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Takes rows out of a stored block, whose ids are read: the last row moves to each place. */
static int remove_places(struct semantic_table *table, const struct index_arrays *arrays,
                         sqlite3_blob *blob, int64_t *ids, struct block_bytes *block,
                         const struct place *places, size_t n_places, struct error *err)
{
    void *scratch = memory_alloc(arrays->size[INDEX_ARRAYS - 1], 1);
    int rc = scratch == NULL ? error_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < n_places; i++) {
        size_t at = index_row_find(&(struct index_rows){.ids = ids}, block->n, places[i].id);
        if (at == block->n) {
            rc = corrupt_block(table, block->number, "a row of it is not there", err);
            error_context(err, "row %lld", (long long)places[i].id);
            break;
        }
        if (at == --block->n) continue;
        ids[at] = ids[block->n];
        rc = move_place(table, blob, arrays, block->n, at, scratch, err);
    }
    memory_free(scratch);
    return rc;
}

/* Takes rows out of one block; without rows it goes. */
static int remove_from(struct semantic_table *table, const struct semantic_state *state,
                       const struct place *places, size_t n_places, struct error *err)
{
    struct index_layout layout = blocks_layout(table, state);
    struct block_bytes block = {.number = places->block};
    struct index_arrays arrays;
    sqlite3_blob *blob = NULL;
    int64_t *ids = NULL;
    int rc = read_entry(table, &block, err);
    if (rc == 0) rc = open_stored(table, block.number, &blob, err);
    if (rc == 0) rc = check_stored(table, &layout, &block, blob, err);
    if (rc == 0 && (ids = memory_alloc(block.n, sizeof *ids)) == NULL) rc = error_nomem(err);
    if (rc == 0) {
        index_block_arrays(&layout, block.capacity, &arrays);
        int got = sqlite3_blob_read(blob, ids, (int)(block.n * sizeof *ids), 0);
        if (got != SQLITE_OK) rc = argument_storage_error(table->db, got, err);
    }
    if (rc == 0) rc = remove_places(table, &arrays, blob, ids, &block, places, n_places, err);
    rc = close_stored(table, blob, rc, err);
    memory_free(ids);
    if (rc != 0) return rc;
    return block.n == 0 ? blocks_drop(table, block.number, err)
                        : put_entry(table, state, &block, err);
}

/* Takes all rows of the batch that are there out of their blocks. */
static int remove_rows(struct semantic_table *table, const struct semantic_state *state,
                       struct pending_row *const *rows, size_t n_rows, struct error *err)
{
    size_t n = 0;
    int rc = 0;
    struct place *places = memory_alloc(n_rows, sizeof *places);
    if (places == NULL) return error_nomem(err);
    for (size_t i = 0; rc == 0 && i < n_rows; i++) {
        struct store_row row;
        int found;
        rc = store_get_row(table, rows[i]->id, &row, &found, err);
        if (rc == 0 && found) places[n++] = (struct place){row.block, rows[i]->id};
    }
    qsort(places, n, sizeof *places, compare_places);
    for (size_t begin = 0, end; rc == 0 && begin < n; begin = end) {
        for (end = begin + 1; end < n && places[end].block == places[begin].block;) end++;
        rc = remove_from(table, state, places + begin, end - begin, err);
        if (rc == 0) rc = cancel_check(&table->connection->cancel, err);
    }
    memory_free(places);
    return rc;
}

/* ---- a batch --------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    const struct block_row *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Puts the rows of a batch that have vectors into blocks. */
static int place_rows(struct semantic_table *table, struct semantic_state *state,
                      struct pending_row *const *rows, size_t n_rows, struct error *err)
{
    size_t n = 0;
    struct block_row *placed = memory_alloc(n_rows, sizeof *placed);
    if (placed == NULL) return error_nomem(err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_rows; i++) {
        if (rows[i]->kind >= PENDING_DELETE) rc = store_delete(table, rows[i], err);
        else
            placed[n++] =
                (struct block_row){.id = rows[i]->id, .vector = rows[i]->vector, .row = rows[i]};
    }
    if (rc == 0) rc = parts_place(table, state, placed, n, 0, err);
    /* Rows that come in the order of their ids go into full pages. */
    qsort(placed, n, sizeof *placed, compare_ids);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = store_put(table, placed[i].row, placed[i].block, err);
    if (rc == 0) rc = parts_split(table, state, placed, n, 0, err);
    memory_free(placed);
    return rc;
}

int blocks_write(struct semantic_table *table, struct semantic_state *state,
                 struct pending_row *const *rows, size_t n_rows, struct error *err)
{
    int rc = remove_rows(table, state, rows, n_rows, err);
    return rc == 0 ? place_rows(table, state, rows, n_rows, err) : rc;
}

int blocks_delete(struct semantic_table *table, struct semantic_state *state, const int64_t *ids,
                  size_t n_ids, enum pending_kind kind, struct error *err)
{
    struct pending_row *rows = memory_zalloc(ROWS_PER_DELETE, sizeof *rows);
    struct pending_row **list = memory_alloc(ROWS_PER_DELETE, sizeof *list);
    int rc = rows == NULL || list == NULL ? error_nomem(err) : 0;
    for (size_t begin = 0; rc == 0 && begin < n_ids; begin += ROWS_PER_DELETE) {
        size_t n = n_ids - begin < ROWS_PER_DELETE ? n_ids - begin : ROWS_PER_DELETE;
        for (size_t i = 0; i < n; i++) {
            rows[i] = (struct pending_row){.kind = kind, .id = ids[begin + i]};
            list[i] = &rows[i];
        }
        rc = blocks_write(table, state, list, n, err);
    }
    memory_free(rows);
    memory_free(list);
    return rc;
}
