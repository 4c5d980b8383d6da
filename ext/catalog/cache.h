/*
 * cache.h: what models have computed already, vectors and lists of scores, as bytes; the least
 * recently used is forgotten first.
 *
 * A key is the model, the kind and the whole text: a hash that happens to be equal is never taken
 * for the same text. Bounded in bytes, keys and bookkeeping included. What cannot be kept (no
 * memory, larger than the budget) is simply not kept.
 */
#ifndef CATALOG_CACHE_H
#define CATALOG_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/rounding.h"
#include "base/span.h"

struct cache_item;

struct cache {
    struct cache_item **buckets; /* [n_buckets], a power of two; owned */
    size_t n_buckets, n_items;
    struct cache_item *newest, *oldest;
    uint64_t bytes, budget;
};

struct cache_key {
    uint64_t model; /* a number that no other model has */
    int kind;       /* of what is kept */
    struct span text;
    uint64_t hash;
};

/* The text is borrowed. */
struct cache_key cache_key(uint64_t model, int kind, struct span text);
int cache_key_equal(const struct cache_key *a, const struct cache_key *b);

void cache_init(struct cache *cache, uint64_t budget);
void cache_deinit(struct cache *cache);

/* Forgets what no longer fits. */
void cache_set_budget(struct cache *cache, uint64_t budget);

/* What is kept, which becomes the most recently used; NULL if it is not known. Aligned for a
 * double; valid until the next call. */
const void *cache_get(struct cache *cache, const struct cache_key *key);

/* Keeps a copy of text and value. The key must not be there yet. */
void cache_put(struct cache *cache, const struct cache_key *key, const void *value, size_t size);

#endif
