/*
 * words.h: a text cut into folded words.
 *
 * A word is a run of letters, digits and marks, of a text in one spelling (spelling.h). An
 * apostrophe inside a word is left out and what follows joins ("don't" is "dont"), but "'s" at the
 * end is dropped. Each ideograph, kana and emoji is a word of its own, as those scripts write no
 * spaces, and so is each cluster of Thai, Lao, Khmer, Myanmar and their like.
 *
 * Beside words stand others that a search may name: the parts of nextTick and HTTPServer, the whole
 * of snake_case, e-mail and 3.40.1 (compound.h), "homme" of "l'homme", "C++", "C#" and ".NET" with
 * their signs, hexadecimal numbers without 0x, Korean nouns without their particles (particles.h).
 *
 * Fitted models of version 0.1.0 know words by other rules, WORDS_FIRST: no spelling, nothing
 * beside words, and what is not ASCII and not known as punctuation or a symbol is a letter.
 */
#ifndef TEXT_WORDS_H
#define TEXT_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/span.h"

/* Longer words are cut: there are none in any language, and n-grams of a 10 MB "word" help nobody.
 */
#define WORD_MAX_BYTES 64

enum word_kind {
    WORD_PLAIN,
    WORD_HANGUL,   /* plain, of Hangul's syllables alone */
    WORD_ALONE,    /* an ideograph and its like */
    WORD_UNSPACED, /* a cluster of a script without spaces */
    WORD_PART,     /* beside a word: a part of it */
    WORD_WHOLE     /* beside words: their compound */
};

struct word {
    size_t offset; /* into words.letters */
    uint32_t size; /* bytes, 1 to WORD_MAX_BYTES */
    enum word_kind kind;
};

enum words_rules { WORDS_NOW, WORDS_FIRST };

struct words {
    struct buffer letters;        /* the folded words, one after the other */
    struct buffer spelled, spare; /* the text, see spelling.h */
    struct word *items;           /* [n] */
    size_t n, capacity;
    size_t n_beside; /* of n: parts and wholes */
    enum words_rules rules;
    const struct cancel *cancel;
};

/* Empty; words_split may be called many times and replaces what is there. `cancel` (or NULL) is
 * polled within a long text. */
void words_init(struct words *words, enum words_rules rules, const struct cancel *cancel);
void words_deinit(struct words *words);

/* ERROR_NOMEM, ERROR_INTERRUPTED. Any bytes are taken; those that are not UTF-8 separate words. */
int words_split(struct words *words, struct span text, struct error *err);

/* The i-th word; valid until the next split. */
struct span words_get(const struct words *words, size_t i);

/* True for an English word (folded) that says nothing of a text's subject. */
int word_is_stop(struct span word);

#endif
