#include "lexical/features.h"

#include <string.h>

#include "base/hash.h"
#include "text/stem.h"
#include "text/utf8.h"

#define SEED_WORD 1
#define SEED_GRAM 2
#define SEED_BYTES 3

/* Characters of an n-gram, the marks at the word's ends included. */
#define GRAM_LEAST 4
#define GRAM_MOST 5

/* Bytes of a letter of a script without spaces, which alone says little. */
#define LETTER_BYTES 3

void features_init(struct features *features, enum words_rules rules, const struct cancel *cancel)
{
    *features = (struct features){0};
    words_init(&features->words, rules, cancel);
    terms_init(&features->terms, cancel);
}

void features_deinit(struct features *features)
{
    words_deinit(&features->words);
    terms_deinit(&features->terms);
}

static int add(struct features *features, uint64_t term, enum term_kind kind, struct error *err)
{
    return terms_add(&features->terms, term, kind, NULL, err);
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
        if (!utf8_is_inside(marked[i])) starts[n++] = i;
    starts[n] = size;
    for (size_t length = GRAM_LEAST; length <= GRAM_MOST; length++)
        for (size_t i = 0; i + length <= n; i++) {
            uint64_t term =
                hash_bytes(marked + starts[i], starts[i + length] - starts[i], SEED_GRAM);
            int rc = add(features, term, TERM_GRAM, err);
            if (rc != 0) return rc;
        }
    return 0;
}

/* All neighbours among the syllables of a word, which all have three bytes, as words. */
static int add_syllables(struct features *features, struct span word, struct error *err)
{
    const size_t pair = 6;
    int rc = 0;
    for (size_t i = 0; rc == 0 && word.size > pair && i + pair <= word.size; i += pair / 2)
        rc = add(features, hash_bytes(word.data + i, pair, SEED_WORD), TERM_WORD, err);
    return rc;
}

/* A word and the one before it, if that is of its kind, as one word. */
static int add_pair(struct features *features, size_t i, struct error *err)
{
    const struct words *words = &features->words;
    if (i == 0 || words->items[i - 1].kind != words->items[i].kind) return 0;
    struct span left = words_get(words, i - 1), word = words_get(words, i);
    return add(features, hash_bytes(left.data, left.size + word.size, SEED_WORD), TERM_WORD, err);
}

static const enum term_kind term_kinds[] = {
    [WORD_PLAIN] = TERM_WORD,    [WORD_HANGUL] = TERM_WORD, [WORD_ALONE] = TERM_WORD,
    [WORD_UNSPACED] = TERM_WORD, [WORD_PART] = TERM_PART,   [WORD_WHOLE] = TERM_WHOLE};

/* One word occurrence, and what it is counted with. */
static int add_word(struct features *features, size_t i, struct error *err)
{
    struct span word = words_get(&features->words, i);
    enum word_kind kind = features->words.items[i].kind;
    features->n_words += kind < WORD_PART;
    int is_letter = kind == WORD_UNSPACED && word.size <= LETTER_BYTES;
    int rc = add(features, feature_of_word(word), is_letter ? TERM_GRAM : term_kinds[kind], err);
    if (rc == 0 && kind <= WORD_HANGUL) rc = add_grams(features, word, err);
    if (rc == 0 && kind == WORD_HANGUL) rc = add_syllables(features, word, err);
    if (rc == 0 && (kind == WORD_ALONE || kind == WORD_UNSPACED)) rc = add_pair(features, i, err);
    return rc;
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
        rc = add(features, hash_bytes(text.data + i, length, SEED_BYTES), TERM_WORD, err);
    return rc;
}

int features_extract(struct features *features, struct span text, struct error *err)
{
    features->n_words = 0;
    int rc = terms_clear(&features->terms, err);
    if (rc == 0) rc = words_split(&features->words, text, err);
    if (rc == 0) rc = add_words(features, 0, err);
    if (rc == 0 && features->terms.n == 0) rc = add_words(features, 1, err);
    if (rc == 0 && features->terms.n == 0) rc = add_bytes(features, text, err);
    return rc;
}

int features_meet(const struct features *features, const struct features *other)
{
    for (size_t i = 0; i < features->terms.n; i++)
        if (terms_has(&other->terms, features->terms.items[i].term)) return 1;
    return 0;
}
