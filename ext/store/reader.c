#include "store/reader.h"

#include <string.h>

#include "base/memory.h"
#include "store/block_list.h"
#include "store/loading.h"
#include "store/statements.h"
#include "store/store.h"
#include "store/vectors.h"
#include "store/vectors_change.h"

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

/* A new one, which takes over from the latest what is the same. */
static int make_snapshot(struct store_reader *reader, const struct store_state *state,
                         struct error *err)
{
    struct store *store = reader->store;
    int rc = block_list_read(store, state, &reader->snapshot, err);
    if (rc != 0) return rc;
    struct index_snapshot *older = index_cache_latest(store->cache);
    index_cache_publish(store->cache, reader->snapshot);
    if (older != NULL) rc = vectors_take_over(reader, older, err);
    index_snapshot_free(older);
    return rc;
}

int reader_begin(struct store_reader *reader, const struct store_state *state, struct error *err)
{
    struct store *store = reader->store;
    reader->layout = blocks_layout(store, state);
    int rc = reader_open_cache(store, err);
    if (rc != 0) return rc;
    index_snapshot_free(reader->snapshot);
    vectors_close(reader); /* those of an older snapshot */
    loading_begin(&reader->blocks);
    loading_begin(&reader->vectors);
    reader->snapshot = index_cache_find(store->cache, state->generation);
    if (reader->snapshot != NULL &&
        !index_layout_is_same(&reader->snapshot->layout, &reader->layout)) {
        index_snapshot_free(reader->snapshot);
        reader->snapshot = NULL;
    }
    return reader->snapshot == NULL ? make_snapshot(reader, state, err) : 0;
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

/* A vector of a row that waits. */
static int fetch_waiting(struct store_reader *reader, int64_t id, const void **bytes, size_t *size,
                         int *found, struct error *err)
{
    const struct waiting_rows *waiting;
    int rc = loading_waiting(reader, &waiting, err);
    *bytes = rc == 0 ? waiting_find(waiting, id) : NULL;
    *size = waiting->vector_size;
    *found = *bytes != NULL;
    return rc;
}

/* The same of one that X_rows puts into a block, as earlier formats have it. */
static int fetch_behind(struct store_reader *reader, int64_t id, int64_t block, const void **bytes,
                        struct error *err)
{
    size_t size;
    int found, rc = fetch_waiting(reader, id, bytes, &size, &found, err);
    return rc != 0 || found ? rc
                            : error_set(err, ERROR_CORRUPT, "row %lld: block %lld does not hold it",
                                        (long long)id, (long long)block);
}

/* A vector out of its block, by the row of X_blocks, in memory or not. */
static int fetch_from_block(struct store_reader *reader, sqlite3_stmt *row, int64_t id,
                            const void **bytes, int *found, struct error *err)
{
    struct index_block entry = {0};
    int rc = block_list_entry(row, &entry, err);
    sqlite3_reset(row);
    if (rc != 0) return rc;
    struct index_block *block = find_in_snapshot(reader, &entry);
    const void *data = block == NULL ? NULL : index_block_data(block);
    int stay;
    if (data == NULL && reader->at_hand != NULL && reader->at_hand_number == entry.number &&
        reader->at_hand_version == entry.version)
        data = reader->at_hand;
    if (data == NULL)
        rc = block != NULL ? loading_load(reader, block, NULL, &data, &stay, err)
                           : loading_bytes(reader, &entry, &data, err);
    if (rc != 0) return rc;
    struct index_rows rows =
        index_block_rows(&reader->layout, (void *)(uintptr_t)data, entry.capacity);
    size_t at = index_row_find(&rows, entry.n, id);
    *found = 1;
    *bytes = rows.components + at * rows.stride;
    return at < entry.n ? 0 : fetch_behind(reader, id, entry.number, bytes, err);
}

/* A vector out of the run that it is in, copied, as others of the store look there as well. */
static int fetch_from_run(struct store_reader *reader, sqlite3_stmt *row, int64_t id,
                          const void **bytes, size_t *size, int *found, struct error *err)
{
    struct run run;
    int rc = run_take(row, index_vector_size(&reader->layout), &run, err);
    size_t i = rc == 0 ? run_find(&run, id) : run.n;
    *found = i < run.n;
    *size = run.size;
    if (*found && run.size > 0) {
        void *stored = memory_realloc(reader->stored, 1, run.size);
        if (stored == NULL) rc = error_nomem(err);
        else memcpy(reader->stored = stored, run_vector(&run, i), run.size);
    }
    *bytes = reader->stored;
    sqlite3_reset(row);
    return rc;
}

/* Out of a block or a run, if the row is in one. */
static int fetch_placed(struct store_reader *reader, int64_t id, const void **bytes, size_t *size,
                        int *found, struct error *err)
{
    struct store *store = reader->store;
    int has_runs = store_keeps_vectors(store);
    sqlite3_stmt *row;
    int rc =
        store_look_up(store, has_runs ? KEPT_GET_RUN : KEPT_BLOCK_OF_ROW, id, &row, found, err);
    if (rc != 0 || !*found) return rc;
    if (has_runs) return fetch_from_run(reader, row, id, bytes, size, found, err);
    *size = index_vector_size(&reader->layout);
    return fetch_from_block(reader, row, id, bytes, found, err);
}

static int fetch(void *context, int64_t id, const void **bytes, size_t *size, int *found,
                 struct error *err)
{
    int rc = fetch_placed(context, id, bytes, size, found, err);
    return rc != 0 || *found ? rc : fetch_waiting(context, id, bytes, size, found, err);
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

void reader_open(struct store *store, struct store_reader *reader, struct index_storage *storage)
{
    *reader = (struct store_reader){.store = store};
    *storage = (struct index_storage){.load = loading_load,
                                      .read = loading_read,
                                      .fetch = fetch_found,
                                      .vectors = vectors_all,
                                      .context = reader};
    reader->all_vectors =
        (struct index_storage){.load = vectors_load, .read = vectors_read, .context = reader};
}

struct index_search reader_search(const struct store_reader *reader,
                                  const struct index_storage *storage)
{
    const struct store *store = reader->store;
    return (struct index_search){.snapshot = reader->snapshot,
                                 .storage = storage,
                                 .near_partitions_only = store->options.partitions != 0,
                                 .keeps_vectors = vectors_may_stay(reader),
                                 .n_threads = store_threads(store),
                                 .max_bytes = store_memory_budget(store),
                                 .cancel = store->cancel};
}

void reader_close(struct store_reader *reader)
{
    sqlite3_finalize(reader->data);
    reader->data = NULL;
    reader->at_hand = NULL;
    vectors_close(reader);
    loading_end(&reader->blocks);
    waiting_free(&reader->waiting);
    memory_free(reader->waiting_block);
    memory_free(reader->stored);
    memory_free(reader->vector);
    reader->waiting_block = reader->stored = reader->vector = NULL;
    index_snapshot_free(reader->snapshot);
    reader->snapshot = NULL;
}
