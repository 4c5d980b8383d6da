/*
 * vectors.h: the vectors of a small index with codes, kept in memory beside its snapshot.
 *
 * Such an index has its vectors in a table, where each costs a search of a tree: of few
 * rows that is more than comparing all of them. Once searches of a snapshot have read as many of
 * them as it has rows, all are read and kept, so that what this costs was spent already. They go
 * with the snapshot, and count for its process's budget as its blocks do.
 */
#ifndef STORE_VECTORS_H
#define STORE_VECTORS_H

#include "store/reader.h"

/* Notes that n vectors are to be read one by one, and keeps all if it is time. */
int vectors_note(struct store_reader *reader, size_t n, struct error *err);

/* Whether they are kept. */
int vectors_are_kept(const struct store_reader *reader);

/* The vector of an id, where they are kept; NULL: there is none. */
const void *vectors_find(const struct store_reader *reader, int64_t id);

/* The i-th of them, by id; i < n_rows of the snapshot. */
const void *vectors_at(const struct store_reader *reader, size_t i, int64_t *id);

#endif
