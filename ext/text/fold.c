#include "text/fold.h"

#include <string.h>

#include "text/utf8.h"

/* U+00C0 to U+017F, two bytes a character: its ASCII letters, '.' for none. "  " keeps the
 * character. */
static const char latin[] = "a.a.a.a.a.a.aec.e.e.e.e.i.i.i.i.d.n.o.o.o.o.o.  o.u.u.u.u.y.thss"
                            "a.a.a.a.a.a.aec.e.e.e.e.i.i.i.i.d.n.o.o.o.o.o.  o.u.u.u.u.y.thy."
                            "a.a.a.a.a.a.c.c.c.c.c.c.c.c.d.d.d.d.e.e.e.e.e.e.e.e.e.e.g.g.g.g."
                            "g.g.g.g.h.h.h.h.i.i.i.i.i.i.i.i.i.i.ijijj.j.k.k.k.l.l.l.l.l.l.l."
                            "l.l.l.n.n.n.n.n.n.n.n.n.o.o.o.o.o.o.oeoer.r.r.r.r.r.s.s.s.s.s.s."
                            "s.s.t.t.t.t.t.t.u.u.u.u.u.u.u.u.u.u.u.u.w.w.y.y.y.z.z.z.z.z.z.s.";

/* U+01CD to U+01DC, and Latin Extended Additional (U+1E00 to U+1EFF): the base letter, ' ' for
 * none. */
static const char extended_b[] = "aaiioouuuuuuuuuu";
static const char additional[] =
    "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopp"
    "pprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwyas    aaaaaaaaaaaa"
    "aaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy      ";

static size_t put_ascii(const char *letters, size_t n, char *out)
{
    memcpy(out, letters, n);
    return n;
}

static size_t fold_latin(uint32_t c, char *out)
{
    const char *letters = latin + (c - 0xC0) * 2;
    if (letters[0] == ' ') return utf8_put(c, out);
    return put_ascii(letters, letters[1] == '.' ? 1 : 2, out);
}

static uint32_t fold_greek(uint32_t c)
{
    switch (c) {
    case 0x386:
    case 0x3AC:
        return 0x3B1;
    case 0x388:
    case 0x3AD:
        return 0x3B5;
    case 0x389:
    case 0x3AE:
        return 0x3B7;
    case 0x38A:
    case 0x3AF:
    case 0x390:
    case 0x3AA:
    case 0x3CA:
        return 0x3B9;
    case 0x38C:
    case 0x3CC:
        return 0x3BF;
    case 0x38E:
    case 0x3CD:
    case 0x3AB:
    case 0x3CB:
    case 0x3B0:
        return 0x3C5;
    case 0x38F:
    case 0x3CE:
        return 0x3C9;
    case 0x3C2:
        return 0x3C3; /* final sigma */
    default:
        return c >= 0x391 && c <= 0x3A9 ? c + 0x20 : c;
    }
}

static uint32_t fold_cyrillic(uint32_t c)
{
    if (c >= 0x400 && c <= 0x40F) c += 0x50;
    else if (c >= 0x410 && c <= 0x42F) c += 0x20;
    else if (c >= 0x460 && c <= 0x4FF && c % 2 == 0 && c != 0x482 && (c < 0x4C0 || c > 0x4CE))
        c += 1;
    switch (c) {
    case 0x450:
    case 0x451:
        return 0x435;
    case 0x453:
        return 0x433;
    case 0x457:
        return 0x456;
    case 0x45C:
        return 0x43A;
    case 0x45D:
    case 0x439:
        return 0x438;
    case 0x45E:
        return 0x443;
    default:
        return c;
    }
}

static int is_combining(uint32_t c)
{
    return (c >= 0x300 && c <= 0x36F) || (c >= 0x483 && c <= 0x489) ||
           (c >= 0x1AB0 && c <= 0x1AFF) || (c >= 0x1DC0 && c <= 0x1DFF) ||
           (c >= 0x20D0 && c <= 0x20FF) || (c >= 0xFE00 && c <= 0xFE0F) ||
           (c >= 0xFE20 && c <= 0xFE2F);
}

size_t fold_character(uint32_t c, char out[FOLD_MAX_BYTES])
{
    if (c >= 0xFF01 && c <= 0xFF5E) c -= 0xFEE0;
    if (c < 0x80) {
        out[0] = (char)(c >= 'A' && c <= 'Z' ? c + 0x20 : c);
        return 1;
    }
    if (c >= 0xC0 && c <= 0x17F) return fold_latin(c, out);
    if (c >= 0x1CD && c <= 0x1DC) return put_ascii(&extended_b[c - 0x1CD], 1, out);
    if (c >= 0x218 && c <= 0x21B) return put_ascii(c < 0x21A ? "s" : "t", 1, out);
    if (c >= 0x1E00 && c <= 0x1EFF && additional[c - 0x1E00] != ' ')
        return put_ascii(&additional[c - 0x1E00], 1, out);
    if (is_combining(c)) return 0;
    if (c >= 0x370 && c <= 0x3FF) c = fold_greek(c);
    if (c >= 0x400 && c <= 0x52F) c = fold_cyrillic(c);
    return utf8_put(c, out);
}
