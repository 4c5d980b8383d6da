/*
 * words_ranking.h: rows by their BM25, best first, as far as somebody asks.
 *
 * As many as are expected to be asked for are found together (words_best.h). Whoever asks for more
 * gets them out of all: by bounds, the BM25 that a document would have if it ended with the last of
 * the query's words. Once the best that is computed is above all bounds that are left, it is next.
 * (The threshold of R. Fagin, A. Lotem, M. Naor, "Optimal aggregation algorithms for middleware",
 * 2003.)
 */
#ifndef STORE_WORDS_RANKING_H
#define STORE_WORDS_RANKING_H

#include "store/words_candidates.h"
#include "vector/top_k.h"

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
    struct words_candidates candidates;
    struct top_k best; /* those that were found together, and not yet given */
    struct ids given;  /* that began as such */
    enum { WORDS_NONE_FOUND, WORDS_BEST_FOUND, WORDS_ALL_FOUND } step;
    struct words_heap bounded, computed; /* of all others */
};

/* All documents with a term that are among `must` and not among `excluded`, documents both
 * (must NULL: any), and are of a row; all borrowed. deinit always. */
void words_ranking_init(struct words_ranking *ranking, const struct words_walk *walk,
                        struct words_documents *documents, const struct ids *must,
                        const struct ids *excluded);
void words_ranking_deinit(struct words_ranking *ranking);

/* Before the first that is asked for: keeps only the rows of these n ids, which ascend, and are
 * borrowed; and how many will be asked for, as far as can be told. */
void words_ranking_keep(struct words_ranking *ranking, const int64_t *ids, size_t n);
void words_ranking_expect(struct words_ranking *ranking, size_t n);

/* The next row, with its BM25; *found = 0: there is none. */
int words_ranking_next(struct words_ranking *ranking, struct words_candidate *next, int *found,
                       struct error *err);

/* The BM25 of a document; NAN: it has no term. */
int words_ranking_bm25(struct words_ranking *ranking, int64_t document, double *bm25,
                       struct error *err);

#endif
