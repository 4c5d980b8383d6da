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
void loading_begin(struct store_reader *reader);
void loading_end(struct store_reader *reader);

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

#endif
