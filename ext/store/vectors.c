#include "store/vectors.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/loading.h"
#include "store/statements.h"
#include "store/vectors_list.h"

/* Vectors that are kept of an index, with their ids, have one in so many bytes of the budget, at
 * most. */
#define BUDGET_SHARE 4

/* To read a vector by itself costs as much as so many together, at least. */
#define WORTH 4

/* They are listed once as many as so many of the rows were read one by one, which took longer. */
#define LIST_SHARE 64

int vectors_may_stay(const struct store_reader *reader)
{
    const struct index_snapshot *snapshot = reader->snapshot;
    struct index_layout layout = vectors_layout(&reader->layout);
    return store_keeps_vectors(reader->store) && snapshot->n_rows > 0 &&
           snapshot->n_rows <=
               store_memory_budget(reader->store) / BUDGET_SHARE / index_block_size(&layout, 1);
}

/* ---- the list -------------------------------------------------------------------------------- */

int vectors_open_file(struct store_reader *reader, size_t n_missing, struct error *err)
{
    struct store *store = reader->store;
    struct store_loading *loading = &reader->vectors;
    struct store_state now;
    if (loading->file_is_open) return 0;
    if (reader->rows == NULL) reader->rows = memory_zalloc(WORKERS_MAX, sizeof *reader->rows);
    if (reader->rows == NULL) return error_nomem(err);
    int rc = loading_open(store, loading, "vectors", n_missing, err);
    if (rc == 0) rc = store_read_state(store, &now, err);
    if (rc != 0) return rc;
    if (now.generation != reader->snapshot->generation) table_file_close(&loading->file);
    return loading->file.n_readers == 0 ? 0
                                        : table_rows_open(&reader->rows[0], &loading->file, 0, err);
}

/* What threads read: the file, and the rows that wait. */
static int open_file(struct store_reader *reader, struct error *err)
{
    struct index_layout layout = vectors_layout(&reader->layout);
    const struct waiting_rows *waiting;
    int rc = loading_waiting(reader, &waiting, err);
    return rc == 0
               ? vectors_open_file(reader, index_block_size(&layout, reader->snapshot->n_rows), err)
               : rc;
}

static int is_readable(const struct store_reader *reader)
{
    return table_file_is_current(&reader->vectors.file);
}

int vectors_check(struct store_reader *reader, struct error *err)
{
    struct store_state now;
    int rc = store_read_state(reader->store, &now, err);
    return rc == 0 && now.generation != reader->snapshot->generation ? loading_changed(err) : rc;
}

/* All vectors, listed if they are not yet: with the snapshot, where they are as many as it has
 * rows. */
static int open_vectors(struct store_reader *reader, struct index_snapshot **vectors,
                        struct error *err)
{
    struct index_snapshot *snapshot = reader->snapshot, *made = NULL, *present = NULL;
    *vectors = reader->loose != NULL ? reader->loose : atomic_load(&snapshot->vectors);
    if (*vectors != NULL) return 0;
    int rc = open_file(reader, err);
    if (rc == 0 && !is_readable(reader)) rc = vectors_check(reader, err);
    if (rc == 0)
        rc = vectors_list(reader->store, snapshot, is_readable(reader) ? &reader->rows[0] : NULL,
                          &reader->waiting, &made, err);
    *vectors = made;
    if (rc != 0) return rc;
    if (made->n_rows != snapshot->n_rows) {
        reader->loose = made;
    } else if (!atomic_compare_exchange_strong(&snapshot->vectors, &present, made)) {
        index_snapshot_free(made);
        *vectors = present;
    }
    return 0;
}

/* ---- a block --------------------------------------------------------------------------------- */

/* The rows of a block as they are read, from its first place on. */
struct filling {
    int64_t from, to; /* the ids that may be in it */
    const struct waiting_rows *waiting;
    size_t first_waiting, n_waiting; /* of them, those of the block that are in no run */
    struct index_rows rows;
    size_t n, most;
};

static struct filling begin_filling(const struct waiting_rows *waiting,
                                    const struct index_snapshot *vectors,
                                    const struct index_block *block, void *bytes)
{
    int is_last = block == &vectors->blocks[vectors->n_blocks - 1];
    struct filling filling = {.from = block->number,
                              .to = is_last ? INT64_MAX : block[1].number - 1,
                              .waiting = waiting,
                              .rows = index_block_rows(&vectors->layout, bytes, block->capacity),
                              .most = block->n};
    for (size_t i = 0; !waiting->in_runs && i < waiting->n; i++) {
        filling.first_waiting += waiting->rows[i].id < filling.from;
        filling.n_waiting +=
            waiting->rows[i].id >= filling.from && waiting->rows[i].id <= filling.to;
    }
    return filling;
}

/* Where the vector of the next row goes: NULL if it is not of this block. 0: it has no room. */
static int place_row(struct filling *filling, int64_t id, void **to)
{
    *to = NULL;
    if (id < filling->from || id > filling->to) return 1;
    if (filling->n == filling->most) return 0;
    filling->rows.ids[filling->n] = id;
    *to = filling->rows.components + filling->n++ * filling->rows.stride;
    return 1;
}

/* Rows that wait go between those of runs, which are there. 0: they have no room. */
static int place_waiting(struct filling *filling)
{
    const struct index_rows *rows = &filling->rows;
    for (size_t i = 0; i < filling->n_waiting; i++) {
        int64_t id = filling->waiting->rows[filling->first_waiting + i].id;
        size_t at = filling->n, stride = rows->stride;
        if (filling->n == filling->most) return 0;
        while (at > 0 && rows->ids[at - 1] > id) at--;
        memmove(rows->ids + at + 1, rows->ids + at, (filling->n - at) * sizeof id);
        memmove(rows->components + (at + 1) * stride, rows->components + at * stride,
                (filling->n++ - at) * stride);
        rows->ids[at] = id;
        memcpy(rows->components + at * stride, waiting_find(filling->waiting, id), stride);
    }
    return filling->n == filling->most;
}

/* 0: it cannot be read. */
static int read_run(struct table_rows *rows, struct filling *filling)
{
    size_t stride = filling->rows.stride;
    unsigned char ids[VECTORS_MOST_OF_RUN * sizeof(int64_t)];
    struct run run;
    void *to;
    if (!vectors_take_ids(rows, stride, ids, &run)) return 0;
    for (size_t i = 0; i < run.n; i++)
        if (!place_row(filling, run_id(&run, i), &to) || !table_rows_take(rows, to, stride))
            return 0;
    return 1;
}

static int read_off_file(struct table_rows *rows, struct filling *filling)
{
    int more = 1;
    int64_t before = INT64_MIN;
    if (!table_rows_seek(rows, filling->from)) return 0;
    while (filling->n + filling->n_waiting < filling->most) {
        if (!table_rows_next(rows, &more) || !more || rows->row.id > filling->to ||
            rows->row.id < before || !read_run(rows, filling))
            return 0;
        before = rows->row.id;
    }
    return place_waiting(filling);
}

/* The next row of a block, by SQLite: *more = 0 after the last. */
static int next_row(struct waiting_scan *scan, struct store *store, const struct filling *filling,
                    int64_t *id, const void **bytes, size_t *size, int *more, struct error *err)
{
    int rc;
    do rc = waiting_next(scan, store, more, id, bytes, size, err);
    while (rc == 0 && *more && *id < filling->from);
    *more = *more && *id <= filling->to;
    return rc;
}

static int begin_scan(struct waiting_scan *scan, struct store *store, const struct filling *filling,
                      struct error *err)
{
    *scan = (struct waiting_scan){.runs = {.vector_size = filling->rows.stride},
                                  .waiting = filling->waiting};
    int rc = store_keep(store, KEPT_VECTORS_FROM, &scan->runs.statement, err);
    if (rc == 0) sqlite3_bind_int64(scan->runs.statement, 1, filling->from);
    return rc;
}

int vectors_count(struct store_reader *reader, const struct index_snapshot *vectors,
                  const struct index_block *block, size_t *n, struct error *err)
{
    struct store *store = reader->store;
    const struct waiting_rows *waiting;
    struct waiting_scan scan;
    const void *bytes;
    size_t size;
    int64_t id;
    int more, rc = loading_waiting(reader, &waiting, err);
    *n = 0;
    if (rc != 0) return rc;
    struct filling filling = begin_filling(waiting, vectors, block, NULL);
    rc = begin_scan(&scan, store, &filling, err);
    while (rc == 0 &&
           (rc = next_row(&scan, store, &filling, &id, &bytes, &size, &more, err)) == 0 && more)
        ++*n;
    sqlite3_reset(scan.runs.statement);
    return rc;
}

/* A block whose rows are not those of the list is of a table that someone has edited. */
static int fill_by_sqlite(struct store *store, struct filling *filling, struct error *err)
{
    struct waiting_scan scan;
    const void *bytes;
    void *to;
    size_t size;
    int64_t id;
    int more, rc = begin_scan(&scan, store, filling, err);
    while (rc == 0 && filling->n < filling->most &&
           (rc = next_row(&scan, store, filling, &id, &bytes, &size, &more, err)) == 0) {
        if (more && size == scan.runs.vector_size && place_row(filling, id, &to))
            memcpy(to, bytes, size);
        else
            rc = error_set(err, ERROR_CORRUPT,
                           "row %lld: the vectors about it changed under the index",
                           (long long)filling->from);
    }
    sqlite3_reset(scan.runs.statement);
    return rc;
}

/* ---- the storage of a search ----------------------------------------------------------------- */

static struct index_snapshot *snapshot_of(const struct store_reader *reader)
{
    return reader->loose != NULL ? reader->loose : atomic_load(&reader->snapshot->vectors);
}

static void *memory_of(struct store_reading *thread, const struct index_place *place)
{
    return place->room != NULL ? index_bytes_data(place->room) : thread->scratch;
}

static const void *keep(struct index_block *block, struct index_place *place, void *bytes)
{
    if (place->room == NULL) return bytes;
    const void *kept = index_snapshot_keep(block, place->room);
    place->room = NULL;
    return kept;
}

int vectors_read(void *context, size_t number, struct index_block *block, struct index_place *place,
                 const void **bytes, struct error *err)
{
    struct store_reader *reader = context;
    struct store_reading *thread = &reader->vectors.threads[number];
    const struct index_snapshot *vectors = snapshot_of(reader);
    void *to = memory_of(thread, place);
    (void)err;
    *bytes = NULL;
    if (place->room != NULL)
        loading_touch(thread, to, index_block_size(&vectors->layout, block->capacity));
    double begun = clock_seconds();
    struct filling filling = begin_filling(&reader->waiting, vectors, block, to);
    if (read_off_file(&reader->rows[number], &filling)) *bytes = keep(block, place, to);
    loading_spend(&thread->reading, begun);
    return 0;
}

static int ask_sqlite(struct store_reader *reader, struct index_block *block,
                      struct index_place *place, const void **bytes, struct error *err)
{
    struct store_reading *thread = &reader->vectors.threads[0];
    double begun = clock_seconds();
    void *to = memory_of(thread, place);
    struct filling filling = begin_filling(&reader->waiting, snapshot_of(reader), block, to);
    int rc = vectors_check(reader, err);
    if (rc == 0) rc = fill_by_sqlite(reader->store, &filling, err);
    if (rc == 0) rc = vectors_check(reader, err);
    if (rc == 0) *bytes = keep(block, place, to);
    loading_spend(&thread->reading, begun);
    return rc;
}

/* Reads a block on the connection's thread: off the file, or else by SQLite. */
static int read_here(struct store_reader *reader, struct index_block *block,
                     struct index_place *place, const void **bytes, struct error *err)
{
    int rc = is_readable(reader) ? vectors_read(reader, 0, block, place, bytes, err) : 0;
    return rc == 0 && *bytes == NULL ? ask_sqlite(reader, block, place, bytes, err) : rc;
}

/* Whether any thread may read a block: then each has its own way to. */
static int share(struct store_reader *reader, int *can, struct error *err)
{
    struct store_loading *loading = &reader->vectors;
    int rc = loading_share(reader->store, loading, snapshot_of(reader), can, err);
    for (size_t i = 0; rc == 0 && *can && i < loading->file.n_readers; i++)
        if (reader->rows[i].table == NULL)
            rc = table_rows_open(&reader->rows[i], &loading->file, i, err);
    return rc;
}

int vectors_load(void *context, struct index_block *block, struct index_place *place,
                 const void **bytes, int *stay, struct error *err)
{
    struct store_reader *reader = context;
    struct store_loading *loading = &reader->vectors;
    const struct index_snapshot *vectors = snapshot_of(reader);
    struct index_place here = {0};
    int shares = 0, rc = open_file(reader, err);
    *bytes = NULL;
    if (rc == 0 && place != NULL && is_readable(reader)) rc = share(reader, &shares, err);
    if (rc == 0 && reader->loose == NULL && vectors_may_stay(reader))
        here.room = loading_room(reader, loading, vectors, block);
    *stay = shares ? INDEX_FOUND : here.room != NULL ? INDEX_KEPT : INDEX_PASSED;
    if (rc == 0 && shares) {
        *place = here;
        return 0;
    }
    if (rc == 0 && here.room == NULL)
        rc = loading_scratch(&loading->threads[0],
                             index_block_size(&vectors->layout, block->capacity), err);
    if (rc == 0) rc = read_here(reader, block, &here, bytes, err);
    index_bytes_free(here.room);
    return rc;
}

int vectors_all(void *context, struct index_snapshot **vectors,
                const struct index_storage **storage, struct error *err)
{
    struct store_reader *reader = context;
    *storage = &reader->all_vectors;
    return open_vectors(reader, vectors, err);
}

void vectors_close(struct store_reader *reader)
{
    for (size_t i = 0; reader->rows != NULL && i < WORKERS_MAX; i++)
        table_rows_close(&reader->rows[i]);
    memory_free(reader->rows);
    reader->rows = NULL;
    loading_end(&reader->vectors);
    index_snapshot_free(reader->loose);
    reader->loose = NULL;
}

/* ---- one by one ------------------------------------------------------------------------------ */

/* The next block that is not in memory, if it is time for it: as many rows were read one by one as
 * it and those before it have. */
static struct index_block *due_block(struct index_snapshot *vectors, size_t n_fetched)
{
    size_t i = index_snapshot_first(vectors);
    if (i == vectors->n_blocks || n_fetched / vectors->blocks[0].n <= i) return NULL;
    return &vectors->blocks[i];
}

/* *kept = 0: nothing can be, for now. *more: a block is kept now, and the next may be due. */
static int keep_due(struct store_reader *reader, size_t n_fetched, int *kept, int *more,
                    struct error *err)
{
    struct index_snapshot *vectors;
    const void *bytes = NULL;
    int rc = open_vectors(reader, &vectors, err);
    *more = 0;
    *kept = rc == 0 && vectors != reader->loose;
    if (!*kept) return rc;
    struct index_block *block = due_block(vectors, n_fetched);
    if (block == NULL) return 0;
    size_t size = index_block_size(&vectors->layout, block->capacity);
    struct index_place here = {.room = index_bytes_new(reader->store->cache, vectors, size,
                                                       store_memory_budget(reader->store))};
    *kept = here.room != NULL;
    if (*kept) rc = open_file(reader, err);
    if (*kept && rc == 0) rc = read_here(reader, block, &here, &bytes, err);
    index_bytes_free(here.room);
    *more = *kept && rc == 0;
    return rc;
}

int vectors_note(struct store_reader *reader, size_t n, struct error *err)
{
    struct index_snapshot *snapshot = reader->snapshot;
    struct error failure = {0};
    int kept, more, rc;
    if (!vectors_may_stay(reader) || !atomic_load(&snapshot->is_known)) return 0;
    size_t n_worth = n * WORTH, n_rows = snapshot->n_rows;
    struct index_layout layout = vectors_layout(&reader->layout);
    n_worth += atomic_fetch_add(&snapshot->n_fetched, n_worth);
    if (n_worth < n_rows / LIST_SHARE || n_worth < index_block_capacity(&layout, n_rows)) return 0;
    do rc = keep_due(reader, n_worth, &kept, &more, &failure);
    while (more);
    /* Whoever wants what is damaged, or was changed, is told by the read that finds out. */
    if (rc == ERROR_CORRUPT || rc == ERROR_INVALID) kept = rc = 0;
    if (!kept) atomic_store(&snapshot->n_fetched, 0);
    if (rc != 0 && err != NULL) *err = failure;
    return rc;
}

const void *vectors_find(const struct store_reader *reader, int64_t id)
{
    const struct index_snapshot *snapshot = reader->snapshot;
    if (store_keeps_vectors(reader->store)) return index_snapshot_vector(snapshot, id);
    return snapshot == NULL ? NULL : index_snapshot_find(snapshot, id);
}
