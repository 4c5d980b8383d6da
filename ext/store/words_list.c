#include "store/words_list.h"

#include <stdlib.h>

#include "base/memory.h"

int words_list_grow(struct words_list *list, struct error *err)
{
    size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
    struct words_posting *items = memory_realloc(list->items, capacity, sizeof *items);
    if (items == NULL) return error_nomem(err);
    list->items = items;
    list->capacity = capacity;
    return 0;
}

void words_list_empty(struct words_list *list)
{
    memory_free(list->items);
    list->items = NULL;
    list->n = list->capacity = 0;
}

static int by_document(const void *a, const void *b)
{
    const struct words_posting *x = a, *y = b;
    return x->document < y->document ? -1 : x->document > y->document;
}

int words_list_sort(struct words_list *list)
{
    int ascends = 1;
    for (size_t i = 1; i < list->n && ascends; i++)
        ascends = list->items[i - 1].document < list->items[i].document;
    if (ascends) return 1;
    qsort(list->items, list->n, sizeof *list->items, by_document);
    for (size_t i = 1; i < list->n; i++)
        if (list->items[i - 1].document == list->items[i].document) return 0;
    return 1;
}

/* The first posting of [low, high) of a document from that one on; high: there is none. */
static size_t find_between(const struct words_list *list, size_t low, size_t high, int64_t document)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].document < document) low = middle + 1;
        else high = middle;
    }
    return low;
}

const struct words_posting *words_list_find(const struct words_list *list, int64_t document)
{
    size_t at = find_between(list, 0, list->n, document);
    return at < list->n && list->items[at].document == document ? &list->items[at] : NULL;
}

size_t words_list_seek(const struct words_list *list, size_t from, int64_t document)
{
    size_t step = 1, low = from;
    while (low + step < list->n && list->items[low + step].document < document) {
        low += step;
        step *= 2;
    }
    return find_between(list, low, low + step < list->n ? low + step : list->n, document);
}
