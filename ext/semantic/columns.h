/*
 * columns.h: the content columns of a semantic_index: those that the content has when the table is
 * connected, and those that X_config keeps for when it is gone: JSON, a list of [name, affinity].
 */
#ifndef SEMANTIC_COLUMNS_H
#define SEMANTIC_COLUMNS_H

#include "semantic/table.h"

/* For CREATE: checks the content against the options and makes its columns the table's; without
 * content the only one is `text`. Learns what the key is. */
int columns_create(struct semantic_table *table, struct error *err);

/* Those of the table, as JSON that the caller frees. */
int columns_format(const struct semantic_table *table, char **json, struct error *err);

/* For CONNECT: the columns of the content as it is now become the table's, or those of the JSON
 * where it cannot be read; ERROR_CORRUPT. */
int columns_connect(struct semantic_table *table, const char *json, struct error *err);

/* Points the index, and its triggers, at a content of another name, which has what the options
 * name. n_ours as below. */
int columns_use_content(struct semantic_table *table, char *content, int n_ours, struct error *err);

/* Whether rows of the content keep the rowid that they are known by, see content_schema.h. */
int columns_keep_rowids(const struct semantic_table *table, int *keep, struct error *err);

/* The columns of an index with words are those of whose names the content has none. */
void columns_add_words(struct semantic_table *table);

/* Which of the columns of an index with words it is (enum semantic_words_column); -1: none. */
int columns_of_words(const struct semantic_table *table, int column);

/* The affinity of a keyed index's key. */
const char *columns_key_affinity(const struct semantic_table *table);

/* A connection that makes a view or a table anew, without ALTER, does not connect its virtual
 * tables again. Looks whether that has happened; then renew makes it do so for the next statement,
 * if no more statements write now than n_ours, which are ours. Of failures only ERROR_NOMEM and
 * ERROR_INTERRUPTED are told, after which SQLite may have rolled back: columns are read by name,
 * whatever it believes. */
int columns_look(struct semantic_table *table, struct error *err);
void columns_renew(struct semantic_table *table, int n_ours);

#endif
