#include "store/reader.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/block_list.h"
#include "store/statements.h"
#include "store/store.h"
#include "store/vectors.h"
#include "store/waiting.h"

/* Components of an index whose first search keeps all blocks. */
#define SMALL_INDEX ((size_t)2 << 20)

/* What a search of another keeps in any case: bytes, and one in so many of all. */
#define LEAST_KEPT ((size_t)16 << 20)
#define KEPT_SHARE 8

/* Of memory. */
#define SMALLEST_PAGE 4096

/* ---- snapshots ------------------------------------------------------------------------------- */

/* Of the file and the table; a database that is in no file belongs to its connection alone. */
int reader_open_cache(struct store *store, struct error *err)
{
    const char *file = sqlite3_db_filename(store->db, store->schema);
    if (store->cache != NULL) return 0;
    char *name = file != NULL && *file != '\0'
                     ? sqlite3_mprintf("%s\n%s", file, store->name)
                     : sqlite3_mprintf("%p %s\n%s", (void *)store->db, store->schema, store->name);
    int rc = name == NULL ? error_nomem(err) : index_cache_open(name, &store->cache, err);
    sqlite3_free(name);
    return rc;
}

static int is_same(const struct index_layout *a, const struct index_layout *b)
{
    return a->metric == b->metric && a->quantize == b->quantize && a->vectors == b->vectors &&
           a->dimensions == b->dimensions;
}

int reader_begin(struct store_reader *reader, const struct store_state *state, struct error *err)
{
    struct store *store = reader->store;
    reader->layout = blocks_layout(store, state);
    int rc = reader_open_cache(store, err);
    if (rc != 0) return rc;
    index_snapshot_free(reader->snapshot);
    reader->reading = reader->keeping = 0.0;
    reader->kept = 0;
    reader->waited_for = block_list_waited_for(store, state);
    reader->snapshot = index_cache_find(store->cache, state->generation);
    if (reader->snapshot != NULL && !is_same(&reader->snapshot->layout, &reader->layout)) {
        index_snapshot_free(reader->snapshot);
        reader->snapshot = NULL;
    }
    if (reader->snapshot != NULL) return 0;
    rc = block_list_read(store, state, &reader->snapshot, err);
    if (rc == 0) index_cache_publish(store->cache, reader->snapshot);
    return rc;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static int changed_under_us(struct error *err)
{
    return error_set(err, ERROR_INVALID, "the index was changed while a search of it was read");
}

/* Memory for a block in which rows wait, until the next is made. */
static int make_waiting_room(struct store_reader *reader, const struct index_block *block,
                             struct index_rows *rows, struct error *err)
{
    size_t size = index_block_size(&reader->layout, block->capacity);
    void *made = memory_realloc(reader->waiting, size, 1);
    if (made == NULL) return error_nomem(err);
    reader->waiting = made;
    *rows = index_block_rows(&reader->layout, made, block->capacity);
    return 0;
}

/* Rows that wait behind the others of the block: their vectors are there, but not their ids. */
static int add_ids(struct store_reader *reader, const struct index_block *block,
                   const struct store_state *now, const void **bytes, struct error *err)
{
    struct index_rows rows;
    int rc = make_waiting_room(reader, block, &rows, err);
    if (rc != 0) return rc;
    memcpy(reader->waiting, *bytes, index_block_size(&reader->layout, block->capacity));
    for (size_t i = 0; i < now->n_waiting && i < block->n; i++)
        rows.ids[block->n - now->n_waiting + i] = now->waiting[i].id;
    *bytes = reader->waiting;
    return 0;
}

/* Whether a block of the snapshot has rows that wait, whose ids are not in it. */
static int is_waited_for(const struct store_reader *reader, const struct index_block *block)
{
    return reader->snapshot != NULL && block->version == reader->snapshot->generation &&
           block->number == reader->waited_for;
}

/* Whether a block is as X_blocks has it. *waiting: as it is with the rows that wait, which *now
 * lists. Our own connection may have written since the snapshot was taken: other bytes must not
 * stay with it, as ROLLBACK brings its generation back. */
static int check_version(struct store_reader *reader, const struct index_block *block,
                         struct store_state *now, int *waiting, struct error *err)
{
    int64_t version = sqlite3_column_int64(reader->data, 1);
    int rc = 0;
    *waiting = 0;
    if (is_waited_for(reader, block)) {
        rc = store_read_state(reader->store, now, err);
        *waiting = rc == 0 && now->generation == block->version && block->n >= now->n_waiting;
    }
    if (rc == 0 && !*waiting && version != block->version) rc = changed_under_us(err);
    return rc;
}

/* The bytes of a block of X_data as the statement holds them, until it is stepped again. */
static int step_stored(struct store_reader *reader, const struct index_block *block,
                       const void **bytes, struct error *err)
{
    struct store *store = reader->store;
    struct store_state now;
    size_t size = 0, expected = index_block_size(&reader->layout, block->capacity);
    int row = 0, waiting = 0, rc = 0;
    if (reader->data == NULL) rc = store_query(store, STORE_DATA, &reader->data, err);
    if (rc != 0) return rc;
    sqlite3_reset(reader->data);
    sqlite3_bind_int64(reader->data, 1, block->number);
    rc = statement_step(store->db, reader->data, &row, err);
    if (rc == 0 && row) rc = check_version(reader, block, &now, &waiting, err);
    if (rc == 0 && row) rc = statement_column_bytes(reader->data, 0, bytes, &size, err);
    if (rc == 0 && size != expected)
        rc = error_set(err, ERROR_CORRUPT, "block %lld: expected %zu bytes, not %zu",
                       (long long)block->number, expected, size);
    return rc == 0 && waiting ? add_ids(reader, block, &now, bytes, err) : rc;
}

/* A block of rows that wait for their codes. */
static int make_waiting(struct store_reader *reader, const struct index_block *block,
                        const void **bytes, struct error *err)
{
    struct store_state now;
    struct index_rows rows;
    int rc = store_read_state(reader->store, &now, err);
    if (rc == 0 && (now.generation != block->version ||
                    waiting_count(&now, block->partition) != block->capacity))
        rc = changed_under_us(err);
    if (rc == 0) rc = make_waiting_room(reader, block, &rows, err);
    if (rc != 0) return rc;
    *bytes = reader->waiting;
    return waiting_fill(reader->store, &now, reader->snapshot->partitions, block->partition, &rows,
                        err);
}

/* The bytes of a block, until the next one is read. */
static int step_data(struct store_reader *reader, const struct index_block *block,
                     const void **bytes, struct error *err)
{
    reader->at_hand = NULL;
    return block->number == STORE_NO_BLOCK && reader->snapshot != NULL &&
                   store_keeps_vectors(reader->store)
               ? make_waiting(reader, block, bytes, err)
               : step_stored(reader, block, bytes, err);
}

static int check(const struct store_reader *reader, const struct index_block *block,
                 const void *bytes, struct error *err)
{
    struct index_rows rows =
        index_block_rows(&reader->layout, (void *)(uintptr_t)bytes, block->capacity);
    return index_block_check(&reader->layout, &rows, block->n, err);
}

/* Room for a block that does not stay in memory. */
static int reserve_scratch(struct store_reader *reader, size_t size, void **scratch,
                           struct error *err)
{
    size_t i = reader->n_lent % INDEX_MOST_LENT;
    if (size > reader->scratch[i].size) {
        void *grown = memory_realloc(reader->scratch[i].bytes, size, 1);
        if (grown == NULL) return error_nomem(err);
        reader->scratch[i].bytes = grown;
        reader->scratch[i].size = size;
    }
    *scratch = reader->scratch[i].bytes;
    return 0;
}

/* Bytes that are aligned and do not stay in memory are at hand until others are. */
static int hold(struct store_reader *reader, const struct index_block *block, const void *bytes,
                struct error *err)
{
    int rc = check(reader, block, bytes, err);
    if (rc != 0) return rc;
    reader->at_hand = bytes;
    reader->at_hand_number = block->number;
    reader->at_hand_version = block->version;
    return 0;
}

/* Bytes that SQLite has, where they are aligned: there, or in the scratch. */
static int take_bytes(struct store_reader *reader, const struct index_block *block,
                      const void **bytes, struct error *err)
{
    size_t size = index_block_size(&reader->layout, block->capacity);
    void *scratch;
    if ((uintptr_t)*bytes % sizeof(int64_t) != 0) {
        int rc = reserve_scratch(reader, size, &scratch, err);
        if (rc != 0) return rc;
        memcpy(scratch, *bytes, size);
        *bytes = scratch;
    }
    return hold(reader, block, *bytes, err);
}

/* The bytes of a block off the file, past SQLite's cache; *done = 0: SQLite is to be asked, which
 * tells too if the block was changed since the snapshot was taken. */
static int read_file(struct store_reader *reader, const struct index_block *block, void *bytes,
                     int *done, struct error *err)
{
    struct store *store = reader->store;
    sqlite3_stmt *row;
    int rc = 0;
    *done = 0;
    if (!reader->file_is_open) {
        char *name = sqlite3_mprintf("%s_data", store->name);
        rc = name == NULL ? error_nomem(err)
                          : table_file_open(&reader->file, store->db, store->schema, name, err);
        sqlite3_free(name);
        reader->file_is_open = rc == 0;
    }
    if (rc != 0 || reader->file.file == NULL) return rc;
    rc = store_look_up(store, KEPT_GET_BLOCK, block->number, &row, done, err);
    if (rc != 0 || !*done) return rc;
    int is_current = sqlite3_column_int64(row, 4) == block->version;
    sqlite3_reset(row);
    *done = is_current && !is_waited_for(reader, block) &&
            table_file_read(&reader->file, block->number, bytes,
                            index_block_size(&reader->layout, block->capacity));
    return 0;
}

static int read_bytes(struct store_reader *reader, const struct index_block *block,
                      const void **bytes, struct error *err)
{
    int rc = step_data(reader, block, bytes, err);
    return rc == 0 ? take_bytes(reader, block, bytes, err) : rc;
}

/* Whether a block that is read is to stay in memory: see the head of index/snapshot.h. */
static int wants_to_keep(const struct store_reader *reader)
{
    const struct index_snapshot *snapshot = reader->snapshot;
    size_t size = index_block_size(&snapshot->layout, snapshot->n_rows);
    if (snapshot->n_rows * snapshot->layout.dimensions <= SMALL_INDEX) return 1;
    return atomic_load_explicit(&snapshot->is_known, memory_order_relaxed) &&
           (reader->kept < LEAST_KEPT || reader->kept < size / KEPT_SHARE ||
            reader->keeping <= reader->reading);
}

/* Meets the page faults of memory that is new, all zeros. */
static void touch(void *bytes, size_t size)
{
    volatile unsigned char *at = bytes;
    for (size_t i = 0; i < size; i += SMALLEST_PAGE) at[i] = 0;
}

/* Memory that the snapshot keeps, if the block is to stay there; NULL: it is not. */
static struct index_bytes *make_room(struct store_reader *reader, const struct index_block *block)
{
    if (!wants_to_keep(reader)) return NULL;
    struct store *store = reader->store;
    size_t size = index_block_size(&reader->layout, block->capacity);
    double begun = clock_seconds();
    struct index_bytes *room =
        index_bytes_new(store->cache, reader->snapshot, size, store_memory_budget(store));
    if (room != NULL) touch(index_bytes_data(room), size);
    reader->keeping += clock_seconds() - begun;
    if (room != NULL) reader->kept += size;
    return room;
}

/* Into memory that the snapshot keeps. */
static int keep(struct store_reader *reader, struct index_block *block, struct index_bytes *room,
                const void **bytes, struct error *err)
{
    int done, rc = read_file(reader, block, index_bytes_data(room), &done, err);
    if (rc == 0 && !done) {
        rc = step_data(reader, block, bytes, err);
        double begun = clock_seconds();
        if (rc == 0)
            memcpy(index_bytes_data(room), *bytes,
                   index_block_size(&reader->layout, block->capacity));
        sqlite3_reset(reader->data);
        reader->keeping += clock_seconds() - begun;
    }
    if (rc == 0) rc = check(reader, block, index_bytes_data(room), err);
    if (rc == 0) *bytes = index_snapshot_keep(block, room);
    else index_bytes_free(room);
    return rc;
}

/* Where it stays for a while. */
static int pass(struct store_reader *reader, const struct index_block *block, const void **bytes,
                int *kept, struct error *err)
{
    void *scratch;
    int done, rc = reserve_scratch(reader, index_block_size(&reader->layout, block->capacity),
                                   &scratch, err);
    reader->at_hand = NULL;
    *kept = INDEX_PASSED;
    if (rc == 0) rc = read_file(reader, block, scratch, &done, err);
    if (rc != 0) return rc;
    if (!done) return read_bytes(reader, block, bytes, err);
    *bytes = scratch;
    *kept = INDEX_LENT;
    reader->n_lent++;
    return hold(reader, block, scratch, err);
}

static int load(void *context, struct index_block *block, const void **bytes, int *kept,
                struct error *err)
{
    struct store_reader *reader = context;
    struct index_bytes *room = make_room(reader, block);
    double begun = clock_seconds(), keeping = reader->keeping;
    *kept = INDEX_KEPT;
    int rc = room != NULL ? keep(reader, block, room, bytes, err)
                          : pass(reader, block, bytes, kept, err);
    reader->reading += clock_seconds() - begun - (reader->keeping - keeping);
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The block of the snapshot that is the one read now; NULL if none is. */
static struct index_block *find_in_snapshot(const struct store_reader *reader,
                                            const struct index_block *wanted)
{
    size_t first, n;
    if (reader->snapshot == NULL) return NULL;
    n = index_snapshot_partition(reader->snapshot, wanted->partition, &first);
    size_t low = first, high = first + n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (reader->snapshot->blocks[middle].number < wanted->number) low = middle + 1;
        else high = middle;
    }
    struct index_block *block = &reader->snapshot->blocks[low];
    return low < first + n && block->number == wanted->number && block->version == wanted->version
               ? block
               : NULL;
}

/* The place of a row that waits behind those of its block. */
static int find_waiting(const struct store_reader *reader, const struct index_block *entry,
                        int64_t id, size_t *at, int *found, struct error *err)
{
    struct store_state now;
    size_t i = 0;
    int rc = store_read_state(reader->store, &now, err);
    if (rc != 0 || block_list_waited_for(reader->store, &now) != entry->number) return rc;
    while (i < now.n_waiting && now.waiting[i].id != id) i++;
    *at = entry->n + i;
    *found = i < now.n_waiting && *at < entry->capacity;
    return 0;
}

/* A vector out of its block, in memory or not. */
static int fetch_from_block(struct store_reader *reader, int64_t id, const void **bytes, int *found,
                            struct error *err)
{
    struct index_block entry = {0};
    int rc = block_list_entry(reader->lookup, &entry, err);
    if (rc != 0) return rc;
    struct index_block *block = find_in_snapshot(reader, &entry);
    const void *data = block == NULL ? NULL : index_block_data(block);
    int kept;
    if (data == NULL && reader->at_hand != NULL && reader->at_hand_number == entry.number &&
        reader->at_hand_version == entry.version)
        data = reader->at_hand;
    if (data == NULL)
        rc = block != NULL ? load(reader, block, &data, &kept, err)
                           : read_bytes(reader, &entry, &data, err);
    if (rc != 0) return rc;
    struct index_rows rows =
        index_block_rows(&reader->layout, (void *)(uintptr_t)data, entry.capacity);
    size_t at = index_row_find(&rows, entry.n, id);
    *found = at < entry.n;
    if (!*found) rc = find_waiting(reader, &entry, id, &at, found, err);
    *bytes = rows.components + at * rows.stride;
    return rc != 0 || *found
               ? rc
               : error_set(err, ERROR_CORRUPT, "row %lld: block %lld does not hold it",
                           (long long)id, (long long)entry.number);
}

static int fetch(void *context, int64_t id, const void **bytes, size_t *size, int *found,
                 struct error *err)
{
    struct store_reader *reader = context;
    struct store *store = reader->store;
    enum store_query which = store_keeps_vectors(store) ? STORE_VECTOR : STORE_BLOCK_OF_ROW;
    int rc = reader->lookup == NULL ? store_query(store, which, &reader->lookup, err) : 0;
    if (rc != 0) return rc;
    sqlite3_reset(reader->lookup);
    sqlite3_bind_int64(reader->lookup, 1, id);
    rc = statement_step(store->db, reader->lookup, found, err);
    if (rc != 0 || !*found) return rc;
    if (which == STORE_VECTOR) return statement_column_bytes(reader->lookup, 0, bytes, size, err);
    *size = index_vector_size(&reader->layout);
    return fetch_from_block(reader, id, bytes, found, err);
}

/* For a search: its rows are those of the snapshot. */
static int fetch_found(void *context, int64_t id, const void **bytes, size_t *size, int *found,
                       struct error *err)
{
    struct store_reader *reader = context;
    *bytes = vectors_find(reader, id);
    *size = index_vector_size(&reader->layout);
    *found = *bytes != NULL;
    if (*found) return 0;
    int rc = vectors_note(reader, 1, err);
    return rc == 0 ? fetch(context, id, bytes, size, found, err) : rc;
}

int reader_vector(struct store_reader *reader, int64_t id, const void **bytes, size_t *size,
                  int *found, struct error *err)
{
    const struct index_layout *layout = &reader->layout;
    int rc = fetch(reader, id, bytes, size, found, err);
    if (rc != 0 || !*found || layout->vectors == INDEX_FLOAT32) return rc;
    rc = index_vector_check(layout, id, *bytes, *size, err);
    if (rc != 0) return rc;
    float *vector = memory_realloc(reader->vector, layout->dimensions, sizeof *vector);
    if (vector == NULL) return error_nomem(err);
    index_vector_read(layout, *bytes, vector);
    *bytes = reader->vector = vector;
    *size = layout->dimensions * sizeof *vector;
    return 0;
}

static int rewind_scan(void *context, struct error *err)
{
    struct store_reader *reader = context;
    int rc = vectors_note(reader, reader->snapshot->n_rows, err);
    sqlite3_finalize(reader->scan);
    reader->scan = NULL;
    return rc == 0 ? store_query(reader->store, STORE_VECTORS, &reader->scan, err) : rc;
}

static int next(void *context, int64_t *id, const void **bytes, size_t *size, int *done,
                struct error *err)
{
    struct store_reader *reader = context;
    int row;
    int rc = statement_step(reader->store->db, reader->scan, &row, err);
    *done = !row;
    if (rc != 0 || !row) return rc;
    *id = sqlite3_column_int64(reader->scan, 0);
    return statement_column_bytes(reader->scan, 1, bytes, size, err);
}

void reader_open(struct store *store, struct store_reader *reader, struct index_storage *storage)
{
    *reader = (struct store_reader){.store = store};
    *storage = (struct index_storage){load, fetch_found, rewind_scan, next, reader};
}

struct index_search reader_search(const struct store_reader *reader,
                                  const struct index_storage *storage)
{
    const struct store *store = reader->store;
    return (struct index_search){.snapshot = reader->snapshot,
                                 .storage = storage,
                                 .near_partitions_only = store->options.partitions != 0,
                                 .n_threads = store_threads(store),
                                 .max_bytes = store_memory_budget(store),
                                 .cancel = store->cancel};
}

void reader_close(struct store_reader *reader)
{
    sqlite3_finalize(reader->data);
    sqlite3_finalize(reader->lookup);
    sqlite3_finalize(reader->scan);
    reader->data = reader->lookup = reader->scan = NULL;
    table_file_close(&reader->file);
    reader->file_is_open = 0;
    reader->at_hand = NULL;
    for (size_t i = 0; i < INDEX_MOST_LENT; i++) {
        memory_free(reader->scratch[i].bytes);
        reader->scratch[i].bytes = NULL;
        reader->scratch[i].size = 0;
    }
    memory_free(reader->vector);
    memory_free(reader->waiting);
    reader->waiting = NULL;
    reader->vector = NULL;
    index_snapshot_free(reader->snapshot);
    reader->snapshot = NULL;
}
