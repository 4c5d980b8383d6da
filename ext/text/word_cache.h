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
#define WORD_CACHE_BYTES 28

/* 64 bytes with what is left of them. */
struct cached_word {
    unsigned char size;       /* of the word as it stands in a text; 0: the entry is empty */
    unsigned char start, end; /* what of it the token was made of */
    unsigned char token_size;
    unsigned char beginnings[SUBWORDS_BEGINNINGS]; /* sizes of its pieces; 0 behind the last */
    char word[WORD_CACHE_BYTES];
    char piece[1 + WORD_CACHE_BYTES]; /* SUBWORD_MARK and the token */
};

/* All zero: empty. */
struct word_cache {
    struct cached_word words[WORD_CACHE_ENTRIES];
};

/* The hash of a word, which its bytes one after the other make of WORD_CACHE_HASH: FNV-1a (Fowler,
 * Noll, Vo). */
#define WORD_CACHE_HASH 2166136261u
static inline uint32_t word_cache_hash(uint32_t hash, unsigned char byte)
{
    return (hash ^ byte) * 16777619u;
}

/* The entry of a word of that hash, whichever word is there now. */
static inline struct cached_word *word_cache_entry(struct word_cache *cache, uint32_t hash)
{
    return &cache->words[(hash ^ hash >> 16) % WORD_CACHE_ENTRIES];
}

static inline int word_cache_is(const struct cached_word *entry, struct span word)
{
    return entry->size == word.size && memcmp(entry->word, word.data, word.size) == 0;
}

#endif
