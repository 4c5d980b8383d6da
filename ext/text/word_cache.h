/*
 * word_cache.h: the words that a tokenizer cut last, each with its token and the pieces beside it.
 *
 * A text has the same words again and again: most are looked up here, and neither folded nor
 * stemmed nor looked up elsewhere. A word's bytes alone choose its entry, which forgets the one
 * before.
 */
#ifndef TEXT_WORD_CACHE_H
#define TEXT_WORD_CACHE_H

#include <stdint.h>
#include <string.h>

#include "base/span.h"
#include "text/subwords.h"

#define WORD_CACHE_ENTRIES 4096

/* Longer words, and such as have longer tokens, are not kept. */
#define WORD_CACHE_BYTES 32

/* The bytes of a word of at most WORD_CACHE_BYTES, none of them NUL, with zeros behind them. */
struct word_key {
    uint64_t parts[WORD_CACHE_BYTES / 8];
};

struct cached_word {
    struct word_key key;      /* zero: the entry is empty */
    unsigned char start, end; /* what of the word the token was made of */
    unsigned char token_size;
    unsigned char beginnings[SUBWORDS_BEGINNINGS]; /* sizes of its pieces; 0 behind the last */
    char piece[1 + WORD_CACHE_BYTES];              /* SUBWORD_MARK and the token */
};

/* All zero: empty. */
struct word_cache {
    struct cached_word words[WORD_CACHE_ENTRIES];
};

static inline struct word_key word_key(struct span word)
{
    struct word_key key = {{0}};
    memcpy(key.parts, word.data, word.size);
    return key;
}

static inline int word_key_is(const struct word_key *a, const struct word_key *b)
{
    uint64_t differ = 0;
    for (size_t i = 0; i < WORD_CACHE_BYTES / 8; i++) differ |= a->parts[i] ^ b->parts[i];
    return differ == 0;
}

/* The entry of a word, whichever word is there now. Odd factors, of which the upper bits count. */
static inline struct cached_word *word_cache_entry(struct word_cache *cache,
                                                   const struct word_key *key)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < WORD_CACHE_BYTES / 8; i++)
        hash = (hash ^ key->parts[i]) * 0x9E3779B97F4A7C15u;
    return &cache->words[(hash ^ hash >> 32) >> 16 & (WORD_CACHE_ENTRIES - 1)];
}

#endif
