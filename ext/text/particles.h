/*
 * particles.h: Korean nouns and what is written onto them.
 */
#ifndef TEXT_PARTICLES_H
#define TEXT_PARTICLES_H

#include <stddef.h>

#include "base/span.h"

/* The bytes of a word of Hangul syllables without the particle at its end; its size where it has
 * none. A particle counts only behind the kind of syllable, open or closed, that takes it. Some
 * nouns end like that and lose a syllable, in texts and queries alike. */
size_t particles_noun(struct span word);

#endif
