#include "vector/top_k.h"

#include <assert.h>
#include <math.h>

#include "base/memory.h"

static inline int is_better(const struct top_k_hit *a, const struct top_k_hit *b)
{
    if (a->score > b->score) return 1;
    return a->score == b->score && a->id < b->id;
}

/* Which of two comes nearer to the top. */
static inline int is_first(enum top_k_order order, const struct top_k_hit *a,
                           const struct top_k_hit *b)
{
    return order == TOP_K_BEST_ON_TOP ? is_better(a, b) : is_better(b, a);
}

/* Lets hits[at] down to where neither of its children comes first. Inline, so that the order is
 * known where it is called: a scan offers every row that may be among the best. */
static inline void sift_down(struct top_k_hit *hits, size_t n, size_t at, enum top_k_order order)
{
    struct top_k_hit sinking = hits[at];
    for (size_t child; at < n / 2; at = child) {
        child = 2 * at + 1;
        if (child + 1 < n && is_first(order, &hits[child + 1], &hits[child])) child++;
        if (!is_first(order, &hits[child], &sinking)) break;
        hits[at] = hits[child];
    }
    hits[at] = sinking;
}

static void make_heap(struct top_k *top, enum top_k_order order)
{
    for (size_t at = top->n / 2; at > 0; at--) sift_down(top->hits, top->n, at - 1, order);
    top->order = order;
}

void top_k_init(struct top_k *top, size_t k)
{
    *top = (struct top_k){.k = k, .order = TOP_K_AS_OFFERED};
}

void top_k_deinit(struct top_k *top)
{
    memory_free(top->hits);
    top_k_init(top, top->k);
}

static int make_room(struct top_k *top, size_t capacity, struct error *err)
{
    struct top_k_hit *hits = memory_realloc(top->hits, capacity, sizeof *hits);
    if (hits == NULL) return error_nomem(err);
    top->hits = hits;
    top->capacity = capacity;
    return 0;
}

static int grow(struct top_k *top, struct error *err)
{
    if (top->n < top->capacity) return 0;
    size_t capacity = top->capacity < 32 ? 32 : top->capacity * 2;
    return make_room(top, capacity > top->k ? top->k : capacity, err);
}

int top_k_reserve(struct top_k *top, struct error *err)
{
    return top->capacity < top->k ? make_room(top, top->k, err) : 0;
}

int top_k_offer(struct top_k *top, int64_t id, double score, struct error *err)
{
    assert(top->order == TOP_K_AS_OFFERED || top->order == TOP_K_WORST_ON_TOP);
    struct top_k_hit hit = {id, score};
    if (isnan(score) || top->k == 0) return 0;
    if (top->n < top->k) {
        int rc = grow(top, err);
        if (rc != 0) return rc;
        top->hits[top->n++] = hit;
        if (top->n == top->k) make_heap(top, TOP_K_WORST_ON_TOP);
        return 0;
    }
    if (!is_better(&hit, &top->hits[0])) return 0;
    top->hits[0] = hit;
    sift_down(top->hits, top->n, 0, TOP_K_WORST_ON_TOP);
    return 0;
}

double top_k_threshold(const struct top_k *top)
{
    if (top->k == 0) return INFINITY;
    return top->order == TOP_K_WORST_ON_TOP ? top->hits[0].score : -INFINITY;
}

int top_k_pop(struct top_k *top, struct top_k_hit *hit)
{
    assert(top->order != TOP_K_SORTED);
    if (top->order != TOP_K_BEST_ON_TOP) make_heap(top, TOP_K_BEST_ON_TOP);
    if (top->n == 0) return 0;
    *hit = top->hits[0];
    top->hits[0] = top->hits[--top->n];
    if (top->n > 0) sift_down(top->hits, top->n, 0, TOP_K_BEST_ON_TOP);
    return 1;
}

/* Heapsort: the worst of what is left goes behind it. */
void top_k_sort(struct top_k *top)
{
    if (top->order == TOP_K_SORTED) return;
    if (top->order != TOP_K_WORST_ON_TOP) make_heap(top, TOP_K_WORST_ON_TOP);
    for (size_t left = top->n; left > 1; left--) {
        struct top_k_hit worst = top->hits[0];
        top->hits[0] = top->hits[left - 1];
        sift_down(top->hits, left - 1, 0, TOP_K_WORST_ON_TOP);
        top->hits[left - 1] = worst;
    }
    top->order = TOP_K_SORTED;
}
