#include "text/unicode/ucd.h"

#define LAST 0x10FFFF
#define BLOCK 128

unsigned ucd_properties(uint32_t character)
{
    if (character > LAST) return 0;
    return ucd_flags[(size_t)ucd_blocks[character / BLOCK] * BLOCK + character % BLOCK];
}

/* The row of a table of n rows, `width` numbers each, that begins with the character; NULL:
 * none. */
static const uint32_t *find_row(const uint32_t *table, size_t n, size_t width, uint32_t character)
{
    size_t first = 0;
    while (n > 0) {
        size_t half = n / 2;
        const uint32_t *row = table + (first + half) * width;
        if (row[0] == character) return row;
        if (row[0] < character) {
            first += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return NULL;
}

/* What the character becomes; how many characters that is, 0 if the map does not have it. */
static size_t map(const struct ucd_map *all, uint32_t character, uint32_t *out)
{
    const uint32_t *found = find_row(all->characters, all->n, 1, character);
    if (found == NULL) return 0;
    size_t number = (size_t)(found - all->characters), n = 0;
    for (size_t i = all->starts[number]; i < all->starts[number + 1]; i++)
        out[n++] = all->values[i];
    return n;
}

size_t ucd_lower_of(uint32_t character, uint32_t out[2])
{
    out[0] = character >= 'A' && character <= 'Z' ? character + 32 : character;
    size_t n = character < 0x80 ? 0 : map(&ucd_lower, character, out);
    return n == 0 ? 1 : n;
}

/* Hangul syllables by the arithmetic of the Unicode Standard, chapter 3.12. */
static size_t decompose_hangul(uint32_t character, uint32_t *out)
{
    uint32_t index = character - 0xAC00;
    out[0] = 0x1100 + index / 588;
    out[1] = 0x1161 + index % 588 / 28;
    out[2] = 0x11A7 + index % 28;
    return index % 28 == 0 ? 2 : 3;
}

size_t ucd_decompose(uint32_t character, int compatible, uint32_t out[UCD_MAX_DECOMPOSED])
{
    out[0] = character;
    if (character < 0xA0) return 1;
    if (character >= 0xAC00 && character < 0xAC00 + 11172) return decompose_hangul(character, out);
    size_t n = compatible ? map(&ucd_compatible, character, out) : 0;
    if (n == 0) n = map(&ucd_canonical, character, out);
    return n == 0 ? 1 : n;
}

/* The block at U+2B820 begins late, as in the reference. */
int ucd_is_chinese(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* ---- normalisation forms --------------------------------------------------------------------- */

#define ROWS(table, width) table, sizeof(table) / sizeof *(table) / (width), width

static uint32_t class_of(uint32_t character)
{
    const uint32_t *row = character < 0x300 ? NULL : find_row(ROWS(ucd_classes, 2), character);
    return row == NULL ? 0 : row[1];
}

/* Marks of one starter, by class, those of one class as they came. */
static void order_run(uint32_t *characters, size_t n, uint32_t *spare)
{
    size_t starts[257] = {0};
    for (size_t i = 0; i < n; i++) starts[class_of(characters[i]) + 1]++;
    for (size_t i = 1; i < 257; i++) starts[i] += starts[i - 1];
    for (size_t i = 0; i < n; i++) spare[starts[class_of(characters[i])]++] = characters[i];
    for (size_t i = 0; i < n; i++) characters[i] = spare[i];
}

static void order_marks(uint32_t *characters, size_t n, uint32_t *spare)
{
    size_t start = 0;
    uint32_t before = 0;
    int is_ordered = 1;
    for (size_t i = 0; i <= n; i++) {
        uint32_t class = i < n ? class_of(characters[i]) : 0;
        if (class != 0) {
            if (class < before) is_ordered = 0;
        } else {
            if (!is_ordered) order_run(characters + start, i - start, spare);
            is_ordered = 1;
            start = i + 1;
        }
        before = class;
    }
}

/* The composite of two characters; 0: none. */
static uint32_t compose_two(uint32_t a, uint32_t b)
{
    if (a >= 0x1100 && a < 0x1113 && b >= 0x1161 && b < 0x1176)
        return 0xAC00 + (a - 0x1100) * 588 + (b - 0x1161) * 28;
    if (a >= 0xAC00 && a < 0xD7A4 && (a - 0xAC00) % 28 == 0 && b > 0x11A7 && b < 0x11C3)
        return a + b - 0x11A7;
    const uint32_t *row = find_row(ROWS(ucd_pairs, 3), a);
    if (row == NULL) return 0;
    while (row > ucd_pairs && row[-3] == a) row -= 3;
    for (const uint32_t *end = ucd_pairs + sizeof ucd_pairs / sizeof *ucd_pairs;
         row < end && row[0] == a; row += 3)
        if (row[1] == b) return row[2];
    return 0;
}

/* Each character joins its starter, unless one of its class or above, or a starter, lies
 * between. */
static size_t compose_all(uint32_t *characters, size_t n)
{
    size_t starter = n, kept = 0;
    uint32_t last_class = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t character = characters[i], class = class_of(character);
        int is_open = starter < kept && (kept == starter + 1 || last_class < class);
        uint32_t whole = is_open ? compose_two(characters[starter], character) : 0;
        if (whole != 0) {
            characters[starter] = whole;
            continue;
        }
        if (class == 0) starter = kept;
        last_class = class;
        characters[kept++] = character;
    }
    return kept;
}

size_t ucd_normalize(uint32_t *characters, size_t n, uint32_t *spare, int compose)
{
    order_marks(characters, n, spare);
    return compose ? compose_all(characters, n) : n;
}

/* Hangul vowels and finals join a syllable; all else that joins is a mark. */
int ucd_is_boundary(uint32_t character, int compatible)
{
    uint32_t parts[UCD_MAX_DECOMPOSED];
    ucd_decompose(character, compatible, parts);
    return class_of(parts[0]) == 0 && !(ucd_properties(parts[0]) & UCD_MARK) &&
           !(parts[0] >= 0x1161 && parts[0] < 0x11C3);
}
