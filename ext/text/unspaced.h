/*
 * unspaced.h: texts whose scripts put no space between words, as characters and pairs of them.
 *
 * A text is a row of stretches, each of such scripts alone or without any of them. A stretch of
 * them is a row of characters: ideographs, kana, emoji, and clusters of Thai, Lao, Khmer, Myanmar
 * and their like (unicode/classes.h). Two characters that follow each other are a pair, which is
 * about a word in Chinese and Japanese: the least that a search by words can do without a
 * dictionary.
 */
#ifndef TEXT_UNSPACED_H
#define TEXT_UNSPACED_H

#include <stddef.h>

#include "base/span.h"

/* The next stretch at *at < end, which is moved behind it; *is_unspaced: which kind. Any bytes are
 * taken. */
struct span unspaced_stretch(const char **at, const char *end, int *is_unspaced);

/* Clusters that are longer are cut. */
#define UNSPACED_MAX_BYTES 32

struct unspaced_character {
    const char *start, *end;         /* where it stands */
    char folded[UNSPACED_MAX_BYTES]; /* as it is compared (fold.h) */
    size_t size;                     /* of folded; not 0 */
};

/* The next character at *at < end of a stretch without spaces, which is moved behind it. */
void unspaced_next(const char **at, const char *end, struct unspaced_character *character);

#endif
