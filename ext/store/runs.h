/*
 * runs.h: the vectors behind codes as they are stored: in runs, some rows side by side.
 *
 * SQLite puts rows on pages whole, or the rest of one on pages of its own. So two vectors of 1536
 * bytes leave a quarter of a page of 4096 empty, and one of 2816 a third, where three in one row
 * fill the pages that they take. A row of X_vectors is such a run: its id is not larger than any of
 * its ids, and what lies between it and the next run's is in no other; its BLOB, little-endian,
 *
 *   int64    ids[n]                             ascending
 *   bytes    vectors[n][index_vector_size]
 *
 * n follows from the size. Where the BLOB has one id less, the first is that of the row of
 * X_vectors: a vector alone has none, and format 4 has all runs so. A row that goes
 * leaves its place to those behind it while half of the run or more is used, so that SQLite writes
 * the pages that change, and no others: of the places without a row, which are the last, the id is
 * INT64_MIN and the vector zeros.
 */
#ifndef STORE_RUNS_H
#define STORE_RUNS_H

#include "store/blocks.h"

/* A run that was read: borrowed from its statement. */
struct run {
    const unsigned char *bytes;
    size_t n, size;  /* rows; bytes of a vector: what is no run counts for one, of whatever size */
    size_t places;   /* the rows are in the first n */
    size_t unlisted; /* of the ids: 1 if the first is the run's own */
    int64_t begin;   /* the run's own */
};
int64_t run_id(const struct run *run, size_t i);
const void *run_vector(const struct run *run, size_t i);
size_t run_find(const struct run *run, int64_t id); /* n: it is not there */

/* A run of so many bytes, of which none are read yet: its places; 0: it is none. And how many of
 * them have rows, once the first run_ids_size() bytes are read; 0: it is damaged. */
struct run run_of(int64_t begin, size_t size, size_t vector_size);
size_t run_ids_size(const struct run *run);
void run_count(struct run *run);

/* The run of a row (id, vector) of a statement, by the size that its vectors should have. */
int run_take(sqlite3_stmt *row, size_t vector_size, struct run *run, struct error *err);

/* The vector of a row, as many bytes as it must have, copied. ERROR_CORRUPT. */
int runs_get(struct store *store, int64_t id, size_t vector_size, void *stored, struct error *err);

/* All rows, ascending, by a statement (id, vector) that does so: the next one. *row = 0 after the
 * last; what *vector points to lives until the next call. All zero but the first two: to begin. */
struct runs_scan {
    sqlite3_stmt *statement; /* borrowed */
    size_t vector_size;
    struct run run;
    size_t i;
};
int runs_next(struct runs_scan *scan, struct store *store, int *row, int64_t *id,
              const void **vector, size_t *size, struct error *err);

/* Part of a write: writes or replaces the vectors of rows, ascending by id, into full runs; deletes
 * those of ids, ascending, that are there. */
int runs_put(struct store *store, size_t vector_size, const struct block_row *rows, size_t n_rows,
             struct error *err);
int runs_delete(struct store *store, size_t vector_size, const int64_t *ids, size_t n_ids,
                struct error *err);

/* Part of a write: vectors that nobody finds, as the next run begins before them, go (of a damaged
 * file alone); those of runs that have places to spare go into full ones. */
int runs_tidy(struct store *store, size_t vector_size, struct error *err);

#endif
