/*
 * latent_model.h: the parts of a fitted model, for the files that make, store and use it.
 */
#ifndef LEXICAL_LATENT_MODEL_H
#define LEXICAL_LATENT_MODEL_H

#include "base/error.h"
#include "lexical/statistics.h"
#include "text/words.h"

struct latent {
    enum words_rules rules;
    struct lexical_statistics statistics; /* points to terms, frequencies and starts */
    uint64_t *terms;                      /* [n_terms] ascending; owned */
    uint32_t *frequencies;                /* [n_terms]; owned */
    uint32_t *starts;                     /* [LEXICAL_BUCKETS + 1] see statistics.h; owned */
    double *weights;                      /* [n_terms] idf, of an n-gram too; owned */
    size_t n_terms;
    size_t rank;          /* dimensions of the latent part, 0 for a collection too small */
    signed char *codes;   /* [n_terms, rank] term vectors in units of scales; owned */
    float *scales;        /* [n_terms]; owned */
    float lexical_weight; /* w, in [0, 1]; as it is stored */
};

/* Allocates starts and weights and points statistics to all, once terms and frequencies are there.
 */
int latent_index(struct latent *latent, struct error *err);

/* (1 + ln count) * idf, for an n-gram a part of it. */
double latent_weight(double idf, uint32_t count, int is_word);

/* w for documents of that many words. */
float latent_lexical_weight(double average_length);

#endif
