/*
 * pending.h: rows written in the open transaction, kept until they can be embedded
 * together.
 *
 * Embedding one row at a time would be one request a row. So xUpdate only notes what to do; a flush
 * embeds all noted texts in batches and writes the shadow tables. It comes before a read, at
 * COMMIT, and when much is waiting. What a flush writes belongs to the savepoint that is innermost
 * THEN, so rolling that back undoes rows that were noted before it. Therefore the buffer keeps a
 * mark (length, flushed) for each savepoint, and keeps rows, with the vectors that were paid for,
 * as long as some mark could make them unflushed again: row i, while a mark has n_flushed <= i <
 * n_rows.
 *
 * Savepoints come thick: each row trigger has one (xSavepoint), so a savepoint is no reason to
 * flush.
 *
 * A row of the content that changed (upkeep.h) is noted without its text, which a flush reads: what
 * is there then is what counts. One that is about to change is noted by a trigger that comes before
 * the change, so a flush in between would see it as it was: those at the end of the list wait on,
 * until another row has come after them or the transaction ends.
 */
#ifndef SEMANTIC_PENDING_H
#define SEMANTIC_PENDING_H

#include "semantic/table.h"

/* Rows or bytes of texts and vectors that wait at most, before xUpdate flushes. */
#define PENDING_MAX_ROWS 4096
#define PENDING_MAX_BYTES ((size_t)16 << 20)

/* Notes a row; takes over what it owns, also on failure. */
int pending_add(struct semantic_pending *pending, struct pending_row *row, struct error *err);

/* What is waiting for this id, the latest; NULL if nothing is. */
const struct pending_row *pending_find(const struct semantic_pending *pending, int64_t id);

/* All rows are in the shadow tables now: drops those that no savepoint can ask for again. Rows at
 * the end that are about to change stay. */
void pending_flushed(struct semantic_pending *pending);

/* What the row is for the shadow tables: borrows its text and vector, which it has by now, or the
 * reason why it has none. */
struct store_change pending_change(const struct pending_row *row);

/* Gives the row a copy of the text that was read, or (bad->code) why it cannot be embedded.
 * ERROR_NOMEM. */
int pending_take_text(struct pending_row *row, const struct buffer *text, const struct error *bad,
                      struct error *err);

/* Notes why the row's text cannot be embedded. ERROR_NOMEM. */
int pending_refuse(struct pending_row *row, const struct error *why, struct error *err);

/* Whether one of the rows has a vector. */
int pending_any_vector(const struct pending_row *rows, size_t n_rows);

/* Frees what the row owns. */
void pending_row_deinit(struct pending_row *row);

/* A buffer with one reference; NULL if out of memory. Releasing accepts NULL. */
struct semantic_pending *pending_new(void);
void pending_unreference(struct semantic_pending *pending);

/* True if rolling back to a savepoint, but the innermost (that of the running DROP TABLE), could
 * make rows unflushed again. */
int pending_is_held(const struct semantic_pending *pending);

/* xSavepoint, xRelease, xRollbackTo; and the end of the transaction. Each connection of the index
 * calls them: twice is as good as once. SQLite's number of a savepoint that began the transaction
 * is -1. */
int pending_savepoint(struct semantic_pending *pending, int number, struct error *err);
void pending_release(struct semantic_pending *pending, int number);
void pending_rollback_to(struct semantic_pending *pending, int number);
void pending_clear(struct semantic_pending *pending);

#endif
