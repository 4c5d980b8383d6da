/*
 * ucd.h: what the Unicode Character Database says of a character, as far as tokenizers ask.
 *
 * The tables are written by tests/golden/ucd.py; the version is in their head. Characters that
 * are not assigned there have no property.
 */
#ifndef TEXT_UCD_H
#define TEXT_UCD_H

#include <stddef.h>
#include <stdint.h>

enum ucd_property {
    UCD_SPACE = 1,       /* White_Space */
    UCD_CONTROL = 2,     /* Cc, Cf, Co */
    UCD_PUNCTUATION = 4, /* Pc, Pd, Ps, Pe, Pi, Pf, Po */
    UCD_NONSPACING = 8,  /* Mn */
    UCD_EXTENDS = 16, /* Mn, Me, Mc, the zero width joiner, skin tones: goes with the one before */
    UCD_WORD = 32     /* L, N, M, Pc */
};

#define UCD_MAX_DECOMPOSED 4

/* The properties, ored. */
unsigned ucd_properties(uint32_t character);

/* Full lower case: writes 1 or 2 characters, returns how many. */
size_t ucd_lower_of(uint32_t character, uint32_t out[2]);

/* Full canonical decomposition (NFD of the character alone); returns how many characters. */
size_t ucd_decompose(uint32_t character, uint32_t out[UCD_MAX_DECOMPOSED]);

/* Normalises characters in place to form D, KD, C or KC (UAX 15). `characters` has room for
 * UCD_MAX_COMPATIBLE times n; returns how many there are then. `spare`: room for as many. */
#define UCD_MAX_COMPATIBLE 18
size_t ucd_normalize(uint32_t *characters, size_t n, uint32_t *spare, int compatible, int compose);

/* CJK ideographs as BERT counts them: each a word of its own. */
int ucd_is_chinese(uint32_t character);

/* ---- tables ---------------------------------------------------------------------------------- */

/* What characters become: that of characters[i], ascending, is values[starts[i]] to
 * values[starts[i + 1] - 1]. */
struct ucd_map {
    const uint32_t *characters; /* [n] */
    const uint16_t *starts;     /* [n + 1] */
    const uint32_t *values;
    size_t n;
};
extern const struct ucd_map ucd_lower, ucd_canonical, ucd_compatible;

/* The properties of blocks of 128 characters, each block once. */
extern const uint8_t ucd_blocks[8704];
extern const uint8_t ucd_flags[27392];

extern const uint32_t ucd_classes[1824]; /* [][2] canonical combining classes, not 0 */
extern const uint32_t ucd_pairs[2823];   /* [][3] two characters and their composite */

#endif
