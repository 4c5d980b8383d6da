/*
 * flush.h: rows that wait (pending.h) are embedded together and written to the shadow tables.
 */
#ifndef SEMANTIC_FLUSH_H
#define SEMANTIC_FLUSH_H

#include "semantic/table.h"

/* Before every read, every command and COMMIT; nothing to do costs nothing. After a failure the
 * rows still wait. sqlite3_last_insert_rowid stays the user's. */
int flush_pending(struct semantic_table *table, struct error *err);

#endif
