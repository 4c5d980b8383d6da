#include "embedded/table.h"

#include <string.h>

/* A number in the table lies as this machine reads it. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the table is little-endian");

/* FNV-1a (Fowler, Noll, Vo), of nothing and of "##". */
#define FNV_PRIME 16777619u
#define FNV_BEGINS 2166136261u
#define FNV_GOES_ON ((((FNV_BEGINS ^ '#') * FNV_PRIME) ^ '#') * FNV_PRIME)

static const unsigned char *bytes_at(size_t at)
{
    return (const unsigned char *)table_words + at;
}

static uint32_t number16(size_t column, size_t i)
{
    uint16_t number;
    memcpy(&number, bytes_at(column + 2 * i), sizeof number);
    return number;
}

static uint32_t offset_of(size_t row)
{
    uint32_t offset;
    memcpy(&offset, bytes_at(TABLE_OFFSETS_AT + 4 * row), sizeof offset);
    return offset;
}

const uint8_t *table_signs(uint32_t row)
{
    return bytes_at(TABLE_SIGNS_AT + (size_t)row * TABLE_ROW_BYTES);
}

struct span table_piece(uint32_t row)
{
    uint32_t offset = offset_of(row);
    return (struct span){(const char *)bytes_at(TABLE_TEXT_AT + offset),
                         offset_of(row + 1) - offset};
}

uint32_t table_id(uint32_t row)
{
    return number16(TABLE_IDS_AT, row);
}

/* A float16 that is positive and finite: 10 bits behind the point, in units of its least number. */
static int64_t float16(size_t column, uint32_t row)
{
    uint32_t bits = number16(column, row), exponent = bits >> 10, rest = bits & 0x3FF;
    return exponent == 0 ? (int64_t)rest : (int64_t)(rest | 0x400) << (exponent - 1);
}

int32_t table_scale(uint32_t row)
{
    return (int32_t)float16(TABLE_SCALES_AT, row);
}

double table_idf(uint32_t row)
{
    return (double)float16(TABLE_IDF_AT, row) / (1 << 24);
}

uint64_t table_hash(void)
{
    return table_words[0];
}

/* The piece is the text behind the ## that a rest goes without. */
static uint32_t find_whole(uint32_t hash, struct span text, int goes_on)
{
    uint32_t mixed = hash * 0x9E3779B1u, bucket = mixed >> 17;
    uint32_t end = number16(TABLE_STARTS_AT, bucket + 1);
    size_t skip = goes_on ? 2 : 0;
    for (uint32_t row = number16(TABLE_STARTS_AT, bucket); row < end; row++) {
        if (*bytes_at(TABLE_TAGS_AT + row) != (mixed >> 9 & 0xFF)) continue;
        struct span piece = table_piece(row);
        if (piece.size == text.size + skip && memcmp(piece.data + skip, text.data, text.size) == 0)
            return row;
    }
    return TABLE_NONE;
}

uint32_t table_find(struct span text, int goes_on, size_t *size)
{
    uint32_t hashes[TABLE_LONGEST], hash = goes_on ? FNV_GOES_ON : FNV_BEGINS;
    size_t n = text.size < TABLE_LONGEST ? text.size : TABLE_LONGEST;
    for (size_t i = 0; i < n; i++)
        hashes[i] = hash = (hash ^ (unsigned char)text.data[i]) * FNV_PRIME;
    for (; n > 0; n--) {
        uint32_t row = find_whole(hashes[n - 1], (struct span){text.data, n}, goes_on);
        if (row == TABLE_NONE) continue;
        *size = n;
        return row;
    }
    return TABLE_NONE;
}

int table_has_word(struct span word)
{
    uint32_t hash = FNV_BEGINS;
    for (size_t i = 0; i < word.size; i++) hash = (hash ^ (unsigned char)word.data[i]) * FNV_PRIME;
    return find_whole(hash, word, 0) != TABLE_NONE;
}
