/*
 * content_keys.h: the keys of a keyed index's content, while it is read: ids for those that X_keys
 * does not have, and keys by their ids.
 */
#ifndef SEMANTIC_CONTENT_KEYS_H
#define SEMANTIC_CONTENT_KEYS_H

#include "semantic/table.h"

/* Keys that X_keys does not have: each with the id that it is to get. */
struct content_keys {
    int64_t first;          /* the id of values[0]; the others follow */
    sqlite3_value **values; /* [n]; owned */
    size_t n, capacity;
};
void content_keys_deinit(struct content_keys *keys);

/* Empties the list; gives a copy of a new key its id; ERROR_INVALID if a key has come twice. */
int content_keys_begin(struct semantic_table *table, struct content_keys *keys, struct error *err);
int content_keys_add(struct content_keys *keys, sqlite3_value *value, int64_t *id,
                     struct error *err);
int content_keys_check(const struct semantic_table *table, const struct content_keys *keys,
                       struct error *err);

/* The key of an id that was given out so, borrowed; NULL: it is one of X_keys. `keys` may be NULL.
 */
sqlite3_value *content_keys_new(const struct content_keys *keys, int64_t id);

/* Gives a row with such an id, which is about to be stored, the id that X_keys has for it now.
 * Within a write (store/write.h). */
int content_keys_settle(struct semantic_table *table, const struct content_keys *keys, int64_t *id,
                        struct error *err);

/* What the content calls the row of an id that a scan gave: a copy, owned by the caller; NULL: it
 * has no key any more, or the index is not keyed. */
int content_key(struct semantic_table *table, const struct content_keys *keys, int64_t id,
                sqlite3_value **key, struct error *err);

/* Puts before an error which row it is of: its key, or where that is NULL its number. */
void content_name_row(const struct semantic_table *table, int64_t id, sqlite3_value *key,
                      struct error *err);

/* The error for a key that comes twice, that of `id`. */
int content_twice(struct semantic_table *table, const struct content_keys *keys, int64_t id,
                  struct error *err);

#endif
