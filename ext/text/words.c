#include "text/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/fold.h"
#include "text/unicode/classes.h"
#include "text/utf8.h"

/* Characters between two looks at the cancel token. */
#define CHARACTERS_PER_POLL 65536

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
    return next == end || unicode_kind_of(utf8_next(&next, end)) == UNICODE_SEPARATOR;
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
        enum unicode_kind kind = unicode_kind_of(c);
        if (kind == UNICODE_APOSTROPHE && is_possessive(at, end)) {
            at++;
            kind = UNICODE_SEPARATOR;
        }
        if (kind == UNICODE_APOSTROPHE && words->letters.size > start) continue;
        size_t size =
            kind == UNICODE_LETTER || kind == UNICODE_ALONE ? fold_character(c, folded) : 0;
        if (kind != UNICODE_LETTER || words->letters.size - start + size > WORD_MAX_BYTES) {
            rc = end_word(words, start, 0, err);
            start = words->letters.size;
        }
        if (rc == 0 && size > 0) rc = buffer_append(&words->letters, folded, size, err);
        if (rc == 0 && kind == UNICODE_ALONE) {
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
