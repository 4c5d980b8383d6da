#include "lexical/statistics.h"

#include <math.h>

static size_t bucket_of(uint64_t term)
{
    return (size_t)(term >> 49);
}

void lexical_statistics_index(const uint64_t *terms, size_t n_terms, uint32_t *starts)
{
    size_t bucket = 0;
    for (size_t i = 0; i < n_terms; i++)
        while (bucket <= bucket_of(terms[i])) starts[bucket++] = (uint32_t)i;
    while (bucket <= LEXICAL_BUCKETS) starts[bucket++] = (uint32_t)n_terms;
}

size_t lexical_statistics_find(const struct lexical_statistics *statistics, uint64_t term)
{
    size_t bucket = bucket_of(term);
    size_t low = statistics->starts[bucket], high = statistics->starts[bucket + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (statistics->terms[middle] < term) low = middle + 1;
        else high = middle;
    }
    return low < statistics->n_terms && statistics->terms[low] == term ? low : statistics->n_terms;
}

double lexical_idf(double n_documents, double frequency)
{
    return log(1.0 + (n_documents - frequency + 0.5) / (frequency + 0.5));
}

double lexical_statistics_idf(const struct lexical_statistics *statistics, uint64_t term)
{
    size_t i = lexical_statistics_find(statistics, term);
    return lexical_idf(statistics->n_documents,
                       i == statistics->n_terms ? 0 : statistics->frequencies[i]);
}
