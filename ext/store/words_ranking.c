#include "store/words_ranking.h"

#include <math.h>

#include "base/memory.h"

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
    /* Where the lists of what must be there and what is excluded are. */
    const struct ids *must, *excluded;
    size_t n_must, n_excluded;
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

static void begin(struct merge *merge, const struct words_walk *walk, const struct ids *must,
                  const struct ids *excluded)
{
    merge->must = must;
    merge->excluded = excluded;
    merge->n = merge->n_must = merge->n_excluded = 0;
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

/* Whether a document is in an ascending list, which is passed up to it. */
static int passes(const struct ids *ids, size_t *at, int64_t document)
{
    while (*at < ids->n && ids->items[*at] < document) ++*at;
    return *at < ids->n && ids->items[*at] == document;
}

static int is_wanted(struct merge *merge, int64_t document)
{
    return (merge->must == NULL || passes(merge->must, &merge->n_must, document)) &&
           !passes(merge->excluded, &merge->n_excluded, document);
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

int words_ranking_init(struct words_ranking *ranking, const struct words_walk *walk,
                       struct words_documents *documents, const struct ids *must,
                       const struct ids *excluded, struct error *err)
{
    struct merge merge;
    int live, rc = 0;
    *ranking = (struct words_ranking){.walk = walk, .documents = documents};
    begin(&merge, walk, must, excluded);
    for (size_t n = 1; rc == 0 && merge.n > 0; n++) {
        struct words_candidate candidate = {.document = next_document(&merge)};
        if (n % STEPS_BETWEEN_CHECKS == 0) rc = cancel_check(documents->store->cancel, err);
        if (rc != 0 || !is_wanted(&merge, candidate.document)) continue;
        rc = words_documents_row(documents, candidate.document, &candidate.id, &live, err);
        if (rc != 0 || !live) continue;
        candidate.score = bound_of(&merge, walk);
        rc = add(&ranking->bounded, &candidate, err);
    }
    return rc;
}

void words_ranking_deinit(struct words_ranking *ranking)
{
    memory_free(ranking->bounded.items);
    memory_free(ranking->computed.items);
    *ranking = (struct words_ranking){0};
}

/* ---- the ranking ----------------------------------------------------------------------------- */

void words_ranking_keep(struct words_ranking *ranking, const int64_t *ids, size_t n)
{
    struct words_heap *heap = &ranking->bounded;
    size_t n_kept = 0, at = 0;
    for (size_t i = 0; i < heap->n; i++) {
        const struct words_candidate *candidate = &heap->items[i];
        int is_kept;
        /* Documents ascend, and so do the rows of those that are of their own number. */
        if (candidate->id != candidate->document) is_kept = ids_has(ids, n, candidate->id);
        else {
            while (at < n && ids[at] < candidate->id) at++;
            is_kept = at < n && ids[at] == candidate->id;
        }
        if (is_kept) heap->items[n_kept++] = *candidate;
    }
    heap->n = n_kept;
}

static int compute(struct words_ranking *ranking, int64_t document, double *bm25, struct error *err)
{
    const struct words_walk *walk = ranking->walk;
    const struct store *store = ranking->documents->store;
    int64_t length;
    int rc = words_documents_length(ranking->documents, document, &length, err);
    double saturation = rc == 0 ? words_walk_saturation(walk, (double)length) : 0.0;
    *bm25 = 0.0;
    for (size_t i = 0; rc == 0 && i < walk->n_terms; i++) {
        const struct words_posting *posting = words_list_find(&walk->lists[i], document);
        if (posting == NULL) continue;
        if (posting->last >= length)
            rc = error_set(err, ERROR_CORRUPT,
                           "%s_fts: document %lld has a word behind its end ('rebuild' makes it "
                           "anew)",
                           store->name, (long long)document);
        *bm25 += words_list_bm25(&walk->lists[i], posting, saturation);
    }
    return rc;
}

int words_ranking_next(struct words_ranking *ranking, struct words_candidate *next, int *found,
                       struct error *err)
{
    struct words_heap *bounded = &ranking->bounded, *computed = &ranking->computed;
    int rc = 0;
    if (!ranking->is_ordered) order(bounded);
    ranking->is_ordered = 1;
    for (size_t n = 1; rc == 0 && bounded->n > 0; n++) {
        if (computed->n > 0 && computed->items[0].score > bounded->items[0].score) break;
        struct words_candidate candidate = pop(bounded);
        rc = compute(ranking, candidate.document, &candidate.score, err);
        if (rc == 0) rc = push(computed, &candidate, err);
        if (rc == 0 && n % STEPS_BETWEEN_CHECKS == 0)
            rc = cancel_check(ranking->documents->store->cancel, err);
    }
    *found = rc == 0 && computed->n > 0;
    if (*found) *next = pop(computed);
    return rc;
}

int words_ranking_bm25(struct words_ranking *ranking, int64_t document, double *bm25,
                       struct error *err)
{
    const struct words_walk *walk = ranking->walk;
    for (size_t i = 0; i < walk->n_terms && i < walk->n_lists; i++)
        if (words_list_find(&walk->lists[i], document) != NULL)
            return compute(ranking, document, bm25, err);
    *bm25 = NAN;
    return 0;
}
