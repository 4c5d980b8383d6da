#include "store/vectors.h"

#include <string.h>

#include "store/loading.h"
#include "store/statements.h"

/* Vectors that are kept of an index, with their ids, have one in so many bytes of the budget, at
 * most. */
#define BUDGET_SHARE 4

static struct index_layout layout_of(const struct store_reader *reader)
{
    struct index_layout layout = reader->layout;
    layout.quantize = INDEX_EXACT;
    return layout;
}

int vectors_may_stay(const struct store_reader *reader)
{
    const struct index_snapshot *snapshot = reader->snapshot;
    struct index_layout layout = layout_of(reader);
    return store_keeps_vectors(reader->store) && snapshot->n_rows > 0 &&
           snapshot->n_rows <=
               store_memory_budget(reader->store) / BUDGET_SHARE / index_block_size(&layout, 1);
}

/* The snapshot of the vectors, made if there is none; NULL: there is no memory for it. */
static struct index_snapshot *open_vectors(struct store_reader *reader)
{
    struct index_snapshot *snapshot = reader->snapshot, *present = atomic_load(&snapshot->vectors);
    struct index_layout layout = layout_of(reader);
    if (present != NULL) return present;
    size_t n_rows = snapshot->n_rows, capacity = index_block_capacity(&layout, n_rows),
           n_blocks = (n_rows + capacity - 1) / capacity;
    struct index_snapshot *made = index_snapshot_new(&layout, snapshot->generation, n_blocks);
    if (made == NULL) return NULL;
    made->n_rows = n_rows;
    for (size_t i = 0; i < n_blocks; i++)
        made->blocks[i] = (struct index_block){
            .number = (int64_t)i,
            .n = i < n_blocks - 1 ? capacity : n_rows - (n_blocks - 1) * capacity,
            .capacity = capacity};
    if (atomic_compare_exchange_strong(&snapshot->vectors, &present, made)) return made;
    index_snapshot_free(made);
    return present;
}

/* The next block, if it is time for it and nobody else reads it; else NULL. */
static struct index_block *begin_block(struct index_snapshot *vectors, size_t n_fetched)
{
    size_t i = atomic_load(&vectors->n_begun);
    if (i == vectors->n_blocks || (i > 0 && index_block_data(&vectors->blocks[i - 1]) == NULL))
        return NULL;
    struct index_block *block = &vectors->blocks[i];
    if (n_fetched < i * block->capacity + block->n) return NULL;
    return atomic_compare_exchange_strong(&vectors->n_begun, &i, i + 1) ? block : NULL;
}

/* From which id on its rows are; *fits = 0 if there is none. */
static int64_t first_id(const struct index_snapshot *vectors, const struct index_block *block,
                        int *fits)
{
    *fits = 1;
    if (block == vectors->blocks) return INT64_MIN;
    const struct index_block *before = block - 1;
    struct index_rows rows = index_block_rows(
        &vectors->layout, (void *)(uintptr_t)index_block_data(before), before->capacity);
    int64_t last = rows.ids[before->n - 1];
    *fits = last < INT64_MAX;
    return *fits ? last + 1 : last;
}

/* Reads the rows of a block; *fits = 0 if they are not what the snapshot and its layout tell. */
static int read_rows(struct store_reader *reader, const struct index_snapshot *vectors,
                     const struct index_block *block, void *into, int *fits, struct error *err)
{
    struct index_rows rows = index_block_rows(&vectors->layout, into, block->capacity);
    struct store *store = reader->store;
    struct waiting_scan scan = {.runs = {.vector_size = rows.stride}};
    const void *bytes;
    size_t n = 0, size;
    int row = 1;
    int64_t id, first = first_id(vectors, block, fits);
    int rc = loading_waiting(reader, &scan.waiting, err);
    if (rc == 0) rc = store_keep(store, KEPT_VECTORS_FROM, &scan.runs.statement, err);
    if (rc != 0 || !*fits) return rc;
    sqlite3_bind_int64(scan.runs.statement, 1, first);
    while (rc == 0 && *fits && n < block->n &&
           (rc = waiting_next(&scan, store, &row, &id, &bytes, &size, err)) == 0) {
        *fits = row && size == rows.stride;
        if (!*fits) break;
        if (id < first) continue;
        rows.ids[n] = id;
        memcpy(rows.components + n++ * rows.stride, bytes, size);
    }
    int is_last = block == &vectors->blocks[vectors->n_blocks - 1];
    if (rc == 0 && *fits && is_last) rc = waiting_next(&scan, store, &row, &id, &bytes, &size, err);
    *fits = rc == 0 && *fits && !(is_last && row);
    sqlite3_reset(scan.runs.statement);
    return rc;
}

/* *kept = 0: the block is not, now (it can be begun again) or at all. */
static int keep_block(struct store_reader *reader, struct index_snapshot *vectors,
                      struct index_block *block, int *kept, struct error *err)
{
    struct store_state now; /* our own connection may have written since the snapshot was taken */
    struct index_bytes *bytes = NULL;
    int rc = store_read_state(reader->store, &now, err), fits = 0;
    int is_current = rc == 0 && now.generation == vectors->generation;
    if (is_current)
        bytes = index_bytes_new(reader->store->cache, vectors,
                                index_block_size(&vectors->layout, block->capacity),
                                store_memory_budget(reader->store));
    if (bytes != NULL) rc = read_rows(reader, vectors, block, index_bytes_data(bytes), &fits, err);
    *kept = rc == 0 && fits;
    if (*kept) index_snapshot_keep(block, bytes);
    else index_bytes_free(bytes);
    if (rc != 0 || !is_current) atomic_store(&vectors->n_begun, (size_t)(block - vectors->blocks));
    return rc;
}

int vectors_note(struct store_reader *reader, size_t n, struct error *err)
{
    struct index_block *block;
    int kept = 1, rc = 0;
    if (!vectors_may_stay(reader) || !atomic_load(&reader->snapshot->is_known)) return 0;
    size_t n_fetched = atomic_fetch_add(&reader->snapshot->n_fetched, n) + n;
    struct index_snapshot *vectors = open_vectors(reader);
    while (rc == 0 && kept && vectors != NULL && (block = begin_block(vectors, n_fetched)) != NULL)
        rc = keep_block(reader, vectors, block, &kept, err);
    return rc;
}

const void *vectors_find(const struct store_reader *reader, int64_t id)
{
    const struct index_snapshot *snapshot = reader->snapshot;
    if (store_keeps_vectors(reader->store))
        snapshot = atomic_load_explicit(&snapshot->vectors, memory_order_acquire);
    return snapshot == NULL ? NULL : index_snapshot_find(snapshot, id);
}
