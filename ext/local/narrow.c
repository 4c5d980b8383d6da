#include "local/narrow.h"

#include <stdint.h>
#include <string.h>

/* Elements that lie between narrow numbers and where they go. What is written never reaches what is
 * still to be read, as narrow numbers lie in the upper part of where the wide ones go. */
enum { BLOCK = 512 };

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction. The fraction of a subnormal
 * one is written behind 2^-14, which is then taken off: no float32 is subnormal on the way, as
 * they may count as zero in a process that has asked for that. Masks instead of branches: a loop
 * of it is vectorised. */
static float from_half(uint16_t half)
{
    uint32_t sign = (half & 0x8000u) << 16, rest = (half & 0x7FFFu) << 13;
    uint32_t is_small = 0u - (rest < 1u << 23), is_endless = 0u - (rest >= 31u << 23);
    uint32_t normal = rest + (112u << 23) + (is_endless & 112u << 23);
    float small = from_bits((rest & 0x7FFFFF) + (113u << 23)) - from_bits(113u << 23);
    uint32_t small_bits;
    memcpy(&small_bits, &small, sizeof small_bits);
    return from_bits(sign | (small_bits & is_small) | (normal & ~is_small));
}

static size_t at_most_block(size_t n)
{
    return n < BLOCK ? n : BLOCK;
}

void narrow_float16(float *values, size_t n)
{
    const unsigned char *narrow = (const unsigned char *)(values + n) - n * sizeof(uint16_t);
    uint16_t block[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t count = at_most_block(n - i);
        memcpy(block, narrow + i * sizeof *block, count * sizeof *block);
        for (size_t j = 0; j < count; j++) values[i + j] = from_half(block[j]);
    }
}

void narrow_bfloat16(float *values, size_t n)
{
    const unsigned char *narrow = (const unsigned char *)(values + n) - n * sizeof(uint16_t);
    uint16_t block[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t count = at_most_block(n - i);
        memcpy(block, narrow + i * sizeof *block, count * sizeof *block);
        for (size_t j = 0; j < count; j++) values[i + j] = from_bits((uint32_t)block[j] << 16);
    }
}

void narrow_int8(float *values, size_t n)
{
    const unsigned char *narrow = (const unsigned char *)(values + n) - n;
    int8_t block[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t count = at_most_block(n - i);
        memcpy(block, narrow + i, count);
        for (size_t j = 0; j < count; j++) values[i + j] = block[j];
    }
}
