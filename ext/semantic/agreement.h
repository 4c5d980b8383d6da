/*
 * agreement.h: that index and content agree, remembered, so that a sync of a file that nobody
 * wrote since need not read a million texts to find nothing to do.
 *
 * What may be trusted. SQLITE_FCNTL_DATA_VERSION is a number that the pager of a file raises at
 * each commit of this connection, whatever wrote (SQL, triggers, foreign keys, VACUUM, a BLOB
 * handle, a backup, writable_schema), and whenever a read finds that another connection or process
 * has committed: in every journal mode, as SQLite's own page cache lives by the same. It never goes
 * back. It says nothing of what is not committed. So index and content are as they were if
 *
 *   - the number is the same, asked after a read of this file, and
 *   - nothing that is not committed is in this file's transaction: it does not write
 *     (sqlite3_txn_state), or all that it is, is one statement that does nothing but give a
 *     command to a virtual table (its EXPLAIN has no other opcodes), outside a transaction and
 *     beside no other statement that writes.
 *
 * It is remembered in the table as it is connected, which lives in the schema of one pager: DETACH,
 * deserialization and every reload of the schema forget it. And only
 *
 *   - of tables: a view or a virtual table may read other files, functions, the clock. Of a table
 *     with a generated column that is not stored the same is true of functions;
 *   - where no other connection shares the cache: what that one has not committed may be read from
 *     it, and be rolled back later;
 *   - what was compared in that state, or written by the sync itself, if no trigger is on a shadow
 *     table, and the number rose by its own commits alone.
 *
 * sqlite3_total_changes() and PRAGMA data_version would not do: the first misses BLOB handles and
 * counts a statement when it ends, after triggers that sync; the second misses this connection. The
 * counter in a file's header stays in WAL mode: a process that is new to a file reads the texts.
 */
#ifndef SEMANTIC_AGREEMENT_H
#define SEMANTIC_AGREEMENT_H

#include "semantic/table.h"

/* How the file stands when a comparison begins. */
struct agreement_watch {
    int is_clean;   /* it shows what is committed, and nothing else */
    int by_command; /* it is clean, and one statement will commit all that is written */
    int is_table;   /* the content can be trusted to change by writes of this file alone */
    int is_alone;   /* no trigger is on a shadow table; 0: or that was not asked */
    uint32_t version;
};

/* After a read of the file: whether it shows what is committed, and nothing else; its version. */
int agreement_is_clean(struct semantic_table *table, uint32_t *version);

/* Whether the content can be trusted to change by writes of this file alone, as of that version. */
int agreement_is_of_file(struct semantic_table *table, uint32_t version, int *is_of_file,
                         struct error *err);

/* After a read of the file: how it stands. *agree: index and content agreed before, and nothing was
 * written since; table->agreement says what was found. */
int agreement_find(struct semantic_table *table, struct agreement_watch *watch, int *agree,
                   struct error *err);

/* What the comparison found that began with that: nothing to do. Likewise after so many commits of
 * its own it has done all that it found (by a command: none yet). */
void agreement_keep(struct semantic_table *table, const struct agreement_watch *watch,
                    uint32_t n_commits, const struct agreement *found);

/* The transaction of the table begins, or was rolled back; and was committed. */
void agreement_abandon(struct semantic_table *table);
void agreement_commit(struct semantic_table *table);

#endif
