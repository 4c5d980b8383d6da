/*
 * search.h: the k nearest of a stored collection, exactly, or by codes and then exactly.
 *
 * Knows vectors, codes and ids; not where they are stored (callbacks), nor where they come from. A
 * flat scan reads every vector. With codes (quantised vectors, see vector/quantize.h) the scan
 * reads those, keeps several times k candidates and ranks them again by their exact vectors. With a
 * set of ids only these are read, exactly. Rows that are in memory are scanned by several threads,
 * which only compute: the caller's thread alone reads storage, allocates and polls the cancel token.
 *
 * Similarity rises, distance falls, for every metric. Hits are ranked by a closeness, which rises
 * too:
 *            closeness    similarity           distance
 *   cosine   cos(a, b)    cos(a, b)            1 - cos(a, b)
 *   dot      a . b        a . b                -(a . b)
 *   l2       -|a - b|     1 / (1 + |a - b|)    |a - b|
 */
#ifndef INDEX_SEARCH_H
#define INDEX_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "index/packed.h"
#include "vector/top_k.h"

enum index_metric { INDEX_COSINE, INDEX_DOT, INDEX_L2 };
enum index_quantize { INDEX_EXACT, INDEX_INT8, INDEX_BIT };

/* How the storage is read. Each returns 0 or an error code; bytes live until the next call of the
 * same function. */
struct index_storage {
    /* Begins a scan, in any order, of all vectors or (codes true) of all codes. */
    int (*rewind)(void *context, int codes, struct error *err);
    /* The next one; *done = 1 after the last. */
    int (*next)(void *context, int64_t *id, const void **bytes, size_t *size, int *done,
                struct error *err);
    /* The vector of one id; *found = 0 if there is none. */
    int (*fetch)(void *context, int64_t id, const void **bytes, size_t *size, int *found,
                 struct error *err);
    /* The rows that such a scan would give, if they are in memory; else NULL, and then they are
     * scanned. May be NULL itself. They stay as they are while a search runs. */
    const struct index_packed *(*packed)(void *context, int codes);
    void *context;
};

struct index_query {
    const float *vector; /* [dimensions], finite; not zero for the cosine metric */
    size_t dimensions;
    enum index_metric metric;
    enum index_quantize quantize;
    size_t k;              /* SIZE_MAX: all of them, ranked */
    double min_similarity; /* less similar ones do not count; -INFINITY for none */
    const int64_t *only;   /* [n_only] ids to look at, each once; NULL: all */
    size_t n_only;
    size_t n_threads; /* to scan memory with, 1 or more; 0 is 1 */
    const struct cancel *cancel;
};

/* Offers every hit to `hits`, which the caller initialised with the query's k; its `similarity` is
 * the closeness. A stored vector of another size or with a component that is not finite is
 * ERROR_CORRUPT and names its row. */
int index_search(const struct index_storage *storage, const struct index_query *query,
                 struct top_k *hits, struct error *err);

/* The similarity and the distance that go with a closeness of that metric. */
double index_similarity(enum index_metric metric, double closeness);
double index_distance(enum index_metric metric, double closeness);

/* Bytes of a code for vectors of that many dimensions; 0 for INDEX_EXACT. */
size_t index_code_size(enum index_quantize quantize, size_t dimensions);

/* Writes the code of a vector: `code` has index_code_size bytes. */
void index_encode(enum index_quantize quantize, const float *vector, size_t dimensions, void *code);

#endif
