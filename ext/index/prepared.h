/*
 * prepared.h: a query made ready for a scan of partitions, of codes, or both: which partitions it
 * looks at, nearest first, and how codes in them are read. Internal to the room.
 */
#ifndef INDEX_PREPARED_H
#define INDEX_PREPARED_H

#include "index/query.h"

struct index_prepared {
    float *rotated; /* [dimensions] the query in code space */
    double norm;    /* of it */
    struct vector_code_query *codes;
    struct vector_code_bound *bounds; /* [n_partitions] */
    unsigned char *partitions;        /* [n_partitions] 1: to be looked at now; NULL: all are */
    unsigned char *chosen;            /* [n_partitions] 1: looked at, now or before */
    size_t n_chosen;
    struct top_k rest; /* partitions that are not chosen, by their places */
};

/* What is needed of a query; nothing of one whose vectors are compared in all partitions. Of the
 * partitions n_first are chosen at least, where the search looks at near ones only. ERROR_NOMEM;
 * deinit also after a failure. */
int index_prepare(const struct index_search *search, const struct index_query *query,
                  size_t n_first, struct index_prepared *prepared, struct error *err);
void index_prepared_deinit(struct index_prepared *prepared);

/* So many partitions are a good first. */
#define PREPARED_FIRST 16

/* Whether partitions are left that are not chosen. */
int index_prepared_has_rest(const struct index_snapshot *snapshot,
                            const struct index_prepared *prepared);

/* Chooses the next n partitions, or those that are left. */
void index_prepared_choose(const struct index_snapshot *snapshot, struct index_prepared *prepared,
                           size_t n);

/* Base and radius of all bounds: <q, c> or -|q - c|^2, and |q - c|. Without partitions the centroid
 * is the origin. */
void index_prepared_measure(const struct index_snapshot *snapshot, struct index_prepared *prepared);

/* From distances, as measured, to bounds: each holds with so many standard errors. */
void index_prepared_set_errors(const struct index_snapshot *snapshot,
                               struct index_prepared *prepared, double standard_errors);

/* So many, chosen for a recall@25 of .997 and more, and of .995 where partitions are left out of an
 * index whose vectors are too many to be kept in memory (semantic_recall measures it). */
double index_prepared_errors(const struct index_search *search,
                             const struct index_prepared *prepared);

#endif
