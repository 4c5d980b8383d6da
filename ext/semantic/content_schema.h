/*
 * content_schema.h: what SQLite's schema says of a content table or view as it is now: its columns,
 * and what may be the key of its rows.
 *
 * A key that is an integer is the rowid of the index. Any other is kept beside the index's own
 * integer (store/keys.h): the index is keyed.
 */
#ifndef SEMANTIC_CONTENT_SCHEMA_H
#define SEMANTIC_CONTENT_SCHEMA_H

#include "semantic/table.h"

struct content_column {
    char *name;           /* owned */
    char *collation;      /* owned; NULL: BINARY, or one that this connection does not have */
    char *type;           /* owned; as it was declared; NULL: to be shown as its affinity */
    const char *affinity; /* "TEXT", "INTEGER", "REAL", "NUMERIC" or "BLOB"; static */
    int is_declared;      /* with a type */
    int is_integer;       /* of the very type INTEGER, which a rowid needs */
    int is_not_null;
    int is_primary; /* a column of the PRIMARY KEY */
    int is_rowid;   /* the INTEGER PRIMARY KEY that is the rowid */
};

struct content_schema {
    int is_there;
    int is_strict;       /* where ANY keeps each value as it is */
    int has_constraints; /* a table, and neither a view nor virtual */
    int has_rowid;
    struct content_column *columns; /* [n_columns] */
    size_t n_columns;
};

/* The content of that name in that schema; ERROR_INVALID for a table of SQLite's own. deinit also
 * after an error. */
int content_schema_read(sqlite3 *db, const char *schema, const char *content,
                        struct content_schema *read, struct error *err);
void content_schema_deinit(struct content_schema *read);

/* The column of that name, or NULL. Case is ignored. */
const struct content_column *content_schema_find(const struct content_schema *read,
                                                 const char *name);

/* The columns to expose: all but those whose name is one of ours in that index. The column `key`
 * compares byte for byte; NULL: none. The caller frees them, also after an error. */
int content_schema_show(const struct content_schema *read, const struct store *index,
                        const char *key, struct semantic_column **columns, size_t *n_columns,
                        struct error *err);

/* Whether the content, which is there, can be indexed by those options: ERROR_INVALID names what is
 * wrong. *key: the key's column where it was not given and is not the rowid, owned by the caller;
 * else NULL. *is_keyed: its values need not be integers. */
int content_schema_check(sqlite3 *db, const char *schema, const char *table,
                         const struct semantic_config *config, const struct content_schema *read,
                         char **key, int *is_keyed, struct error *err);

/* Whether rows of the content, whose key is the rowid, keep it: VACUUM renumbers those of a table
 * without INTEGER PRIMARY KEY. */
int content_schema_keeps_rowids(const struct content_schema *read);

#endif
