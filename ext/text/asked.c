#include "text/asked.h"

#include <string.h>

#include "base/memory.h"
#include "text/unicode/ucd.h"
#include "text/utf8.h"

static int is_quote(uint32_t character)
{
    return character == '"' || (character >= 0x201C && character <= 0x201F) || character == 0xAB ||
           character == 0xBB || character == 0xFF02;
}

static int is_minus(uint32_t character)
{
    return character == '-' || character == 0xFF0D;
}

static int is_space(uint32_t character)
{
    return (ucd_properties(character) & UCD_SPACE) != 0;
}

static int is_of_word(uint32_t character)
{
    return (ucd_properties(character) & (UCD_WORD | UCD_MARK)) != 0;
}

static int is_letter(uint32_t character)
{
    return is_of_word(character) && !(character >= '0' && character <= '9');
}

/* The character at `at`; 0 at the end. */
static uint32_t character_at(const char *at, const char *end)
{
    return at < end ? utf8_next(&at, end) : 0;
}

static int add(struct asked *asked, enum asked_kind kind, const char *start, const char *end,
               struct error *err)
{
    if (start == end) return 0;
    if (asked->n == asked->capacity) {
        size_t capacity = asked->capacity == 0 ? 8 : 2 * asked->capacity;
        struct asked_piece *pieces = memory_realloc(asked->pieces, capacity, sizeof *pieces);
        if (pieces == NULL) return error_nomem(err);
        asked->pieces = pieces;
        asked->capacity = capacity;
    }
    asked->pieces[asked->n++] = (struct asked_piece){kind, {start, (size_t)(end - start)}};
    return 0;
}

/* What stands between the quote at `at` and the next one; false: there is none. *past is behind
 * that. */
static int find_phrase(const char *at, const char *end, struct span *phrase, const char **past)
{
    utf8_next(&at, end);
    for (const char *next = at, *here = at; here < end; here = next)
        if (is_quote(utf8_next(&next, end))) {
            *phrase = (struct span){at, (size_t)(here - at)};
            *past = next;
            return 1;
        }
    return 0;
}

/* The word at `at` that may be excluded, up to white space or a quote; false: there is none. */
static int find_word(const char *at, const char *end, struct span *word, const char **past)
{
    const char *next = at, *here = at;
    if (at == end || !is_letter(character_at(at, end))) return 0;
    while (here < end) {
        uint32_t character = utf8_next(&next, end);
        if (is_space(character) || is_quote(character)) break;
        here = next;
    }
    *word = (struct span){at, (size_t)(here - at)};
    *past = here;
    return word->size > 1;
}

/* Whether the word before the white space before `at` is "and" or "or" of a language in which a -
 * stands for the part of a word that the one before has too: "Textanzeige und -suche". */
static int is_joined(const char *start, const char *at)
{
    static const char *const joining[] = {"und", "oder",  "sowie", "bzw.", "en", "of",
                                          "og",  "eller", "och",   "ja",   "tai"};
    while (at > start && (at[-1] == ' ' || at[-1] == '\t' || at[-1] == '\n')) at--;
    const char *word = at;
    while (word > start && word[-1] != ' ' && word[-1] != '\t' && word[-1] != '\n') word--;
    for (size_t i = 0; i < sizeof joining / sizeof *joining; i++)
        if (strlen(joining[i]) == (size_t)(at - word) &&
            memcmp(joining[i], word, (size_t)(at - word)) == 0)
            return 1;
    return 0;
}

/* What begins at `at`, in a text that begins at `start`, with a quote or a -: false, nothing but
 * words. `before` is the character before it, a space at the beginning. */
static int find_special(const char *start, const char *at, const char *end, uint32_t before,
                        struct asked_piece *piece, const char **past)
{
    const char *next = at;
    uint32_t character = utf8_next(&next, end);
    if (is_quote(character) && !is_of_word(before)) {
        piece->kind = ASKED_MUST;
        return find_phrase(at, end, &piece->text, past);
    }
    if (!is_minus(character) || !is_space(before) || is_joined(start, at)) return 0;
    piece->kind = ASKED_NOT;
    return is_quote(character_at(next, end)) ? find_phrase(next, end, &piece->text, past)
                                             : find_word(next, end, &piece->text, past);
}

int asked_read(struct asked *asked, struct span text, struct error *err)
{
    const char *at = text.data, *end = text.data + text.size, *words = at, *past;
    struct asked_piece piece;
    uint32_t before = ' ';
    int rc = 0;
    *asked = (struct asked){0};
    if (text.size == 0) return 0;
    if (text.size > ASKED_MAX_BYTES) return add(asked, ASKED_WORDS, at, end, err);
    while (rc == 0 && at < end) {
        if (!find_special(text.data, at, end, before, &piece, &past)) {
            before = utf8_next(&at, end);
            continue;
        }
        rc = add(asked, ASKED_WORDS, words, at, err);
        if (rc == 0)
            rc = add(asked, piece.kind, piece.text.data, piece.text.data + piece.text.size, err);
        words = at = past;
        before = '"';
    }
    return rc == 0 ? add(asked, ASKED_WORDS, words, end, err) : rc;
}

void asked_deinit(struct asked *asked)
{
    memory_free(asked->pieces);
    *asked = (struct asked){0};
}
