#include "lexical/statistics.h"

#include <math.h>

size_t lexical_statistics_find(const struct lexical_statistics *statistics, uint64_t term)
{
    size_t low = 0, high = statistics->n_terms;
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
