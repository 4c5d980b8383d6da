#include "store/words_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Postings that a list which is to get more has room for. */
#define ROOM 64

/* So many at the end of a list are brought to their places one by one. */
#define FEW 64

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
    if (list->shared == NULL) memory_free(list->items);
    words_shared_release(list->shared);
    list->shared = NULL;
    list->items = NULL;
    list->n = list->capacity = 0;
}

int words_list_share(struct words_list *list, struct error *err)
{
    struct words_shared *shared = memory_zalloc(1, sizeof *shared);
    if (shared == NULL) return error_nomem(err);
    struct words_posting *items =
        list->n == 0 ? list->items : memory_realloc(list->items, list->n, sizeof *items);
    if (items == NULL && list->n > 0) {
        memory_free(shared);
        return error_nomem(err);
    }
    *shared = (struct words_shared){1, list->n, items};
    list->items = items;
    list->capacity = list->n;
    list->shared = shared;
    return 0;
}

void words_list_borrow(struct words_list *list, struct words_shared *shared)
{
    shared->references++;
    list->shared = shared;
    list->items = shared->items;
    list->n = list->capacity = shared->n;
}

int words_list_own(struct words_list *list, struct error *err)
{
    if (list->shared == NULL) return 0;
    struct words_posting *items = memory_alloc(list->n + ROOM, sizeof *items);
    if (items == NULL) return error_nomem(err);
    memcpy(items, list->items, list->n * sizeof *items);
    words_shared_release(list->shared);
    list->shared = NULL;
    list->items = items;
    list->capacity = list->n + ROOM;
    return 0;
}

void words_shared_release(struct words_shared *shared)
{
    if (shared == NULL || --shared->references > 0) return;
    memory_free(shared->items);
    memory_free(shared);
}

static int by_document(const void *a, const void *b)
{
    const struct words_posting *x = a, *y = b;
    return x->document < y->document ? -1 : x->document > y->document;
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

int words_list_sort(struct words_list *list)
{
    size_t n = list->n == 0 ? 0 : 1;
    while (n < list->n && list->items[n - 1].document < list->items[n].document) n++;
    if (n == list->n) return 1;
    if (list->n - n > FEW) qsort(list->items, list->n, sizeof *list->items, by_document);
    for (; list->n - n <= FEW && n < list->n; n++) {
        struct words_posting moved = list->items[n];
        size_t to = find_between(list, 0, n, moved.document);
        memmove(&list->items[to + 1], &list->items[to], (n - to) * sizeof moved);
        list->items[to] = moved;
    }
    for (size_t i = 1; i < list->n; i++)
        if (list->items[i - 1].document == list->items[i].document) return 0;
    return 1;
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
