/*
 * hash.h: XXH64, the 64-bit hash of the xxHash specification (Yann Collet, "xxHash fast digest
 * algorithm", doc/xxhash_spec.md). Bytes are read little-endian: the same value on every platform,
 * so it may be stored. Not a defence against somebody who makes collisions on purpose.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed);

/* The same of what comes in parts. */
struct hash {
    uint64_t lanes[4], seed, size;
    unsigned char rest[32]; /* [size % 32] what is not in the lanes yet */
};
void hash_begin(struct hash *hash, uint64_t seed);
void hash_add(struct hash *hash, const void *data, size_t size);
uint64_t hash_end(const struct hash *hash);

#endif
