/*
 * loading.h: how the blocks of a reader's snapshot are read. For the files of this room.
 *
 * Off the file where it alone is what the transaction sees (sqlite/table_file.h), by any thread of
 * the search, else by SQLite; into memory that the snapshot keeps, or a scratch that the next block
 * of the thread overwrites: see the head of index/snapshot.h.
 */
#ifndef STORE_LOADING_H
#define STORE_LOADING_H

#include "store/reader.h"

/* Before a search; whenever nothing is to be read any more. */
void loading_begin(struct store_loading *loading);
void loading_end(struct store_loading *loading);

/* Those of struct index_storage, of a struct store_reader. */
int loading_load(void *context, struct index_block *block, struct index_place *place,
                 const void **bytes, int *stay, struct error *err);
int loading_read(void *context, size_t number, struct index_block *block, struct index_place *place,
                 const void **bytes, struct error *err);

/* The bytes of a block by SQLite, until the next is read. */
int loading_bytes(struct store_reader *reader, const struct index_block *block, const void **bytes,
                  struct error *err);

/* The rows that wait, until the next call: of the snapshot, once they are read, else of now. */
int loading_waiting(struct store_reader *reader, const struct waiting_rows **waiting,
                    struct error *err);

/* ---- for blocks of any kind ------------------------------------------------------------------ */

/* Looks up the table X_`table` in the file, to read so many bytes of it. */
int loading_open(struct store *store, struct store_loading *loading, const char *table,
                 size_t n_missing, struct error *err);

/* Whether any thread of the search may read what is found: then each has a handle of the file, and
 * a scratch for any block. */
int loading_share(const struct store *store, struct store_loading *loading,
                  const struct index_snapshot *snapshot, int *can, struct error *err);

/* Memory that the snapshot keeps, if the block is to stay there; NULL: it is not. */
struct index_bytes *loading_room(struct store_reader *reader, struct store_loading *loading,
                                 const struct index_snapshot *snapshot,
                                 const struct index_block *block);

/* Room for a block that does not. */
int loading_scratch(struct store_reading *thread, size_t size, struct error *err);

/* Meets the page faults of memory that is new, all zeros. */
void loading_touch(struct store_reading *thread, void *bytes, size_t size);

/* Adds the seconds since then to those of a thread, which it alone writes. */
void loading_spend(_Atomic double *seconds, double begun);

/* ERROR_INVALID: the snapshot is no longer what the transaction sees. */
int loading_changed(struct error *err);

#endif
