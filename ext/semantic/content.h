/*
 * content.h: the texts of a semantic_index, read from the content table or, without one,
 * from X_text.
 */
#ifndef SEMANTIC_CONTENT_H
#define SEMANTIC_CONTENT_H

#include "semantic/content_keys.h"

/* A text longer than this is refused. */
#define CONTENT_MAX_TEXT ((size_t)256 << 20)

/* All rows, with their texts. */
struct content_scan {
    sqlite3_stmt *statement;
    struct content_keys *keys; /* borrowed */
    int is_new;                /* rows whose key is new are what comes now */
    int64_t n_unusable;        /* rows that were passed over, as nothing can be their key */
    int is_unchecked;          /* set by who calls content_check_text() of the texts that need it */
};

/* Rows come in the order of their ids, those of new keys last. `keys`, zeroed or of an earlier
 * scan, is for those of a keyed index; NULL: it gives no ids, and an order of its own. Close also
 * after an error. */
int content_scan_open(struct semantic_table *table, struct content_keys *keys,
                      struct content_scan *scan, struct error *err);
void content_scan_close(struct content_scan *scan);

/* The next row: its id, its text in `text` (buffer initialised by the caller), which may be empty.
 * *done after the last. *bad: why that text cannot be embedded, a blob, no UTF-8, too long; code 0
 * if it can. A row whose key is NULL, or no integer where a table's keys are integers, is passed
 * over. ERROR_INVALID when a view's key is no integer, as all may be of another type. */
int content_scan_next(struct semantic_table *table, struct content_scan *scan, int64_t *id,
                      struct buffer *text, struct error *bad, int *done, struct error *err);

/* What content_scan_next leaves out of a scan that is unchecked: *bad.code, which stays if it is
 * set. */
int content_check_text(const struct buffer *text, struct error *bad);

/* The text of one row, and *bad as above. *found = 0: no such row, or nothing to embed; *exists
 * tells which. */
int content_text(struct semantic_table *table, int64_t id, struct buffer *text, struct error *bad,
                 int *exists, int *found, struct error *err);

/* The same of an id that a scan gave, which X_keys need not know. */
int content_new_text(struct semantic_table *table, const struct content_keys *keys, int64_t id,
                     struct buffer *text, struct error *bad, int *exists, int *found,
                     struct error *err);

/* The same by the key of a keyed index, and its id: a key that has none gets one if there is
 * something to embed, or if that is wanted anyhow; else *id is 0. */
int content_find(struct semantic_table *table, sqlite3_value *key, int wanted, int64_t *id,
                 struct buffer *text, struct error *bad, int *exists, int *found,
                 struct error *err);

/* Makes table->config.content the name that the content has in this transaction. */
int content_follow(struct semantic_table *table, struct error *err);

/* Prepares a statement on the content, or on X_text where there is none: SQL that sqlite3_mprintf
 * made (NULL: out of memory), which is freed. After content_follow. ERROR_INVALID says what the
 * content lacks. */
int content_prepare(struct semantic_table *table, sqlite3_stmt **statement, char *sql,
                    struct error *err);

/* What X_rows and X_failures remember of a text that was read: another number for another text, and
 * for the same bytes if they can be embedded now. */
uint64_t content_hash(const struct buffer *text, const struct error *bad);

/* statement_step for a statement on the content. While it runs no search of the same index can: a
 * view that reads its own index would never end. */
int content_step(struct semantic_table *table, sqlite3_stmt *statement, int *row,
                 struct error *err);

/* "SELECT <key>, <content columns>, <document columns> WHERE id = ?1", for the caller to close,
 * which keeps it for the next if the schema is what it was when it was opened. What the content has
 * no more reads as NULL, and is named in `lacks`, which is empty before. */
int content_row_open(struct semantic_table *table, sqlite3_stmt **row, struct name_list *lacks,
                     struct error *err);
void content_row_close(struct semantic_table *table, sqlite3_stmt *row, int64_t schema_version,
                       struct name_list *lacks);

/* ERROR_INVALID if the content has that column no more; one of those that the reranker reads. */
int content_check_column(const struct semantic_table *table, const struct name_list *lacks,
                         const char *column, struct error *err);
int content_check_document(const struct semantic_table *table, const struct name_list *lacks,
                           struct error *err);

/* The text that the reranker reads, from a row of that statement, appended to `document`. */
int content_document(struct semantic_table *table, sqlite3_stmt *row, struct buffer *document,
                     struct error *err);

/* After content_document: how many bytes of the document its first column is, where it has several;
 * at most, as spaces at the end of the document are no part of it. */
size_t content_title_size(const struct semantic_table *table, sqlite3_stmt *row);

#endif
