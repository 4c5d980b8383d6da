#include "embedded/tally.h"

#include <string.h>

#include "vector/distance.h"

void tally_add(struct tally *tally, const uint64_t row[TALLY_WORDS])
{
    uint64_t carry[TALLY_WORDS];
    size_t i = 0;
    memcpy(carry, row, sizeof carry);
    for (; tally->n >> i & 1; i++)
        for (size_t word = 0; word < TALLY_WORDS; word++) {
            uint64_t a = tally->digits[i][word], b = tally->waiting[i][word], c = carry[word];
            uint64_t one = a ^ b;
            tally->digits[i][word] = one ^ c;
            carry[word] = (a & b) | (one & c);
        }
    memcpy(tally->waiting[i], carry, sizeof carry);
    tally->n++;
}

static void add(const uint64_t *bits, int32_t value, int32_t *sums)
{
    vector_add_where(sums, (const uint8_t *)bits, value, TABLE_DIMENSIONS);
}

void tally_take(struct tally *tally, int32_t value, int32_t *sums)
{
    for (int i = 0; i < TALLY_DIGITS && tally->n >> i != 0; i++, value *= 2) {
        add(tally->digits[i], value, sums);
        if (tally->n >> i & 1) add(tally->waiting[i], value, sums);
    }
    memset(tally->digits, 0, sizeof tally->digits);
    tally->n = 0;
}
