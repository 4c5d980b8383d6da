#include "text/subwords.h"

#include <string.h>

#include "text/unicode/classes.h"
#include "text/utf8.h"

#define FEW_CHARACTERS 4
#define MORE_CHARACTERS 6
#define FIRST_INSIDE 3 /* where the first piece inside a word begins */
#define WEIGHT_OF_ASCII 0.5

static int has_digit(struct span word)
{
    for (size_t i = 0; i < word.size; i++)
        if (word.data[i] >= '0' && word.data[i] <= '9') return 1;
    return 0;
}

static int is_hangul(struct span word)
{
    const char *at = word.data, *end = at + word.size;
    while (at < end)
        if (!unicode_is_syllable(utf8_next(&at, end))) return 0;
    return 1;
}

static int skip(const char **at, const char *end, size_t n)
{
    for (; n > 0 && *at < end; n--) utf8_next(at, end);
    return n == 0;
}

static int is_longer(struct span word, size_t n)
{
    const char *at = word.data, *end = at + word.size;
    return skip(&at, end, n) && at < end;
}

void subwords_begin(struct subwords *subwords, struct span word, enum subwords_wanted wanted)
{
    if (has_digit(word) || (word.size > 0 && *word.data == SUBWORD_MARK)) word.size = 0;
    if (wanted == SUBWORDS_SHORT && !is_longer(word, MORE_CHARACTERS)) word.size = 0;
    if (word.size > SUBWORDS_MAX_BYTES) {
        word.size = SUBWORDS_MAX_BYTES;
        while (word.size > 0 && utf8_is_inside(word.data[word.size])) word.size--;
    }
    subwords->start = subwords->at = subwords->inside = word.data;
    subwords->end = word.data + word.size;
    subwords->n = 0;
    subwords->wanted = wanted;
    subwords->are_beginnings = !is_hangul(word);
}

static int take(struct subwords *subwords, const char *start, struct span *piece)
{
    size_t size = (size_t)(subwords->at - start);
    subwords->piece[0] = SUBWORD_MARK;
    memcpy(subwords->piece + 1, start, size);
    *piece = (struct span){subwords->piece, 1 + size};
    return 1;
}

/* The syllable before `at` and the one at it; the first time `at` is moved to the second. */
static int next_pair(struct subwords *subwords, struct span *piece)
{
    if (subwords->at == subwords->start && subwords->at < subwords->end)
        utf8_next(&subwords->at, subwords->end);
    if (subwords->at == subwords->end) return 0;
    const char *before = utf8_before(subwords->start, subwords->at);
    utf8_next(&subwords->at, subwords->end);
    return take(subwords, before, piece);
}

/* The first so many characters: of a word that has more. */
static int next_beginning(struct subwords *subwords, struct span *piece)
{
    size_t wanted = subwords->n < FEW_CHARACTERS ? FEW_CHARACTERS : MORE_CHARACTERS;
    for (; subwords->n < wanted && subwords->at < subwords->end; subwords->n++)
        utf8_next(&subwords->at, subwords->end);
    return subwords->at < subwords->end && take(subwords, subwords->start, piece);
}

/* As many characters as the longest beginning has, of the rest of the word. */
static int next_inside(struct subwords *subwords, struct span *piece)
{
    size_t n = subwords->inside == subwords->start ? FIRST_INSIDE : 1;
    if (!skip(&subwords->at, subwords->end, n)) return 0;
    skip(&subwords->inside, subwords->end, n);
    return take(subwords, subwords->inside, piece);
}

int subwords_next(struct subwords *subwords, struct span *piece)
{
    size_t most = subwords->wanted == SUBWORDS_SHORT ? FEW_CHARACTERS : MORE_CHARACTERS;
    if (!subwords->are_beginnings) return next_pair(subwords, piece);
    if (subwords->n < most) return next_beginning(subwords, piece);
    return subwords->wanted == SUBWORDS_INSIDE && next_inside(subwords, piece);
}

int subwords_is_piece(struct span token)
{
    return token.size > 0 && *token.data == SUBWORD_MARK;
}

double subwords_weight(struct span token)
{
    if (!subwords_is_piece(token)) return 1.0;
    for (size_t i = 1; i < token.size; i++)
        if ((unsigned char)token.data[i] >= 0x80) return 1.0;
    return WEIGHT_OF_ASCII;
}
