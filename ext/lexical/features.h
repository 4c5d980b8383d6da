/*
 * features.h: what the lexical model counts in a text.
 *
 * Terms are 64-bit hashes (base/hash.h) of the stems of words that are not stop words, and of
 * character n-grams of these words, with a mark at both ends. N-grams let "superhero" meet "hero",
 * and forgive spelling (McNamee, Mayfield: "Character n-gram tokenization for European language
 * text retrieval", Information Retrieval 7, 2004). Pairs of neighbouring ideographs are words too.
 * A text with nothing but stop words is taken with them; one without any word by its bytes. So
 * every text that is not empty has a term.
 */
#ifndef LEXICAL_FEATURES_H
#define LEXICAL_FEATURES_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "text/words.h"

struct feature {
    uint64_t term;
    uint32_t count;   /* in the text, 1 or more */
    uint32_t is_word; /* else an n-gram */
};

struct features {
    struct words words;    /* the text's words, stop words included */
    struct feature *items; /* [n], ascending by term, each term once */
    size_t n, capacity;
    size_t n_words; /* word occurrences counted */
};

void features_init(struct features *features);
void features_deinit(struct features *features);

/* Replaces what is there by the features of the text. ERROR_NOMEM. */
int features_extract(struct features *features, struct span text, struct error *err);

/* The term of a folded word, as features_extract counts it. */
uint64_t feature_of_word(struct span word);

#endif
