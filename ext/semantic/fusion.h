/*
 * fusion.h: words and vectors in one ranking: the score of a row of which both may say something.
 *
 *   weighted   (1 - weight) * bm25 / (2.2 * bound) + weight * similarity
 *   rrf        (1 - weight) / (60 + rank by bm25) + weight / (60 + rank by similarity)
 *
 * `bound` is the sum of the idf of the query's words. BM25 gives a word less than k1 + 1 = 2.2
 * times its idf, so that the first part lies between 0 and 1. It needs no statistics of what was
 * found, and a row has the same score in every ranking of a query, however long (the theoretical
 * bounds of Bruch, Gai, Ingber: An Analysis of Fusion Functions for Hybrid Retrieval, ACM TOIS
 * 42(1), 2023).
 * rrf is reciprocal rank fusion (Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms
 * Condorcet and individual Rank Learning Methods, SIGIR 2009), with a weight. The ranks are those
 * among the rows that pass; one beyond `depth` counts nothing, as nobody looked so far.
 *
 * What a side does not know of a row adds nothing. Of equal scores the lower id comes first.
 */
#ifndef SEMANTIC_FUSION_H
#define SEMANTIC_FUSION_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vector/top_k.h"

/* Of the vectors: the best or near it on judged collections, with builtin:static (make quality). */
#define FUSION_WEIGHT 0.3

/* Of the candidates of a reranker each of that number is there for its similarity. */
#define FUSION_NEAREST 5

enum fusion_kind { FUSION_WEIGHTED, FUSION_RRF, FUSION_KINDS };

/* Their names, as the option and the column have them. */
extern const char *const fusion_names[FUSION_KINDS];

/* The weight of the vectors of a query of whose words the model knows that share: of none, vectors
 * count .6 beside words; of 1 and of 0 nothing changes. By tests/quality/known_item.py: most in
 * Ukrainian. */
double fusion_weight(double weight, double known);

struct fusion_formula {
    enum fusion_kind kind;
    double weight; /* of the vectors, 0 to 1 */
    double bound;  /* 0: no row has a word of the query */
    size_t depth;  /* how many rows each side was asked for */
};

/* What counts of the scores. */
struct fusion_bounds {
    double min_score, max_score; /* -INFINITY, INFINITY: all */
};

struct fusion_row {
    int64_t id;
    double nearness, similarity; /* the metric's score (index/metric.h), and what it is as a
                                    similarity; NAN: not known */
    double bm25;                 /* NAN: it has no word of the query */
    double score;                /* once fusion_rank has made it */
};

/* All zero: none. */
struct fusion {
    struct fusion_row *rows; /* [n] owned */
    size_t n, capacity;
};

int fusion_add(struct fusion *fusion, const struct fusion_row *row, struct error *err);
void fusion_deinit(struct fusion *fusion);

/* By id, so that fusion_find finds; NULL: there is no such row. */
void fusion_sort(struct fusion *fusion);
struct fusion_row *fusion_find(const struct fusion *fusion, int64_t id);

/* Scores all rows, each of which is there once, offers those within the bounds (NULL: all), and
 * sorts them by id. */
int fusion_rank(struct fusion *fusion, const struct fusion_formula *formula,
                const struct fusion_bounds *bounds, struct top_k *ranked, struct error *err);

/* Turns a ranking of all rows into the k candidates of a reranker: at every FUSION_NEAREST-th place
 * stands the nearest of those that have none yet, at the others they stand by score. So there are
 * rows that only the vectors know among them, and of any k the first are the same. Hits' scores
 * are -0, -1, -2... */
int fusion_mix(const struct fusion *fusion, size_t k, struct top_k *ranked, struct error *err);

#endif
