/*
 * words_candidates.h: which documents of a walk count, and their BM25.
 */
#ifndef STORE_WORDS_CANDIDATES_H
#define STORE_WORDS_CANDIDATES_H

#include "base/ids.h"
#include "store/words_documents.h"
#include "store/words_walk.h"

struct words_candidates {
    const struct words_walk *walk; /* borrowed, as all others */
    struct words_documents *documents;
    const struct ids *must, *excluded; /* documents, ascending; must NULL: any */
    const int64_t *only;               /* [n_only] rows, ascending; NULL: any */
    size_t n_only;
    size_t at_must, at_excluded, at_only; /* how far those lists are passed */
};

/* From now on documents are asked about from the first on. */
void words_candidates_begin(struct words_candidates *candidates);

/* The row of a document, if it counts: *counts. Documents ascend. */
int words_candidates_take(struct words_candidates *candidates, int64_t document, int64_t *id,
                          int *counts, struct error *err);

/* The BM25 of a document that has these postings [n_terms] of the terms, NULL: none. */
int words_candidates_bm25(struct words_candidates *candidates, int64_t document,
                          const struct words_posting *const *postings, double *bm25,
                          struct error *err);

#endif
