/*
 * vectors.h: the vectors of an index with codes, as an index without has them.
 *
 * Such an index has its vectors in a table of their own, where each costs a search of a tree. Where
 * codes tell too few rows apart all are compared: then they are a snapshot of their own beside the
 * index's (index_snapshot.vectors), whose blocks are runs that follow each other (vectors_list.h).
 * They are read as blocks of an index without codes are, off the file by any thread of the search,
 * and stay in memory as these do (index/snapshot.h), if they may. And as searches have read so many
 * one by one, as many are read together: what this costs was spent already, and no search waits for
 * all.
 *
 * What is in memory outlives a write, but for the rows that it wrote: vectors_change.h.
 */
#ifndef STORE_VECTORS_H
#define STORE_VECTORS_H

#include "store/reader.h"

/* Whether the vectors of the snapshot come to be in memory as it is searched. */
int vectors_may_stay(const struct store_reader *reader);

/* Notes that so many are read by themselves, and keeps some if it is time. */
int vectors_note(struct store_reader *reader, size_t n, struct error *err);

/* The vector of a row of the snapshot, if it is in memory; else NULL. */
const void *vectors_find(const struct store_reader *reader, int64_t id);

/* Those of struct index_storage, of a struct store_reader: all vectors; and of their blocks. */
int vectors_all(void *context, struct index_snapshot **vectors,
                const struct index_storage **storage, struct error *err);
int vectors_load(void *context, struct index_block *block, struct index_place *place,
                 const void **bytes, int *stay, struct error *err);
int vectors_read(void *context, size_t thread, struct index_block *block, struct index_place *place,
                 const void **bytes, struct error *err);

/* ERROR_INVALID: somebody has written since the snapshot was taken, this connection or, with
 * read_uncommitted, one that shares its cache: what was read may be newer. */
int vectors_check(struct store_reader *reader, struct error *err);

/* How many rows the table has in the range of a block. */
int vectors_count(struct store_reader *reader, const struct index_snapshot *vectors,
                  const struct index_block *block, size_t *n, struct error *err);

/* Looks X_vectors up in the file, to read so many bytes: it is read only as long as the transaction
 * sees the snapshot's generation; and lets it go. */
int vectors_open_file(struct store_reader *reader, size_t n_missing, struct error *err);
void vectors_close(struct store_reader *reader);

#endif
