#include "store/words_candidates.h"

void words_candidates_begin(struct words_candidates *candidates)
{
    candidates->at_must = candidates->at_excluded = candidates->at_only = 0;
}

/* Whether an id is in an ascending list, which is passed up to it. */
static int passes(const int64_t *ids, size_t n, size_t *at, int64_t id)
{
    while (*at < n && ids[*at] < id) ++*at;
    return *at < n && ids[*at] == id;
}

static int has(const struct ids *documents, size_t *at, int64_t document)
{
    return passes(documents->items, documents->n, at, document);
}

int words_candidates_take(struct words_candidates *candidates, int64_t document, int64_t *id,
                          int *counts, struct error *err)
{
    *counts = (candidates->must == NULL || has(candidates->must, &candidates->at_must, document)) &&
              !has(candidates->excluded, &candidates->at_excluded, document);
    if (!*counts) return 0;
    int rc = words_documents_row(candidates->documents, document, id, counts, err);
    if (rc != 0 || !*counts || candidates->only == NULL) return rc;
    /* Documents ascend, and so do the rows of those that are of their own number. */
    *counts = *id == document
                  ? passes(candidates->only, candidates->n_only, &candidates->at_only, *id)
                  : ids_has(candidates->only, candidates->n_only, *id);
    return 0;
}

int words_candidates_bm25(struct words_candidates *candidates, int64_t document,
                          const struct words_posting *const *postings, double *bm25,
                          struct error *err)
{
    const struct words_walk *walk = candidates->walk;
    int64_t length;
    struct store *store = candidates->documents->store;
    int rc = words_lengths_find(store, document, &length, err);
    double saturation = rc == 0 ? words_walk_saturation(walk, (double)length) : 0.0;
    *bm25 = 0.0;
    for (size_t i = 0; rc == 0 && i < walk->n_terms; i++) {
        if (postings[i] == NULL) continue;
        if (postings[i]->last >= length)
            rc = error_set(err, ERROR_CORRUPT,
                           "%s_fts: document %lld has a word behind its end ('rebuild' makes it "
                           "anew)",
                           store->name, (long long)document);
        *bm25 += words_list_bm25(&walk->lists[i], postings[i], saturation);
    }
    return rc;
}
