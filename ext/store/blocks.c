#include "store/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/statement.h"
#include "store/statements.h"

/* Blocks double up to so many rows; from there on the next block of a partition is as large as the
 * last. */
#define DOUBLING_ROWS 256

/* A block of codes that lies on one page of a database, if its pages are of the usual size. */
#define PAGE_BYTES 4000

struct index_layout blocks_layout(const struct store *store, const struct store_state *state)
{
    return (struct index_layout){store->options.metric, store->options.quantize, state->dimensions,
                                 store->options.vectors};
}

int block_row_compare(const void *a, const void *b)
{
    const struct block_row *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* ---- one block ------------------------------------------------------------------------------- */

void block_free(struct block_bytes *block)
{
    memory_free(block->bytes);
    *block = (struct block_bytes){0};
}

static int corrupt_block(const struct store *store, int64_t number, const char *what,
                         struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "block %lld: %s%s", (long long)number, what,
                     store->options.quantize == INDEX_EXACT ? "" : " ('optimize' mends it)");
}

static int make_room(const struct index_layout *layout, struct block_bytes *block,
                     struct error *err)
{
    block->bytes = memory_zalloc(index_block_size(layout, block->capacity), 1);
    if (block->bytes == NULL) return error_nomem(err);
    block->rows = index_block_rows(layout, block->bytes, block->capacity);
    return 0;
}

static int read_entry(struct store *store, struct block_bytes *block, struct error *err)
{
    struct store_block entry;
    int found;
    int rc = store_get_block(store, block->number, &entry, &found, err);
    if (rc != 0) return rc;
    if (!found) return corrupt_block(store, block->number, "is not there", err);
    if (!store_block_is_possible(&entry))
        return corrupt_block(store, block->number, "its size is damaged", err);
    block->partition = entry.partition;
    block->n = (size_t)entry.n;
    block->capacity = (size_t)(entry.n + entry.room);
    return 0;
}

static struct store_block entry_of(const struct store_state *state, const struct block_bytes *block)
{
    return (struct store_block){block->number, block->partition, (int64_t)block->n,
                                (int64_t)(block->capacity - block->n), state->generation};
}

static int put_entry(struct store *store, const struct store_state *state,
                     const struct block_bytes *block, int is_new, struct error *err)
{
    struct store_block entry = entry_of(state, block);
    return store_put_block(store, &entry, is_new, err);
}

int block_read(struct store *store, const struct index_layout *layout, int64_t number,
               struct block_bytes *block, struct error *err)
{
    sqlite3_stmt *data = NULL;
    const void *bytes;
    size_t size;
    *block = (struct block_bytes){.number = number};
    int rc = read_entry(store, block, err);
    if (rc == 0) rc = store_get_data(store, number, &data, err);
    if (rc == 0 && data == NULL) rc = corrupt_block(store, number, "its bytes are not there", err);
    if (rc == 0) rc = statement_column_bytes(data, 0, &bytes, &size, err);
    if (rc == 0 && size != index_block_size(layout, block->capacity))
        rc = corrupt_block(store, number, "its bytes have a wrong size", err);
    if (rc == 0) rc = make_room(layout, block, err);
    if (rc == 0) memcpy(block->bytes, bytes, size);
    sqlite3_reset(data);
    if (rc != 0) block_free(block);
    return rc;
}

static int check_stored(const struct store *store, const struct index_layout *layout,
                        const struct block_bytes *block, sqlite3_blob *blob, struct error *err)
{
    if ((size_t)sqlite3_blob_bytes(blob) == index_block_size(layout, block->capacity)) return 0;
    return corrupt_block(store, block->number, "its bytes have a wrong size", err);
}

/* Writes the first n places of `rows` to a stored block, from place `first` on. */
static int write_places(struct store *store, sqlite3_blob *blob, const struct index_arrays *arrays,
                        const struct index_rows *rows, size_t first, size_t n, struct error *err)
{
    const void *const from[] = {rows->ids, rows->offsets, rows->scales, rows->errors,
                                rows->components};
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < INDEX_ARRAYS; i++)
        if (from[i] != NULL)
            rc = sqlite3_blob_write(blob, from[i], (int)(n * arrays->size[i]),
                                    (int)(arrays->offset[i] + first * arrays->size[i]));
    return rc == SQLITE_OK ? 0 : statement_error(store->db, rc, err);
}

/* Of an array: a code can be smaller than an id. */
static size_t largest_element(const struct index_arrays *arrays)
{
    size_t largest = 0;
    for (size_t i = 0; i < INDEX_ARRAYS; i++)
        if (arrays->size[i] > largest) largest = arrays->size[i];
    return largest;
}

/* Writes zeros to n places of a stored block, from place `first` on. */
static int clear_places(struct store *store, sqlite3_blob *blob, const struct index_arrays *arrays,
                        size_t first, size_t n, struct error *err)
{
    size_t largest = largest_element(arrays);
    void *zeros = memory_zalloc(n, largest);
    if (zeros == NULL) return error_nomem(err);
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < INDEX_ARRAYS; i++)
        if (arrays->size[i] > 0)
            rc = sqlite3_blob_write(blob, zeros, (int)(n * arrays->size[i]),
                                    (int)(arrays->offset[i] + first * arrays->size[i]));
    memory_free(zeros);
    return rc == SQLITE_OK ? 0 : statement_error(store->db, rc, err);
}

/* ---- new blocks ------------------------------------------------------------------------------ */

/* The number of the next new block. */
static int next_number(struct store *store, int64_t *number, struct error *err)
{
    int64_t last;
    int rc = store_ask(store, STORE_LAST_BLOCK, 0, 0, &last, err);
    if (rc == 0 && (last >= INT64_MAX - 1 || last < 0))
        return corrupt_block(store, last, "its number is damaged", err);
    *number = last + 1;
    return rc;
}

/* Writes a block that is new. */
static int put_new(struct store *store, const struct store_state *state,
                   const struct block_bytes *block, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    int rc = store_put_data(store, block->number, block->bytes,
                            index_block_size(&layout, block->capacity), err);
    return rc == 0 ? put_entry(store, state, block, 1, err) : rc;
}

int blocks_become_one(const struct store *store)
{
    return store_keeps_vectors(store) &&
           (store->options.partitions != 0 || store->options.quantize == INDEX_BIT);
}

static int compare_numbers(const void *a, const void *b)
{
    const struct store_block *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

int blocks_list(struct store *store, int64_t partition, int64_t after, struct store_block **list,
                size_t *n, struct error *err)
{
    sqlite3_stmt *scan;
    int row = 0, rc = store_keep(store, KEPT_BLOCKS_OF_PARTITION, &scan, err);
    *list = NULL;
    *n = 0;
    if (rc != 0) return rc;
    sqlite3_bind_int64(scan, 1, partition);
    sqlite3_bind_int64(scan, 2, after);
    while (rc == 0 && (rc = statement_step(store->db, scan, &row, err)) == 0 && row) {
        struct store_block *grown = memory_realloc(*list, *n + 1, sizeof **list);
        if (grown == NULL) {
            rc = error_nomem(err);
            break;
        }
        *list = grown;
        grown[*n] = store_block_of(scan);
        if (!store_block_is_possible(&grown[*n]))
            rc = corrupt_block(store, grown[*n].number, "its size is damaged", err);
        ++*n;
    }
    sqlite3_reset(scan);
    if (*n > 0) qsort(*list, *n, sizeof **list, compare_numbers);
    return rc;
}

/* How many of the last blocks are to become one, and of how many rows. */
static size_t count_alike(const struct store_block *list, size_t n_blocks, size_t most,
                          size_t *n_rows)
{
    size_t n = 0;
    *n_rows = 0;
    for (; n < n_blocks; n++) {
        size_t size = (size_t)list[n_blocks - 1 - n].n;
        if ((n > 0 && size > *n_rows) || *n_rows + size > most) break;
        *n_rows += size;
    }
    return n;
}

/* The rows of a block behind those of another, which has room for them. */
static void add_rows(const struct index_layout *layout, struct block_bytes *to,
                     const struct block_bytes *from)
{
    struct index_arrays there, here;
    index_block_arrays(layout, to->capacity, &there);
    index_block_arrays(layout, from->capacity, &here);
    for (size_t i = 0; i < INDEX_ARRAYS; i++)
        memcpy((unsigned char *)to->bytes + there.offset[i] + to->n * there.size[i],
               (const unsigned char *)from->bytes + here.offset[i], from->n * here.size[i]);
    to->n += from->n;
}

/* Blocks of a partition, of n_rows in all, become one. */
static int join(struct store *store, const struct store_state *state,
                const struct store_block *list, size_t n_blocks, size_t n_rows, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_bytes made = {.partition = list->partition, .capacity = n_rows};
    int rc = next_number(store, &made.number, err);
    if (rc == 0) rc = make_room(&layout, &made, err);
    for (size_t i = 0; rc == 0 && i < n_blocks; i++) {
        struct block_bytes block;
        rc = block_read(store, &layout, list[i].number, &block, err);
        if (rc == 0) add_rows(&layout, &made, &block);
        if (rc == 0) rc = store_delete_block(store, list[i].number, err);
        block_free(&block);
    }
    if (rc == 0) rc = put_new(store, state, &made, err);
    block_free(&made);
    return rc;
}

/* The last blocks of a partition, where none has room. *wanted: how many rows a new one is to take,
 * as many as there are, up to a page. */
static int join_last(struct store *store, const struct store_state *state,
                     const struct block_target *target, size_t *wanted, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct store_block *list;
    size_t n_blocks, n_rows, most = index_block_capacity(&layout, INDEX_MAX_CAPACITY);
    int rc = blocks_list(store, target->partition, target->after, &list, &n_blocks, err);
    size_t n = rc == 0 ? count_alike(list, n_blocks, most, &n_rows) : 0;
    if (n > 1) rc = join(store, state, list + n_blocks - n, n, n_rows, err);
    *wanted = 0;
    for (size_t i = 0; rc == 0 && i < n_blocks; i++) *wanted += (size_t)list[i].n;
    size_t of_page = PAGE_BYTES / index_block_size(&layout, 1);
    if (*wanted > of_page) *wanted = of_page;
    memory_free(list);
    return rc;
}

/* ---- appending ------------------------------------------------------------------------------- */

/* Rows into the places of a block from its n on. */
static void fill(const struct index_layout *layout, struct block_bytes *block,
                 const float *centroid, struct block_row *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++) {
        index_row_write(layout, &block->rows, block->n++, rows[i].id, rows[i].stored,
                        rows[i].rotated, centroid);
        rows[i].block = block->number;
    }
}

/* How many rows a new block is to take, in an index whose blocks do not become one. */
static int next_capacity(struct store *store, int64_t partition, size_t *wanted, struct error *err)
{
    int64_t last;
    int rc = store_ask(store, STORE_LAST_CAPACITY, partition, 0, &last, err);
    if (rc == 0 && (last < 0 || last > INDEX_MAX_CAPACITY))
        return corrupt_block(store, last, "its size is damaged", err);
    *wanted = (size_t)last * (last < DOUBLING_ROWS ? 2 : 1);
    return rc;
}

static int append_new(struct store *store, const struct store_state *state,
                      const struct block_target *target, struct block_row *rows, size_t n_rows,
                      size_t *n_done, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_bytes block = {.partition = target->partition};
    size_t wanted = 0;
    int rc = blocks_become_one(store) ? join_last(store, state, target, &wanted, err)
                                      : next_capacity(store, target->partition, &wanted, err);
    if (rc == 0) rc = next_number(store, &block.number, err);
    if (rc != 0) return rc;
    block.capacity = index_block_capacity(&layout, wanted < n_rows ? n_rows : wanted);
    rc = make_room(&layout, &block, err);
    *n_done = n_rows < block.capacity ? n_rows : block.capacity;
    if (rc == 0) fill(&layout, &block, target->centroid, rows, *n_done);
    if (rc == 0) rc = put_new(store, state, &block, err);
    block_free(&block);
    return rc;
}

/* Into the room that a stored block has. */
static int append_stored(struct store *store, const struct store_state *state,
                         const struct block_target *target, int64_t number, struct block_row *rows,
                         size_t n_rows, size_t *n_done, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_bytes stored = {.number = number}, added = {.number = number};
    struct index_arrays arrays;
    sqlite3_blob *blob = NULL;
    int rc = read_entry(store, &stored, err);
    if (rc == 0) rc = store_open_data(store, number, &blob, err);
    if (rc == 0) rc = check_stored(store, &layout, &stored, blob, err);
    size_t room = stored.capacity - stored.n;
    *n_done = added.capacity = n_rows < room ? n_rows : room;
    if (rc == 0) rc = make_room(&layout, &added, err);
    if (rc == 0) {
        fill(&layout, &added, target->centroid, rows, *n_done);
        index_block_arrays(&layout, stored.capacity, &arrays);
        rc = write_places(store, blob, &arrays, &added.rows, stored.n, *n_done, err);
    }
    rc = store_close_data(store, blob, rc, err);
    stored.n += *n_done;
    if (rc == 0) rc = put_entry(store, state, &stored, 0, err);
    block_free(&added);
    return rc;
}

int blocks_append(struct store *store, const struct store_state *state,
                  const struct block_target *target, struct block_row *rows, size_t n_rows,
                  struct error *err)
{
    int rc = 0;
    while (rc == 0 && n_rows > 0) {
        int64_t number;
        size_t n_done = 0;
        rc =
            store_ask(store, STORE_BLOCK_WITH_ROOM, target->partition, target->after, &number, err);
        if (rc == 0 && number == 0)
            rc = append_new(store, state, target, rows, n_rows, &n_done, err);
        else if (rc == 0)
            rc = append_stored(store, state, target, number, rows, n_rows, &n_done, err);
        rows += n_done;
        n_rows -= n_done;
        if (rc == 0 && n_rows > 0) rc = cancel_check(store->cancel, err);
    }
    return rc;
}

/* ---- removing -------------------------------------------------------------------------------- */

/* So many ids are looked for one by one. */
#define FEW 8

void blocks_find_ids(const int64_t *ids, size_t n, const struct block_place *places,
                     size_t n_places, size_t *at)
{
    const struct index_rows rows = {.ids = (int64_t *)(uintptr_t)ids};
    for (size_t p = 0; p < n_places; p++)
        at[p] = n_places <= FEW ? index_row_find(&rows, n, places[p].id) : n;
    for (size_t i = 0; n_places > FEW && i < n; i++) {
        size_t low = 0, high = n_places;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (places[middle].id < ids[i]) low = middle + 1;
            else high = middle;
        }
        if (low < n_places && places[low].id == ids[i]) at[low] = i;
    }
}

static int compare_descending(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    return *x > *y ? -1 : *x < *y;
}

/* Where rows are in a block: [n_places] descending. */
static int find_rows(const struct store *store, const struct block_bytes *block, const int64_t *ids,
                     const struct block_place *places, size_t n_places, size_t *at,
                     struct error *err)
{
    blocks_find_ids(ids, block->n, places, n_places, at);
    for (size_t i = 0; i < n_places; i++) {
        if (at[i] < block->n) continue;
        corrupt_block(store, block->number, "a row of it is not there", err);
        error_context(err, "row %lld", (long long)places[i].id);
        return ERROR_CORRUPT;
    }
    qsort(at, n_places, sizeof *at, compare_descending);
    return 0;
}

/* The last rows of a stored block, which go to the places of others. */
struct tail {
    size_t first; /* its place in the block */
    struct index_arrays arrays;
    unsigned char *bytes; /* owned */
};

static int read_tail(struct store *store, sqlite3_blob *blob, const struct index_arrays *arrays,
                     const struct tail *tail, size_t n, struct error *err)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < INDEX_ARRAYS; i++)
        if (arrays->size[i] > 0)
            rc = sqlite3_blob_read(blob, tail->bytes + tail->arrays.offset[i],
                                   (int)(n * arrays->size[i]),
                                   (int)(arrays->offset[i] + tail->first * arrays->size[i]));
    return rc == SQLITE_OK ? 0 : statement_error(store->db, rc, err);
}

/* Copies a row of the tail to another place. */
static int move_place(struct store *store, sqlite3_blob *blob, const struct index_arrays *arrays,
                      const struct tail *tail, size_t from, size_t to, struct error *err)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < INDEX_ARRAYS; i++) {
        size_t size = arrays->size[i];
        unsigned char *rows = tail->bytes + tail->arrays.offset[i];
        const unsigned char *row = rows + (from - tail->first) * size;
        if (size > 0 && to >= tail->first) memcpy(rows + (to - tail->first) * size, row, size);
        else if (size > 0)
            rc = sqlite3_blob_write(blob, row, (int)size, (int)(arrays->offset[i] + to * size));
    }
    return rc == SQLITE_OK ? 0 : statement_error(store->db, rc, err);
}

/* Takes rows out of a stored block: the last row moves to each place, and what is free after that
 * is zeros. A block without rows is about to go. */
static int remove_places(struct store *store, const struct index_layout *layout, sqlite3_blob *blob,
                         struct block_bytes *block, const size_t *at, size_t n_places,
                         struct error *err)
{
    struct index_arrays arrays;
    struct tail tail = {.first = block->n - n_places};
    if ((block->n = tail.first) == 0) return 0;
    index_block_arrays(layout, block->capacity, &arrays);
    index_block_arrays(layout, n_places, &tail.arrays);
    tail.bytes = memory_alloc(index_block_size(layout, n_places), 1);
    int rc = tail.bytes == NULL ? error_nomem(err)
                                : read_tail(store, blob, &arrays, &tail, n_places, err);
    for (size_t i = 0, last = tail.first + n_places; rc == 0 && i < n_places; i++)
        if (at[i] != --last) rc = move_place(store, blob, &arrays, &tail, last, at[i], err);
    memory_free(tail.bytes);
    return rc == 0 ? clear_places(store, blob, &arrays, tail.first, n_places, err) : rc;
}

int blocks_read_ids(struct store *store, const struct store_state *state,
                    const struct store_block *block, sqlite3_blob **blob, int64_t **ids,
                    struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    const struct block_bytes stored = {.number = block->number,
                                       .capacity = (size_t)(block->n + block->room)};
    *ids = NULL;
    int rc = store_open_data(store, block->number, blob, err);
    if (rc == 0) rc = check_stored(store, &layout, &stored, *blob, err);
    if (rc != 0) return rc;
    if ((*ids = memory_alloc((size_t)block->n, sizeof **ids)) == NULL) return error_nomem(err);
    int got = sqlite3_blob_read(*blob, *ids, (int)((size_t)block->n * sizeof **ids), 0);
    return got == SQLITE_OK ? 0 : statement_error(store->db, got, err);
}

int blocks_remove(struct store *store, const struct store_state *state,
                  const struct block_place *places, size_t n_places, sqlite3_blob **blob,
                  struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_bytes block = {.number = places->block};
    int64_t *ids = NULL;
    size_t *at = memory_alloc(n_places, sizeof *at);
    int rc = at == NULL ? error_nomem(err) : read_entry(store, &block, err);
    struct store_block entry = entry_of(state, &block);
    if (rc == 0) rc = blocks_read_ids(store, state, &entry, blob, &ids, err);
    if (rc == 0) rc = find_rows(store, &block, ids, places, n_places, at, err);
    if (rc == 0) rc = remove_places(store, &layout, *blob, &block, at, n_places, err);
    memory_free(ids);
    memory_free(at);
    if (rc != 0) return rc;
    return block.n == 0 ? store_delete_block(store, block.number, err)
                        : put_entry(store, state, &block, 0, err);
}
