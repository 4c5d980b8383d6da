/*
 * words.h: the words of rows, kept in step with their vectors: everything that writes X_fts, X_docs
 * and X_wordless of an index that has words (store->tokenizer is not NULL).
 *
 * X_fts is a contentless FTS5 table, told to keep 4 MiB in memory before it writes them as a piece;
 * its rowids are numbers of documents. At each savepoint, and each row whose number is not above
 * the one before, it writes what it has. FTS5 of all versions can
 * add a document to such a table, and only newer ones can delete one. So none is changed or
 * deleted: a row whose text changes gets another document, and the old one is dead. Dead documents
 * count in FTS5's statistics until all are written anew.
 *
 * X_docs has the exceptions alone: (d, NULL): document d is dead. (d, i): document d is of row i,
 * d <> i. A document that is not in X_docs is of the row of its own number. A row has one living
 * document at most. The document of a row is its own id if X_fts has none of that number yet, else
 * the first free number below all others and 0 (where there is
 * none, as a row has the last of them, a hash of the id).
 *
 * A row of X_rows whose vector a model made has one; what has no row has none. Of a row whose
 * vector is the user's own it depends on whether it has a text.
 *
 * Within xSync SQLite lets nobody write a virtual table (SQLITE_LOCKED), but X_docs and X_wordless
 * are none. Where a row's text is known only then, its old document dies and the row is noted in
 * X_wordless, until there is a time to write its words. Rows of X_wordless have no living document.
 */
#ifndef STORE_WORDS_H
#define STORE_WORDS_H

#include "store/store.h"

/* Makes X_fts, of that tokenizer. ERROR_INVALID when there is no FTS5, or no such tokenizer. */
int words_create(struct store *store, struct error *err);
int words_drop(struct store *store, struct error *err);
int words_rename(struct store *store, const char *name, struct error *err);

/* Of rc and err, which FTS5 gave or SQL on its tables: ERROR_CORRUPT with the cure if it cannot
 * read what there is. */
int words_explain(const struct store *store, int rc, struct error *err);

/* Prepares what a write needs, so that it need not tear: `all` that is part of one, or what may be
 * done within xSync. */
int words_prepare(struct store *store, int all, struct error *err);

/* ---- all that follows is part of a write (write.h) ------------------------------------------- */

/* The row has these words from now on, in a new document, and no others; not within xSync. */
int words_put(struct store *store, int64_t id, struct span text, struct error *err);

/* After such writes, when what the user asked for is done: lets FTS5 close what it reads by. Before
 * 3.54 SQLite would take that for a statement that runs: after an interrupt all that follow in the
 * transaction would be interrupted, ROLLBACK too. */
int words_rest(struct store *store, struct error *err);

/* *unknown: no row from that id on, 1 or more, has a document or waits for one: each may get its
 * first by words_add. */
int words_unknown_from(struct store *store, int64_t id, int *unknown, struct error *err);

/* The row has no words any more. */
int words_kill(struct store *store, int64_t id, struct error *err);

/* The same, and it is to get some: those of its text. */
int words_postpone(struct store *store, int64_t id, struct error *err);
int words_postpone_own(struct store *store, struct error *err); /* all whose vector the user gave */

/* No document is left, and X_fts is whole, whatever was dropped of it. */
int words_clear(struct store *store, struct error *err);

/* The first document of a row, after words_clear() or words_unknown_from(): each row once. */
int words_add(struct store *store, int64_t id, struct span text, struct error *err);

/* Joins what FTS5 has written in pieces. ERROR_CORRUPT: it cannot read that. */
int words_merge(struct store *store, struct error *err);

/* ERROR_CORRUPT with the first thing that contradicts another. Reads only. */
int words_check(struct store *store, struct error *err);

/* ERROR_CORRUPT if FTS5 has lost its table of where words are, and would not find them. */
int words_check_places(struct store *store, struct error *err);

/* FTS5's own check of X_fts; it is a statement that writes. */
int words_check_index(struct store *store, struct error *err);

/* Makes FTS5 write what it keeps in memory of this transaction: before its tables are read, and
 * before the schema is read anew, which connects X_fts another time beside what this connection
 * knows of it. */
int words_settle(struct store *store, struct error *err);

#endif
