#include "api/base64.h"

#include <stdint.h>
#include <string.h>

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

/* One float from four bytes that came one after the other. */
static void take_byte(unsigned char byte, size_t at, uint32_t *word, float *floats)
{
    *word = (*word >> 8) | ((uint32_t)byte << 24);
    if (floats != NULL && at % 4 == 3) memcpy(&floats[at / 4], word, sizeof *word);
}

int api_base64_floats(struct span text, float *floats, size_t *n, struct error *err)
{
    size_t padding = 0, n_bytes = 0;
    uint32_t word = 0;
    while (padding < 2 && padding < text.size && text.data[text.size - 1 - padding] == '=')
        padding++;
    if (text.size % 4 != 0)
        return error_set(err, ERROR_INVALID, "base64 of %zu characters, not a multiple of 4",
                         text.size);
    size_t wanted = text.size / 4 * 3 - padding;
    if (wanted == 0 || wanted % 4 != 0)
        return error_set(err, ERROR_INVALID, "base64 of %zu bytes, not a multiple of 4", wanted);
    for (size_t i = 0; i < text.size; i += 4) {
        uint32_t group = 0;
        size_t left = i + 4 == text.size ? padding : 0;
        for (size_t j = 0; j < 4; j++) {
            uint32_t bits = j >= 4 - left ? 0 : bits_of(text.data[i + j]);
            if (bits == 64) return refuse(i + j, err);
            group = group << 6 | bits;
        }
        if ((group & ((1u << (8 * left)) - 1)) != 0) return refuse(i + 3 - left, err);
        for (size_t j = 0; j < 3 - left; j++, n_bytes++)
            take_byte((unsigned char)(group >> (16 - 8 * j) & 0xFF), n_bytes, &word, floats);
    }
    *n = n_bytes / 4;
    return 0;
}
