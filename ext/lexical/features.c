#include "lexical/features.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "text/stem.h"

#define SEED_WORD 1
#define SEED_GRAM 2
#define SEED_BYTES 3

/* Characters of an n-gram, the marks at the word's ends included. */
#define GRAM_LEAST 4
#define GRAM_MOST 5

void features_init(struct features *features)
{
    *features = (struct features){0};
    words_init(&features->words);
}

void features_deinit(struct features *features)
{
    words_deinit(&features->words);
    memory_free(features->items);
    features->items = NULL;
    features->n = features->capacity = 0;
}

static int add(struct features *features, uint64_t term, int is_word, struct error *err)
{
    if (features->n == features->capacity) {
        size_t capacity = features->capacity == 0 ? 256 : features->capacity * 2;
        struct feature *items = memory_realloc(features->items, capacity, sizeof *items);
        if (items == NULL) return error_nomem(err);
        features->items = items;
        features->capacity = capacity;
    }
    features->items[features->n++] = (struct feature){term, 1, (uint32_t)is_word};
    return 0;
}

uint64_t feature_of_word(struct span word)
{
    char stem[WORD_MAX_BYTES];
    memcpy(stem, word.data, word.size);
    return hash_bytes(stem, stem_english(stem, word.size), SEED_WORD);
}

/* All n-grams of "<word>", cut at characters and not inside one. */
static int add_grams(struct features *features, struct span word, struct error *err)
{
    char marked[WORD_MAX_BYTES + 2];
    size_t starts[WORD_MAX_BYTES + 3], n = 0, size = word.size + 2;
    marked[0] = '<';
    memcpy(marked + 1, word.data, word.size);
    marked[size - 1] = '>';
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)marked[i] & 0xC0) != 0x80) starts[n++] = i;
    starts[n] = size;
    for (size_t length = GRAM_LEAST; length <= GRAM_MOST; length++)
        for (size_t i = 0; i + length <= n; i++) {
            uint64_t term =
                hash_bytes(marked + starts[i], starts[i + length] - starts[i], SEED_GRAM);
            int rc = add(features, term, 0, err);
            if (rc != 0) return rc;
        }
    return 0;
}

/* One word occurrence; with its left neighbour, if both stand alone, a second word. */
static int add_word(struct features *features, size_t i, struct error *err)
{
    const struct words *words = &features->words;
    struct span word = words_get(words, i);
    features->n_words++;
    int rc = add(features, feature_of_word(word), 1, err);
    if (rc == 0 && !words->items[i].alone) rc = add_grams(features, word, err);
    if (rc != 0 || i == 0 || !words->items[i].alone || !words->items[i - 1].alone) return rc;
    struct span left = words_get(words, i - 1);
    return add(features, hash_bytes(left.data, left.size + word.size, SEED_WORD), 1, err);
}

static int add_words(struct features *features, int stop_words_too, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < features->words.n; i++)
        if (stop_words_too || !word_is_stop(words_get(&features->words, i)))
            rc = add_word(features, i, err);
    return rc;
}

/* A text without words: its bytes in threes. */
static int add_bytes(struct features *features, struct span text, struct error *err)
{
    int rc = 0;
    size_t length = text.size < 3 ? text.size : 3;
    for (size_t i = 0; rc == 0 && i + length <= text.size; i++)
        rc = add(features, hash_bytes(text.data + i, length, SEED_BYTES), 1, err);
    return rc;
}

static int compare_terms(const void *a, const void *b)
{
    const struct feature *x = a, *y = b;
    return x->term < y->term ? -1 : x->term > y->term;
}

static void count_terms(struct features *features)
{
    size_t n = 0;
    if (features->n > 1)
        qsort(features->items, features->n, sizeof *features->items, compare_terms);
    for (size_t i = 0; i < features->n; i++) {
        if (n > 0 && features->items[n - 1].term == features->items[i].term)
            features->items[n - 1].count++;
        else features->items[n++] = features->items[i];
    }
    features->n = n;
}

int features_extract(struct features *features, struct span text, struct error *err)
{
    features->n = features->n_words = 0;
    int rc = words_split(&features->words, text, err);
    if (rc == 0) rc = add_words(features, 0, err);
    if (rc == 0 && features->n == 0) rc = add_words(features, 1, err);
    if (rc == 0 && features->n == 0) rc = add_bytes(features, text, err);
    if (rc == 0) count_terms(features);
    return rc;
}
