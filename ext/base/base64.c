#include "base/base64.h"

#include <stdint.h>

/* The six bits of a character; 64: not of the alphabet. */
static uint32_t bits_of(char c)
{
    if (c >= 'A' && c <= 'Z') return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z') return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9') return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

static int refuse(size_t at, struct error *err)
{
    return error_set(err, ERROR_INVALID, "not base64 at character %zu", at);
}

static size_t count_padding(struct span text)
{
    size_t n = 0;
    while (n < 2 && n < text.size && text.data[text.size - 1 - n] == '=') n++;
    return n;
}

size_t base64_size(struct span text)
{
    return text.size < 4 ? 0 : text.size / 4 * 3 - count_padding(text);
}

int base64_decode(struct span text, void *bytes, struct error *err)
{
    size_t padding = count_padding(text);
    unsigned char *out = bytes;
    if (text.size % 4 != 0)
        return error_set(err, ERROR_INVALID, "base64 of %zu characters, not a multiple of 4",
                         text.size);
    for (size_t i = 0; i < text.size; i += 4) {
        uint32_t group = 0;
        size_t left = i + 4 == text.size ? padding : 0;
        for (size_t j = 0; j < 4; j++) {
            uint32_t bits = j >= 4 - left ? 0 : bits_of(text.data[i + j]);
            if (bits == 64) return refuse(i + j, err);
            group = group << 6 | bits;
        }
        if ((group & ((1u << (8 * left)) - 1)) != 0) return refuse(i + 3 - left, err);
        for (size_t j = 0; out != NULL && j < 3 - left; j++)
            *out++ = (unsigned char)(group >> (16 - 8 * j));
    }
    return 0;
}
