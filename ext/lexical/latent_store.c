/*
 * latent_store.c: a fitted model as bytes, all little-endian:
 *   4  "LSA2"; "LSA1": its words are those of WORDS_FIRST
 *   4  n_terms
 *   4  rank
 *   4  lexical weight, float32
 *   8  documents seen, float64
 *   8  average length, float64
 *   8 n_terms         terms, ascending
 *   4 n_terms         frequencies
 *   4 n_terms         scales, float32          (rank > 0)
 *   rank n_terms      codes, int8              (rank > 0)
 *   8  XXH64 of all before
 */
#include "lexical/latent.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "lexical/latent_model.h"

#define HEADER_BYTES ((size_t)32)

static int append_number(struct buffer *bytes, uint64_t value, size_t size, struct error *err)
{
    unsigned char out[8];
    for (size_t i = 0; i < size; i++) out[i] = (unsigned char)(value >> (8 * i));
    return buffer_append(bytes, out, size, err);
}

static uint64_t read_number(const char *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i > 0; i--) value = (value << 8) | (unsigned char)at[i - 1];
    return value;
}

static uint64_t bits_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double read_double(const char *at)
{
    double value;
    uint64_t bits = read_number(at, 8);
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float read_float(const char *at)
{
    float value;
    uint32_t bits = (uint32_t)read_number(at, 4);
    memcpy(&value, &bits, sizeof value);
    return value;
}

static size_t stored_size(size_t n_terms, size_t rank)
{
    return HEADER_BYTES + n_terms * (12 + (rank > 0 ? 4 + rank : 0)) + 8;
}

int latent_save(const struct latent *latent, struct buffer *bytes, struct error *err)
{
    size_t begin = bytes->size, n = latent->n_terms;
    int rc = buffer_reserve(bytes, stored_size(n, latent->rank), err);
    if (rc == 0) rc = buffer_append(bytes, latent->rules == WORDS_FIRST ? "LSA1" : "LSA2", 4, err);
    if (rc == 0) rc = append_number(bytes, n, 4, err);
    if (rc == 0) rc = append_number(bytes, latent->rank, 4, err);
    if (rc == 0) rc = append_number(bytes, bits_of_float(latent->lexical_weight), 4, err);
    if (rc == 0) rc = append_number(bytes, bits_of_double(latent->statistics.n_documents), 8, err);
    if (rc == 0)
        rc = append_number(bytes, bits_of_double(latent->statistics.average_length), 8, err);
    for (size_t i = 0; rc == 0 && i < n; i++) rc = append_number(bytes, latent->terms[i], 8, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = append_number(bytes, latent->frequencies[i], 4, err);
    for (size_t i = 0; rc == 0 && latent->rank > 0 && i < n; i++)
        rc = append_number(bytes, bits_of_float(latent->scales[i]), 4, err);
    if (rc == 0 && latent->rank > 0)
        rc = buffer_append(bytes, latent->codes, n * latent->rank, err);
    if (rc == 0)
        rc = append_number(bytes, hash_bytes(bytes->data + begin, bytes->size - begin, 0), 8, err);
    return rc;
}

static int corrupt(const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "fitted model: %s", what);
}

static int read_terms(struct latent *latent, const char *at, struct error *err)
{
    size_t n = latent->n_terms;
    for (size_t i = 0; i < n; i++) {
        latent->terms[i] = read_number(at + 8 * i, 8);
        if (i > 0 && latent->terms[i] <= latent->terms[i - 1])
            return corrupt("its terms are not in order", err);
        latent->frequencies[i] = (uint32_t)read_number(at + 8 * n + 4 * i, 4);
        if (latent->frequencies[i] < 1 || latent->frequencies[i] > latent->statistics.n_documents)
            return corrupt("a term is in more documents than there are", err);
    }
    if (latent->rank == 0) return 0;
    at += 12 * n;
    for (size_t i = 0; i < n; i++) {
        latent->scales[i] = read_float(at + 4 * i);
        if (!(latent->scales[i] >= 0 && latent->scales[i] <= 1))
            return corrupt("a scale is out of range", err);
    }
    memcpy(latent->codes, at + 4 * n, n * latent->rank);
    return 0;
}

static int allocate(struct latent *latent, struct error *err)
{
    latent->terms = memory_alloc(latent->n_terms, sizeof *latent->terms);
    latent->frequencies = memory_alloc(latent->n_terms, sizeof *latent->frequencies);
    latent->codes = memory_alloc(latent->n_terms, latent->rank);
    latent->scales = memory_alloc(latent->n_terms, sizeof *latent->scales);
    if (latent->terms == NULL || latent->frequencies == NULL || latent->codes == NULL ||
        latent->scales == NULL)
        return error_nomem(err);
    return 0;
}

int latent_load(struct span bytes, struct latent **loaded, struct error *err)
{
    *loaded = NULL;
    if (bytes.size < HEADER_BYTES + 8 ||
        (memcmp(bytes.data, "LSA1", 4) != 0 && memcmp(bytes.data, "LSA2", 4) != 0))
        return corrupt("it does not begin as one", err);
    if (read_number(bytes.data + bytes.size - 8, 8) != hash_bytes(bytes.data, bytes.size - 8, 0))
        return corrupt("its check sum is wrong", err);
    struct latent *latent = memory_zalloc(1, sizeof *latent);
    if (latent == NULL) return error_nomem(err);
    latent->rules = bytes.data[3] == '1' ? WORDS_FIRST : WORDS_NOW;
    latent->n_terms = (size_t)read_number(bytes.data + 4, 4);
    latent->rank = (size_t)read_number(bytes.data + 8, 4);
    latent->lexical_weight = read_float(bytes.data + 12);
    latent->statistics.n_documents = read_double(bytes.data + 16);
    latent->statistics.average_length = read_double(bytes.data + 24);
    int rc = 0;
    if (latent->n_terms > LATENT_TERMS || latent->rank > LATENT_DIMENSIONS ||
        bytes.size != stored_size(latent->n_terms, latent->rank))
        rc = corrupt("its size is not what it says", err);
    else if (!(latent->lexical_weight >= 0 && latent->lexical_weight <= 1) ||
             !(latent->statistics.n_documents >= 0 &&
               latent->statistics.n_documents <= LATENT_SAMPLE) ||
             !(latent->statistics.average_length >= 0 &&
               isfinite(latent->statistics.average_length)))
        rc = corrupt("its numbers are out of range", err);
    if (rc == 0) rc = allocate(latent, err);
    if (rc == 0) rc = read_terms(latent, bytes.data + HEADER_BYTES, err);
    if (rc == 0) rc = latent_index(latent, err);
    if (rc == 0) *loaded = latent;
    else latent_free(latent);
    return rc;
}
