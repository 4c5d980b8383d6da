/*
 * keys.h: X_keys of an index that is keyed: for each content row its key, of any type but NULL, and
 * the id that the index knows it by.
 *
 * A key gets its id when its row is first written and keeps it until the row is deleted from the
 * index; an id without a row in X_rows is one whose row waits, could not be embedded, or has been
 * forgotten. Keys are
 * equal when SQLite says so byte for byte: 1 is 1.0, but neither '1' nor 'a' 'A'.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "store/store.h"

/* A key as it comes: of the content (affinity NULL), or to be compared with a column of that
 * affinity, so that 7 is '7' where it is TEXT. */
struct keys_value {
    sqlite3_value *value; /* borrowed */
    const char *affinity;
};

/* The id of a key; *found = 0: it has none. */
int keys_find(struct store *store, struct keys_value key, int64_t *id, int *found,
              struct error *err);

/* The key of an id, as column 0 of *key, which the caller resets; NULL: it has none. */
int keys_get(struct store *store, int64_t id, sqlite3_stmt **key, struct error *err);

/* The id of a key that may be new. A new one becomes *id, if that is wanted and free, else the next
 * that is; 0: any. */
int keys_put(struct store *store, struct keys_value key, int64_t *id, struct error *err);

/* Forgets an id and its key. */
int keys_delete(struct store *store, int64_t id, struct error *err);

/* The largest id in use; 0: none is. */
int keys_last(struct store *store, int64_t *id, struct error *err);

/* Forgets keys without a row, or a failure of one. */
int keys_tidy(struct store *store, int keeps_failures, struct error *err);

/* ERROR_CORRUPT: a row without a key. */
int keys_check(struct store *store, struct error *err);

#endif
