/*
 * spelling.h: one spelling for texts that readers take as the same.
 *
 * Unicode's form NFKC (UAX 15: composed, and ligatures, full width, superscripts and their like in
 * their plain forms), and beyond it:
 *   lower case     of scripts that unicode/fold.h leaves alone (Armenian, Georgian, Coptic...)
 *   digits         of other scripts become ASCII's
 *   left out       points of Hebrew, vowel signs and tatweel of Arabic, soft hyphens, marks of
 *                  direction, variation selectors and joiners, but for one that holds two Arabic
 *                  letters apart, which becomes an underline: both parts and the whole are words
 *   Arabic         alef and its forms with hamza are one letter, so are teh marbuta and heh, the
 *                  forms of yeh, and those of kaf (after Larkey, Ballesteros, Connell, "Improving
 *                  stemming for Arabic information retrieval", SIGIR 2002)
 * Case and accents of Latin, Greek and Cyrillic are left as they are: text/fold.h.
 */
#ifndef TEXT_SPELLING_H
#define TEXT_SPELLING_H

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/span.h"

/* *spelled is the text itself where nothing is to be changed, else in `out`; `spare` is used on the
 * way. ERROR_NOMEM, ERROR_INTERRUPTED. */
int spelling_apply(struct span text, const struct cancel *cancel, struct buffer *out,
                   struct buffer *spare, struct span *spelled, struct error *err);

#endif
