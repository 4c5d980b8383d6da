/*
 * words.h: a text cut into folded words.
 *
 * A word is a run of letters, digits and marks; what is not ASCII and not known as punctuation or a
 * symbol counts as a letter. An apostrophe inside a word is left out and what follows joins
 * ("don't" is "dont"), but "'s" at the end is dropped. Each ideograph, kana and emoji is a word of
 * its own, as those scripts write no spaces.
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

struct word {
    size_t offset;  /* into words.letters */
    uint32_t size;  /* bytes, 1 to WORD_MAX_BYTES */
    uint32_t alone; /* true for an ideograph and its like */
};

struct words {
    struct buffer letters; /* the folded words, one after the other */
    struct word *items;    /* [n] */
    size_t n, capacity;
    const struct cancel *cancel;
};

/* Empty; words_split may be called many times and replaces what is there. `cancel` (or NULL) is
 * polled within a long text. */
void words_init(struct words *words, const struct cancel *cancel);
void words_deinit(struct words *words);

/* ERROR_NOMEM, ERROR_INTERRUPTED. Any bytes are taken; those that are not UTF-8 separate words. */
int words_split(struct words *words, struct span text, struct error *err);

/* The i-th word; valid until the next split. */
struct span words_get(const struct words *words, size_t i);

/* True for an English word (folded) that says nothing of a text's subject. */
int word_is_stop(struct span word);

#endif
