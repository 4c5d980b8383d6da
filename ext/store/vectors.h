/*
 * vectors.h: the vectors of an index with codes, kept in memory beside its snapshot.
 *
 * Such an index has its vectors in a table of their own, where each costs a search of a tree. As
 * searches of a snapshot have read so many of them one by one, as many are read together, those of
 * the least ids first, and kept as an index without codes has them (index_snapshot.vectors): so
 * what this costs was spent already, and no search waits for all. They go with the snapshot, and
 * count for its process's budget as its blocks do.
 */
#ifndef STORE_VECTORS_H
#define STORE_VECTORS_H

#include "store/reader.h"

/* Whether the vectors of the snapshot come to be in memory as it is searched. */
int vectors_may_stay(const struct store_reader *reader);

/* Notes that n vectors are to be read one by one, or by a scan, and keeps some if it is time. */
int vectors_note(struct store_reader *reader, size_t n, struct error *err);

/* The vector of a row of the snapshot, if it is in memory; else NULL. */
const void *vectors_find(const struct store_reader *reader, int64_t id);

#endif
