#include "text/ucd.h"

#define LAST 0x10FFFF
#define BLOCK 128

unsigned ucd_properties(uint32_t character)
{
    if (character > LAST) return 0;
    return ucd_flags[(size_t)ucd_blocks[character / BLOCK] * BLOCK + character % BLOCK];
}

/* The row of a table of `width` numbers a row that begins with the character; NULL: none. */
static const uint32_t *find_row(const uint32_t *table, size_t size, size_t width,
                                uint32_t character)
{
    size_t first = 0, n = size / width;
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

static size_t copy_row(const uint32_t *row, size_t width, uint32_t character, uint32_t *out)
{
    size_t n = 0;
    out[0] = character;
    if (row == NULL) return 1;
    while (n + 1 < width && row[n + 1] != 0) {
        out[n] = row[n + 1];
        n++;
    }
    return n;
}

size_t ucd_lower_of(uint32_t character, uint32_t out[2])
{
    if (character < 0x80) {
        out[0] = character >= 'A' && character <= 'Z' ? character + 32 : character;
        return 1;
    }
    const uint32_t *row = find_row(ucd_lower, sizeof ucd_lower / sizeof *ucd_lower, 3, character);
    return copy_row(row, 3, character, out);
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

size_t ucd_decompose(uint32_t character, uint32_t out[UCD_MAX_DECOMPOSED])
{
    out[0] = character;
    if (character < 0xC0) return 1;
    if (character >= 0xAC00 && character < 0xAC00 + 11172) return decompose_hangul(character, out);
    const uint32_t *row =
        find_row(ucd_decomposed, sizeof ucd_decomposed / sizeof *ucd_decomposed, 5, character);
    return copy_row(row, 5, character, out);
}

int ucd_is_chinese(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B820 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}
