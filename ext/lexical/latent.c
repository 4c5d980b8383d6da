#include "lexical/latent.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "lexical/hashing.h"
#include "lexical/latent_model.h"
#include "vector/distance.h"

void latent_free(struct latent *latent)
{
    if (latent == NULL) return;
    memory_free(latent->terms);
    memory_free(latent->frequencies);
    memory_free(latent->starts);
    memory_free(latent->weights);
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

enum words_rules latent_rules(const struct latent *latent)
{
    return latent->rules;
}

int latent_knows(const struct latent *latent, const struct features *features)
{
    for (size_t i = 0; i < features->terms.n; i++)
        if (lexical_statistics_find(&latent->statistics, features->terms.items[i].term) <
            latent->n_terms)
            return 1;
    return 0;
}

/* Adds a term's vector, weighed, to sums [rank]. */
static void add_latent(const struct latent *latent, size_t place, double weight, float *sums)
{
    const signed char *codes = latent->codes + place * latent->rank;
    vector_add_int8(sums, codes, (float)(weight * latent->scales[place]), latent->rank);
}

/* sums [n] brought to the length sqrt(share), into out [n]; zero stays so. */
static void put_part(const double *sums, size_t n, double share, double *out)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += sums[i] * sums[i];
    double factor = squares > 0 ? sqrt(share / squares) : 0;
    for (size_t i = 0; i < n; i++) out[i] = sums[i] * factor;
}

int latent_embed(const struct latent *latent, const struct features *features, float *embedding,
                 struct error *err)
{
    float latent_sums[LATENT_DIMENSIONS] = {0};           /* [rank] */
    double sums[LATENT_DIMENSIONS + LATENT_HASHED] = {0}, /* [rank + LATENT_HASHED] */
        parts[LATENT_DIMENSIONS + LATENT_HASHED];         /* the same, each part weighed */
    size_t rank = latent->rank, n = latent_dimensions(latent);
    double unknown = lexical_idf(latent->statistics.n_documents, 0),
           whole = unknown * LATENT_WHOLE_WEIGHT;
    for (size_t i = 0; i < features->terms.n; i++) {
        const struct term_count *item = &features->terms.items[i];
        size_t place = lexical_statistics_find(&latent->statistics, item->term);
        int known = place < latent->n_terms;
        double weight = latent_weight(known                      ? latent->weights[place]
                                      : item->kind == TERM_WHOLE ? whole
                                                                 : unknown,
                                      item->count, item->kind != TERM_GRAM);
        if (known && rank > 0) add_latent(latent, place, weight, latent_sums);
        hashing_add(item->term, weight, sums + rank, LATENT_HASHED);
        int rc = i % TERMS_PER_POLL == TERMS_PER_POLL - 1
                     ? cancel_check(features->terms.cancel, err)
                     : 0;
        if (rc != 0) return rc;
    }
    for (size_t i = 0; i < rank; i++) sums[i] = (double)latent_sums[i];
    put_part(sums, rank, 1.0 - (double)latent->lexical_weight, parts);
    put_part(sums + rank, LATENT_HASHED, (double)latent->lexical_weight, parts + rank);
    hashing_normalize(parts, embedding, n);
    return 0;
}
