#include "text/unicode/fold.h"

#include <stdlib.h>
#include <string.h>

/* U+00C0 to U+0233, two bytes a character: its ASCII letters, '.' for none. "  " keeps the
 * character. */
static const char latin[] = "a.a.a.a.a.a.aec.e.e.e.e.i.i.i.i.d.n.o.o.o.o.o.  o.u.u.u.u.y.thss"
                            "a.a.a.a.a.a.aec.e.e.e.e.i.i.i.i.d.n.o.o.o.o.o.  o.u.u.u.u.y.thy."
                            "a.a.a.a.a.a.c.c.c.c.c.c.c.c.d.d.d.d.e.e.e.e.e.e.e.e.e.e.g.g.g.g."
                            "g.g.g.g.h.h.h.h.i.i.i.i.i.i.i.i.i.i.ijijj.j.k.k.k.l.l.l.l.l.l.l."
                            "l.l.l.n.n.n.n.n.n.n.n.n.o.o.o.o.o.o.oeoer.r.r.r.r.r.s.s.s.s.s.s."
                            "s.s.t.t.t.t.t.t.u.u.u.u.u.u.u.u.u.u.u.u.w.w.y.y.y.z.z.z.z.z.z.s."
                            "                                                                "
                            "o.o.                          u.u.                              "
                            "        dzdzdzljljljnjnjnja.a.i.i.o.o.u.u.u.u.u.u.u.u.u.u.  a.a."
                            "a.a.aeae    g.g.k.k.o.o.o.o.    j.dzdzdzg.g.    n.n.a.a.aeaeo.o."
                            "a.a.a.a.e.e.e.e.i.i.i.i.o.o.o.o.r.r.r.r.u.u.u.u.s.s.t.t.    h.h."
                            "            a.a.e.e.o.o.o.o.o.o.o.o.y.y.";

/* Latin Extended Additional (U+1E00 to U+1EFF): the base letter, ' ' for none. */
static const char additional[] =
    "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopp"
    "pprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwyas    aaaaaaaaaaaa"
    "aaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy      ";

/* Greek Extended (U+1F00 to U+1FFF): the base letter as it stands in greek_keys, ' ' for none. */
static const char greek_extended[] =
    "aaaaaaaaaaaaaaaaeeeeee  eeeeee  hhhhhhhhhhhhhhhhiiiiiiiiiiiiiiii"
    "oooooo  oooooo  yyyyyyyy y y y ywwwwwwwwwwwwwwwwaaeehhiiooyyww  "
    "aaaaaaaaaaaaaaaahhhhhhhhhhhhhhhhwwwwwwwwwwwwwwwwaaaaa aaaaaaa i "
    "  hhh hheehhh   iiii  iiiiii    yyyyrryyyyyyr     www wwoowww   ";
static const char greek_keys[] = "aehioywr";
static const uint16_t greek_bases[] = {0x3B1, 0x3B5, 0x3B7, 0x3B9, 0x3BF, 0x3C5, 0x3C9, 0x3C1};

/* Letters that follow no rule of fold_case, ascending by the first: lower case, or the base of a
 * lower case letter, or the letter that a symbol is. */
struct pair {
    uint16_t from, to;
};

static const struct pair pairs[] = {
    {0x181, 0x253}, {0x182, 0x183},  {0x184, 0x185},   {0x186, 0x254},   {0x187, 0x188},
    {0x189, 0x256}, {0x18A, 0x257},  {0x18B, 0x18C},   {0x18E, 0x1DD},   {0x18F, 0x259},
    {0x190, 0x25B}, {0x191, 0x192},  {0x193, 0x260},   {0x194, 0x263},   {0x196, 0x269},
    {0x197, 0x268}, {0x198, 0x199},  {0x19C, 0x26F},   {0x19D, 0x272},   {0x19F, 0x275},
    {0x1A2, 0x1A3}, {0x1A4, 0x1A5},  {0x1A6, 0x280},   {0x1A7, 0x1A8},   {0x1A9, 0x283},
    {0x1AC, 0x1AD}, {0x1AE, 0x288},  {0x1B1, 0x28A},   {0x1B2, 0x28B},   {0x1B3, 0x1B4},
    {0x1B5, 0x1B6}, {0x1B7, 0x292},  {0x1B8, 0x1B9},   {0x1BC, 0x1BD},   {0x1E4, 0x1E5},
    {0x1EE, 0x292}, {0x1EF, 0x292},  {0x1F6, 0x195},   {0x1F7, 0x1BF},   {0x21C, 0x21D},
    {0x220, 0x19E}, {0x222, 0x223},  {0x224, 0x225},   {0x23A, 0x2C65},  {0x23B, 0x23C},
    {0x23D, 0x19A}, {0x23E, 0x2C66}, {0x241, 0x242},   {0x243, 0x180},   {0x244, 0x289},
    {0x245, 0x28C}, {0x246, 0x247},  {0x248, 0x249},   {0x24A, 0x24B},   {0x24C, 0x24D},
    {0x24E, 0x24F}, {0x370, 0x371},  {0x372, 0x373},   {0x376, 0x377},   {0x37F, 0x3F3},
    {0x386, 0x3B1}, {0x388, 0x3B5},  {0x389, 0x3B7},   {0x38A, 0x3B9},   {0x38C, 0x3BF},
    {0x38E, 0x3C5}, {0x38F, 0x3C9},  {0x390, 0x3B9},   {0x3AA, 0x3B9},   {0x3AB, 0x3C5},
    {0x3AC, 0x3B1}, {0x3AD, 0x3B5},  {0x3AE, 0x3B7},   {0x3AF, 0x3B9},   {0x3B0, 0x3C5},
    {0x3C2, 0x3C3}, {0x3CA, 0x3B9},  {0x3CB, 0x3C5},   {0x3CC, 0x3BF},   {0x3CD, 0x3C5},
    {0x3CE, 0x3C9}, {0x3CF, 0x3D7},  {0x3D0, 0x3B2},   {0x3D1, 0x3B8},   {0x3D2, 0x3C5},
    {0x3D3, 0x3C5}, {0x3D4, 0x3C5},  {0x3D5, 0x3C6},   {0x3D6, 0x3C0},   {0x3F0, 0x3BA},
    {0x3F1, 0x3C1}, {0x3F2, 0x3C3},  {0x3F4, 0x3B8},   {0x3F5, 0x3B5},   {0x3F7, 0x3F8},
    {0x3F9, 0x3C3}, {0x3FA, 0x3FB},  {0x3FD, 0x37B},   {0x3FE, 0x37C},   {0x3FF, 0x37D},
    {0x439, 0x438}, {0x450, 0x435},  {0x451, 0x435},   {0x453, 0x433},   {0x457, 0x456},
    {0x45C, 0x43A}, {0x45D, 0x438},  {0x45E, 0x443},   {0x477, 0x475},   {0x4C0, 0x4CF},
    {0x4C2, 0x436}, {0x4D1, 0x430},  {0x4D3, 0x430},   {0x4D7, 0x435},   {0x4DB, 0x4D9},
    {0x4DD, 0x436}, {0x4DF, 0x437},  {0x4E3, 0x438},   {0x4E5, 0x438},   {0x4E7, 0x43E},
    {0x4EB, 0x4E9}, {0x4ED, 0x44D},  {0x4EF, 0x443},   {0x4F1, 0x443},   {0x4F3, 0x443},
    {0x4F5, 0x447}, {0x4F9, 0x44B},  {0x1EFA, 0x1EFB}, {0x1EFC, 0x1EFD}, {0x1EFE, 0x1EFF},
};

static int compare_pairs(const void *key, const void *item)
{
    uint32_t from = *(const uint32_t *)key;
    const struct pair *pair = item;
    return from < pair->from ? -1 : from > pair->from;
}

/* Small letters of Cyrillic and Greek that stay what they are. */
static int is_plain_small(uint32_t c)
{
    return (c >= 0x430 && c <= 0x44F && c != 0x439) || (c >= 0x3B1 && c <= 0x3C9 && c != 0x3C2);
}

static uint32_t fold_pair(uint32_t c)
{
    if (is_plain_small(c) || (c >= 0x4FA && c < 0x1EFA)) return c; /* most, of which is no pair */
    const struct pair *pair =
        bsearch(&c, pairs, sizeof pairs / sizeof *pairs, sizeof *pairs, compare_pairs);
    return pair == NULL ? c : pair->to;
}

/* Greek and Cyrillic capitals that are followed, at a distance, by their small letters. */
static uint32_t fold_case(uint32_t c)
{
    if (c >= 0x391 && c <= 0x3A9) return c + 0x20;
    if (c >= 0x3D8 && c <= 0x3EF) return c | 1;
    if (c >= 0x400 && c <= 0x40F) return c + 0x50;
    if (c >= 0x410 && c <= 0x42F) return c + 0x20;
    if (c >= 0x4C1 && c <= 0x4CE) return c + c % 2;
    if ((c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F))
        return c | 1;
    return c;
}

static uint32_t fold_greek_extended(uint32_t c)
{
    char key = greek_extended[c - 0x1F00];
    return key == ' ' ? c : greek_bases[strchr(greek_keys, key) - greek_keys];
}

static size_t put_ascii(const char *letters, size_t n, uint32_t *out)
{
    for (size_t i = 0; i < n; i++) out[i] = (unsigned char)letters[i];
    return n;
}

static int is_combining(uint32_t c)
{
    return (c >= 0x300 && c <= 0x36F) || (c >= 0x483 && c <= 0x489) ||
           (c >= 0x1AB0 && c <= 0x1AFF) || (c >= 0x1DC0 && c <= 0x1DFF) ||
           (c >= 0x20D0 && c <= 0x20FF) || (c >= 0xFE00 && c <= 0xFE0F) ||
           (c >= 0xFE20 && c <= 0xFE2F);
}

size_t unicode_fold(uint32_t c, uint32_t out[UNICODE_MAX_FOLDED])
{
    out[0] = c;
    if (is_plain_small(c)) return 1;
    if (c >= 0xFF01 && c <= 0xFF5E) c -= 0xFEE0;
    if (c < 0x80) {
        out[0] = c >= 'A' && c <= 'Z' ? c + 0x20 : c;
        return 1;
    }
    if (c >= 0xC0 && c <= 0x233 && latin[(c - 0xC0) * 2] != ' ') {
        const char *letters = latin + (c - 0xC0) * 2;
        return put_ascii(letters, letters[1] == '.' ? 1 : 2, out);
    }
    if (c == 0x1E9E) return put_ascii("ss", 2, out);
    if (c >= 0x1E00 && c <= 0x1EFF && additional[c - 0x1E00] != ' ')
        return put_ascii(&additional[c - 0x1E00], 1, out);
    if (is_combining(c)) return 0;
    if (c >= 0x1F00 && c <= 0x1FFF) c = fold_greek_extended(c);
    else if (c < 0x2000) c = fold_pair(fold_case(c));
    out[0] = c;
    return 1;
}
