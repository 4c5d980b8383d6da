#include "semantic/fusion.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* k1 + 1 of FTS5's BM25. */
#define MOST_OF_IDF 2.2

/* In vectors of words that a model does not know, beside words that it knows. */
#define LEAST_TRUST 0.6

/* The constant of the paper. */
#define RRF_CONSTANT 60.0

const char *const fusion_names[FUSION_KINDS] = {"weighted", "rrf"};

int fusion_add(struct fusion *fusion, const struct fusion_row *row, struct error *err)
{
    if (fusion->n == fusion->capacity) {
        size_t capacity = fusion->capacity == 0 ? 256 : fusion->capacity * 2;
        struct fusion_row *rows = memory_realloc(fusion->rows, capacity, sizeof *rows);
        if (rows == NULL) return error_nomem(err);
        fusion->rows = rows;
        fusion->capacity = capacity;
    }
    fusion->rows[fusion->n++] = *row;
    return 0;
}

void fusion_deinit(struct fusion *fusion)
{
    memory_free(fusion->rows);
    *fusion = (struct fusion){0};
}

/* ---- orders ---------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct fusion_row *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Higher values first, those that are not known last. */
static int by_value(double x, double y)
{
    if (isnan(x) || isnan(y)) return !!isnan(x) - !!isnan(y);
    return x > y ? -1 : x < y;
}

static int by_nearness(const void *a, const void *b)
{
    const struct fusion_row *x = a, *y = b;
    int order = by_value(x->nearness, y->nearness);
    return order != 0 ? order : by_id(a, b);
}

static int by_bm25(const void *a, const void *b)
{
    const struct fusion_row *x = a, *y = b;
    int order = by_value(x->bm25, y->bm25);
    return order != 0 ? order : by_id(a, b);
}

static void sort(struct fusion *fusion, int (*order)(const void *, const void *))
{
    if (fusion->n > 1) qsort(fusion->rows, fusion->n, sizeof *fusion->rows, order);
}

void fusion_sort(struct fusion *fusion)
{
    sort(fusion, by_id);
}

struct fusion_row *fusion_find(const struct fusion *fusion, int64_t id)
{
    struct fusion_row wanted = {.id = id};
    if (fusion->n == 0) return NULL;
    return bsearch(&wanted, fusion->rows, fusion->n, sizeof wanted, by_id);
}

/* ---- scores ---------------------------------------------------------------------------------- */

double fusion_weight(double weight, double known)
{
    double vectors = weight * (LEAST_TRUST + (1.0 - LEAST_TRUST) * known), words = 1.0 - weight;
    return known < 1.0 ? vectors / (vectors + words) : weight;
}

static void score_weighted(struct fusion *fusion, const struct fusion_formula *formula)
{
    double most = MOST_OF_IDF * formula->bound, words = 1.0 - formula->weight;
    int has_words = formula->bound > 0.0;
    for (size_t i = 0; i < fusion->n; i++) {
        struct fusion_row *row = &fusion->rows[i];
        double bm25 = has_words && !isnan(row->bm25) ? row->bm25 / most : 0.0;
        double similarity = isnan(row->similarity) ? 0.0 : row->similarity;
        row->score = words * bm25 + formula->weight * similarity;
    }
}

static size_t n_ranked(const struct fusion *fusion, const struct fusion_formula *formula)
{
    return fusion->n < formula->depth ? fusion->n : formula->depth;
}

static void score_by_rank(struct fusion *fusion, const struct fusion_formula *formula)
{
    size_t n = n_ranked(fusion, formula);
    for (size_t i = 0; i < fusion->n; i++) fusion->rows[i].score = 0.0;
    sort(fusion, by_bm25);
    for (size_t i = 0; i < n && !isnan(fusion->rows[i].bm25); i++)
        fusion->rows[i].score = (1.0 - formula->weight) / (RRF_CONSTANT + 1.0 + (double)i);
    sort(fusion, by_nearness);
    for (size_t i = 0; i < n && !isnan(fusion->rows[i].nearness); i++)
        fusion->rows[i].score += formula->weight / (RRF_CONSTANT + 1.0 + (double)i);
}

int fusion_rank(struct fusion *fusion, const struct fusion_formula *formula,
                const struct fusion_bounds *bounds, struct top_k *ranked, struct error *err)
{
    int rc = 0;
    if (formula->kind == FUSION_RRF) score_by_rank(fusion, formula);
    else score_weighted(fusion, formula);
    for (size_t i = 0; rc == 0 && i < fusion->n; i++) {
        const struct fusion_row *row = &fusion->rows[i];
        if (bounds == NULL || (row->score >= bounds->min_score && row->score <= bounds->max_score))
            rc = top_k_offer(ranked, row->id, row->score, err);
    }
    fusion_sort(fusion);
    return rc;
}

/* ---- candidates ------------------------------------------------------------------------------ */

/* Those of a ranking that have a similarity, by that. */
static int rank_nearest(const struct fusion *fusion, const struct top_k *ranked,
                        struct top_k *nearest, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ranked->n; i++) {
        double nearness = fusion_find(fusion, ranked->hits[i].id)->nearness;
        if (!isnan(nearness)) rc = top_k_offer(nearest, ranked->hits[i].id, nearness, err);
    }
    return rc;
}

int fusion_mix(const struct fusion *fusion, size_t k, struct top_k *ranked, struct error *err)
{
    struct top_k nearest, mixed;
    struct top_k_hit hit;
    unsigned char *is_placed = memory_zalloc(fusion->n + 1, 1);
    size_t n = 0;
    int rc = is_placed == NULL ? error_nomem(err) : 0;
    top_k_init(&nearest, SIZE_MAX);
    top_k_init(&mixed, SIZE_MAX);
    if (rc == 0) rc = rank_nearest(fusion, ranked, &nearest, err);
    while (rc == 0 && n < k) {
        int by_nearness = n % FUSION_NEAREST == FUSION_NEAREST - 1 && nearest.n > 0;
        if (!top_k_pop(by_nearness ? &nearest : ranked, &hit)) break;
        unsigned char *place = &is_placed[fusion_find(fusion, hit.id) - fusion->rows];
        if (*place) continue;
        *place = 1;
        rc = top_k_offer(&mixed, hit.id, -(double)n++, err);
    }
    memory_free(is_placed);
    top_k_deinit(&nearest);
    top_k_deinit(ranked);
    *ranked = mixed;
    return rc;
}
