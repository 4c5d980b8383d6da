#include "store/loading.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/statements.h"

/* Components of an index whose first search keeps all blocks. */
#define SMALL_INDEX ((size_t)2 << 20)

/* What a search of another keeps in any case: bytes, and one in so many of all. */
#define LEAST_KEPT ((size_t)4 << 20)
#define KEPT_SHARE 8

/* And beyond that as much as costs one in so many seconds of reading: new memory, which is written
 * then, costs about twice its page faults, and no search is to take a tenth longer for it. */
#define KEEPING_SHARE 20

/* Bytes from which on threads share what is to be read, as each opens the file; and most of a
 * write-ahead log that is looked at for it. */
#define LEAST_SHARED ((size_t)4 << 20)
#define MOST_LOG ((size_t)256 << 20)

/* Of memory. */
#define SMALLEST_PAGE 4096

/* ---- by SQLite ------------------------------------------------------------------------------- */

int loading_changed(struct error *err)
{
    return error_set(err, ERROR_INVALID, "the index was changed while a search of it was read");
}

/* Whether a block is as X_blocks has it. Our own connection may have written since the snapshot was
 * taken: other bytes must not stay with it, as ROLLBACK brings its generation back. */
static int check_version(const struct store_reader *reader, const struct index_block *block,
                         struct error *err)
{
    return sqlite3_column_int64(reader->data, 1) == block->version ? 0 : loading_changed(err);
}

/* The bytes of a block of X_data as the statement holds them, until it is stepped again. */
static int step_stored(struct store_reader *reader, const struct index_block *block,
                       const void **bytes, struct error *err)
{
    struct store *store = reader->store;
    size_t size = 0, expected = index_block_size(&reader->layout, block->capacity);
    int row = 0, rc = 0;
    if (reader->data == NULL) rc = store_query(store, STORE_DATA, &reader->data, err);
    if (rc != 0) return rc;
    sqlite3_reset(reader->data);
    sqlite3_bind_int64(reader->data, 1, block->number);
    rc = statement_step(store->db, reader->data, &row, err);
    if (rc == 0 && row) rc = check_version(reader, block, err);
    if (rc == 0 && row) rc = statement_column_bytes(reader->data, 0, bytes, &size, err);
    if (rc == 0 && size != expected)
        rc = error_set(err, ERROR_CORRUPT, "block %lld: expected %zu bytes, not %zu",
                       (long long)block->number, expected, size);
    return rc;
}

int loading_waiting(struct store_reader *reader, const struct waiting_rows **waiting,
                    struct error *err)
{
    struct store_state now;
    const struct index_snapshot *snapshot = reader->snapshot;
    *waiting = &reader->waiting;
    if (snapshot != NULL && reader->waiting.generation == snapshot->generation) return 0;
    int rc = store_read_state(reader->store, &now, err);
    return rc == 0 ? waiting_read(reader->store, &now, &reader->waiting, err) : rc;
}

/* A block of rows that wait. */
static int make_waiting(struct store_reader *reader, const struct index_block *block,
                        const void **bytes, struct error *err)
{
    const struct waiting_rows *waiting;
    size_t size = index_block_size(&reader->layout, block->capacity), n = 0;
    int rc = loading_waiting(reader, &waiting, err);
    for (size_t i = 0; rc == 0 && i < waiting->n; i++)
        n += waiting->rows[i].partition == block->partition;
    if (rc == 0 && (waiting->generation != block->version || n != block->capacity))
        rc = loading_changed(err);
    if (rc != 0) return rc;
    void *made = memory_realloc(reader->waiting_block, size, 1);
    if (made == NULL) return error_nomem(err);
    *bytes = reader->waiting_block = made;
    struct index_rows rows = index_block_rows(&reader->layout, made, block->capacity);
    return waiting_fill(&reader->layout, waiting, reader->snapshot->partitions, block->partition,
                        &rows, err);
}

/* The bytes of a block, until the next one is read. */
static int step_data(struct store_reader *reader, const struct index_block *block,
                     const void **bytes, struct error *err)
{
    reader->at_hand = NULL;
    return block->number == STORE_NO_BLOCK && reader->snapshot != NULL
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

int loading_scratch(struct store_reading *thread, size_t size, struct error *err)
{
    if (size <= thread->size) return 0;
    void *grown = memory_realloc(thread->scratch, size, 1);
    if (grown == NULL) return error_nomem(err);
    thread->scratch = grown;
    thread->size = size;
    return 0;
}

/* Bytes that are aligned and do not stay in memory are at hand until others are. */
static void hold(struct store_reader *reader, const struct index_block *block, const void *bytes)
{
    reader->at_hand = bytes;
    reader->at_hand_number = block->number;
    reader->at_hand_version = block->version;
}

/* Bytes that SQLite has, where they are aligned: there, or in the scratch. */
static int take_bytes(struct store_reader *reader, const struct index_block *block,
                      const void **bytes, struct error *err)
{
    size_t size = index_block_size(&reader->layout, block->capacity);
    if ((uintptr_t)*bytes % sizeof(int64_t) != 0) {
        int rc = loading_scratch(&reader->blocks.threads[0], size, err);
        if (rc != 0) return rc;
        memcpy(reader->blocks.threads[0].scratch, *bytes, size);
        *bytes = reader->blocks.threads[0].scratch;
    }
    int rc = check(reader, block, *bytes, err);
    if (rc == 0) hold(reader, block, *bytes);
    return rc;
}

int loading_bytes(struct store_reader *reader, const struct index_block *block, const void **bytes,
                  struct error *err)
{
    int rc = step_data(reader, block, bytes, err);
    return rc == 0 ? take_bytes(reader, block, bytes, err) : rc;
}

/* ---- off the file ---------------------------------------------------------------------------- */

/* Bytes of a snapshot's blocks that are not in memory. */
static size_t missing_bytes(const struct index_snapshot *snapshot)
{
    size_t n = 0;
    for (size_t i = 0; snapshot != NULL && i < snapshot->n_blocks; i++)
        if (index_block_data(&snapshot->blocks[i]) == NULL)
            n += index_block_size(&snapshot->layout, snapshot->blocks[i].capacity);
    return n;
}

/* To read a log that is larger than what is missing costs more than it saves. */
int loading_open(struct store *store, struct store_loading *loading, const char *table,
                 size_t n_missing, struct error *err)
{
    char *name = sqlite3_mprintf("%s_%s", store->name, table);
    int rc = name == NULL ? error_nomem(err)
                          : table_file_open(&loading->file, store->db, store->schema, name,
                                            n_missing < MOST_LOG ? n_missing : MOST_LOG, err);
    loading->n_missing = n_missing;
    sqlite3_free(name);
    loading->file_is_open = rc == 0;
    return rc;
}

/* Where a block lies in the file; *found = 0: SQLite is to be asked, which tells too if the block
 * was changed since the snapshot was taken. */
static int find(struct store_reader *reader, const struct index_block *block,
                struct index_place *place, int *found, struct error *err)
{
    struct table_place where;
    sqlite3_stmt *row;
    int rc = 0;
    *found = 0;
    if (!reader->blocks.file_is_open)
        rc = loading_open(reader->store, &reader->blocks, "data", missing_bytes(reader->snapshot),
                          err);
    if (rc != 0 || reader->blocks.file.n_readers == 0) return rc;
    rc = store_look_up(reader->store, KEPT_GET_BLOCK, block->number, &row, found, err);
    if (rc != 0 || !*found) return rc;
    int is_current = sqlite3_column_int64(row, 4) == block->version;
    sqlite3_reset(row);
    *found =
        is_current && table_file_find(&reader->blocks.file, block->number,
                                      index_block_size(&reader->layout, block->capacity), &where);
    if (!*found) return 0;
    place->numbers[0] = where.at;
    place->numbers[1] = where.next;
    place->numbers[2] = (int64_t)where.n_here;
    return 0;
}

/* Each thread of a search gets a handle of the file, and a scratch for any block. */
static int share(struct store_loading *loading, const struct index_snapshot *snapshot,
                 size_t n_threads, struct error *err)
{
    size_t largest = 0;
    int rc = table_file_share(&loading->file, n_threads, err);
    for (size_t i = 0; i < snapshot->n_blocks; i++)
        if (snapshot->blocks[i].capacity > largest) largest = snapshot->blocks[i].capacity;
    for (size_t i = 0; rc == 0 && i < loading->file.n_readers; i++)
        rc = loading_scratch(&loading->threads[i], index_block_size(&snapshot->layout, largest),
                             err);
    if (rc == 0) loading->n_threads = n_threads;
    return rc;
}

int loading_share(const struct store *store, struct store_loading *loading,
                  const struct index_snapshot *snapshot, int *can, struct error *err)
{
    size_t n = store_threads(store);
    *can = 0;
    if (loading->n_missing < LEAST_SHARED) return 0;
    if (n > WORKERS_MAX) n = WORKERS_MAX;
    int rc = loading->n_threads < n ? share(loading, snapshot, n, err) : 0;
    *can = rc == 0 && loading->file.n_readers >= n;
    return rc;
}

/* ---- blocks of a search ---------------------------------------------------------------------- */

void loading_spend(_Atomic double *seconds, double begun)
{
    atomic_store_explicit(
        seconds, atomic_load_explicit(seconds, memory_order_relaxed) + clock_seconds() - begun,
        memory_order_relaxed);
}

/* Whether keeping has cost a small share of reading, of all threads. */
static int is_cheap(const struct store_loading *loading)
{
    double left = 0.0;
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        const struct store_reading *thread = &loading->threads[i];
        left += atomic_load_explicit(&thread->reading, memory_order_relaxed) / KEEPING_SHARE -
                atomic_load_explicit(&thread->keeping, memory_order_relaxed);
    }
    return left >= 0.0;
}

/* Whether a block that is read is to stay in memory: see the head of index/snapshot.h. */
static int wants_to_keep(const struct store_loading *loading, const struct index_snapshot *snapshot,
                         int is_known)
{
    size_t size = index_block_size(&snapshot->layout, snapshot->n_rows);
    if (snapshot->n_rows * snapshot->layout.dimensions <= SMALL_INDEX) return 1;
    return is_known &&
           (loading->kept < LEAST_KEPT || loading->kept < size / KEPT_SHARE || is_cheap(loading));
}

struct index_bytes *loading_room(struct store_reader *reader, struct store_loading *loading,
                                 const struct index_snapshot *snapshot,
                                 const struct index_block *block)
{
    struct store *store = reader->store;
    int is_known = atomic_load_explicit(&reader->snapshot->is_known, memory_order_relaxed);
    if (!wants_to_keep(loading, snapshot, is_known)) return NULL;
    size_t size = index_block_size(&snapshot->layout, block->capacity);
    double begun = clock_seconds();
    struct index_bytes *room =
        index_bytes_new(store->cache, snapshot, size, store_memory_budget(store));
    loading_spend(&loading->threads[0].keeping, begun);
    if (room != NULL) loading->kept += size;
    return room;
}

void loading_touch(struct store_reading *thread, void *bytes, size_t size)
{
    volatile unsigned char *at = bytes;
    double begun = clock_seconds();
    for (size_t i = 0; i < size; i += SMALLEST_PAGE) at[i] = 0;
    loading_spend(&thread->keeping, begun);
}

int loading_read(void *context, size_t number, struct index_block *block, struct index_place *place,
                 const void **bytes, struct error *err)
{
    struct store_reader *reader = context;
    struct store_reading *thread = &reader->blocks.threads[number];
    const struct table_place where = {place->numbers[0], place->numbers[1],
                                      (size_t)place->numbers[2]};
    size_t size = index_block_size(&reader->layout, block->capacity);
    void *to = place->room != NULL ? index_bytes_data(place->room) : thread->scratch;
    if (place->room != NULL) loading_touch(thread, to, size);
    double begun = clock_seconds();
    int done = table_file_read(&reader->blocks.file, number, &where, to, size);
    loading_spend(&thread->reading, begun);
    *bytes = NULL;
    int rc = done ? check(reader, block, to, err) : 0;
    if (rc != 0 || !done) return rc;
    *bytes = place->room != NULL ? index_snapshot_keep(block, place->room) : to;
    place->room = NULL;
    return 0;
}

/* The same by the thread that has the connection. */
static int read_here(struct store_reader *reader, struct index_block *block,
                     struct index_place *place, const void **bytes, struct error *err)
{
    int passes = place->room == NULL, rc = 0;
    reader->at_hand = NULL;
    if (passes)
        rc = loading_scratch(&reader->blocks.threads[0],
                             index_block_size(&reader->layout, block->capacity), err);
    if (rc == 0) rc = loading_read(reader, 0, block, place, bytes, err);
    if (rc == 0 && passes && *bytes != NULL) hold(reader, block, *bytes);
    return rc;
}

/* By SQLite; into memory that the snapshot keeps, if there is room. */
static int ask_sqlite(struct store_reader *reader, struct index_block *block,
                      struct index_place *place, const void **bytes, struct error *err)
{
    size_t size = index_block_size(&reader->layout, block->capacity);
    struct store_reading *thread = &reader->blocks.threads[0];
    void *to = place->room == NULL ? NULL : index_bytes_data(place->room);
    if (to != NULL) loading_touch(thread, to, size);
    double begun = clock_seconds();
    int rc = to == NULL ? loading_bytes(reader, block, bytes, err)
                        : step_data(reader, block, bytes, err);
    if (rc == 0 && to != NULL) memcpy(to, *bytes, size);
    loading_spend(&thread->reading, begun);
    if (rc != 0 || to == NULL) return rc;
    sqlite3_reset(reader->data);
    rc = check(reader, block, to, err);
    if (rc != 0) return rc;
    *bytes = index_snapshot_keep(block, place->room);
    place->room = NULL;
    return 0;
}

int loading_load(void *context, struct index_block *block, struct index_place *place,
                 const void **bytes, int *stay, struct error *err)
{
    struct store_reader *reader = context;
    struct store_loading *loading = &reader->blocks;
    struct index_place here = {.room = loading_room(reader, loading, reader->snapshot, block)};
    int found, shares = 0, rc = find(reader, block, &here, &found, err);
    if (rc == 0 && found && place != NULL) {
        reader->at_hand = NULL; /* the scratch is about to be another's */
        rc = loading_share(reader->store, loading, reader->snapshot, &shares, err);
    }
    *bytes = NULL;
    *stay = shares ? INDEX_FOUND : here.room != NULL ? INDEX_KEPT : INDEX_PASSED;
    if (shares) {
        *place = here;
        return 0;
    }
    if (rc == 0 && found) rc = read_here(reader, block, &here, bytes, err);
    if (rc == 0 && *bytes == NULL) rc = ask_sqlite(reader, block, &here, bytes, err);
    index_bytes_free(here.room);
    return rc;
}

void loading_begin(struct store_loading *loading)
{
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        atomic_init(&loading->threads[i].reading, 0.0);
        atomic_init(&loading->threads[i].keeping, 0.0);
    }
    loading->kept = loading->n_threads = 0;
}

void loading_end(struct store_loading *loading)
{
    table_file_close(&loading->file);
    loading->file_is_open = 0;
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        memory_free(loading->threads[i].scratch);
        loading->threads[i].scratch = NULL;
        loading->threads[i].size = 0;
    }
    loading->n_threads = 0;
}
