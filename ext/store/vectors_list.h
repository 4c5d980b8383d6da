/*
 * vectors_list.h: which blocks the vectors of an index with codes make (vectors.h): runs that
 * follow each other in X_vectors, as many rows as a block of an index without codes has. Internal
 * to the room.
 */
#ifndef STORE_VECTORS_LIST_H
#define STORE_VECTORS_LIST_H

#include "store/reader.h"

/* Vectors of a run that is read off the file, at most: more than any of ours has. */
#define VECTORS_MOST_OF_RUN 32

/* All vectors of a snapshot, none in memory, those that wait among them: listed off the file
 * (`rows`, NULL: it is not to be read) or by SQLite. ERROR_CORRUPT names what is no run. */
int vectors_list(struct store *store, const struct index_snapshot *snapshot,
                 struct table_rows *rows, const struct waiting_rows *waiting,
                 struct index_snapshot **made, struct error *err);

/* Of the row that a walk is at, a run: takes its ids, which it borrows. 0: they cannot be read, or
 * it is none. */
int vectors_take_ids(struct table_rows *rows, size_t vector_size,
                     unsigned char ids[VECTORS_MOST_OF_RUN * sizeof(int64_t)], struct run *run);

/* How vectors are laid out there. */
struct index_layout vectors_layout(const struct index_layout *layout);

#endif
