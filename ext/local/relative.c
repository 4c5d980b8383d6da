#include "local/relative.h"

enum { SIDE = RELATIVE_BUCKETS / 2, SINGLE = SIDE / 2, FURTHEST = 128 };

/* 2 log2(n/8) is k or more where n^2 is 8^2 * 2^k or more: whole numbers, which nothing rounds. */
size_t relative_bucket(ptrdiff_t distance)
{
    size_t side = distance > 0 ? SIDE : 0;
    size_t n = distance > 0 ? (size_t)distance : (size_t)-distance, bucket = SINGLE;
    if (n < SINGLE) return side + n;
    if (n >= FURTHEST) return side + SIDE - 1;
    for (size_t square = 2 * SINGLE * SINGLE; n * n >= square && bucket + 1 < SIDE; square *= 2)
        bucket++;
    return side + bucket;
}

void relative_spread(const float *buckets, size_t n_heads, size_t reach, float *biases)
{
    for (size_t head = 0; head < n_heads; head++)
        for (size_t i = 0; i < 2 * reach - 1; i++) {
            ptrdiff_t distance = (ptrdiff_t)i - (ptrdiff_t)(reach - 1);
            *biases++ = buckets[relative_bucket(distance) * n_heads + head];
        }
}
