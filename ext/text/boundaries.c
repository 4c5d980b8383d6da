#include "text/boundaries.h"

#include <stdint.h>
#include <string.h>

#include "text/unicode/ucd.h"
#include "text/utf8.h"

/* ---- characters ----------------------------------------------------------------------------- */

static int in(uint32_t c, uint32_t first, uint32_t last)
{
    return c >= first && c <= last;
}

static int is_one_of(uint32_t c, const uint32_t *set, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (set[i] == c) return 1;
    return 0;
}
#define IS_ONE_OF(c, set) is_one_of(c, set, sizeof(set) / sizeof *(set))

static int is_space(uint32_t c)
{
    return (ucd_properties(c) & UCD_SPACE) != 0;
}

/* Full stops of scripts that may go on without a space. */
static int is_wide_stop(uint32_t c)
{
    return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61;
}

static int is_wide_comma(uint32_t c)
{
    return c == 0x3001 || c == 0xFF0C || c == 0xFF1A || c == 0xFF1B || c == 0xFF64;
}

/* ! ? ... and those of Greek, Arabic, Urdu, Hindi, Armenian, Ethiopic. */
static int is_stop(uint32_t c)
{
    static const uint32_t stops[] = {'!',   '?',   0x203C, 0x203D, 0x2026, 0x2047, 0x2048, 0x2049,
                                     0x589, 0x61F, 0x6D4,  0x964,  0x965,  0x1362, 0x1367};
    return IS_ONE_OF(c, stops) || is_wide_stop(c);
}

/* Some quotes are in both lists: what closes in one language opens in another. */
static int is_closing(uint32_t c)
{
    static const uint32_t closing[] = {'"',    '\'',   ')',    ']',    '}',    0xBB,   0xAB,
                                       0x2019, 0x201D, 0x201C, 0x203A, 0x3009, 0x300B, 0x300D,
                                       0x300F, 0x3011, 0x3015, 0xFF09, 0xFF63};
    return IS_ONE_OF(c, closing);
}

static int is_opening(uint32_t c)
{
    static const uint32_t opening[] = {'"',    '\'',   '(',    '[',    '{',    0xAB,   0xBB, 0x2018,
                                       0x201C, 0x201E, 0x201A, 0x2039, 0x300C, 0x300E, 0xBF, 0xA1};
    return IS_ONE_OF(c, opening);
}

/* ASCII, Latin-1, Greek, Cyrillic. */
static int is_small_letter(uint32_t c)
{
    return in(c, 'a', 'z') || (in(c, 0xDF, 0xFF) && c != 0xF7) || in(c, 0x3AC, 0x3CE) ||
           in(c, 0x430, 0x45F);
}

static uint32_t character_before(const char *start, const char **end)
{
    const char *at = *end - 1, *limit = *end;
    while (at > start && ((unsigned char)*at & 0xC0) == 0x80) at--;
    *end = at;
    return utf8_next(&at, limit);
}

/* ---- sentences ------------------------------------------------------------------------------ */

/* Never the end of a sentence; those of `numbered` if a number follows. */
static const char *const titles[] = {
    "dr",  "mr",  "mrs", "ms",  "prof", "st", "mt", "rev", "hon",  "gen",   "col", "capt",
    "lt",  "sgt", "gov", "sen", "rep",  "vs", "cf", "eg",  "ie",   "e.g",   "i.e", "viz",
    "bzw", "z.b", "d.h", "u.a", "vgl",  "sr", "jr", "mme", "mlle", "approx"};
static const char *const numbered[] = {"no", "nos", "nr",  "vol",  "vols", "ch",  "chap", "p",
                                       "pp", "sec", "fig", "figs", "eq",   "art", "op",   "ca"};

static int is_listed(const char *const *list, size_t n, const char *word, size_t size)
{
    char small[8];
    if (size >= sizeof small) return 0;
    for (size_t i = 0; i < size; i++)
        small[i] = (char)(in((unsigned char)word[i], 'A', 'Z') ? word[i] + ('a' - 'A') : word[i]);
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i]) == size && memcmp(list[i], small, size) == 0) return 1;
    return 0;
}

/* "J", "J.R.R", "U.S": capitals with a point between. */
static int is_initials(const char *word, size_t size)
{
    if (size % 2 == 0) return 0;
    for (size_t i = 0; i < size; i++)
        if (i % 2 == 0 ? !in((unsigned char)word[i], 'A', 'Z') : word[i] != '.') return 0;
    return 1;
}

/* Is word and the point behind it short for something, `next` being how the text goes on? */
static int is_abbreviation(const char *start, const char *end, uint32_t next)
{
    while (start < end && is_opening((unsigned char)*start)) start++;
    size_t size = (size_t)(end - start);
    return is_initials(start, size) ||
           is_listed(titles, sizeof titles / sizeof *titles, start, size) ||
           (in(next, '0', '9') &&
            is_listed(numbered, sizeof numbered / sizeof *numbered, start, size));
}

/* The first character of what follows that opens nothing. */
static uint32_t first_character(const char *at, const char *end)
{
    uint32_t c = 0;
    while (at < end && is_opening(c = utf8_next(&at, end)))
        ;
    return c;
}

static int ends_sentence(const char *start, const char *run_end, const char *next, const char *end)
{
    const char *at = run_end;
    uint32_t c = 0, follows = first_character(next, end);
    do {
        c = character_before(start, &at);
    } while (at > start && is_closing(c));
    if (is_wide_stop(c)) return 1;
    if (is_small_letter(follows) || (c != '.' && !is_stop(c))) return 0;
    return c != '.' || !is_abbreviation(start, at, follows);
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* Skips white space; how much ends with it, as far as that shows. */
static enum boundary skip_space(const char **at, const char *end)
{
    size_t n_feeds = 0, n_returns = 0;
    int separated = 0;
    while (*at < end) {
        const char *next = *at;
        uint32_t c = utf8_next(&next, end);
        if (!is_space(c)) break;
        n_feeds += c == '\n' || c == 0x2028;
        n_returns += c == '\r';
        separated |= c == '\f' || c == 0x2029;
        *at = next;
    }
    size_t n_lines = n_feeds > n_returns ? n_feeds : n_returns;
    if (*at == end || separated || n_lines > 1) return BOUNDARY_PARAGRAPH;
    return n_lines > 0 ? BOUNDARY_LINE : BOUNDARY_WORD;
}

/* Moves *at past what belongs to a wide stop or comma that was read: more stops, what closes. */
static void take_closing(const char **at, const char *end)
{
    while (*at < end) {
        const char *next = *at;
        uint32_t c = utf8_next(&next, end);
        if (!is_stop(c) && (!is_closing(c) || is_opening(c))) return;
        *at = next;
    }
}

int boundary_next(const char **at, const char *end, struct boundary_run *run)
{
    enum boundary after = BOUNDARY_CHARACTER;
    const char *next;
    skip_space(at, end);
    if (*at == end) return 0;
    run->start = *at;
    while (*at < end && after == BOUNDARY_CHARACTER && *at - run->start < BOUNDARY_RUN_MAX) {
        next = *at;
        uint32_t c = utf8_next(&next, end);
        if (is_space(c)) break;
        *at = next;
        if (c < 0x3000 || (!is_wide_stop(c) && !is_wide_comma(c))) continue;
        take_closing(at, end);
        after = is_wide_stop(c) ? BOUNDARY_SENTENCE : BOUNDARY_WORD;
    }
    run->end = next = *at;
    enum boundary space = skip_space(&next, end);
    if (next > *at || next == end) {
        after = space;
        if (after < BOUNDARY_SENTENCE && ends_sentence(run->start, run->end, next, end))
            after = BOUNDARY_SENTENCE;
    }
    run->after = after;
    return 1;
}
