#include "store/words_ranking.h"

#include <math.h>

#include "base/memory.h"
#include "store/words_best.h"

#define STEPS_BETWEEN_CHECKS 16384

/* ---- a heap ---------------------------------------------------------------------------------- */

static int is_better(const struct words_candidate *a, const struct words_candidate *b)
{
    return a->score > b->score || (a->score == b->score && a->id < b->id);
}

static int add(struct words_heap *heap, const struct words_candidate *candidate, struct error *err)
{
    if (heap->n == heap->capacity) {
        size_t capacity = heap->capacity == 0 ? 256 : 2 * heap->capacity;
        struct words_candidate *items = memory_realloc(heap->items, capacity, sizeof *items);
        if (items == NULL) return error_nomem(err);
        heap->items = items;
        heap->capacity = capacity;
    }
    heap->items[heap->n++] = *candidate;
    return 0;
}

static void sift_down(struct words_heap *heap, size_t at)
{
    struct words_candidate *items = heap->items, moved = items[at];
    for (size_t child = 2 * at + 1; child < heap->n; child = 2 * at + 1) {
        if (child + 1 < heap->n && is_better(&items[child + 1], &items[child])) child++;
        if (!is_better(&items[child], &moved)) break;
        items[at] = items[child];
        at = child;
    }
    items[at] = moved;
}

static void order(struct words_heap *heap)
{
    for (size_t i = heap->n / 2; i-- > 0;) sift_down(heap, i);
}

static int push(struct words_heap *heap, const struct words_candidate *candidate, struct error *err)
{
    int rc = add(heap, candidate, err);
    if (rc != 0) return rc;
    struct words_candidate *items = heap->items;
    size_t at = heap->n - 1;
    for (; at > 0 && is_better(candidate, &items[(at - 1) / 2]); at = (at - 1) / 2)
        items[at] = items[(at - 1) / 2];
    items[at] = *candidate;
    return 0;
}

static struct words_candidate pop(struct words_heap *heap)
{
    struct words_candidate best = heap->items[0];
    heap->items[0] = heap->items[--heap->n];
    if (heap->n > 0) sift_down(heap, 0);
    return best;
}

/* ---- the merge of the lists ------------------------------------------------------------------ */

/* What is left of the lists of the terms, the one with the smallest document first: a heap of
 * lists. */
struct merge {
    struct head {
        const struct words_list *list;
        size_t at; /* < list->n */
        int64_t document;
    } heads[WORDS_MAX_TERMS];
    size_t n;
    /* What the document that is next has of the terms. */
    struct {
        const struct words_list *list;
        const struct words_posting *posting;
    } found[WORDS_MAX_TERMS];
    size_t n_found;
};

static void sift_head(struct merge *merge, size_t at)
{
    struct head *heads = merge->heads, moved = heads[at];
    for (size_t child = 2 * at + 1; child < merge->n; child = 2 * at + 1) {
        if (child + 1 < merge->n && heads[child + 1].document < heads[child].document) child++;
        if (heads[child].document >= moved.document) break;
        heads[at] = heads[child];
        at = child;
    }
    heads[at] = moved;
}

static void begin(struct merge *merge, const struct words_walk *walk)
{
    merge->n = 0;
    for (size_t i = 0; i < walk->n_terms && i < walk->n_lists; i++) {
        const struct words_list *list = &walk->lists[i];
        if (list->n > 0) merge->heads[merge->n++] = (struct head){list, 0, list->items[0].document};
    }
    for (size_t i = merge->n / 2; i-- > 0;) sift_head(merge, i);
}

/* The next document, and what it has. There is one. */
static int64_t next_document(struct merge *merge)
{
    int64_t document = merge->heads[0].document;
    merge->n_found = 0;
    while (merge->n > 0 && merge->heads[0].document == document) {
        struct head *head = &merge->heads[0];
        merge->found[merge->n_found].list = head->list;
        merge->found[merge->n_found++].posting = &head->list->items[head->at++];
        if (head->at < head->list->n) head->document = head->list->items[head->at].document;
        else *head = merge->heads[--merge->n];
        sift_head(merge, 0);
    }
    return document;
}

/* No document is shorter than up to the last of its words. */
static double bound_of(const struct merge *merge, const struct words_walk *walk)
{
    uint32_t last = 0;
    double sum = 0.0;
    for (size_t i = 0; i < merge->n_found; i++)
        if (merge->found[i].posting->last > last) last = merge->found[i].posting->last;
    double saturation = words_walk_saturation(walk, (double)last + 1.0);
    for (size_t i = 0; i < merge->n_found; i++)
        sum += words_list_bm25(merge->found[i].list, merge->found[i].posting, saturation);
    return sum;
}

/* All that were not yet given, by their bounds. */
static int find_all(struct words_ranking *ranking, struct error *err)
{
    struct words_candidates *candidates = &ranking->candidates;
    const struct cancel *cancel = candidates->documents->store->cancel;
    struct merge merge;
    int counts, rc = 0;
    begin(&merge, candidates->walk);
    words_candidates_begin(candidates);
    for (size_t n = 1; rc == 0 && merge.n > 0; n++) {
        struct words_candidate candidate = {.document = next_document(&merge)};
        if (n % STEPS_BETWEEN_CHECKS == 0) rc = cancel_check(cancel, err);
        if (rc == 0)
            rc = words_candidates_take(candidates, candidate.document, &candidate.id, &counts, err);
        if (rc != 0 || !counts || ids_has(ranking->given.items, ranking->given.n, candidate.id))
            continue;
        candidate.score = bound_of(&merge, candidates->walk);
        rc = add(&ranking->bounded, &candidate, err);
    }
    order(&ranking->bounded);
    ranking->step = WORDS_ALL_FOUND;
    return rc;
}

/* Those that are expected to be asked for; fewer: there are no others. */
static int find_best(struct words_ranking *ranking, struct error *err)
{
    struct top_k *best = &ranking->best;
    int rc = words_best_find(&ranking->candidates, best, err);
    int is_whole = best->n < best->k;
    for (size_t i = 0; rc == 0 && !is_whole && i < best->n; i++)
        rc = ids_add(&ranking->given, best->hits[i].id, err);
    ids_sort(&ranking->given);
    ranking->step = is_whole ? WORDS_ALL_FOUND : WORDS_BEST_FOUND;
    return rc;
}

void words_ranking_init(struct words_ranking *ranking, const struct words_walk *walk,
                        struct words_documents *documents, const struct ids *must,
                        const struct ids *excluded)
{
    *ranking = (struct words_ranking){
        .candidates = {.walk = walk, .documents = documents, .must = must, .excluded = excluded}};
    top_k_init(&ranking->best, 0);
}

void words_ranking_deinit(struct words_ranking *ranking)
{
    top_k_deinit(&ranking->best);
    ids_deinit(&ranking->given);
    memory_free(ranking->bounded.items);
    memory_free(ranking->computed.items);
    *ranking = (struct words_ranking){0};
}

/* ---- the ranking ----------------------------------------------------------------------------- */

void words_ranking_keep(struct words_ranking *ranking, const int64_t *ids, size_t n)
{
    ranking->candidates.only = ids;
    ranking->candidates.n_only = n;
}

void words_ranking_expect(struct words_ranking *ranking, size_t n)
{
    top_k_init(&ranking->best, n);
}

/* The BM25 of a document, and whether it has a term. */
static int compute(struct words_ranking *ranking, int64_t document, double *bm25, int *has,
                   struct error *err)
{
    const struct words_walk *walk = ranking->candidates.walk;
    const struct words_posting *postings[WORDS_MAX_TERMS];
    *has = 0;
    for (size_t i = 0; i < walk->n_terms && i < walk->n_lists; i++) {
        postings[i] = words_list_find(&walk->lists[i], document);
        *has |= postings[i] != NULL;
    }
    return *has ? words_candidates_bm25(&ranking->candidates, document, postings, bm25, err) : 0;
}

/* The next of all. */
static int next_of_all(struct words_ranking *ranking, struct words_candidate *next, int *found,
                       struct error *err)
{
    struct words_heap *bounded = &ranking->bounded, *computed = &ranking->computed;
    const struct cancel *cancel = ranking->candidates.documents->store->cancel;
    int has, rc = 0;
    for (size_t n = 1; rc == 0 && bounded->n > 0; n++) {
        if (computed->n > 0 && computed->items[0].score > bounded->items[0].score) break;
        struct words_candidate candidate = pop(bounded);
        rc = compute(ranking, candidate.document, &candidate.score, &has, err);
        if (rc == 0) rc = push(computed, &candidate, err);
        if (rc == 0 && n % STEPS_BETWEEN_CHECKS == 0) rc = cancel_check(cancel, err);
    }
    *found = rc == 0 && computed->n > 0;
    if (*found) *next = pop(computed);
    return rc;
}

int words_ranking_next(struct words_ranking *ranking, struct words_candidate *next, int *found,
                       struct error *err)
{
    struct top_k_hit hit;
    int rc = 0;
    *found = 0;
    if (ranking->candidates.walk == NULL) return 0;
    if (ranking->step == WORDS_NONE_FOUND && ranking->best.k > 0) rc = find_best(ranking, err);
    if (rc == 0 && top_k_pop(&ranking->best, &hit)) {
        *next = (struct words_candidate){.id = hit.id, .score = hit.score};
        *found = 1;
        return 0;
    }
    if (rc == 0 && ranking->step != WORDS_ALL_FOUND) rc = find_all(ranking, err);
    return rc == 0 ? next_of_all(ranking, next, found, err) : rc;
}

int words_ranking_bm25(struct words_ranking *ranking, int64_t document, double *bm25,
                       struct error *err)
{
    int has;
    int rc = compute(ranking, document, bm25, &has, err);
    if (rc == 0 && !has) *bm25 = NAN;
    return rc;
}
