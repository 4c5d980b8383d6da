/*
 * words_ranking.h: rows by their BM25, best first, as far as somebody asks.
 *
 * How long a document is costs a look into a table, so that BM25 is computed only of those that may
 * be next: by a bound of it, the BM25 that the document would have if it ended with the last of the
 * query's words. Once the best that is computed is above all bounds that are left, it is next. (The
 * threshold of R. Fagin, A. Lotem, M. Naor, "Optimal aggregation algorithms for middleware", 2003.)
 */
#ifndef STORE_WORDS_RANKING_H
#define STORE_WORDS_RANKING_H

#include "base/ids.h"
#include "store/words_documents.h"
#include "store/words_walk.h"

struct words_candidate {
    int64_t id, document;
    double score; /* its BM25, or the bound */
};

/* A heap, the best at the root: by score, then by id. */
struct words_heap {
    struct words_candidate *items; /* [n] owned */
    size_t n, capacity;
};

struct words_ranking {
    const struct words_walk *walk;       /* borrowed */
    struct words_documents *documents;   /* borrowed */
    struct words_heap bounded, computed; /* `bounded` is in no order until it is first asked */
    int is_ordered;
};

/* All documents with a term that are among `must` and not among `excluded`, documents both
 * (must NULL: any), and are of a row. deinit also after a failure. */
int words_ranking_init(struct words_ranking *ranking, const struct words_walk *walk,
                       struct words_documents *documents, const struct ids *must,
                       const struct ids *excluded, struct error *err);
void words_ranking_deinit(struct words_ranking *ranking);

/* Keeps only the rows of these n ids, which ascend. */
void words_ranking_keep(struct words_ranking *ranking, const int64_t *ids, size_t n);

/* The next row, with its BM25; *found = 0: there is none. */
int words_ranking_next(struct words_ranking *ranking, struct words_candidate *next, int *found,
                       struct error *err);

/* The BM25 of a document; NAN: it has no term. */
int words_ranking_bm25(struct words_ranking *ranking, int64_t document, double *bm25,
                       struct error *err);

#endif
