/*
 * update.h: xUpdate and the transaction methods.
 */
#ifndef SEMANTIC_UPDATE_H
#define SEMANTIC_UPDATE_H

#include "semantic/table.h"

int semantic_update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
int semantic_begin(sqlite3_vtab *base);
int semantic_sync_transaction(
    sqlite3_vtab *base); /* xSync: an error leaves an explicit transaction open */
int semantic_commit(sqlite3_vtab *base);
int semantic_rollback(sqlite3_vtab *base);
int semantic_savepoint(sqlite3_vtab *base, int number);
int semantic_release(sqlite3_vtab *base, int number);
int semantic_rollback_to(sqlite3_vtab *base, int number);

#endif
