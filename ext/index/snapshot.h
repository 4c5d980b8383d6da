/*
 * snapshot.h: which blocks an index has at one moment, and those of them that are in memory, shared
 * by all connections of a process.
 *
 * A snapshot is what a reader's transaction sees: the list of blocks, each with the version that
 * its last writer gave it, and the partitions. A block is read from the storage
 * once: whoever reads it first leaves its bytes in the snapshot, and the next snapshot takes over
 * all blocks whose version is still the same. So after a write only what was written is read again.
 *
 * What a snapshot holds is known by its generation, a number that every writer stores in its own
 * transaction, the hash of the one before and of what is written (store/store.h): a reader that
 * finds the same number in its transaction sees the same blocks, byte for byte.
 * That holds for other connections, other processes, ROLLBACK, savepoints and WAL alike, with
 * nothing to invalidate. A "cache" is the latest snapshot of one index (a file and a table),
 * reference counted: it lives as long as some connection has the index open, and no longer, so that
 * nothing is left when the library is unloaded.
 *
 * The first search of a large index streams through it and keeps nothing: a process that asks one
 * question takes no memory and does not wait for any. A process that has written the index before,
 * or searched it, also at another generation, will do so again: then blocks stay in memory as they
 * are read. A page that is touched for the first time can cost ten times what reading it costs (it
 * does where the system has no huge pages left, or the host of a virtual machine must find them),
 * so a search keeps a share of the blocks, and more only as far as that takes a small part of its
 * time (store/loading.c); the others it streams, and leaves to the next.
 *
 * Memory is bounded for the process: a block that would go beyond the budget of the connection that
 * reads it is not kept (moving blocks out of a sparse piece may go beyond it for a moment), after
 * caches that were idle for a second have been let go. Bytes come from the system in huge pages
 * (base/pages.h), several blocks in one piece; pieces that are mostly dead are emptied when the
 * next snapshot is made.
 *
 * Threads: caches and snapshots may be used by any number of them. A snapshot's list never changes;
 * a block's bytes appear once, by an atomic store.
 *
 * Rejected: reading SQLite's pages in place (its memory map is off by default, and a connection's
 * own setting); PRAGMA data_version, which says that the file was written, not that the index was;
 * a cache for each connection, which keeps the same bytes many times and forgets them all after
 * every write.
 */
#ifndef INDEX_SNAPSHOT_H
#define INDEX_SNAPSHOT_H

#include <stdatomic.h>

#include "index/block.h"
#include "index/partitions.h"

struct index_bytes; /* a block in memory */

struct index_block {
    int64_t number, partition, version;
    size_t n, capacity;
    _Atomic(struct index_bytes *) bytes; /* NULL: not in memory */
    _Atomic(void *) beside;              /* index_block_beside; NULL: not known */
};

struct index_snapshot {
    atomic_size_t references;
    int64_t generation;
    struct index_layout layout;
    struct index_partitions *partitions; /* a reference; NULL: one, around the origin */
    atomic_int is_known;                 /* it will be asked again: blocks stay in memory */
    struct index_block *blocks;          /* [n_blocks] by partition, then number */
    size_t n_blocks, n_rows;
    /* Of an index with codes: its vectors, as an index without has them, by id; a reference, or
     * NULL. The number of a block is the least id that may be in it. */
    _Atomic(struct index_snapshot *) vectors;
    atomic_size_t n_fetched; /* vectors, one by one */
    atomic_size_t n_first;   /* so many blocks, the first, are known to be in memory */
};

struct index_cache;

/* The cache of that name, made if no other connection has it open. ERROR_NOMEM. *cache may be NULL
 * without an error (see base/lock.h): then nothing is shared. */
int index_cache_open(const char *name, struct index_cache **cache, struct error *err);
void index_cache_close(struct index_cache *cache); /* accepts NULL */

/* The snapshot of that generation, referenced, and known now; NULL if it is not the latest one. */
struct index_snapshot *index_cache_find(struct index_cache *cache, int64_t generation);

/* The latest one, referenced; NULL: there is none. */
struct index_snapshot *index_cache_latest(struct index_cache *cache);

/* An empty list of n_blocks blocks, for the caller to fill in order; one reference. */
struct index_snapshot *index_snapshot_new(const struct index_layout *layout, int64_t generation,
                                          size_t n_blocks);
void index_snapshot_free(struct index_snapshot *snapshot); /* one reference; accepts NULL */

/* This process writes the index: a snapshot published from now on is known. Accepts NULL. */
void index_cache_written(struct index_cache *cache);

/* Takes over the blocks of the cache's latest snapshot that are the same, and becomes the latest:
 * known if there was one. */
void index_cache_publish(struct index_cache *cache, struct index_snapshot *snapshot);

/* The same of two lists of vectors. */
void index_snapshot_take_over(struct index_cache *cache, struct index_snapshot *snapshot,
                              const struct index_snapshot *older);

/* The order of blocks in a list, as qsort wants it; and whether what two lists say of one is the
 * same, and so are its bytes. */
int index_block_compare(const void *a, const void *b);
int index_block_is_same(const struct index_block *a, const struct index_block *b);

/* Room for the bytes of a block, 64-byte aligned: NULL if max_bytes (of all caches together) does
 * not allow it. Then index_snapshot_keep, or index_bytes_free. */
struct index_bytes *index_bytes_new(struct index_cache *cache,
                                    const struct index_snapshot *snapshot, size_t size,
                                    uint64_t max_bytes);
void index_bytes_free(struct index_bytes *bytes);
void *index_bytes_data(struct index_bytes *bytes);

/* Leaves the bytes with the block; if another thread was first, its bytes stay. Returns what is
 * there. */
const void *index_snapshot_keep(struct index_block *block, struct index_bytes *bytes);

/* The bytes of a block; NULL if they are not in memory. */
const void *index_block_data(const struct index_block *block);

/* 1 / |row| of its rows, [n], where only directions count and there are no codes, of a block in
 * memory of that layout; else NULL. */
const double *index_block_inverses(const struct index_layout *layout,
                                   const struct index_block *block);

/* Memory beside a block that is in memory, for what searches derive of it: NULL if there is none.
 * It is made once, of `size` bytes, 64-byte aligned, all zero, and goes with the block: what is
 * there then, or NULL where the block is not in memory or max_bytes (of all caches together) does
 * not allow it; for it no other cache is let go. Threads that use it agree among themselves. */
void *index_block_beside(struct index_block *block);
void *index_block_make_beside(const struct index_snapshot *snapshot, struct index_block *block,
                              size_t size, uint64_t max_bytes);

/* How many partitions there are: 1 where the snapshot has none. */
size_t index_snapshot_n_partitions(const struct index_snapshot *snapshot);

/* The place (0 to n - 1) of a block's partition among them; n if it is none of them. */
size_t index_snapshot_place(const struct index_snapshot *snapshot, const struct index_block *block);

/* The vector of a row, of an index without codes, in a block in memory, if it is where it must be
 * when ids ascend, as they do when rows are written in order; else NULL. */
const void *index_snapshot_find(const struct index_snapshot *snapshot, int64_t id);

/* How many of the first blocks are in memory, all before the first that is not. */
size_t index_snapshot_first(struct index_snapshot *snapshot);

/* All vectors of an index with codes; NULL where they are not in memory. And one of them, whether
 * the others are or not; else NULL. */
struct index_snapshot *index_snapshot_vectors(const struct index_snapshot *snapshot);
const void *index_snapshot_vector(const struct index_snapshot *snapshot, int64_t id);

/* The blocks of a partition: the first one in *first, their number returned. */
size_t index_snapshot_partition(const struct index_snapshot *snapshot, int64_t partition,
                                size_t *first);

#endif
