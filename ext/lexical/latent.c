#include "lexical/latent.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "lexical/hashing.h"
#include "lexical/latent_model.h"

double latent_weight(const struct lexical_statistics *statistics, const struct feature *feature)
{
    double weight =
        (1.0 + log((double)feature->count)) * lexical_statistics_idf(statistics, feature->term);
    return feature->is_word ? weight : weight * LATENT_GRAM_WEIGHT;
}

double latent_lexical_weight(double average_length)
{
    return 0.25 + 0.5 * exp(-average_length / 12.0);
}

void latent_free(struct latent *latent)
{
    if (latent == NULL) return;
    memory_free(latent->terms);
    memory_free(latent->frequencies);
    memory_free(latent->codes);
    memory_free(latent->scales);
    memory_free(latent);
}

size_t latent_dimensions(const struct latent *latent)
{
    return latent->rank + LATENT_HASHED;
}

const struct lexical_statistics *latent_statistics(const struct latent *latent)
{
    return &latent->statistics;
}

/* Adds the term's vector, weighed, to the latent sums. */
static void add_latent(const struct latent *latent, uint64_t term, double weight, double *sums)
{
    size_t i = lexical_statistics_find(&latent->statistics, term);
    if (i == latent->n_terms || latent->rank == 0) return;
    const signed char *codes = latent->codes + i * latent->rank;
    double scale = weight * latent->scales[i];
    for (size_t d = 0; d < latent->rank; d++) sums[d] += scale * codes[d];
}

/* Unit length of a part times its share; false if the part is zero. */
static int put_part(const double *sums, size_t n, double share, double *out)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += sums[i] * sums[i];
    if (squares <= 0) return 0;
    double factor = sqrt(share / squares);
    for (size_t i = 0; i < n; i++) out[i] = sums[i] * factor;
    return 1;
}

int latent_embed(const struct latent *latent, const struct features *features, float *embedding,
                 struct error *err)
{
    size_t rank = latent->rank, n = latent_dimensions(latent);
    double *sums = memory_zalloc(2 * n, sizeof *sums);
    if (sums == NULL) return error_nomem(err);
    double *parts = sums + n;
    for (size_t i = 0; i < features->n; i++) {
        double weight = latent_weight(&latent->statistics, &features->items[i]);
        add_latent(latent, features->items[i].term, weight, sums);
        hashing_add(features->items[i].term, weight, sums + rank, LATENT_HASHED);
    }
    put_part(sums, rank, 1.0 - latent->lexical_weight, parts);
    put_part(sums + rank, LATENT_HASHED, latent->lexical_weight, parts + rank);
    hashing_normalize(parts, embedding, n);
    memory_free(sums);
    return 0;
}
