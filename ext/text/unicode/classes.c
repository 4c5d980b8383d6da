#include "text/unicode/classes.h"

#include <stddef.h>

#include "text/unicode/ucd.h"

static int in(uint32_t c, uint32_t first, uint32_t last)
{
    return c >= first && c <= last;
}

/* The set ascends. */
static int is_one_of(uint32_t c, const uint32_t *set, size_t n)
{
    size_t i = 0;
    while (i < n && set[i] < c) i++;
    return i < n && set[i] == c;
}
#define IS_ONE_OF(c, set) is_one_of(c, set, sizeof(set) / sizeof *(set))

struct range {
    uint32_t first, last;
};

static int is_in_any(uint32_t c, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (in(c, ranges[i].first, ranges[i].last)) return 1;
    return 0;
}
#define IS_IN_ANY(c, ranges) is_in_any(c, ranges, sizeof(ranges) / sizeof *(ranges))

/* Of characters beyond Latin-1. */
static int is_separator(uint32_t c)
{
    static const struct range ranges[] = {
        {0x37E, 0x37E},   {0x387, 0x387},   /* Greek question mark and semicolon */
        {0x2000, 0x206F}, {0x20A0, 0x20CF}, /* punctuation, currencies */
        {0x2190, 0x25FF},                   /* arrows, mathematics, boxes */
        {0x2E00, 0x2E7F}, {0x3000, 0x303F}, /* more punctuation, that of CJK */
        {0xE000, 0xF8FF}, {0xFE30, 0xFE6F}, /* private use; forms of punctuation */
        {0xFEFF, 0xFEFF}, {0xFF00, 0xFF0F}, /* full width, but for letters and digits */
        {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFF0, 0xFFFF},
    };
    return IS_IN_ANY(c, ranges);
}

static int is_alone(uint32_t c)
{
    static const struct range ranges[] = {
        {0x2600, 0x27BF},   /* symbols */
        {0x3040, 0x30FF},   /* kana */
        {0x3400, 0x9FFF},   /* ideographs */
        {0xF900, 0xFAFF},   /* their compatibility forms */
        {0x1F000, 0x3FFFF}, /* emoji, more ideographs */
    };
    return IS_IN_ANY(c, ranges);
}

enum unicode_kind unicode_kind_of(uint32_t c)
{
    if (c < 0x80) {
        if (in(c, 'a', 'z') || in(c, 'A', 'Z') || in(c, '0', '9')) return UNICODE_LETTER;
        return c == '\'' ? UNICODE_APOSTROPHE : UNICODE_SEPARATOR;
    }
    if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA ? UNICODE_LETTER : UNICODE_SEPARATOR;
    if (c < 0x100) return c == 0xD7 || c == 0xF7 ? UNICODE_SEPARATOR : UNICODE_LETTER;
    if (c == 0x2019 || c == 0x2BC) return UNICODE_APOSTROPHE;
    if (is_separator(c)) return UNICODE_SEPARATOR;
    return is_alone(c) ? UNICODE_ALONE : UNICODE_LETTER;
}

static int is_unspaced(uint32_t c)
{
    static const struct range ranges[] = {
        {0x0E00, 0x0EFF}, {0x1000, 0x109F}, /* Thai, Lao; Myanmar */
        {0x1780, 0x17FF}, {0x1950, 0x19DF}, /* Khmer; Tai Le, New Tai Lue */
        {0x1A20, 0x1AAF}, {0x1B00, 0x1B7F}, /* Tai Tham; Balinese */
        {0xA980, 0xA9FF}, {0xAA60, 0xAADF}, /* Javanese, Myanmar; Tai Viet */
    };
    return IS_IN_ANY(c, ranges);
}

enum unicode_kind unicode_word_kind_of(uint32_t c)
{
    if (c < 0x80 || c == 0x2019 || c == 0x2BC) return unicode_kind_of(c);
    unsigned properties = ucd_properties(c);
    if (properties & UCD_PUNCTUATION) return UNICODE_SEPARATOR;
    if (is_alone(c) || in(c, 0x3005, 0x3007) || in(c, 0xA000, 0xA4CF)) return UNICODE_ALONE;
    if (!(properties & UCD_WORD)) return UNICODE_SEPARATOR;
    return is_unspaced(c) ? UNICODE_UNSPACED : UNICODE_LETTER;
}

int unicode_joins_cluster(uint32_t before, uint32_t c)
{
    static const uint32_t stackers[] = {0x1039, 0x17D2, 0x1A60, 0x1B44, 0xA9C0};
    static const uint32_t followers[] = {0xE30, 0xE32, 0xE33, 0xE45, 0xEB0, 0xEB2, 0xEB3};
    return ucd_properties(c) & UCD_MARK || in(before, 0xE40, 0xE44) || in(before, 0xEC0, 0xEC4) ||
           IS_ONE_OF(before, stackers) || IS_ONE_OF(c, followers);
}

int unicode_is_hidden(uint32_t c)
{
    static const struct range ranges[] = {
        {0xAD, 0xAD},       {0x34F, 0x34F},   {0x591, 0x5BD},   {0x5BF, 0x5BF},   {0x5C1, 0x5C2},
        {0x5C4, 0x5C5},     {0x5C7, 0x5C7},   {0x610, 0x61A},   {0x61C, 0x61C},   {0x640, 0x640},
        {0x64B, 0x65F},     {0x670, 0x670},   {0x6D6, 0x6DC},   {0x6DF, 0x6E4},   {0x6E7, 0x6E8},
        {0x6EA, 0x6ED},     {0x711, 0x711},   {0x730, 0x74A},   {0x8D3, 0x8FF},   {0x180B, 0x180E},
        {0x200C, 0x200F},   {0x202A, 0x202E}, {0x2060, 0x206F}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
        {0xE0000, 0xE0FFF},
    };
    return IS_IN_ANY(c, ranges);
}

int unicode_is_jamo(uint32_t c)
{
    return in(c, 0x1100, 0x11FF) || in(c, 0xA960, 0xA97F) || in(c, 0xD7B0, 0xD7FF);
}

int unicode_is_syllable(uint32_t c)
{
    return in(c, 0xAC00, 0xD7A3);
}

int unicode_is_arabic(uint32_t c)
{
    return in(c, 0x620, 0x6D5) || in(c, 0x6EE, 0x6FF) || in(c, 0x750, 0x77F);
}

static uint32_t plain_arabic(uint32_t c)
{
    static const struct {
        uint16_t from, to;
    } letters[] = {{0x622, 0x627}, {0x623, 0x627}, {0x624, 0x648}, {0x625, 0x627},
                   {0x626, 0x64A}, {0x629, 0x647}, {0x649, 0x64A}, {0x671, 0x627},
                   {0x6A9, 0x643}, {0x6C0, 0x647}, {0x6C1, 0x647}, {0x6C2, 0x647},
                   {0x6CC, 0x64A}, {0x6D2, 0x64A}, {0x6D3, 0x64A}, {0x6D5, 0x647}};
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].from == c) return letters[i].to;
    return c;
}

/* Where the ten digits of scripts begin. */
static const uint32_t zeros[] = {0x660,  0x6F0,  0x7C0,  0x966,  0x9E6,  0xA66,  0xAE6,
                                 0xB66,  0xBE6,  0xC66,  0xCE6,  0xD66,  0xE50,  0xED0,
                                 0xF20,  0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0,
                                 0x1A80, 0x1A90, 0x1B50, 0xA9D0, 0xA9F0, 0xABF0};

uint32_t unicode_plain_letter(uint32_t c)
{
    uint32_t lower[2];
    if (c < 0x530) return c;
    if (c == 0x2010 || c == 0x2011) return '-';
    if (in(c, 0x622, 0x6D5) && plain_arabic(c) != c) return plain_arabic(c);
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros && zeros[i] <= c; i++)
        if (c - zeros[i] < 10) return '0' + (c - zeros[i]);
    return ucd_lower_of(c, lower) == 1 ? lower[0] : c;
}

int unicode_is_wide_stop(uint32_t c)
{
    return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61;
}

int unicode_is_wide_comma(uint32_t c)
{
    return c == 0x3001 || c == 0xFF0C || c == 0xFF1A || c == 0xFF1B || c == 0xFF64;
}

int unicode_is_stop(uint32_t c)
{
    static const uint32_t stops[] = {'!',    '?',    0x589,  0x61F,  0x6D4,  0x964,  0x965, 0x1362,
                                     0x1367, 0x2026, 0x203C, 0x203D, 0x2047, 0x2048, 0x2049};
    return IS_ONE_OF(c, stops) || unicode_is_wide_stop(c);
}

int unicode_is_closing(uint32_t c)
{
    static const uint32_t closing[] = {'"',    '\'',   ')',    ']',    '}',    0xAB,   0xBB,
                                       0x2019, 0x201C, 0x201D, 0x203A, 0x3009, 0x300B, 0x300D,
                                       0x300F, 0x3011, 0x3015, 0xFF09, 0xFF63};
    return IS_ONE_OF(c, closing);
}

int unicode_is_opening(uint32_t c)
{
    static const uint32_t opening[] = {'"',    '\'',   '(',    '[',    '{',    0xA1,
                                       0xAB,   0xBB,   0xBF,   0x2018, 0x201A, 0x201C,
                                       0x201E, 0x2039, 0x300C, 0x300E};
    return IS_ONE_OF(c, opening);
}

int unicode_is_small_letter(uint32_t c)
{
    return in(c, 'a', 'z') || (in(c, 0xDF, 0xFF) && c != 0xF7) || in(c, 0x3AC, 0x3CE) ||
           in(c, 0x430, 0x45F);
}

int unicode_is_dense(uint32_t c)
{
    static const struct range ranges[] = {
        {0x0E00, 0x0EFF},   /* Thai, Lao */
        {0x0F00, 0x109F},   /* Tibetan, Myanmar */
        {0x1100, 0x11FF},   /* Hangul jamo */
        {0x1780, 0x17FF},   /* Khmer */
        {0x2E80, 0xA4CF},   /* CJK, kana, Yi */
        {0xAC00, 0xD7FF},   /* Hangul */
        {0xF900, 0xFAFF},   /* CJK compatibility */
        {0xFF00, 0xFFEF},   /* full and half width forms */
        {0x1F000, 0x3FFFF}, /* pictographs, CJK extensions */
    };
    return IS_IN_ANY(c, ranges);
}

int unicode_is_blank(uint32_t c)
{
    return c <= 0x20 || in(c, 0x7F, 0xA0) || in(c, 0x200B, 0x200F) || in(c, 0x2028, 0x202E) ||
           in(c, 0x2060, 0x206F) || c == 0xFEFF;
}
