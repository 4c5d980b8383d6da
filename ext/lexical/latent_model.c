#include "lexical/latent_model.h"

#include <math.h>

#include "base/memory.h"
#include "lexical/features.h"

double latent_weight(double idf, uint32_t count, int is_word)
{
    double weight = count == 1 ? idf : idf * (1.0 + log((double)count));
    return is_word ? weight : weight * FEATURE_GRAM_WEIGHT;
}

int latent_index(struct latent *latent, struct error *err)
{
    struct lexical_statistics *statistics = &latent->statistics;
    latent->starts = memory_alloc(LEXICAL_BUCKETS + 1, sizeof *latent->starts);
    latent->weights = memory_alloc(latent->n_terms, sizeof *latent->weights);
    if (latent->starts == NULL || latent->weights == NULL) return error_nomem(err);
    lexical_statistics_index(latent->terms, latent->n_terms, latent->starts);
    for (size_t i = 0; i < latent->n_terms; i++)
        latent->weights[i] = lexical_idf(statistics->n_documents, latent->frequencies[i]);
    statistics->terms = latent->terms;
    statistics->frequencies = latent->frequencies;
    statistics->starts = latent->starts;
    statistics->n_terms = latent->n_terms;
    return 0;
}

float latent_lexical_weight(double average_length)
{
    return (float)(0.25 + 0.5 * exp(-average_length / 12.0));
}
