/*
 * reader.h: how a search reads the stored rows.
 *
 * A search sees the snapshot (index/snapshot.h) of its transaction: that of the generation which
 * X_config names there. If another search of this process, by whatever connection, has made it, it
 * is ready, with the blocks that were read until then; else the list of blocks is read, and those
 * that did not change since the latest snapshot are taken over from it. The other blocks are read
 * from X_data when a search wants them, and stay in memory as far as memory_budget allows, some in
 * this search, some in the next: see the head of index/snapshot.h.
 *
 * Only a shadow table edited by hand goes unnoticed, until the index is written again.
 */
#ifndef STORE_READER_H
#define STORE_READER_H

#include "index/search.h"
#include "sqlite/table_rows.h"
#include "store/waiting.h"

/* Blocks of one kind as a search reads them: those of the snapshot, or of its vectors. */
struct store_loading {
    struct table_file file; /* the table as it lies in the file, */
    int file_is_open;       /* once that was tried, */
    size_t n_missing;       /* when of the blocks so many bytes were not in memory */
    struct store_reading {  /* of a thread; the first has the connection */
        void *scratch;      /* [size] owned: a block that does not stay in memory */
        size_t size;
        _Atomic double reading,
            keeping; /* seconds spent on reading blocks, and on memory for them */
    } threads[WORKERS_MAX];
    size_t n_threads; /* for which sharing was tried; 0: not yet */
    size_t kept;      /* bytes of memory for blocks */
};

struct store_reader {
    struct store *store;
    struct index_layout layout;
    struct index_snapshot *snapshot; /* a reference; NULL: not begun */
    sqlite3_stmt *data;
    struct store_loading blocks, vectors;
    struct table_rows *rows; /* [WORKERS_MAX] of X_vectors in the file, a thread each; owned */
    struct index_storage all_vectors; /* how they are read */
    struct index_snapshot *loose;     /* all of them, if the snapshot cannot keep them; owned */
    struct waiting_rows waiting;
    void *waiting_block; /* one of these; owned; NULL: none yet */
    void *stored;        /* the vector read last, as it is stored behind codes; owned; NULL: none */
    float *vector;       /* [dimensions] the same, as it was given; owned; NULL: none */
    const void *at_hand; /* the block read last that did not stay in memory: its bytes; or NULL */
    int64_t at_hand_number, at_hand_version;
};

/* Opens store->cache, if it is not open; it may stay NULL, see index_cache_open. */
int reader_open_cache(struct store *store, struct error *err);

/* `storage` reads through `reader`, which outlives it. */
void reader_open(struct store *store, struct store_reader *reader, struct index_storage *storage);

/* Takes the snapshot of this state; before that storage only fetches. */
int reader_begin(struct store_reader *reader, const struct store_state *state, struct error *err);

/* The vector of a row as it was given, but for what storing it has rounded: float32[dimensions],
 * which live until the next call; float32 ones are not checked. *found = 0 if there is none. */
int reader_vector(struct store_reader *reader, int64_t id, const void **bytes, size_t *size,
                  int *found, struct error *err);

/* A search of the snapshot, as the index does it. */
struct index_search reader_search(const struct store_reader *reader,
                                  const struct index_storage *storage);

/* Ends its statements and lets the snapshot go; it can be used again. */
void reader_close(struct store_reader *reader);

#endif
