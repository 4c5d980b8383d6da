#include "text/trie.h"

#include "base/memory.h"

void trie_deinit(struct trie *trie)
{
    memory_free(trie->keys);
    memory_free(trie->next);
    memory_free(trie->values);
    *trie = (struct trie){0};
}

static void put_edge(struct trie *trie, uint64_t key, uint32_t node)
{
    size_t mask = trie->n_slots - 1, at = (size_t)((key * 0x9E3779B97F4A7C15u) >> 32) & mask;
    while (trie->keys[at] != 0) at = (at + 1) & mask;
    trie->keys[at] = key;
    trie->next[at] = node;
}

/* Room for one more node; half of the slots stay empty. */
static int grow(struct trie *trie, struct error *err)
{
    if (trie->n_nodes < trie->capacity) return 0;
    struct trie old = *trie;
    size_t capacity = old.capacity == 0 ? 256 : 2 * old.capacity;
    if (capacity > UINT32_MAX / 4) return error_nomem(err);
    int32_t *values = memory_realloc(old.values, capacity, sizeof *values);
    if (values == NULL) return error_nomem(err);
    trie->values = values;
    uint64_t *keys = memory_zalloc(2 * capacity, sizeof *keys);
    uint32_t *next = memory_alloc(2 * capacity, sizeof *next);
    if (keys == NULL || next == NULL) {
        memory_free(keys);
        memory_free(next);
        return error_nomem(err);
    }
    trie->keys = keys;
    trie->next = next;
    trie->n_slots = 2 * capacity;
    trie->capacity = capacity;
    for (size_t i = 0; i < old.n_slots; i++)
        if (old.keys[i] != 0) put_edge(trie, old.keys[i], old.next[i]);
    memory_free(old.keys);
    memory_free(old.next);
    if (trie->n_nodes == 0) trie->values[trie->n_nodes++] = -1;
    return 0;
}

int trie_add(struct trie *trie, struct span text, int32_t value, struct error *err)
{
    uint32_t node = TRIE_ROOT;
    int rc = grow(trie, err);
    for (size_t i = 0; rc == 0 && i < text.size; i++) {
        uint32_t next = trie_step(trie, node, (unsigned char)text.data[i]);
        if (next == TRIE_NONE && (rc = grow(trie, err)) == 0) {
            next = (uint32_t)trie->n_nodes++;
            trie->values[next] = -1;
            put_edge(trie, ((uint64_t)node << 8 | (unsigned char)text.data[i]) + 1, next);
        }
        node = next;
    }
    if (rc == 0) trie->values[node] = value;
    return rc;
}

int32_t trie_longest(const struct trie *trie, uint32_t node, struct span text, size_t *size)
{
    int32_t found = -1;
    for (size_t i = 0; i < text.size; i++) {
        node = trie_step(trie, node, (unsigned char)text.data[i]);
        if (node == TRIE_NONE) break;
        if (trie->values[node] < 0) continue;
        found = trie->values[node];
        *size = i + 1;
    }
    return found;
}

int32_t trie_find(const struct trie *trie, struct span text)
{
    uint32_t node = TRIE_ROOT;
    for (size_t i = 0; i < text.size && node != TRIE_NONE; i++)
        node = trie_step(trie, node, (unsigned char)text.data[i]);
    return text.size == 0 || node == TRIE_NONE ? -1 : trie->values[node];
}
