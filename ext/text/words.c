#include "text/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/compound.h"
#include "text/fold.h"
#include "text/particles.h"
#include "text/spelling.h"
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

void words_init(struct words *words, enum words_rules rules, const struct cancel *cancel)
{
    *words = (struct words){.rules = rules, .cancel = cancel};
    buffer_init(&words->letters, SIZE_MAX / 4);
    buffer_init(&words->spelled, SIZE_MAX / 4);
    buffer_init(&words->spare, SIZE_MAX / 4);
}

void words_deinit(struct words *words)
{
    buffer_deinit(&words->letters);
    buffer_deinit(&words->spelled);
    buffer_deinit(&words->spare);
    memory_free(words->items);
    words->items = NULL;
    words->n = words->n_beside = words->capacity = 0;
}

struct span words_get(const struct words *words, size_t i)
{
    return (struct span){words->letters.data + words->items[i].offset, words->items[i].size};
}

/* A word whose bytes are in letters; of none nothing is made. */
static int add_item(struct words *words, size_t offset, size_t size, enum word_kind kind,
                    struct error *err)
{
    if (size == 0) return 0;
    if (words->n == words->capacity) {
        size_t capacity = words->capacity == 0 ? 64 : words->capacity * 2;
        struct word *items = memory_realloc(words->items, capacity, sizeof *items);
        if (items == NULL) return error_nomem(err);
        words->items = items;
        words->capacity = capacity;
    }
    words->items[words->n++] = (struct word){offset, (uint32_t)size, kind};
    words->n_beside += kind >= WORD_PART;
    return 0;
}

static int add_word(struct words *words, struct span word, enum word_kind kind, struct error *err)
{
    size_t offset = words->letters.size;
    int rc = word.size == 0 ? 0 : buffer_append(&words->letters, word.data, word.size, err);
    return rc == 0 ? add_item(words, offset, word.size, kind, err) : rc;
}

/* ---- the rules of now ------------------------------------------------------------------------ */

#define MAX_CUTS 16

struct splitter {
    struct words *words;
    const char *start, *at, *end; /* of the text; what comes next */
    char word[WORD_MAX_BYTES];    /* folded, so far */
    size_t size;
    enum word_kind kind;
    uint32_t before;               /* the character before, unfolded; 0: none of this word */
    size_t n_upper;                /* capitals that end the word so far */
    size_t cuts[MAX_CUTS], n_cuts; /* where camelCase goes on */
    size_t tail;                   /* behind the latest apostrophe; 0: none */
    int is_dotted;                 /* a point stands before it, and nothing before that */
    struct compound compound;
};

static int is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static int is_upper(uint32_t c)
{
    return c >= 'A' && c <= 'Z';
}

static int is_lower(uint32_t c)
{
    return c >= 'a' && c <= 'z';
}

static int add_part(struct splitter *splitter, const char *data, size_t size, struct error *err)
{
    return add_word(splitter->words, (struct span){data, size}, WORD_PART, err);
}

/* The parts of camelCase, of two letters or more: they lie in the word at `offset`. Capitals that
 * only a plural s follows ("URLs") are no part, nor is anything in a hexadecimal number. */
static int add_camel(struct splitter *splitter, size_t offset, struct error *err)
{
    size_t *cuts = splitter->cuts, n = splitter->n_cuts, begin = 0;
    const char *word = splitter->word;
    int rc = 0;
    if (n > 0 && splitter->size - cuts[n - 1] == 2 && word[splitter->size - 1] == 's') n--;
    if (n == 0 || (word[0] == '0' && word[1] == 'x')) return 0;
    for (size_t i = 0; rc == 0 && i <= n; i++) {
        size_t end = i < n ? cuts[i] : splitter->size;
        if (end - begin >= 2)
            rc = add_item(splitter->words, offset + begin, end - begin, WORD_PART, err);
        begin = end;
    }
    return rc;
}

/* "c++", "c#", ".net": the word with the signs around it. */
static int add_signed(struct splitter *splitter, struct error *err)
{
    char word[WORD_MAX_BYTES];
    const char *at = splitter->at, *end = splitter->end;
    size_t n = splitter->size;
    if (n > 16) return 0;
    if (end - at >= 2 && at[0] == '+' && at[1] == '+') {
        memcpy(word, splitter->word, n);
        memcpy(word + n, "++", 2);
        return add_part(splitter, word, n + 2, err);
    }
    if (end > at && *at == '#' &&
        (end - at == 1 || unicode_kind_of((unsigned char)at[1]) != UNICODE_LETTER)) {
        memcpy(word, splitter->word, n);
        word[n] = '#';
        return add_part(splitter, word, n + 1, err);
    }
    if (!splitter->is_dotted) return 0;
    word[0] = '.';
    memcpy(word + 1, splitter->word, n);
    return add_part(splitter, word, n + 1, err);
}

/* What stands beside the word at `offset`. */
static int add_parts(struct splitter *splitter, size_t offset, struct error *err)
{
    const char *word = splitter->word;
    size_t size = splitter->size, tail = splitter->tail;
    int rc = splitter->n_cuts > 0 ? add_camel(splitter, offset, err) : 0;
    if (rc == 0 && tail > 0 && size - tail >= 3)
        rc = add_item(splitter->words, offset + tail, size - tail, WORD_PART, err);
    if (rc == 0 && size > 3 && word[0] == '0' && word[1] == 'x')
        rc = add_item(splitter->words, offset + 2, size - 2, WORD_PART, err);
    if (rc == 0 && splitter->kind == WORD_HANGUL) {
        size_t noun = particles_noun((struct span){word, size});
        if (noun < size) rc = add_item(splitter->words, offset, noun, WORD_PART, err);
    }
    return rc == 0 ? add_signed(splitter, err) : rc;
}

static int add_compound(struct splitter *splitter, enum compound_joint joint, struct error *err)
{
    struct span number, whole;
    compound_add(&splitter->compound, (struct span){splitter->word, splitter->size}, joint, &number,
                 &whole);
    int rc = add_word(splitter->words, number, WORD_WHOLE, err);
    return rc == 0 ? add_word(splitter->words, whole, WORD_WHOLE, err) : rc;
}

/* Ends the word, if there is one; `at` is behind it. */
static int end_word(struct splitter *splitter, enum compound_joint joint, struct error *err)
{
    size_t offset = splitter->words->letters.size;
    struct span word = {splitter->word, splitter->size};
    if (word.size == 0) return 0;
    int rc = add_word(splitter->words, word, splitter->kind, err);
    if (rc == 0 && splitter->kind <= WORD_HANGUL) {
        rc = add_parts(splitter, offset, err);
        if (rc == 0) rc = add_compound(splitter, joint, err);
    }
    splitter->size = splitter->n_upper = splitter->n_cuts = splitter->tail = 0;
    splitter->before = 0;
    splitter->is_dotted = 0;
    splitter->kind = WORD_PLAIN;
    return rc;
}

/* Where camelCase goes on with the character: before a capital behind a small letter or digit, and
 * before the last of several capitals when a small letter follows ("HTTPServer"). */
static void note_case(struct splitter *splitter, uint32_t c)
{
    size_t cut = 0, size = splitter->size;
    if (is_upper(c) && (is_lower(splitter->before) || is_digit(splitter->before))) cut = size;
    else if (is_lower(c) && splitter->n_upper > 1) cut = size - 1;
    if (cut > 0 && splitter->n_cuts < MAX_CUTS) splitter->cuts[splitter->n_cuts++] = cut;
    splitter->n_upper = is_upper(c) ? splitter->n_upper + 1 : 0;
}

/* A folded letter or digit; a word that is too long is cut. */
static int add_letters(struct splitter *splitter, const char *folded, size_t size,
                       struct error *err)
{
    int rc = 0;
    if (splitter->size + size > WORD_MAX_BYTES) rc = end_word(splitter, COMPOUND_NONE, err);
    memcpy(splitter->word + splitter->size, folded, size);
    splitter->size += size;
    return rc;
}

static int add_letter(struct splitter *splitter, uint32_t c, struct error *err)
{
    char folded[FOLD_MAX_BYTES];
    size_t size = fold_character(c, folded);
    if (size == 0) return 0; /* a mark */
    int rc = 0, is_hangul = unicode_is_syllable(c);
    if (splitter->kind == WORD_UNSPACED) rc = end_word(splitter, COMPOUND_NONE, err);
    if (splitter->size == 0) splitter->kind = is_hangul ? WORD_HANGUL : WORD_PLAIN;
    else if (!is_hangul) splitter->kind = WORD_PLAIN;
    if (splitter->size > 0) note_case(splitter, c);
    else splitter->n_upper = (size_t)is_upper(c);
    if (rc == 0) rc = add_letters(splitter, folded, size, err);
    splitter->before = c;
    return rc;
}

/* A character of a script without spaces: it stays with the one before it, or begins a cluster. */
static int add_unspaced(struct splitter *splitter, const char *character, uint32_t c,
                        struct error *err)
{
    size_t size = (size_t)(splitter->at - character);
    int rc = 0, joins = splitter->kind == WORD_UNSPACED && splitter->size > 0 &&
                        splitter->size + size <= WORD_MAX_BYTES &&
                        unicode_joins_cluster(splitter->before, c);
    if (!joins) rc = end_word(splitter, COMPOUND_NONE, err);
    splitter->kind = WORD_UNSPACED;
    if (rc == 0) rc = add_letters(splitter, character, size, err);
    splitter->before = c;
    return rc;
}

static int add_alone(struct splitter *splitter, uint32_t c, struct error *err)
{
    char folded[FOLD_MAX_BYTES];
    int rc = end_word(splitter, COMPOUND_NONE, err);
    struct span word = {folded, fold_character(c, folded)};
    return rc == 0 ? add_word(splitter->words, word, WORD_ALONE, err) : rc;
}

/* Is the apostrophe before `at` followed by a lone s? */
static int is_possessive(const char *at, const char *end)
{
    if (at == end || (*at != 's' && *at != 'S')) return 0;
    const char *next = at + 1;
    return next == end || unicode_kind_of(utf8_next(&next, end)) == UNICODE_SEPARATOR;
}

/* A character that is no letter stands at `character`; `at` is behind it. */
static int separate(struct splitter *splitter, const char *character, struct error *err)
{
    const char *next = splitter->at;
    int begins = character == splitter->start || strchr(" \t\n(\"'", character[-1]) != NULL;
    enum compound_joint joint = splitter->size > 0 && splitter->kind <= WORD_HANGUL
                                    ? compound_joint_at(character, splitter->end)
                                    : COMPOUND_NONE;
    splitter->at = character;
    int rc = end_word(splitter, joint, err);
    splitter->at = next;
    splitter->is_dotted = *character == '.' && begins && next < splitter->end &&
                          (is_lower((unsigned char)*next) || is_upper((unsigned char)*next));
    return rc;
}

static int add_apostrophe(struct splitter *splitter, const char *character, struct error *err)
{
    if (is_possessive(splitter->at, splitter->end)) {
        splitter->at++;
        return separate(splitter, character, err);
    }
    if (splitter->size == 0 || splitter->kind > WORD_HANGUL) return 0;
    splitter->tail = splitter->size;
    splitter->before = 0;
    splitter->n_upper = 0;
    return 0;
}

static int add_character(struct splitter *splitter, struct error *err)
{
    const char *character = splitter->at;
    uint32_t c = utf8_next(&splitter->at, splitter->end);
    switch (unicode_word_kind_of(c)) {
    case UNICODE_LETTER:
        return add_letter(splitter, c, err);
    case UNICODE_ALONE:
        return add_alone(splitter, c, err);
    case UNICODE_UNSPACED:
        return add_unspaced(splitter, character, c, err);
    case UNICODE_APOSTROPHE:
        return add_apostrophe(splitter, character, err);
    default:
        return separate(splitter, character, err);
    }
}

/* Most characters: small letters that go on with a word of ASCII. */
static void take_small_letters(struct splitter *splitter)
{
    if (splitter->size == 0 || splitter->kind != WORD_PLAIN || splitter->n_upper > 1) return;
    const char *at = splitter->at, *end = splitter->end;
    size_t size = splitter->size;
    while (at < end && size < WORD_MAX_BYTES && is_lower((unsigned char)*at))
        splitter->word[size++] = *at++;
    if (at == splitter->at) return;
    splitter->size = size;
    splitter->before = 'a';
    splitter->n_upper = 0;
    splitter->at = at;
}

static int split(struct words *words, struct span text, struct error *err)
{
    struct splitter splitter = {
        .words = words, .start = text.data, .at = text.data, .end = text.data + text.size};
    const char *look = text.data;
    int rc = 0;
    while (rc == 0 && splitter.at < splitter.end) {
        rc = add_character(&splitter, err);
        take_small_letters(&splitter);
        if (rc == 0 && (size_t)(splitter.at - look) >= CHARACTERS_PER_POLL) {
            look = splitter.at;
            rc = cancel_check(words->cancel, err);
        }
    }
    return rc == 0 ? end_word(&splitter, COMPOUND_NONE, err) : rc;
}

/* ---- the first rules ------------------------------------------------------------------------- */

static int split_first(struct words *words, struct span text, struct error *err)
{
    const char *at = text.data, *end = text.data + text.size;
    size_t start = 0, n_characters = 0;
    int rc = 0;
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
            rc = add_item(words, start, words->letters.size - start, WORD_PLAIN, err);
            start = words->letters.size;
        }
        if (rc == 0 && size > 0) rc = buffer_append(&words->letters, folded, size, err);
        if (rc == 0 && kind == UNICODE_ALONE) {
            rc = add_item(words, start, words->letters.size - start, WORD_ALONE, err);
            start = words->letters.size;
        }
    }
    return rc == 0 ? add_item(words, start, words->letters.size - start, WORD_PLAIN, err) : rc;
}

int words_split(struct words *words, struct span text, struct error *err)
{
    struct span spelled;
    buffer_clear(&words->letters);
    words->n = words->n_beside = 0;
    if (text.size == 0) return 0; /* it may be NULL, to which C adds nothing */
    if (words->rules == WORDS_FIRST) return split_first(words, text, err);
    int rc = spelling_apply(text, words->cancel, &words->spelled, &words->spare, &spelled, err);
    return rc == 0 && spelled.size > 0 ? split(words, spelled, err) : rc;
}
