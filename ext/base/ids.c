#include "base/ids.h"

#include <stdlib.h>

#include "base/memory.h"

int ids_init(struct ids *ids, struct error *err)
{
    *ids = (struct ids){0};
    int rc = ids_add(ids, 0, err);
    ids->n = 0;
    return rc;
}

int ids_add(struct ids *ids, int64_t id, struct error *err)
{
    if (ids->n == ids->capacity) {
        size_t capacity = ids->capacity == 0 ? 64 : ids->capacity * 2;
        int64_t *items = memory_realloc(ids->items, capacity, sizeof *items);
        if (items == NULL) return error_nomem(err);
        ids->items = items;
        ids->capacity = capacity;
    }
    ids->items[ids->n++] = id;
    return 0;
}

void ids_deinit(struct ids *ids)
{
    memory_free(ids->items);
    *ids = (struct ids){0};
}

/* Lists that SQLite gives mostly do. */
static int ascends(const struct ids *ids)
{
    for (size_t i = 1; i < ids->n; i++)
        if (ids->items[i - 1] >= ids->items[i]) return 0;
    return 1;
}

void ids_sort(struct ids *ids)
{
    size_t n = 0;
    if (ascends(ids)) return;
    qsort(ids->items, ids->n, sizeof *ids->items, ids_compare);
    for (size_t i = 0; i < ids->n; i++)
        if (n == 0 || ids->items[n - 1] != ids->items[i]) ids->items[n++] = ids->items[i];
    ids->n = n;
}

/* Leaves those that are among the others, or that are not. */
static void sift(struct ids *ids, const int64_t *others, size_t n, int among)
{
    size_t n_kept = 0, j = 0;
    for (size_t i = 0; i < ids->n; i++) {
        while (j < n && others[j] < ids->items[i]) j++;
        if ((j < n && others[j] == ids->items[i]) == among) ids->items[n_kept++] = ids->items[i];
    }
    ids->n = n_kept;
}

void ids_keep(struct ids *ids, const int64_t *others, size_t n)
{
    sift(ids, others, n, 1);
}

void ids_drop(struct ids *ids, const int64_t *others, size_t n)
{
    sift(ids, others, n, 0);
}

size_t ids_find(const int64_t *items, size_t n, int64_t id)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (items[middle] < id) low = middle + 1;
        else high = middle;
    }
    return low < n && items[low] == id ? low : n;
}

int ids_has(const int64_t *items, size_t n, int64_t id)
{
    return ids_find(items, n, id) < n;
}

int ids_bits_init(struct ids_bits *bits, const struct ids *ids, struct error *err)
{
    *bits = (struct ids_bits){0};
    if (ids->n == 0) return 0;
    uint64_t span = (uint64_t)ids->items[ids->n - 1] - (uint64_t)ids->items[0];
    if (span / 64 >= ids->n) return 0;
    bits->words = memory_zalloc((size_t)(span / 64) + 1, sizeof *bits->words);
    if (bits->words == NULL) return error_nomem(err);
    bits->first = ids->items[0];
    bits->n = span + 1;
    for (size_t i = 0; i < ids->n; i++) {
        uint64_t at = (uint64_t)ids->items[i] - (uint64_t)bits->first;
        bits->words[at / 64] |= (uint64_t)1 << (at % 64);
    }
    return 0;
}

void ids_bits_deinit(struct ids_bits *bits)
{
    memory_free(bits->words);
    *bits = (struct ids_bits){0};
}

int ids_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}
