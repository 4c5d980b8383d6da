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

/* The same of a list that is asked often: a bit an id, where that takes no more memory. */
struct ids_bits {
    uint64_t *words; /* owned; NULL: the ids lie too far apart, the list is to be asked */
    int64_t first;
    uint64_t n; /* bits, for the ids from the first to the last */
};

/* Of a list that ascends. ERROR_NOMEM; deinit also after a failure. */
int ids_bits_init(struct ids_bits *bits, const struct ids *ids, struct error *err);
void ids_bits_deinit(struct ids_bits *bits);

static inline int ids_bits_have(const struct ids_bits *bits, int64_t id)
{
    uint64_t at = (uint64_t)id - (uint64_t)bits->first;
    return at < bits->n && (bits->words[at / 64] >> (at % 64) & 1);
}

/* That order, as qsort wants it. */
int ids_compare(const void *a, const void *b);

#endif
