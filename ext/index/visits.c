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

void visits_add(struct visits *visits, const struct visit *visit)
{
    size_t n = atomic_load_explicit(&visits->n, memory_order_relaxed);
    visits->items[n] = *visit;
    atomic_store_explicit(&visits->n, n + 1, memory_order_release);
}

size_t visits_ahead(const struct visits *visits)
{
    return atomic_load_explicit(&visits->n, memory_order_relaxed) -
           atomic_load_explicit(&visits->next, memory_order_relaxed);
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

const struct visit *visits_after(struct visits *visits, const struct visit *visit, size_t n)
{
    size_t i = (size_t)(visit - visits->items) + n;
    return i < atomic_load_explicit(&visits->n, memory_order_acquire) ? &visits->items[i] : NULL;
}
