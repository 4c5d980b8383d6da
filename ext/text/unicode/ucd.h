/*
 * ucd.h: what the Unicode Character Database says of a character, as far as tokenizers ask.
 *
 * The tables are written by tests/golden/ucd.py. Each property is of the version that the reference
 * (Hugging Face's `tokenizers` 0.22) has it from, as models were trained with it. Characters that
 * are not assigned in that version do not have it.
 */
#ifndef TEXT_UNICODE_UCD_H
#define TEXT_UNICODE_UCD_H

#include <stddef.h>
#include <stdint.h>

enum ucd_property {
    UCD_SPACE = 1,       /* White_Space */
    UCD_CONTROL = 2,     /* Cc, Cf, Co; of Unicode 8 */
    UCD_PUNCTUATION = 4, /* P; of Unicode 8 */
    UCD_NONSPACING = 8,  /* Mn; of Unicode 8 */
    UCD_MARK = 16,       /* M; of Unicode 9 */
    UCD_WORD = 32,       /* \w of regular expressions (UTS 18, annex C); of Unicode 16 */
    /* Of grapheme clusters (UAX 29, Unicode 16): of what all of UCD_CLUSTER says. */
    UCD_EXTENDS = 64,  /* joins what is before it */
    UCD_BREAKS = 128,  /* joins nothing: controls, ends of lines */
    UCD_PREPENDS = 192 /* joins what is behind it */
};
#define UCD_CLUSTER 192

/* The properties, ored. */
unsigned ucd_properties(uint32_t character);

/* Full lower case (Unicode 17): writes 1 or 2 characters, returns how many. */
size_t ucd_lower_of(uint32_t character, uint32_t out[2]);

/* CJK ideographs as the reference counts them: each a word of its own. */
int ucd_is_chinese(uint32_t character);

/* The forms of UAX 15 (Unicode 9) are made in two steps. First each character becomes its full
 * decomposition, canonical (NFD, NFC) or compatible (NFKD, NFKC): returns how many characters that
 * is. */
#define UCD_MAX_DECOMPOSED 18
size_t ucd_decompose(uint32_t character, int compatible, uint32_t out[UCD_MAX_DECOMPOSED]);

/* Then marks are put in order and, if asked for (NFC, NFKC), characters are composed, in place.
 * `spare` has room for n. Returns how many there are then. */
size_t ucd_normalize(uint32_t *characters, size_t n, uint32_t *spare, int compose);

/* Whether a character changes nothing before it, nor is changed by it: a text can be normalised in
 * two parts, the second of which begins here. */
int ucd_is_boundary(uint32_t character, int compatible);

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
extern const uint8_t ucd_flags[27648];

extern const uint32_t ucd_classes[1628]; /* [][2] canonical combining classes, not 0 */
extern const uint32_t ucd_pairs[2820];   /* [][3] two characters and their composite */

#endif
