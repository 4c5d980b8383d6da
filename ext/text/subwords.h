/*
 * subwords.h: pieces of words, which an index of words keeps beside them, so that other forms of a
 * word are found in languages whose endings no rule here knows.
 *
 * A word that is longer than 4 characters has its first 4 as a piece, one that is longer than 6 its
 * first 6 as well; a word of Hangul has each two syllables that follow each other. Numbers have
 * none. A piece begins with a mark that no word has.
 *
 * Measured by tests/quality/known_item.py: runs of 3 to 5 letters from all over a word take three
 * to seven times as many tokens as words and find no more, but for German compounds, and do harm in
 * English. Pieces of only those words that the table of builtin:static does not know find less.
 */
#ifndef TEXT_SUBWORDS_H
#define TEXT_SUBWORDS_H

#include <stddef.h>

#include "base/span.h"

#define SUBWORD_MARK '\1'

/* Of a word only so many bytes count: no language has longer ones. */
#define SUBWORDS_MAX_BYTES 64

/* The pieces of a word, taken one after the other. */
struct subwords {
    const char *start, *at, *end;
    size_t n; /* characters before `at` */
    int is_hangul;
    char piece[1 + SUBWORDS_MAX_BYTES];
};

/* Of a word as an index has it, any bytes; borrowed. */
void subwords_begin(struct subwords *subwords, struct span word);

/* The next piece, valid until the next call; 0: there are no more. */
int subwords_next(struct subwords *subwords, struct span *piece);

/* Whether a token is a piece. */
int subwords_is_piece(struct span token);

/* What a token counts in a ranked search: a word 1, a piece of ASCII .35, as English is cut to
 * stems (more did harm in Cranfield and CISI), and one beyond ASCII as much as a word. */
double subwords_weight(struct span token);

#endif
