#include "base/hash.h"

#include <string.h>

#define PRIME_1 0x9E3779B185EBCA87u
#define PRIME_2 0xC2B2AE3D27D4EB4Fu
#define PRIME_3 0x165667B19E3779F9u
#define PRIME_4 0x85EBCA77C2B2AE63u
#define PRIME_5 0x27D4EB2F165667C5u

static uint64_t rotate_left(uint64_t value, int bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static uint64_t read_little_endian(const unsigned char *p, size_t bytes)
{
    uint64_t value = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&value, p, bytes);
#else
    for (size_t i = bytes; i > 0; i--) value = (value << 8) | p[i - 1];
#endif
    return value;
}

static uint64_t mix_lane(uint64_t lane, uint64_t input)
{
    return rotate_left(lane + input * PRIME_2, 31) * PRIME_1;
}

static uint64_t merge_lane(uint64_t hash, uint64_t lane)
{
    return (hash ^ mix_lane(0, lane)) * PRIME_1 + PRIME_4;
}

void hash_begin(struct hash *hash, uint64_t seed)
{
    *hash = (struct hash){.lanes = {seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1},
                          .seed = seed};
}

/* Whole stripes of 32 bytes; how many bytes are left behind them. */
static size_t mix_stripes(uint64_t lanes[4], const unsigned char *p, size_t size)
{
    uint64_t lane[4] = {lanes[0], lanes[1], lanes[2], lanes[3]};
    for (; size >= 32; size -= 32, p += 32) {
#pragma GCC unroll 4 /* so that the lanes stay in registers */
        for (int i = 0; i < 4; i++) lane[i] = mix_lane(lane[i], read_little_endian(p + 8 * i, 8));
    }
    memcpy(lanes, lane, sizeof lane);
    return size;
}

void hash_add(struct hash *hash, const void *data, size_t size)
{
    const unsigned char *p = data;
    size_t kept = hash->size % 32, taken = 0;
    hash->size += size;
    if (kept > 0) {
        taken = size < 32 - kept ? size : 32 - kept;
        memcpy(hash->rest + kept, p, taken);
        if (kept + taken < 32) return;
        mix_stripes(hash->lanes, hash->rest, 32);
    }
    size_t left = mix_stripes(hash->lanes, p + taken, size - taken);
    if (left > 0) memcpy(hash->rest, p + (size - left), left);
}

/* What is less than a stripe, then all bits into each other. */
static uint64_t finish(uint64_t hash, const unsigned char *p, size_t left)
{
    for (; left >= 8; left -= 8, p += 8)
        hash = rotate_left(hash ^ mix_lane(0, read_little_endian(p, 8)), 27) * PRIME_1 + PRIME_4;
    if (left >= 4) {
        hash = rotate_left(hash ^ (read_little_endian(p, 4) * PRIME_1), 23) * PRIME_2 + PRIME_3;
        left -= 4;
        p += 4;
    }
    for (; left > 0; left--, p++) hash = rotate_left(hash ^ (*p * PRIME_5), 11) * PRIME_1;
    hash = (hash ^ (hash >> 33)) * PRIME_2;
    hash = (hash ^ (hash >> 29)) * PRIME_3;
    return hash ^ (hash >> 32);
}

static uint64_t merge_lanes(const uint64_t lanes[4])
{
    uint64_t hash = rotate_left(lanes[0], 1) + rotate_left(lanes[1], 7) +
                    rotate_left(lanes[2], 12) + rotate_left(lanes[3], 18);
    for (int i = 0; i < 4; i++) hash = merge_lane(hash, lanes[i]);
    return hash;
}

uint64_t hash_end(const struct hash *hash)
{
    uint64_t start = hash->size >= 32 ? merge_lanes(hash->lanes) : hash->seed + PRIME_5;
    return finish(start + hash->size, hash->rest, hash->size % 32);
}

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed)
{
    struct hash hash;
    if (size < 32) return finish(seed + PRIME_5 + size, data, size);
    hash_begin(&hash, seed);
    size_t left = mix_stripes(hash.lanes, data, size);
    return finish(merge_lanes(hash.lanes) + size, (const unsigned char *)data + (size - left),
                  left);
}
