#include "catalog/cache.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define FIRST_BUCKETS 64

struct cache_item {
    struct cache_item *chain;         /* the next one in the bucket */
    struct cache_item *newer, *older; /* in order of use */
    struct cache_key key;             /* key.text points behind the value */
    uint64_t bytes;
    _Alignas(double) char value[];
};

struct cache_key cache_key(uint64_t model, int kind, struct span text)
{
    uint64_t seed = 3 * model + (uint64_t)kind;
    return (struct cache_key){model, kind, text, hash_bytes(text.data, text.size, seed)};
}

int cache_key_equal(const struct cache_key *a, const struct cache_key *b)
{
    return a->hash == b->hash && a->model == b->model && a->kind == b->kind &&
           a->text.size == b->text.size &&
           (a->text.size == 0 || memcmp(a->text.data, b->text.data, a->text.size) == 0);
}

void cache_init(struct cache *cache, uint64_t budget)
{
    *cache = (struct cache){.budget = budget};
}

static struct cache_item **bucket_of(struct cache *cache, uint64_t hash)
{
    return &cache->buckets[(size_t)hash & (cache->n_buckets - 1)];
}

static void unlink_use(struct cache *cache, struct cache_item *item)
{
    *(item->newer != NULL ? &item->newer->older : &cache->newest) = item->older;
    *(item->older != NULL ? &item->older->newer : &cache->oldest) = item->newer;
}

static void link_newest(struct cache *cache, struct cache_item *item)
{
    item->newer = NULL;
    item->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = item;
    cache->newest = item;
}

static void forget_oldest(struct cache *cache)
{
    struct cache_item *item = cache->oldest;
    struct cache_item **link = bucket_of(cache, item->key.hash);
    while (*link != item) link = &(*link)->chain;
    *link = item->chain;
    unlink_use(cache, item);
    cache->bytes -= item->bytes;
    cache->n_items--;
    memory_free(item);
}

void cache_deinit(struct cache *cache)
{
    while (cache->oldest != NULL) forget_oldest(cache);
    memory_free(cache->buckets);
    cache_init(cache, cache->budget);
}

void cache_set_budget(struct cache *cache, uint64_t budget)
{
    cache->budget = budget;
    while (cache->bytes > budget) forget_oldest(cache);
}

const void *cache_get(struct cache *cache, const struct cache_key *key)
{
    if (cache->n_items == 0) return NULL;
    struct cache_item *item = *bucket_of(cache, key->hash);
    while (item != NULL && !cache_key_equal(&item->key, key)) item = item->chain;
    if (item == NULL) return NULL;
    unlink_use(cache, item);
    link_newest(cache, item);
    return item->value;
}

/* About one item a bucket. Without memory the chains get longer instead; true while there are
 * buckets at all. */
static int grow(struct cache *cache)
{
    if (cache->n_items < cache->n_buckets) return 1;
    size_t n = cache->n_buckets == 0 ? FIRST_BUCKETS : cache->n_buckets * 2;
    struct cache_item **buckets = memory_zalloc(n, sizeof *buckets);
    if (buckets == NULL) return cache->n_buckets != 0;
    memory_free(cache->buckets);
    cache->buckets = buckets;
    cache->n_buckets = n;
    for (struct cache_item *item = cache->oldest; item != NULL; item = item->newer) {
        struct cache_item **bucket = bucket_of(cache, item->key.hash);
        item->chain = *bucket;
        *bucket = item;
    }
    return 1;
}

void cache_put(struct cache *cache, const struct cache_key *key, const void *value, size_t size)
{
    struct cache_item *item;
    uint64_t bytes = (uint64_t)sizeof *item + size + key->text.size;
    if (bytes > cache->budget || !grow(cache)) return;
    item = memory_alloc((size_t)bytes, 1);
    if (item == NULL) return;
    item->key = *key;
    item->bytes = bytes;
    memcpy(item->value, value, size);
    char *text = item->value + size;
    if (key->text.size != 0) memcpy(text, key->text.data, key->text.size);
    item->key.text.data = text;
    struct cache_item **bucket = bucket_of(cache, key->hash);
    item->chain = *bucket;
    *bucket = item;
    link_newest(cache, item);
    cache->bytes += bytes;
    cache->n_items++;
    while (cache->bytes > cache->budget) forget_oldest(cache);
}
