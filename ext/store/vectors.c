#include "store/vectors.h"

#include <string.h>

#include "base/ids.h"

/* Bytes of the vectors that are kept of an index, at most: some 20,000 of 384 components. */
#define MOST_BYTES ((size_t)32 << 20)

/* What they lie behind: the ids, [n_rows]. A multiple of 64 bytes. */
static size_t ids_size(size_t n_rows)
{
    return (n_rows * sizeof(int64_t) + 63) / 64 * 64;
}

static unsigned char *kept(const struct store_reader *reader)
{
    struct index_bytes *bytes =
        atomic_load_explicit(&reader->snapshot->vectors, memory_order_acquire);
    return bytes == NULL ? NULL : index_bytes_data(bytes);
}

/* Reads all into `into`; *fits = 0 if they are not what the snapshot and its layout tell. */
static int read_all(struct store_reader *reader, unsigned char *into, int *fits, struct error *err)
{
    size_t n_rows = reader->snapshot->n_rows, size = index_vector_size(&reader->layout), n = 0;
    unsigned char *vectors = into + ids_size(n_rows);
    sqlite3_stmt *scan = NULL;
    int row = 0, rc = store_query(reader->store, STORE_VECTORS, &scan, err);
    *fits = 1;
    while (rc == 0 && *fits && (rc = statement_step(reader->store->db, scan, &row, err)) == 0 &&
           row) {
        int64_t id = sqlite3_column_int64(scan, 0);
        const void *bytes;
        size_t n_bytes;
        rc = statement_column_bytes(scan, 1, &bytes, &n_bytes, err);
        if (rc != 0) break;
        *fits = n < n_rows && n_bytes == size && bytes != NULL &&
                (n == 0 || id > ((const int64_t *)(const void *)into)[n - 1]);
        if (!*fits) break;
        ((int64_t *)(void *)into)[n] = id;
        memcpy(vectors + n++ * size, bytes, size);
    }
    if (n < n_rows) *fits = 0;
    sqlite3_finalize(scan);
    return rc;
}

int vectors_note(struct store_reader *reader, size_t n, struct error *err)
{
    struct index_snapshot *snapshot = reader->snapshot;
    size_t n_rows = snapshot->n_rows, size = index_vector_size(&reader->layout);
    if (!store_keeps_vectors(reader->store) || n_rows == 0 || n_rows > MOST_BYTES / size ||
        !atomic_load(&snapshot->is_known))
        return 0;
    size_t before = atomic_fetch_add(&snapshot->n_fetched, n);
    if (before > n_rows || before + n <= n_rows) return 0; /* once, by whoever comes to it */
    struct store_state now; /* our own connection may have written since the snapshot was taken */
    int rc = store_read_state(reader->store, &now, err);
    if (rc != 0 || now.generation != snapshot->generation) return rc;
    struct index_bytes *bytes =
        index_bytes_new(reader->store->cache, snapshot, ids_size(n_rows) + n_rows * size,
                        store_memory_budget(reader->store));
    if (bytes == NULL) return 0;
    int fits;
    rc = read_all(reader, index_bytes_data(bytes), &fits, err);
    if (rc == 0 && fits) atomic_store_explicit(&snapshot->vectors, bytes, memory_order_release);
    else index_bytes_free(bytes);
    return rc;
}

int vectors_are_kept(const struct store_reader *reader)
{
    return kept(reader) != NULL;
}

const void *vectors_at(const struct store_reader *reader, size_t i, int64_t *id)
{
    const unsigned char *bytes = kept(reader);
    *id = ((const int64_t *)(const void *)bytes)[i];
    return bytes + ids_size(reader->snapshot->n_rows) + i * index_vector_size(&reader->layout);
}

const void *vectors_find(const struct store_reader *reader, int64_t id)
{
    const unsigned char *bytes = kept(reader);
    size_t n_rows = reader->snapshot->n_rows;
    size_t at = ids_find((const int64_t *)(const void *)bytes, n_rows, id);
    return at < n_rows ? bytes + ids_size(n_rows) + at * index_vector_size(&reader->layout) : NULL;
}
