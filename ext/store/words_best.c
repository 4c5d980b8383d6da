#include "store/words_best.h"

#include <stdlib.h>

#define STEPS_BETWEEN_CHECKS 16384

/* What sums of the same numbers in another order may differ by, and more. */
#define ROUNDING 1e-9

/* A list while it is passed. */
struct head {
    const struct words_list *list;
    size_t term, at; /* at == list->n: it is at its end */
    double most;     /* what it adds to a document at most */
    double below;    /* what those before it add together */
};

struct best {
    struct words_candidates *candidates;
    struct top_k *hits;
    /* Those with the least to add first: a document that counts is in one from `first` on. */
    struct head heads[WORDS_MAX_TERMS];
    size_t n, first;
    double enough; /* a bound below it is not */
    /* The document that is looked at. */
    const struct words_posting *postings[WORDS_MAX_TERMS]; /* of the terms; NULL: none */
    int64_t document;
    uint32_t last; /* where the last of the words is that were found */
};

/* ---- lists ----------------------------------------------------------------------------------- */

/* The least saturation that a document may have that does not end before place `last`. */
static double saturation_of(const struct words_walk *walk, int64_t document, uint32_t last)
{
    uint32_t length = words_lengths_kept(walk->lengths, document);
    return words_walk_saturation(walk, length > last ? (double)length : (double)last + 1.0);
}

/* What a list adds to a document at most. */
static double most_of(const struct words_walk *walk, const struct words_list *list)
{
    const struct words_posting *best = list->items;
    double best_saturation = saturation_of(walk, best->document, best->last);
    for (size_t i = 1; i < list->n; i++) {
        const struct words_posting *posting = &list->items[i];
        double saturation = saturation_of(walk, posting->document, posting->last);
        if ((double)posting->count * best_saturation <= (double)best->count * saturation) continue;
        best = posting;
        best_saturation = saturation;
    }
    return words_list_bm25(list, best, best_saturation);
}

static int by_most(const void *a, const void *b)
{
    const struct head *x = a, *y = b;
    if (x->most < y->most || x->most > y->most) return x->most < y->most ? -1 : 1;
    return x->term < y->term ? -1 : x->term > y->term;
}

static void begin(struct best *best, const struct words_walk *walk)
{
    double below = 0.0;
    for (size_t i = 0; i < walk->n_terms && i < walk->n_lists; i++) {
        const struct words_list *list = &walk->lists[i];
        if (list->n > 0)
            best->heads[best->n++] = (struct head){list, i, 0, most_of(walk, list), 0.0};
    }
    qsort(best->heads, best->n, sizeof *best->heads, by_most);
    for (size_t i = 0; i < best->n; i++) {
        best->heads[i].below = below;
        below += best->heads[i].most;
    }
}

/* Documents are passed over that are only in lists which come to less than the k-th best. */
static void raise(struct best *best)
{
    best->enough = top_k_threshold(best->hits) * (1.0 - ROUNDING);
    while (best->first < best->n &&
           best->heads[best->first].below + best->heads[best->first].most < best->enough)
        best->first++;
}

/* ---- a document ------------------------------------------------------------------------------ */

static void take_posting(struct best *best, struct head *head)
{
    const struct words_posting *posting = &head->list->items[head->at++];
    best->postings[head->term] = posting;
    if (posting->last > best->last) best->last = posting->last;
}

/* The next document of the lists from `first` on, and what they add at most; false: there is none.
 */
static int next_document(struct best *best, double *most)
{
    struct head *end = best->heads + best->n, *next = NULL;
    int64_t document = 0;
    for (struct head *head = best->heads + best->first; head < end; head++) {
        if (head->at == head->list->n) continue;
        int64_t other = head->list->items[head->at].document;
        if (next != NULL && other >= document) continue;
        next = head;
        document = other;
    }
    if (next == NULL) return 0;
    best->document = document;
    best->last = 0;
    *most = 0.0;
    for (struct head *head = best->heads + best->first; head < end; head++) {
        best->postings[head->term] = NULL;
        if (head->at == head->list->n || head->list->items[head->at].document != document) continue;
        *most += head->most;
        take_posting(best, head);
    }
    return 1;
}

/* What the words that were found add, or would if the document ended with the last of them. */
static double bound_of(const struct best *best, size_t from)
{
    const struct words_walk *walk = best->candidates->walk;
    double sum = 0.0, saturation = saturation_of(walk, best->document, best->last);
    for (size_t i = from; i < best->n; i++) {
        const struct head *head = &best->heads[i];
        if (best->postings[head->term] != NULL)
            sum += words_list_bm25(head->list, best->postings[head->term], saturation);
    }
    return sum;
}

/* Looks into the lists before `first`; false: the document does not come to what is enough. */
static int complete(struct best *best)
{
    double bound = bound_of(best, best->first);
    for (size_t i = best->first; i-- > 0;) {
        struct head *head = &best->heads[i];
        best->postings[head->term] = NULL;
        if (bound + head->below + head->most < best->enough) return 0;
        head->at = words_list_seek(head->list, head->at, best->document);
        if (head->at == head->list->n || head->list->items[head->at].document != best->document)
            continue;
        take_posting(best, head);
        bound = bound_of(best, i);
    }
    return bound >= best->enough;
}

static int offer(struct best *best, struct error *err)
{
    int64_t id;
    double bm25;
    int counts, rc = words_candidates_take(best->candidates, best->document, &id, &counts, err);
    if (rc != 0 || !counts) return rc;
    rc = words_candidates_bm25(best->candidates, best->document, best->postings, &bm25, err);
    if (rc == 0) rc = top_k_offer(best->hits, id, bm25, err);
    if (rc == 0) raise(best);
    return rc;
}

int words_best_find(struct words_candidates *candidates, struct top_k *hits, struct error *err)
{
    struct best best = {.candidates = candidates, .hits = hits};
    const struct cancel *cancel = candidates->documents->store->cancel;
    double most;
    int rc = 0;
    words_candidates_begin(candidates);
    begin(&best, candidates->walk);
    raise(&best);
    for (size_t n = 1; rc == 0 && next_document(&best, &most); n++) {
        double below = best.first < best.n ? best.heads[best.first].below : 0.0;
        if (n % STEPS_BETWEEN_CHECKS == 0) rc = cancel_check(cancel, err);
        if (rc == 0 && most + below >= best.enough && complete(&best)) rc = offer(&best, err);
    }
    return rc;
}
