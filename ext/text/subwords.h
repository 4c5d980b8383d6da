/*
 * subwords.h: pieces of words, which an index of words keeps beside them, so that other forms of a
 * word are found in languages whose endings no rule here knows.
 *
 * A word that is longer than 4 characters has its first 4 as a piece, one that is longer than 6 its
 * first 6 as well; an English word, whose endings are known, has its first 4 if it is longer than
 * 6, and no other; a word of Hangul has each two syllables that follow each other. What has a digit has none. A piece begins with a mark that no
 * word has. A query also asks for each 6 characters inside a word, from the fourth on: so
 * "Paketverwaltung" finds "Verwaltung", whose first 6 they are, and an index keeps nothing for it.
 *
 * Measured by tests/quality/known_item.py: runs of 4 or 5 letters from all over a word, or some of
 * them, take two to five times as many tokens and find less; one piece a word, of 4, 5 or 6 letters,
 * finds less where words are long; more pieces of English words find no more than that one, and
 * without any CISI loses .03.
 */
#ifndef TEXT_SUBWORDS_H
#define TEXT_SUBWORDS_H

#include <stddef.h>

#include "base/span.h"

#define SUBWORD_MARK '\1'

/* Of a word only so many bytes count: no language has longer ones. */
#define SUBWORDS_MAX_BYTES 64

#define SUBWORDS_BEGINNINGS 2 /* of a word, at most */

/* Those of an English word; of another one; these and, of a query, what is inside. */
enum subwords_wanted { SUBWORDS_SHORT, SUBWORDS_ALL, SUBWORDS_INSIDE };

/* The pieces of a word, taken one after the other. */
struct subwords {
    const char *start, *at, *end;
    const char *inside; /* where the last piece inside began; the start: there was none */
    size_t n;           /* characters of beginnings before `at` */
    enum subwords_wanted wanted;
    int are_beginnings; /* those of Hangul are not */
    char piece[1 + SUBWORDS_MAX_BYTES];
};

/* Of a word as an index has it, any bytes; borrowed. */
void subwords_begin(struct subwords *subwords, struct span word, enum subwords_wanted wanted);

/* The next piece, valid until the next call; 0: there are no more. */
int subwords_next(struct subwords *subwords, struct span *piece);

/* Whether a token is a piece. */
int subwords_is_piece(struct span token);

/* What a token counts in a ranked search: a word 1, a piece of ASCII half of one, as English is cut
 * to stems and German has many, and one beyond ASCII as much as a word. */
double subwords_weight(struct span token);

#endif
