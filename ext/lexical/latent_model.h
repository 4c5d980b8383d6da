/*
 * latent_model.h: the parts of a fitted model, for the files that make, store and use it.
 */
#ifndef LEXICAL_LATENT_MODEL_H
#define LEXICAL_LATENT_MODEL_H

#include "lexical/latent.h"

/* What an n-gram weighs beside a word. */
#define LATENT_GRAM_WEIGHT 0.3

struct latent {
    struct lexical_statistics statistics; /* points to terms and frequencies */
    uint64_t *terms;                      /* [n_terms] ascending; owned */
    uint32_t *frequencies;                /* [n_terms]; owned */
    size_t n_terms;
    size_t rank;           /* dimensions of the latent part, 0 for a collection too small */
    signed char *codes;    /* [n_terms, rank] term vectors in units of scales; owned */
    float *scales;         /* [n_terms]; owned */
    double lexical_weight; /* w, in [0, 1] */
};

/* (1 + ln count) * idf, for an n-gram a part of it. */
double latent_weight(const struct lexical_statistics *statistics, const struct feature *feature);

/* w for documents of that many words. */
double latent_lexical_weight(double average_length);

#endif
