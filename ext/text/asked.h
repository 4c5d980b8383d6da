/*
 * asked.h: what a person typed into a search box, read as they mean it.
 *
 * - "a phrase" in double quotes, straight or typographic, must be in what is found. A quote opens a
 *   phrase where no letter or digit stands before it (5" is five inches) and another follows.
 * - A word or phrase is excluded by a - at the beginning or behind white space that stands directly
 *   before the quote or before a word that begins with a letter and is not a single ASCII letter:
 *   so x-ray, - x, --flag, -5 and -r exclude nothing, and neither does a - behind "und", "og" and
 *   their like, which stands for a part of a word: "Textanzeige und -suche".
 * - All else is words, any of which may be found. A text of more than ASKED_MAX_BYTES is a text and
 *   no question: it is words throughout.
 *
 * No text is wrong.
 */
#ifndef TEXT_ASKED_H
#define TEXT_ASKED_H

#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

#define ASKED_MAX_BYTES 1000

enum asked_kind { ASKED_WORDS, ASKED_MUST, ASKED_NOT };

/* A part of the text, without quotes and the - before it; not empty. */
struct asked_piece {
    enum asked_kind kind;
    struct span text; /* borrowed from the text that was read */
};

/* All zero: nothing. */
struct asked {
    struct asked_piece *pieces; /* [n] owned, in the order of the text */
    size_t n, capacity;
};

/* ERROR_NOMEM. deinit also after a failure. */
int asked_read(struct asked *asked, struct span text, struct error *err);
void asked_deinit(struct asked *asked);

#endif
