#include "text/utf8.h"

#include <string.h>

#define REPLACEMENT 0xFFFDu

/* Decodes one character; its length, or 0 if the bytes are not valid. */
static size_t decode(const unsigned char *p, size_t left, uint32_t *character)
{
    unsigned char lead = p[0];
    if (lead < 0x80) {
        *character = lead;
        return 1;
    }
    if (lead >= 0xC2 && lead < 0xE0 && left >= 2 &&
        utf8_is_inside((char)p[1])) { /* the next most */
        *character = (lead & 0x1Fu) << 6 | (p[1] & 0x3Fu);
        return 2;
    }
    size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || length > left) return 0;
    uint32_t value = lead & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (!utf8_is_inside((char)p[i])) return 0;
        value = (value << 6) | (p[i] & 0x3Fu);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return 0;
    *character = value;
    return length;
}

static int is_ascii(const unsigned char *eight)
{
    uint64_t bytes;
    memcpy(&bytes, eight, sizeof bytes);
    return (bytes & 0x8080808080808080u) == 0;
}

int utf8_check(struct span text, size_t *offset)
{
    const unsigned char *data = (const unsigned char *)text.data;
    for (size_t i = 0; i < text.size;) {
        while (text.size - i >= 8 && is_ascii(data + i)) i += 8; /* most are */
        if (i == text.size) break;
        uint32_t character;
        size_t length = data[i] < 0x80 ? 1 : decode(data + i, text.size - i, &character);
        if (length == 0) {
            if (offset != NULL) *offset = i;
            return 0;
        }
        i += length;
    }
    return 1;
}

void utf8_repair(struct span text, char *out)
{
    for (size_t i = 0; i < text.size;) {
        uint32_t character = 0;
        size_t length = decode((const unsigned char *)text.data + i, text.size - i, &character);
        if (length == 0 || character == 0) out[i] = ' ';
        else memcpy(out + i, text.data + i, length);
        i += length == 0 ? 1 : length;
    }
}

const char *utf8_before(const char *start, const char *at)
{
    do at--;
    while (at > start && utf8_is_inside(*at));
    return at;
}

/* Most characters have one byte or two, and are read here. */
uint32_t utf8_next(const char **at, const char *end)
{
    unsigned char lead = (unsigned char)**at;
    if (lead < 0x80) {
        ++*at;
        return lead;
    }
    if (lead >= 0xC2 && lead < 0xE0 && end - *at >= 2 && utf8_is_inside((*at)[1])) {
        *at += 2;
        return (lead & 0x1Fu) << 6 | ((unsigned char)(*at)[-1] & 0x3Fu);
    }
    uint32_t character = REPLACEMENT;
    size_t length = decode((const unsigned char *)*at, (size_t)(end - *at), &character);
    *at += length == 0 ? 1 : length;
    return character;
}

size_t utf8_put(uint32_t character, char *out)
{
    unsigned char *p = (unsigned char *)out;
    if (character < 0x80) {
        p[0] = (unsigned char)character;
        return 1;
    }
    size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, character >>= 6)
        p[i] = (unsigned char)(0x80 | (character & 0x3F));
    p[0] = (unsigned char)((0xF00u >> length) | character);
    return length;
}
