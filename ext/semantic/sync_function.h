/*
 * sync_function.h: SELECT * FROM semantic_sync('movie_index' [, schema]).
 *
 * Brings an index in step, batch by batch, with a row after each: embedded, deleted, pending,
 * total, requests, seconds, all running totals of this call. Top-level SQL only. Outside a
 * transaction each batch is committed as it is done, by being ONE nested statement: an INSERT of
 * the command 'store-batch', whose xUpdate writes the shadow tables. Never BEGIN or SAVEPOINT:
 * after an interrupt a nested savepoint cannot be released, and the user's next write would be
 * lost.
 *
 * Our own SELECT holds a read transaction, so SQLite does not wait for other writers (busy_timeout
 * is ignored when a reader wants to write): we wait ourselves, up to it. When another connection
 * has committed in WAL mode meanwhile our snapshot is old and no batch can be written any more
 * (SQLITE_BUSY_SNAPSHOT): the call ends, the batches are kept, calling again goes on.
 */
#ifndef SEMANTIC_SYNC_FUNCTION_H
#define SEMANTIC_SYNC_FUNCTION_H

#include "semantic/table.h"

/* `module` is borrowed: semantic_index owns it and outlives every statement. A SQLite result code.
 */
int semantic_progress_register(sqlite3 *db, struct semantic_module *module);

#endif
