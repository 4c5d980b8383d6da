#include "catalog/refusals.h"

#include <stdlib.h>

#include "base/memory.h"

void catalog_refusals_deinit(struct catalog_refusals *refusals)
{
    if (refusals == NULL) return;
    memory_free(refusals->items);
    *refusals = (struct catalog_refusals){0};
}

static int compare(const void *a, const void *b)
{
    size_t x = ((const struct catalog_refusal *)a)->text,
           y = ((const struct catalog_refusal *)b)->text;
    return (x > y) - (x < y);
}

void catalog_refusals_sort(struct catalog_refusals *refusals)
{
    if (refusals != NULL && refusals->n > 1)
        qsort(refusals->items, refusals->n, sizeof *refusals->items, compare);
}

int catalog_refusals_add(struct catalog_refusals *refusals, size_t text, const struct error *why,
                         struct error *err)
{
    if (refusals->n == refusals->capacity) {
        size_t capacity = refusals->capacity == 0 ? 4 : refusals->capacity * 2;
        struct catalog_refusal *items = memory_realloc(refusals->items, capacity, sizeof *items);
        if (items == NULL) return error_nomem(err);
        refusals->items = items;
        refusals->capacity = capacity;
    }
    struct catalog_refusal *refusal = &refusals->items[refusals->n++];
    refusal->text = text;
    refusal->why = *why;
    return 0;
}

const struct catalog_refusal *catalog_refusals_find(const struct catalog_refusals *refusals,
                                                    size_t n, size_t text)
{
    struct catalog_refusal wanted;
    wanted.text = text;
    return n == 0 ? NULL : bsearch(&wanted, refusals->items, n, sizeof wanted, compare);
}
