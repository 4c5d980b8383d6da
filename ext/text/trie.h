/*
 * trie.h: tokens by their bytes, a step a byte.
 *
 * The edges of all nodes lie in one hash table, keyed by node and byte.
 */
#ifndef TEXT_TRIE_H
#define TEXT_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

#define TRIE_ROOT 0u
#define TRIE_NONE UINT32_MAX /* no node */

/* All zero: empty. */
struct trie {
    uint64_t *keys;  /* [n_slots] node << 8 | byte, plus 1; 0: empty */
    uint32_t *next;  /* [n_slots] the node that the edge leads to */
    size_t n_slots;  /* a power of 2, or 0 */
    int32_t *values; /* [n_nodes] -1: none */
    size_t n_nodes, capacity;
};

void trie_deinit(struct trie *trie);

/* Gives a text (not empty) its value, 0 or more, in place of an older one. ERROR_NOMEM. */
int trie_add(struct trie *trie, struct span text, int32_t value, struct error *err);

/* The node behind the byte, or TRIE_NONE. */
static inline uint32_t trie_step(const struct trie *trie, uint32_t node, unsigned char byte)
{
    if (trie->n_slots == 0) return TRIE_NONE;
    uint64_t key = ((uint64_t)node << 8 | byte) + 1;
    size_t mask = trie->n_slots - 1, at = (size_t)((key * 0x9E3779B97F4A7C15u) >> 32) & mask;
    for (; trie->keys[at] != 0; at = (at + 1) & mask)
        if (trie->keys[at] == key) return trie->next[at];
    return TRIE_NONE;
}

/* The value of the longest beginning of the text, from that node on, that has one; -1: none. *size:
 * its bytes. */
int32_t trie_longest(const struct trie *trie, uint32_t node, struct span text, size_t *size);

/* The value of the whole text; -1: none. */
int32_t trie_find(const struct trie *trie, struct span text);

#endif
