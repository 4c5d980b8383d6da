/*
 * content.h: the texts of a semantic_index, read from the content table or, without one,
 * from X_text.
 */
#ifndef SEMANTIC_CONTENT_H
#define SEMANTIC_CONTENT_H

#include "base/span.h"
#include "semantic/table.h"

/* A text longer than this is refused. */
#define CONTENT_MAX_TEXT ((size_t)256 << 20)

/* "SELECT id, <text columns> ... ORDER BY id", to be stepped by content_scan_next. The caller
 * finalizes. */
int content_scan_open(struct semantic_table *table, sqlite3_stmt **scan, struct error *err);

/* The next row: its id, its text in `text` (buffer initialised by the caller), which may be empty.
 * *done after the last. *bad: why that text cannot be embedded, a blob, no UTF-8, too long; code 0
 * if it can. ERROR_INVALID when an id is not usable. */
int content_scan_next(struct semantic_table *table, sqlite3_stmt *scan, int64_t *id,
                      struct buffer *text, struct error *bad, int *done, struct error *err);

/* The text of one row, and *bad as above. *found = 0: no such row, or nothing to embed; *exists
 * tells which. */
int content_text(struct semantic_table *table, int64_t id, struct buffer *text, struct error *bad,
                 int *exists, int *found, struct error *err);

/* What X_rows and X_failures remember of a text that was read: another number for another text, and
 * for the same bytes if they can be embedded now. */
uint64_t content_hash(const struct buffer *text, const struct error *bad);

/* statement_step for a statement on the content. While it runs no search of the same index can: a
 * view that reads its own index would never end. */
int content_step(struct semantic_table *table, sqlite3_stmt *statement, int *row,
                 struct error *err);

/* "SELECT <content columns>, <document columns> WHERE id = ?1". The caller finalizes. */
int content_row_open(struct semantic_table *table, sqlite3_stmt **row, struct error *err);

/* The text that the reranker reads, from a row of that statement, appended to `document`. */
int content_document(struct semantic_table *table, sqlite3_stmt *row, struct buffer *document,
                     struct error *err);

#endif
