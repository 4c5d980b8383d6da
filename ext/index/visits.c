#include "index/visits.h"

#include "base/memory.h"

int visits_init(struct visits *visits, size_t most, struct error *err)
{
    *visits = (struct visits){.items = memory_alloc(most, sizeof *visits->items)};
    return visits->items == NULL ? error_nomem(err) : 0;
}

void visits_deinit(struct visits *visits)
{
    memory_free(visits->items);
}

void visits_add(struct visits *visits, struct index_block *block, size_t place, const void *bytes)
{
    size_t n = atomic_load_explicit(&visits->n, memory_order_relaxed);
    visits->items[n].block = block;
    visits->items[n].place = place;
    visits->items[n].bytes = bytes;
    atomic_init(&visits->items[n].is_over, 0);
    atomic_store_explicit(&visits->n, n + 1, memory_order_release);
}

void visits_end(struct visits *visits)
{
    atomic_store_explicit(&visits->is_whole, 1, memory_order_release);
}

struct visit *visits_take(struct visits *visits, int *done)
{
    size_t i = atomic_load_explicit(&visits->next, memory_order_relaxed);
    *done =
        atomic_load_explicit(&visits->is_whole, memory_order_acquire); /* before n is looked at */
    do
        if (i >= atomic_load_explicit(&visits->n, memory_order_acquire)) return NULL;
    while (!atomic_compare_exchange_weak_explicit(&visits->next, &i, i + 1, memory_order_relaxed,
                                                  memory_order_relaxed));
    return &visits->items[i];
}
