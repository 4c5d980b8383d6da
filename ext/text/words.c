#include "text/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/fold.h"
#include "text/utf8.h"

/* Characters between two looks at the cancel token. */
#define CHARACTERS_PER_POLL 65536

enum kind { SEPARATOR, LETTER, ALONE, APOSTROPHE };

static const char *const stop_words[] = {
    "a",      "about",   "above",   "after",   "again", "against", "all",     "also",    "am",
    "an",     "and",     "any",     "are",     "as",    "at",      "be",      "because", "been",
    "before", "being",   "below",   "between", "both",  "but",     "by",      "can",     "cannot",
    "could",  "did",     "do",      "does",    "doing", "down",    "during",  "each",    "few",
    "for",    "from",    "further", "had",     "has",   "have",    "having",  "he",      "her",
    "here",   "hers",    "him",     "his",     "how",   "i",       "if",      "in",      "into",
    "is",     "it",      "its",     "itself",  "just",  "may",     "me",      "might",   "more",
    "most",   "must",    "my",      "no",      "nor",   "not",     "now",     "of",      "off",
    "on",     "once",    "only",    "or",      "other", "our",     "out",     "over",    "own",
    "same",   "shall",   "she",     "should",  "so",    "some",    "such",    "than",    "that",
    "the",    "their",   "theirs",  "them",    "then",  "there",   "these",   "they",    "this",
    "those",  "through", "to",      "too",     "under", "until",   "up",      "upon",    "us",
    "very",   "was",     "we",      "were",    "what",  "when",    "where",   "which",   "while",
    "who",    "whom",    "whose",   "why",     "will",  "with",    "without", "would",   "you",
    "your",   "yours",
};

static int compare_stop(const void *key, const void *item)
{
    const struct span *word = key;
    const char *stop = *(const char *const *)item;
    size_t n = strlen(stop);
    int order = memcmp(word->data, stop, word->size < n ? word->size : n);
    return order != 0 ? order : word->size < n ? -1 : word->size > n;
}

int word_is_stop(struct span word)
{
    return bsearch(&word, stop_words, sizeof stop_words / sizeof *stop_words, sizeof *stop_words,
                   compare_stop) != NULL;
}

static int in(uint32_t c, uint32_t first, uint32_t last)
{
    return c >= first && c <= last;
}

static enum kind kind_of(uint32_t c)
{
    if (c < 0x80) {
        if (in(c, 'a', 'z') || in(c, 'A', 'Z') || in(c, '0', '9')) return LETTER;
        return c == '\'' ? APOSTROPHE : SEPARATOR;
    }
    if (c == 0x2019 || c == 0x02BC) return APOSTROPHE;
    if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA ? LETTER : SEPARATOR;
    if (c == 0x37E || c == 0x387) return SEPARATOR; /* Greek question mark and semicolon */
    if (c == 0xD7 || c == 0xF7 || in(c, 0x2000, 0x206F) || in(c, 0x20A0, 0x20CF) ||
        in(c, 0x2190, 0x25FF))
        return SEPARATOR;
    if (in(c, 0x2E00, 0x2E7F) || in(c, 0x3000, 0x303F) || in(c, 0xFE30, 0xFE6F)) return SEPARATOR;
    if (in(c, 0xFF00, 0xFF0F) || in(c, 0xFF1A, 0xFF20) || in(c, 0xFF3B, 0xFF40) ||
        in(c, 0xFF5B, 0xFF65))
        return SEPARATOR;
    if (c == 0xFEFF || in(c, 0xFFF0, 0xFFFF) || in(c, 0xE000, 0xF8FF)) return SEPARATOR;
    if (in(c, 0x2600, 0x27BF) || in(c, 0x3040, 0x30FF) || in(c, 0x3400, 0x9FFF) ||
        in(c, 0xF900, 0xFAFF))
        return ALONE;
    return in(c, 0x1F000, 0x3FFFF) ? ALONE : LETTER;
}

void words_init(struct words *words, const struct cancel *cancel)
{
    *words = (struct words){.cancel = cancel};
    buffer_init(&words->letters, SIZE_MAX / 4);
}

void words_deinit(struct words *words)
{
    buffer_deinit(&words->letters);
    memory_free(words->items);
    words->items = NULL;
    words->n = words->capacity = 0;
}

/* Ends the word that began at `start` in letters, if there is one. */
static int end_word(struct words *words, size_t start, int alone, struct error *err)
{
    size_t size = words->letters.size - start;
    if (size == 0) return 0;
    if (words->n == words->capacity) {
        size_t capacity = words->capacity == 0 ? 64 : words->capacity * 2;
        struct word *items = memory_realloc(words->items, capacity, sizeof *items);
        if (items == NULL) return error_nomem(err);
        words->items = items;
        words->capacity = capacity;
    }
    words->items[words->n++] = (struct word){start, (uint32_t)size, (uint32_t)alone};
    return 0;
}

/* Is the apostrophe at `at` followed by a lone s? */
static int is_possessive(const char *at, const char *end)
{
    if (at == end || (*at != 's' && *at != 'S')) return 0;
    const char *next = at + 1;
    return next == end || kind_of(utf8_next(&next, end)) == SEPARATOR;
}

int words_split(struct words *words, struct span text, struct error *err)
{
    const char *at = text.data, *end = text.data + text.size;
    size_t start = 0;
    int rc = 0;
    size_t n_characters = 0;
    buffer_clear(&words->letters);
    words->n = 0;
    while (rc == 0 && at < end) {
        if (++n_characters % CHARACTERS_PER_POLL == 0 &&
            (rc = cancel_check(words->cancel, err)) != 0)
            return rc;
        char folded[FOLD_MAX_BYTES];
        uint32_t c = utf8_next(&at, end);
        enum kind kind = kind_of(c);
        if (kind == APOSTROPHE && is_possessive(at, end)) {
            at++;
            kind = SEPARATOR;
        }
        if (kind == APOSTROPHE && words->letters.size > start) continue;
        size_t size = kind == LETTER || kind == ALONE ? fold_character(c, folded) : 0;
        if (kind != LETTER || words->letters.size - start + size > WORD_MAX_BYTES) {
            rc = end_word(words, start, 0, err);
            start = words->letters.size;
        }
        if (rc == 0 && size > 0) rc = buffer_append(&words->letters, folded, size, err);
        if (rc == 0 && kind == ALONE) {
            rc = end_word(words, start, 1, err);
            start = words->letters.size;
        }
    }
    return rc == 0 ? end_word(words, start, 0, err) : rc;
}

struct span words_get(const struct words *words, size_t i)
{
    return (struct span){words->letters.data + words->items[i].offset, words->items[i].size};
}
