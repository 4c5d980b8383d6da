/*
 * statistics.h: how many documents of a collection hold a term.
 */
#ifndef LEXICAL_STATISTICS_H
#define LEXICAL_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/rounding.h"

struct lexical_statistics {
    double n_documents;          /* seen */
    double average_length;       /* words a document, stop words left out; 0 if unknown */
    const uint64_t *terms;       /* [n_terms], ascending; borrowed */
    const uint32_t *frequencies; /* [n_terms] documents that hold the term, 1 to n_documents;
                                    borrowed */
    const uint32_t *starts;      /* [LEXICAL_BUCKETS + 1] see lexical_statistics_index; borrowed */
    size_t n_terms;
};

/* Terms are spread evenly, as they are hashes: their first bits say nearly where they are. */
#define LEXICAL_BUCKETS ((size_t)1 << 15)

/* Fills starts [LEXICAL_BUCKETS + 1]: where the terms that begin with each 15 bits begin. */
void lexical_statistics_index(const uint64_t *terms, size_t n_terms, uint32_t *starts);

/* The place of a term in terms, or n_terms if it is not there. */
size_t lexical_statistics_find(const struct lexical_statistics *statistics, uint64_t term);

/* ln(1 + (N - df + 0.5) / (df + 0.5)), above 0: the inverse document frequency of BM25 (Robertson,
 * Zaragoza, "The probabilistic relevance framework", 2009). A term that is not known counts as in
 * no document. */
double lexical_statistics_idf(const struct lexical_statistics *statistics, uint64_t term);

/* The same, from the two counts. */
double lexical_idf(double n_documents, double frequency);

#endif
