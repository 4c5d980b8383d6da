/*
 * sha256.h: SHA-256 (FIPS 180-4, sections 5.1.1, 5.3.3 and 6.2), for what must stay apart even when
 * somebody wants it to collide: names of texts in a file that lasts. hash.h is the fast one.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_BLOCK_SIZE 64

/* The digest of `size` bytes; data may be NULL when size is 0. */
void sha256(const void *data, size_t size, unsigned char digest[SHA256_SIZE]);

/* The same in pieces: init, any number of updates, final once. Owns no memory. */
struct sha256 {
    uint32_t state[8];
    uint64_t size;                          /* bytes so far */
    unsigned char block[SHA256_BLOCK_SIZE]; /* its first size % SHA256_BLOCK_SIZE bytes wait */
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t size);
void sha256_final(struct sha256 *hash, unsigned char digest[SHA256_SIZE]);

#endif
