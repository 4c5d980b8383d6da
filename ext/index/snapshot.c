#include "index/snapshot.h"

#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/pages.h"

#define PIECE_BYTES ((size_t)16 << 20) /* of memory, shared by blocks */
#define HEAD_BYTES ((size_t)64)        /* of a block in it */
#define CLOSE_TRIES 50                 /* of taking the lock, 10 ms each, when a cache is closed */
#define IDLE_SECONDS 1.0               /* after which a cache makes way for another */

/* Memory that blocks are cut from, one behind the other; goes when the last one has gone. */
struct piece {
    atomic_size_t references; /* one a block, and one while it is cut */
    struct index_cache *cache;
    unsigned char *memory;
    size_t size, used;
};

struct index_bytes {
    atomic_size_t references; /* one a snapshot */
    struct piece *piece;
    struct index_layout layout;
    size_t size;
    _Atomic(struct index_bytes *) beside; /* a reference; NULL: nothing is */
};

_Static_assert(sizeof(struct index_bytes) <= HEAD_BYTES, "a block's head");

struct index_cache {
    struct index_cache *next; /* in the list of all */
    size_t n_open;
    char *name;                      /* owned */
    struct index_snapshot *snapshot; /* the latest; a reference; NULL: none */
    struct piece *piece;             /* the one that is cut; a reference; NULL: none */
    double used;                     /* when; see base/clock.h */
    atomic_int is_written;           /* by this process */
    atomic_size_t held;              /* bytes of its pieces */
};

/* What the process shares, under the lock: the list, and of each cache all but `held` and
 * `is_written`. */
static struct lock lock = LOCK_FREE;
static struct index_cache *caches;
static atomic_size_t held_by_all;

/* ---- memory ---------------------------------------------------------------------------------- */

static void piece_free(struct piece *piece)
{
    if (piece == NULL || atomic_fetch_sub_explicit(&piece->references, 1, memory_order_acq_rel) > 1)
        return;
    atomic_fetch_sub_explicit(&piece->cache->held, piece->size, memory_order_relaxed);
    atomic_fetch_sub_explicit(&held_by_all, piece->size, memory_order_relaxed);
    pages_free(piece->memory, piece->size);
    memory_free(piece);
}

static struct piece *piece_new(struct index_cache *cache, size_t size)
{
    struct piece *piece = memory_zalloc(1, sizeof *piece);
    if (piece == NULL) return NULL;
    piece->memory = pages_alloc(size);
    if (piece->memory == NULL) {
        memory_free(piece);
        return NULL;
    }
    atomic_init(&piece->references, 1);
    piece->cache = cache;
    piece->size = pages_round(size);
    atomic_fetch_add_explicit(&cache->held, piece->size, memory_order_relaxed);
    atomic_fetch_add_explicit(&held_by_all, piece->size, memory_order_relaxed);
    return piece;
}

/* Lets the snapshot go that was not used for longest, of another cache that is idle. Under the
 * lock; the caller frees what is returned without it. */
static struct index_snapshot *take_idle(const struct index_cache *mine)
{
    struct index_cache *idle = NULL;
    double before = clock_seconds() - IDLE_SECONDS;
    for (struct index_cache *cache = caches; cache != NULL; cache = cache->next)
        if (cache != mine && cache->snapshot != NULL && cache->used < before &&
            (idle == NULL || cache->used < idle->used))
            idle = cache;
    if (idle == NULL) return NULL;
    struct index_snapshot *snapshot = idle->snapshot;
    struct piece *piece = idle->piece;
    idle->snapshot = NULL;
    idle->piece = NULL;
    piece_free(piece);
    return snapshot;
}

/* The size of a new piece: what the snapshot still lacks of blocks, or of what is beside them,
 * between one of them and PIECE_BYTES. */
static size_t piece_size(const struct index_snapshot *snapshot, size_t size, int is_beside)
{
    size_t wanted = 0;
    for (size_t i = 0; i < snapshot->n_blocks && wanted < PIECE_BYTES; i++) {
        struct index_block *block = &snapshot->blocks[i];
        if (is_beside && index_block_beside(block) == NULL) wanted += size;
        if (!is_beside && index_block_data(block) == NULL)
            wanted += HEAD_BYTES * 2 + block->capacity * sizeof(double) +
                      index_block_size(&snapshot->layout, block->capacity);
    }
    if (wanted > PIECE_BYTES) wanted = PIECE_BYTES;
    return wanted < size ? size : wanted;
}

/* A cut of the piece in use, or of a new one: under the lock. */
static struct index_bytes *cut(struct index_cache *cache, const struct index_snapshot *snapshot,
                               size_t size, int is_beside, uint64_t max_bytes)
{
    struct piece *piece = cache->piece;
    if (piece == NULL || piece->size - piece->used < size) {
        size_t held = atomic_load_explicit(&held_by_all, memory_order_relaxed);
        if (held >= max_bytes || max_bytes - held < pages_round(size)) return NULL;
        size_t new_piece = piece_size(snapshot, size, is_beside);
        if (max_bytes - held < pages_round(new_piece)) new_piece = size;
        piece = piece_new(cache, new_piece);
        if (piece == NULL) return NULL;
        piece_free(cache->piece);
        cache->piece = piece;
    }
    struct index_bytes *bytes = (struct index_bytes *)(void *)(piece->memory + piece->used);
    piece->used += size;
    atomic_fetch_add_explicit(&piece->references, 1, memory_order_relaxed);
    *bytes = (struct index_bytes){.piece = piece, .layout = snapshot->layout, .size = size};
    atomic_init(&bytes->references, 1);
    return bytes;
}

/* Whether 1 / |row| is kept, [capacity], behind the bytes of a block of that size, and where. */
static int has_inverses(const struct index_layout *layout)
{
    return layout->quantize == INDEX_EXACT && index_metrics[layout->metric].of_directions;
}

static size_t inverses_at(size_t block_size)
{
    return (block_size + sizeof(double) - 1) / sizeof(double) * sizeof(double);
}

static double *inverses_of(const struct index_layout *layout, struct index_bytes *bytes,
                           size_t capacity)
{
    unsigned char *data = index_bytes_data(bytes);
    return (double *)(void *)(data + inverses_at(index_block_size(layout, capacity)));
}

/* `size` bytes behind a head. */
static struct index_bytes *bytes_new(struct index_cache *cache,
                                     const struct index_snapshot *snapshot, size_t size,
                                     int is_beside, uint64_t max_bytes)
{
    struct index_bytes *bytes = NULL;
    struct index_snapshot *idle = NULL;
    size = (size + 2 * HEAD_BYTES - 1) / HEAD_BYTES * HEAD_BYTES;
    do {
        index_snapshot_free(idle);
        if (!lock_take(&lock)) return NULL;
        bytes = cut(cache, snapshot, size, is_beside, max_bytes);
        idle = bytes == NULL && !is_beside ? take_idle(cache) : NULL;
        lock_release(&lock);
    } while (idle != NULL);
    return bytes;
}

struct index_bytes *index_bytes_new(struct index_cache *cache,
                                    const struct index_snapshot *snapshot, size_t size,
                                    uint64_t max_bytes)
{
    if (cache == NULL || size > max_bytes) return NULL;
    if (has_inverses(&snapshot->layout))
        size = inverses_at(size) + size / index_block_size(&snapshot->layout, 1) * sizeof(double);
    return bytes_new(cache, snapshot, size, 0, max_bytes);
}

void index_bytes_free(struct index_bytes *bytes)
{
    if (bytes == NULL || atomic_fetch_sub_explicit(&bytes->references, 1, memory_order_acq_rel) > 1)
        return;
    index_bytes_free(atomic_load_explicit(&bytes->beside, memory_order_acquire));
    piece_free(bytes->piece);
}

void *index_bytes_data(struct index_bytes *bytes)
{
    return (unsigned char *)bytes + HEAD_BYTES;
}

/* ---- snapshots ------------------------------------------------------------------------------- */

struct index_snapshot *index_snapshot_new(const struct index_layout *layout, int64_t generation,
                                          size_t n_blocks)
{
    struct index_snapshot *snapshot = memory_zalloc(1, sizeof *snapshot);
    if (snapshot == NULL) return NULL;
    snapshot->blocks = memory_zalloc(n_blocks, sizeof *snapshot->blocks);
    if (snapshot->blocks == NULL) {
        memory_free(snapshot);
        return NULL;
    }
    atomic_init(&snapshot->references, 1);
    snapshot->generation = generation;
    snapshot->layout = *layout;
    snapshot->n_blocks = n_blocks;
    return snapshot;
}

static struct index_snapshot *reference(struct index_snapshot *snapshot)
{
    if (snapshot != NULL) atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void index_snapshot_free(struct index_snapshot *snapshot)
{
    if (snapshot == NULL ||
        atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < snapshot->n_blocks; i++)
        index_bytes_free(atomic_load_explicit(&snapshot->blocks[i].bytes, memory_order_relaxed));
    index_snapshot_free(atomic_load_explicit(&snapshot->vectors, memory_order_relaxed));
    index_partitions_free(snapshot->partitions);
    memory_free(snapshot->blocks);
    memory_free(snapshot);
}

const void *index_block_data(const struct index_block *block)
{
    struct index_bytes *bytes = atomic_load_explicit(&block->bytes, memory_order_acquire);
    return bytes == NULL ? NULL : index_bytes_data(bytes);
}

static void fill_inverses(struct index_bytes *bytes, size_t n, size_t capacity)
{
    const struct index_layout *layout = &bytes->layout;
    if (!has_inverses(layout)) return;
    struct index_rows rows = index_block_rows(layout, index_bytes_data(bytes), capacity);
    double *inverses = inverses_of(layout, bytes, capacity);
    for (size_t i = 0; i < n; i++) {
        const void *vector = rows.components + i * rows.stride;
        inverses[i] = index_inverse(index_vector_sums(layout), vector, layout->dimensions);
    }
}

/* Its address stands in the list, too, once it was asked for: a scan of many blocks would wait for
 * the head of each. */
void *index_block_beside(struct index_block *block)
{
    void *known = atomic_load_explicit(&block->beside, memory_order_acquire);
    struct index_bytes *bytes = atomic_load_explicit(&block->bytes, memory_order_acquire), *beside;
    if (known != NULL || bytes == NULL) return known;
    beside = atomic_load_explicit(&bytes->beside, memory_order_acquire);
    if (beside == NULL) return NULL;
    known = index_bytes_data(beside);
    atomic_store_explicit(&block->beside, known, memory_order_release);
    return known;
}

void *index_block_make_beside(const struct index_snapshot *snapshot, struct index_block *block,
                              size_t size, uint64_t max_bytes)
{
    struct index_bytes *bytes = atomic_load_explicit(&block->bytes, memory_order_acquire);
    struct index_bytes *present = NULL;
    if (bytes == NULL || size > max_bytes) return NULL;
    if (index_block_beside(block) != NULL) return index_block_beside(block);
    struct index_bytes *made = bytes_new(bytes->piece->cache, snapshot, size, 1, max_bytes);
    if (made == NULL) return NULL;
    if (!atomic_compare_exchange_strong(&bytes->beside, &present, made)) index_bytes_free(made);
    return index_block_beside(block);
}

const double *index_block_inverses(const struct index_layout *layout,
                                   const struct index_block *block)
{
    struct index_bytes *bytes = atomic_load_explicit(&block->bytes, memory_order_acquire);
    return bytes == NULL || !has_inverses(layout) ? NULL
                                                  : inverses_of(layout, bytes, block->capacity);
}

const void *index_snapshot_keep(struct index_block *block, struct index_bytes *bytes)
{
    struct index_bytes *present = NULL;
    fill_inverses(bytes, block->n, block->capacity);
    if (atomic_compare_exchange_strong(&block->bytes, &present, bytes))
        return index_bytes_data(bytes);
    index_bytes_free(bytes);
    return index_bytes_data(present);
}

size_t index_snapshot_n_partitions(const struct index_snapshot *snapshot)
{
    return snapshot->partitions == NULL ? 1 : snapshot->partitions->n;
}

size_t index_snapshot_place(const struct index_snapshot *snapshot, const struct index_block *block)
{
    return snapshot->partitions == NULL
               ? 0
               : index_partitions_find(snapshot->partitions, block->partition);
}

size_t index_snapshot_partition(const struct index_snapshot *snapshot, int64_t partition,
                                size_t *first)
{
    size_t low = 0, high = snapshot->n_blocks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->blocks[middle].partition < partition) low = middle + 1;
        else high = middle;
    }
    *first = low;
    while (low < snapshot->n_blocks && snapshot->blocks[low].partition == partition) low++;
    return low - *first;
}

const void *index_snapshot_find(const struct index_snapshot *snapshot, int64_t id)
{
    size_t low = 0, high = snapshot->n_blocks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct index_block *block = &snapshot->blocks[middle];
        void *data = (void *)(uintptr_t)index_block_data(block);
        if (data == NULL || block->n == 0) {
            high = middle;
            continue;
        }
        struct index_rows rows = index_block_rows(&snapshot->layout, data, block->capacity);
        if (rows.ids[0] > id) {
            high = middle;
        } else if (rows.ids[block->n - 1] < id) {
            low = middle + 1;
        } else {
            size_t at = ids_find(rows.ids, block->n, id);
            return at < block->n ? rows.components + at * rows.stride : NULL;
        }
    }
    return NULL;
}

size_t index_snapshot_first(struct index_snapshot *snapshot)
{
    size_t n = atomic_load_explicit(&snapshot->n_first, memory_order_relaxed), before = n;
    while (n < snapshot->n_blocks && index_block_data(&snapshot->blocks[n]) != NULL) n++;
    if (n > before) atomic_store_explicit(&snapshot->n_first, n, memory_order_relaxed);
    return n;
}

struct index_snapshot *index_snapshot_vectors(const struct index_snapshot *snapshot)
{
    struct index_snapshot *vectors = atomic_load_explicit(&snapshot->vectors, memory_order_acquire);
    return vectors != NULL && index_snapshot_first(vectors) == vectors->n_blocks ? vectors : NULL;
}

const void *index_snapshot_vector(const struct index_snapshot *snapshot, int64_t id)
{
    const struct index_snapshot *vectors =
        atomic_load_explicit(&snapshot->vectors, memory_order_acquire);
    size_t low = 0, high = vectors == NULL ? 0 : vectors->n_blocks;
    while (low < high) { /* the last block whose number is at most the id */
        size_t middle = low + (high - low) / 2;
        if (vectors->blocks[middle].number <= id) low = middle + 1;
        else high = middle;
    }
    const struct index_block *block = low == 0 ? NULL : &vectors->blocks[low - 1];
    void *data = block == NULL ? NULL : (void *)(uintptr_t)index_block_data(block);
    if (data == NULL) return NULL;
    struct index_rows rows = index_block_rows(&vectors->layout, data, block->capacity);
    size_t at = ids_find(rows.ids, block->n, id);
    return at < block->n ? rows.components + at * rows.stride : NULL;
}

int index_block_compare(const void *a, const void *b)
{
    const struct index_block *x = a, *y = b;
    if (x->partition != y->partition) return x->partition < y->partition ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

int index_block_is_same(const struct index_block *a, const struct index_block *b)
{
    return a->partition == b->partition && a->number == b->number && a->version == b->version &&
           a->n == b->n && a->capacity == b->capacity;
}

/* Bytes of the blocks in memory. */
static size_t bytes_of(const struct index_snapshot *snapshot)
{
    size_t n = 0;
    for (size_t i = 0; snapshot != NULL && i < snapshot->n_blocks; i++)
        if (index_block_data(&snapshot->blocks[i]) != NULL)
            n += index_block_size(&snapshot->layout, snapshot->blocks[i].capacity);
    return n;
}

/* Bytes of the blocks that both have. Pieces that hold far more than that are left alone: what lies
 * in them is copied elsewhere, and they go with the older snapshot. */
void index_snapshot_take_over(struct index_cache *cache, struct index_snapshot *snapshot,
                              const struct index_snapshot *older)
{
    size_t held = atomic_load_explicit(&cache->held, memory_order_relaxed), j = 0;
    size_t live = bytes_of(older) + bytes_of(atomic_load(&older->vectors));
    int is_sparse = held > 2 * live + 2 * PIECE_BYTES;
    for (size_t i = 0; i < snapshot->n_blocks; i++) {
        struct index_block *block = &snapshot->blocks[i];
        while (j < older->n_blocks && index_block_compare(&older->blocks[j], block) < 0) j++;
        if (j == older->n_blocks) return;
        const struct index_block *same = &older->blocks[j];
        if (!index_block_is_same(block, same)) continue;
        struct index_bytes *bytes = atomic_load_explicit(&same->bytes, memory_order_acquire);
        if (bytes == NULL) continue;
        if (is_sparse) {
            struct index_bytes *moved = index_bytes_new(
                cache, snapshot, index_block_size(&snapshot->layout, block->capacity), UINT64_MAX);
            if (moved == NULL) continue;
            memcpy(index_bytes_data(moved), index_bytes_data(bytes), bytes->size - HEAD_BYTES);
            bytes = moved;
        } else {
            atomic_fetch_add_explicit(&bytes->references, 1, memory_order_relaxed);
        }
        atomic_store_explicit(&block->bytes, bytes, memory_order_release);
    }
}

/* ---- caches ---------------------------------------------------------------------------------- */

int index_cache_open(const char *name, struct index_cache **opened, struct error *err)
{
    struct index_cache *made = memory_zalloc(1, sizeof *made), *cache;
    *opened = NULL;
    if (made != NULL) made->name = memory_copy(name, strlen(name));
    if (made == NULL || made->name == NULL || !lock_take(&lock)) {
        int rc = made == NULL || made->name == NULL ? error_nomem(err) : 0;
        if (made != NULL) memory_free(made->name);
        memory_free(made);
        return rc;
    }
    for (cache = caches; cache != NULL && strcmp(cache->name, name) != 0;) cache = cache->next;
    if (cache == NULL) {
        cache = made;
        cache->next = caches;
        caches = cache;
    }
    cache->n_open++;
    lock_release(&lock);
    if (cache != made) {
        memory_free(made->name);
        memory_free(made);
    }
    *opened = cache;
    return 0;
}

void index_cache_close(struct index_cache *cache)
{
    if (cache == NULL) return;
    for (int tries = 1; !lock_take(&lock); tries++)
        if (tries == CLOSE_TRIES) return; /* it is held by a thread that fork() left behind */
    int is_last = --cache->n_open == 0;
    struct index_cache **at = &caches;
    while (is_last && *at != cache) at = &(*at)->next;
    if (is_last) *at = cache->next;
    lock_release(&lock);
    if (!is_last) return;
    index_snapshot_free(cache->snapshot);
    piece_free(cache->piece);
    memory_free(cache->name);
    memory_free(cache);
}

void index_cache_written(struct index_cache *cache)
{
    if (cache != NULL) atomic_store_explicit(&cache->is_written, 1, memory_order_relaxed);
}

struct index_snapshot *index_cache_find(struct index_cache *cache, int64_t generation)
{
    struct index_snapshot *found = NULL;
    if (cache == NULL || !lock_take(&lock)) return NULL;
    cache->used = clock_seconds();
    if (cache->snapshot != NULL && cache->snapshot->generation == generation)
        found = reference(cache->snapshot);
    if (found != NULL) atomic_store_explicit(&found->is_known, 1, memory_order_relaxed);
    lock_release(&lock);
    return found;
}

struct index_snapshot *index_cache_latest(struct index_cache *cache)
{
    if (cache == NULL || !lock_take(&lock)) return NULL;
    struct index_snapshot *latest = reference(cache->snapshot);
    lock_release(&lock);
    return latest;
}

void index_cache_publish(struct index_cache *cache, struct index_snapshot *snapshot)
{
    struct index_snapshot *older = index_cache_latest(cache);
    if (cache == NULL) return;
    atomic_store_explicit(&snapshot->is_known, older != NULL || atomic_load(&cache->is_written),
                          memory_order_relaxed);
    if (older != NULL) index_snapshot_take_over(cache, snapshot, older);
    index_snapshot_free(older);
    if (!lock_take(&lock)) return;
    older = cache->snapshot;
    cache->snapshot = reference(snapshot);
    lock_release(&lock);
    index_snapshot_free(older);
}
