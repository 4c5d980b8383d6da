/*
 * packed.h: rows of one size, vectors or codes, side by side in memory.
 *
 * Filled once, from a scan in the order of ids, then only read. Bounded: a row that would not fit
 * is not taken, and what was taken then is of no use.
 */
#ifndef INDEX_PACKED_H
#define INDEX_PACKED_H

#include <stddef.h>
#include <stdint.h>

struct index_packed {
    int64_t *ids;        /* [n] ascending; owned */
    unsigned char *rows; /* [n, row_size]; owned */
    size_t n, capacity, row_size;
};

/* Accepts one that is all zero, and leaves it so. */
void index_packed_deinit(struct index_packed *packed);

/* Takes a copy of the row. 0 if it is not taken: it has another size than the first one or not a
 * larger id than the last one, memory is short, or more than max_bytes would be held. */
int index_packed_add(struct index_packed *packed, int64_t id, const void *bytes, size_t size,
                     uint64_t max_bytes);

/* The row of an id; NULL if there is none. */
const void *index_packed_find(const struct index_packed *packed, int64_t id);

/* Bytes held. */
uint64_t index_packed_bytes(const struct index_packed *packed);

#endif
