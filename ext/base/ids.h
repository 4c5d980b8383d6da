/*
 * ids.h: a list of ids that grows.
 */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* All zero: empty, and items is NULL. */
struct ids {
    int64_t *items; /* [n] owned */
    size_t n, capacity;
};

/* Empty, but with items that are not NULL: a list of none where NULL means all. */
int ids_init(struct ids *ids, struct error *err);
int ids_add(struct ids *ids, int64_t id, struct error *err);
void ids_deinit(struct ids *ids);

/* Ascending, each once. */
void ids_sort(struct ids *ids);

/* Keeps those that are among n others, or drops them; both ascend. */
void ids_keep(struct ids *ids, const int64_t *others, size_t n);
void ids_drop(struct ids *ids, const int64_t *others, size_t n);

/* Whether an id is among n, which ascend. */
int ids_has(const int64_t *items, size_t n, int64_t id);
size_t ids_find(const int64_t *items, size_t n, int64_t id); /* its place; n: it is not there */

/* That order, as qsort wants it. */
int ids_compare(const void *a, const void *b);

#endif
