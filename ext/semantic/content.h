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
 * *done after the last. ERROR_INVALID names the row when an id
 * or a text is not usable. */
int content_scan_next(struct semantic_table *table, sqlite3_stmt *scan, int64_t *id,
                      struct buffer *text, int *done, struct error *err);

/* The text of one row, checked. *found = 0: no such row, or an empty text; *exists tells which. */
int content_text(struct semantic_table *table, int64_t id, struct buffer *text, int *exists,
                 int *found, struct error *err);

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
