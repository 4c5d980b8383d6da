/*
 * features.h: what the lexical model counts in a text.
 *
 * Terms are 64-bit hashes (base/hash.h) of the stems of words that are not stop words, and of
 * character n-grams of these words, with a mark at both ends. N-grams let "superhero" meet "hero",
 * and forgive spelling (McNamee, Mayfield: "Character n-gram tokenization for European language
 * text retrieval", Information Retrieval 7, 2004). Pairs of neighbouring ideographs are words too,
 * and so are those of Hangul's syllables in a word, and of clusters of scripts without spaces, of
 * which those of one letter themselves count as n-grams. What stands beside a word (text/words.h)
 * has no n-grams, nor a part in the length of the text. A text with nothing but stop words is taken
 * with them; one without any word by its bytes. So every text that is not empty has a term.
 */
#ifndef LEXICAL_FEATURES_H
#define LEXICAL_FEATURES_H

#include "base/span.h"
#include "lexical/terms.h"
#include "text/words.h"

/* What an n-gram weighs beside a word. */
#define FEATURE_GRAM_WEIGHT 0.25

struct features {
    struct words words; /* the text's words, stop words included */
    struct terms terms; /* the terms, counted */
    size_t n_words;     /* word occurrences counted */
};

/* `cancel` (or NULL) is polled within a long text. */
void features_init(struct features *features, enum words_rules rules, const struct cancel *cancel);
void features_deinit(struct features *features);

/* Replaces what is there by the features of the text. ERROR_NOMEM, ERROR_INTERRUPTED. */
int features_extract(struct features *features, struct span text, struct error *err);

/* Whether a text has a term of the other one, a word or an n-gram. */
int features_meet(const struct features *features, const struct features *other);

/* The term of a folded word, as features_extract counts it. */
uint64_t feature_of_word(struct span word);

#endif
