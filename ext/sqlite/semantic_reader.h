/*
 * semantic_reader.h: how a search reads the stored vectors.
 *
 * From the shadow tables; and, as long as the index is the same, from memory: the first search of a
 * table keeps what it scans (vectors, or with quantize their codes), packed, if that fits in what
 * memory_budget leaves. Every writer puts a new random number, the generation, into X_config in its
 * own transaction. What is in memory is used by a search that reads the same number in its
 * snapshot: so the writes of other connections, ROLLBACK and savepoints are all noticed. Only a
 * shadow table edited by hand is not, until the index is written or connected again.
 *
 * Rejected: PRAGMA data_version and the number of changes, which say that something was written in
 * the file, not that it was this index.
 */
#ifndef SQLITE_SEMANTIC_READER_H
#define SQLITE_SEMANTIC_READER_H

#include "index/search.h"
#include "sqlite/semantic_table.h"

struct semantic_reader {
    struct semantic_table *table;
    sqlite3_stmt *scan, *lookup;
    int64_t generation; /* of the snapshot that is read; 0: not known, memory is not used */
    int filling;        /* the scan that runs fills memory */
};

/* `storage` reads through `reader`, which outlives it. */
void reader_open(struct semantic_table *table, struct semantic_reader *reader,
                 struct index_storage *storage);

/* Ends its statements; it can be used again. */
void reader_close(struct semantic_reader *reader);

/* Forgets what a table keeps in memory. */
void reader_forget(struct semantic_table *table);

#endif
