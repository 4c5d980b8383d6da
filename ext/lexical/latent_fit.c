#include "lexical/latent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "lexical/latent_model.h"
#include "vector/distance.h"
#include "vector/eigen.h"

/* Extra random directions, and power iterations: Halko, Martinsson, Tropp, section 4.2 and 4.5. */
#define OVERSAMPLING 16
#define POWER_ITERATIONS 2

/* Rows of a block of terms take half a megabyte. */
#define BLOCK_TERMS 640

/* One cell of the matrix: a term of a document. */
struct cell {
    uint32_t term; /* its place in `seen`, then (once that is known) in the vocabulary */
    float weight;
};

struct fit {
    const struct cancel *cancel;
    struct terms seen;  /* all terms, counted by documents */
    struct cell *cells; /* [n_cells] all documents, one after the other */
    size_t n_cells, cells_capacity;
    size_t *ends; /* [n_documents] where each document's cells end */
    size_t *next; /* [n_documents] where multiply stands in each */
    size_t n_documents, documents_capacity;
    size_t document_terms; /* taken of each document, at most */
    double n_words;
    struct latent *latent;
    size_t width;     /* columns of the sketch */
    float *left;      /* [n_documents, width] */
    float *right;     /* [n_terms, width] */
    double *small;    /* [width, width] */
    double *basis;    /* [width, width] eigenvectors as rows, or a Cholesky factor */
    float *transform; /* [width, width] what rows are multiplied with */
};

static int reserve(struct fit *fit, size_t n_cells, struct error *err)
{
    if (fit->n_cells + n_cells > fit->cells_capacity) {
        size_t capacity = (fit->n_cells + n_cells) * 2;
        struct cell *cells = memory_realloc(fit->cells, capacity, sizeof *cells);
        if (cells == NULL) return error_nomem(err);
        fit->cells = cells;
        fit->cells_capacity = capacity;
    }
    if (fit->n_documents < fit->documents_capacity) return 0;
    size_t capacity = fit->documents_capacity == 0 ? 256 : fit->documents_capacity * 2;
    size_t *ends = memory_realloc(fit->ends, capacity, sizeof *ends);
    if (ends == NULL) return error_nomem(err);
    fit->ends = ends;
    fit->documents_capacity = capacity;
    return 0;
}

static int add_document(struct fit *fit, const struct features *features, struct error *err)
{
    const struct terms *terms = &features->terms;
    size_t n = terms->n < fit->document_terms ? terms->n : fit->document_terms;
    int rc = reserve(fit, n, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct term_count *item = &terms->items[i];
        size_t place;
        if (item->kind >= TERM_PART) continue;
        rc = terms_add(&fit->seen, item->term, item->kind, &place, err);
        if (rc == 0)
            fit->cells[fit->n_cells++] = (struct cell){(uint32_t)place, (float)item->count};
    }
    if (rc != 0) return rc;
    fit->ends[fit->n_documents++] = fit->n_cells;
    fit->n_words += (double)features->n_words;
    return 0;
}

/* Reads the collection; of a large one every n-th document, on average LATENT_SAMPLE of them. */
static int read_documents(struct fit *fit, const struct model_collection *collection,
                          struct error *err)
{
    struct features features;
    struct span text;
    uint64_t number = 0;
    int done = 0, rc;
    uint64_t total =
        collection->n_documents > LATENT_SAMPLE ? collection->n_documents : LATENT_SAMPLE;
    uint64_t n_read =
        collection->n_documents < LATENT_SAMPLE ? collection->n_documents + 1 : LATENT_SAMPLE;
    fit->document_terms = (size_t)(LATENT_CELLS / n_read);
    features_init(&features, WORDS_NOW, fit->cancel);
    while ((rc = collection->next(collection->context, &text, &done, err)) == 0 && !done) {
        int taken = number * LATENT_SAMPLE / total != (number + 1) * LATENT_SAMPLE / total;
        number++;
        if (taken && fit->n_documents < LATENT_SAMPLE) {
            rc = features_extract(&features, text, err);
            if (rc == 0) rc = add_document(fit, &features, err);
        }
        if (rc == 0 && number % 64 == 0) rc = cancel_check(fit->cancel, err);
        if (rc != 0) break;
    }
    features_deinit(&features);
    return rc;
}

/* The least document frequency, not below *least, that leaves at most LATENT_TERMS terms. */
static int find_least_frequency(const struct fit *fit, uint32_t *least, struct error *err)
{
    const struct terms *seen = &fit->seen;
    uint32_t *n_with = memory_zalloc(fit->n_documents + 1, sizeof *n_with); /* of each frequency */
    if (n_with == NULL) return error_nomem(err);
    for (size_t i = 0; i < seen->n; i++) n_with[seen->items[i].count]++;
    size_t kept = seen->n;
    for (uint32_t frequency = 0; frequency < *least || kept > LATENT_TERMS; frequency++) {
        kept -= n_with[frequency];
        if (frequency >= *least) *least = frequency + 1;
    }
    memory_free(n_with);
    return 0;
}

static int compare_terms(const void *a, const void *b)
{
    const struct term_count *x = a, *y = b;
    return x->term < y->term ? -1 : x->term > y->term;
}

/* Terms and frequencies of the latent model: of the terms seen, those in enough documents. */
static int make_vocabulary(struct fit *fit, struct error *err)
{
    struct latent *latent = fit->latent;
    const struct terms *seen = &fit->seen;
    uint32_t least = fit->n_documents < 8 ? 1 : 2;
    struct term_count *kept = memory_alloc(LATENT_TERMS, sizeof *kept);
    latent->terms = memory_alloc(LATENT_TERMS, sizeof *latent->terms);
    latent->frequencies = memory_alloc(LATENT_TERMS, sizeof *latent->frequencies);
    if (kept == NULL || latent->terms == NULL || latent->frequencies == NULL) {
        memory_free(kept);
        return error_nomem(err);
    }
    int rc = find_least_frequency(fit, &least, err);
    size_t n = 0;
    for (size_t i = 0; rc == 0 && i < seen->n; i++)
        if (seen->items[i].count >= least) kept[n++] = seen->items[i];
    if (n > 1) qsort(kept, n, sizeof *kept, compare_terms);
    for (size_t i = 0; i < n; i++) {
        latent->terms[i] = kept[i].term;
        latent->frequencies[i] = kept[i].count;
    }
    memory_free(kept);
    latent->n_terms = n;
    latent->statistics.n_documents = (double)fit->n_documents;
    latent->statistics.average_length =
        fit->n_documents > 0 ? fit->n_words / (double)fit->n_documents : 0;
    if (rc == 0) rc = latent_index(latent, err);
    return rc == 0 ? cancel_check(fit->cancel, err) : rc;
}

static int compare_cells(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    return x->term < y->term ? -1 : x->term > y->term;
}

/* Cells move to the vocabulary: its places, counts become weights, documents get unit length, in
 * the order of the vocabulary. Terms that are not in it go. */
static int weigh_cells(struct fit *fit, struct error *err)
{
    const struct latent *latent = fit->latent;
    const struct terms *seen = &fit->seen;
    uint32_t *places = memory_alloc(seen->n, sizeof *places);
    if (places == NULL) return error_nomem(err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < seen->n; i++) {
        places[i] = (uint32_t)lexical_statistics_find(&latent->statistics, seen->items[i].term);
        if (i % TERMS_PER_POLL == TERMS_PER_POLL - 1) rc = cancel_check(fit->cancel, err);
    }
    size_t n = 0, begin = 0;
    for (size_t d = 0; rc == 0 && d < fit->n_documents; d++) {
        size_t first = n;
        double squares = 0;
        for (size_t i = begin; i < fit->ends[d]; i++) {
            struct cell cell = fit->cells[i];
            uint32_t place = places[cell.term];
            if (place == latent->n_terms) continue;
            double weight = latent_weight(latent->weights[place], (uint32_t)cell.weight,
                                          seen->items[cell.term].kind != TERM_GRAM);
            fit->cells[n++] = (struct cell){place, (float)weight};
            squares += weight * weight;
        }
        begin = fit->ends[d];
        fit->ends[d] = n;
        if (n - first > 1) qsort(fit->cells + first, n - first, sizeof *fit->cells, compare_cells);
        for (size_t i = first; squares > 0 && i < n; i++)
            fit->cells[i].weight /= (float)sqrt(squares);
        if (d % 256 == 255) rc = cancel_check(fit->cancel, err);
    }
    fit->n_cells = n;
    memory_free(places);
    return rc;
}

/* left = A right, or right = A^T left: A is documents by terms. Goes through the terms in blocks
 * whose rows stay in the processor's cache, and through all documents for each. */
static int multiply(struct fit *fit, int transposed, struct error *err)
{
    size_t width = fit->width, n_terms = fit->latent->n_terms;
    float *target = transposed ? fit->right : fit->left;
    memset(target, 0, (transposed ? n_terms : fit->n_documents) * width * sizeof *target);
    for (size_t d = 0; d < fit->n_documents; d++) fit->next[d] = d == 0 ? 0 : fit->ends[d - 1];
    for (size_t block = 0; block < n_terms; block += BLOCK_TERMS) {
        for (size_t d = 0; d < fit->n_documents; d++) {
            float *row = fit->left + d * width;
            size_t i = fit->next[d];
            for (; i < fit->ends[d] && fit->cells[i].term < block + BLOCK_TERMS; i++) {
                float *term = fit->right + (size_t)fit->cells[i].term * width;
                if (transposed) vector_add(term, row, fit->cells[i].weight, width);
                else vector_add(row, term, fit->cells[i].weight, width);
            }
            fit->next[d] = i;
            int rc = d % 4096 == 0 ? cancel_check(fit->cancel, err) : 0;
            if (rc != 0) return rc;
        }
    }
    return 0;
}

/* small = M^T M for M [n, width], both triangles. */
static int gram(struct fit *fit, const float *matrix, size_t n, struct error *err)
{
    size_t width = fit->width;
    memset(fit->small, 0, width * width * sizeof *fit->small);
    for (size_t r = 0; r < n; r++) {
        const float *row = matrix + r * width;
        for (size_t i = 0; i < width; i++) {
            double *out = fit->small + i * width;
            double x = row[i];
            for (size_t j = 0; j <= i; j++) out[j] += x * row[j];
        }
        int rc = r % 1024 == 1023 ? cancel_check(fit->cancel, err) : 0;
        if (rc != 0) return rc;
    }
    for (size_t i = 0; i < width; i++)
        for (size_t j = i + 1; j < width; j++)
            fit->small[i * width + j] = fit->small[j * width + i];
    return 0;
}

/* M [n, width] becomes M times `transform`. */
static int transform_rows(struct fit *fit, float *matrix, size_t n, struct error *err)
{
    size_t width = fit->width;
    float row[LATENT_DIMENSIONS + OVERSAMPLING];
    for (size_t r = 0; r < n; r++) {
        memcpy(row, matrix + r * width, width * sizeof *row);
        memset(matrix + r * width, 0, width * sizeof *row);
        for (size_t i = 0; i < width; i++)
            vector_add(matrix + r * width, fit->transform + i * width, row[i], width);
        int rc = r % 512 == 511 ? cancel_check(fit->cancel, err) : 0;
        if (rc != 0) return rc;
    }
    return 0;
}

/* Columns of M [n, width] become orthonormal, the strongest first: M times the eigenvectors of M^T
 * M, each over its singular value. Columns without strength become zero. *n_strong: the others. */
static int diagonalize(struct fit *fit, float *matrix, size_t n, size_t *n_strong,
                       struct error *err)
{
    size_t width = fit->width, order[LATENT_DIMENSIONS + OVERSAMPLING];
    int rc = gram(fit, matrix, n, err);
    if (rc == 0) rc = vector_eigen(fit->small, fit->basis, width, fit->cancel, err);
    if (rc != 0) return rc;
    vector_eigen_order(fit->small, width, order);
    double largest = fit->small[order[0] * (width + 1)];
    *n_strong = 0;
    for (size_t k = 0; k < width; k++) {
        double value = fit->small[order[k] * (width + 1)];
        int strong = value > 1e-6 * largest && value > 0;
        double factor = strong ? 1.0 / sqrt(value) : 0;
        for (size_t i = 0; i < width; i++)
            fit->transform[i * width + k] = (float)(fit->basis[order[k] * width + i] * factor);
        *n_strong += (size_t)strong;
    }
    return transform_rows(fit, matrix, n, err);
}

/* The Cholesky factor L of small, lower triangle, into basis; a column that depends on those before
 * it has pivot 0. */
static void factorize(struct fit *fit)
{
    size_t width = fit->width;
    double *factor = fit->basis, most = 0;
    for (size_t i = 0; i < width; i++) most = fmax(most, fit->small[i * (width + 1)]);
    for (size_t i = 0; i < width; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = fit->small[i * width + j];
            for (size_t k = 0; k < j; k++) sum -= factor[i * width + k] * factor[j * width + k];
            double pivot = factor[j * (width + 1)];
            if (i == j) factor[i * width + i] = sum > 1e-9 * most ? sqrt(sum) : 0;
            else factor[i * width + j] = pivot > 0 ? sum / pivot : 0;
        }
}

/* Columns of M [n, width] become orthonormal, in no order: M times the transposed inverse of L,
 * where L L^T = M^T M (Golub, Van Loan, 4.2). A column that depends on those before it becomes
 * zero. */
static int orthogonalize(struct fit *fit, float *matrix, size_t n, struct error *err)
{
    size_t width = fit->width;
    double *factor = fit->basis, *inverse = fit->small;
    int rc = gram(fit, matrix, n, err);
    if (rc != 0) return rc;
    factorize(fit);
    memset(inverse, 0, width * width * sizeof *inverse);
    for (size_t j = 0; j < width; j++)
        for (size_t i = j; i < width; i++) {
            double sum = i == j, pivot = factor[i * (width + 1)];
            for (size_t k = j; k < i; k++) sum -= factor[i * width + k] * inverse[k * width + j];
            inverse[i * width + j] = pivot > 0 ? sum / pivot : 0;
        }
    for (size_t i = 0; i < width; i++)
        for (size_t k = 0; k < width; k++)
            fit->transform[i * width + k] = (float)inverse[k * width + i];
    return transform_rows(fit, matrix, n, err);
}

/* The sketch begins with signs, the same in every run: a Rademacher test matrix. */
static int fill_signs(struct fit *fit, struct error *err)
{
    for (size_t t = 0; t < fit->latent->n_terms; t++) {
        for (size_t i = 0; i < fit->width; i++) {
            uint64_t key[2] = {t, i};
            fit->right[t * fit->width + i] = hash_bytes(key, sizeof key, 0) & 1 ? 1.0f : -1.0f;
        }
        int rc = t % 1024 == 1023 ? cancel_check(fit->cancel, err) : 0;
        if (rc != 0) return rc;
    }
    return 0;
}

/* right becomes the strongest right singular vectors of A, one a column. */
static int decompose(struct fit *fit, size_t *n_strong, struct error *err)
{
    int rc = fill_signs(fit, err);
    for (int i = 0; rc == 0 && i <= POWER_ITERATIONS; i++) {
        rc = multiply(fit, 0, err);
        if (rc == 0) rc = orthogonalize(fit, fit->left, fit->n_documents, err);
        if (rc == 0) rc = multiply(fit, 1, err);
    }
    return rc == 0 ? diagonalize(fit, fit->right, fit->latent->n_terms, n_strong, err) : rc;
}

/* Term vectors to int8. */
static int keep_vectors(struct fit *fit, size_t rank, struct error *err)
{
    struct latent *latent = fit->latent;
    latent->codes = memory_alloc(latent->n_terms, rank);
    latent->scales = memory_alloc(latent->n_terms, sizeof *latent->scales);
    if (latent->codes == NULL || latent->scales == NULL) return error_nomem(err);
    latent->rank = rank;
    for (size_t t = 0; t < latent->n_terms; t++) {
        const float *vector = fit->right + t * fit->width;
        float most = 0;
        for (size_t i = 0; i < rank; i++) most = fmaxf(most, fabsf(vector[i]));
        latent->scales[t] = most / 127.0f;
        for (size_t i = 0; i < rank; i++)
            latent->codes[t * rank + i] =
                (signed char)(most > 0 ? lrintf(vector[i] / most * 127.0f) : 0);
    }
    return 0;
}

static int find_vectors(struct fit *fit, struct error *err)
{
    size_t n_terms = fit->latent->n_terms,
           smaller = fit->n_documents < n_terms ? fit->n_documents : n_terms;
    size_t rank = smaller / 4 < LATENT_DIMENSIONS ? smaller / 4 : LATENT_DIMENSIONS, n_strong = 0;
    fit->latent->lexical_weight = latent_lexical_weight(fit->latent->statistics.average_length);
    if (rank < 2) {
        fit->latent->lexical_weight = 1.0f;
        return 0;
    }
    fit->width = rank + OVERSAMPLING < smaller ? rank + OVERSAMPLING : smaller;
    fit->next = memory_alloc(fit->n_documents, sizeof *fit->next);
    fit->left = memory_alloc(fit->n_documents, fit->width * sizeof *fit->left);
    fit->right = memory_alloc(n_terms, fit->width * sizeof *fit->right);
    fit->small = memory_alloc(fit->width, fit->width * sizeof *fit->small);
    fit->basis = memory_alloc(fit->width, fit->width * sizeof *fit->basis);
    fit->transform = memory_alloc(fit->width, fit->width * sizeof *fit->transform);
    if (fit->left == NULL || fit->right == NULL || fit->small == NULL || fit->basis == NULL ||
        fit->transform == NULL || fit->next == NULL)
        return error_nomem(err);
    int rc = decompose(fit, &n_strong, err);
    return rc == 0 ? keep_vectors(fit, n_strong < rank ? n_strong : rank, err) : rc;
}

int latent_fit(const struct model_collection *collection, struct latent **latent, struct error *err)
{
    struct fit fit = {.cancel = collection->cancel};
    terms_init(&fit.seen, collection->cancel);
    fit.latent = memory_zalloc(1, sizeof *fit.latent);
    *latent = NULL;
    int rc = fit.latent == NULL ? error_nomem(err) : read_documents(&fit, collection, err);
    if (rc == 0) rc = make_vocabulary(&fit, err);
    if (rc == 0) rc = weigh_cells(&fit, err);
    if (rc == 0) rc = find_vectors(&fit, err);
    terms_deinit(&fit.seen);
    memory_free(fit.cells);
    memory_free(fit.ends);
    memory_free(fit.next);
    memory_free(fit.left);
    memory_free(fit.right);
    memory_free(fit.small);
    memory_free(fit.basis);
    memory_free(fit.transform);
    if (rc == 0) *latent = fit.latent;
    else latent_free(fit.latent);
    return rc;
}
