/*
 * flush.h: rows that wait (pending.h) are embedded together and written to the shadow tables.
 */
#ifndef SEMANTIC_FLUSH_H
#define SEMANTIC_FLUSH_H

#include "semantic/table.h"

/* Before every read and every command; nothing to do costs nothing. A row whose text cannot be
 * embedded is recorded and is no failure. After a failure the
 * rows still wait. sqlite3_last_insert_rowid stays the user's. */
int flush_pending(struct semantic_table *table, struct error *err);

/* At COMMIT, where the index of the rows may not be here any more: renamed, or made after a
 * savepoint that was rolled back, of which SQLite does not tell us. Its rows are left then. */
int flush_at_commit(struct semantic_table *table, struct error *err);

#endif
