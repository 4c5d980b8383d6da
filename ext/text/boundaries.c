#include "text/boundaries.h"

#include <stdint.h>
#include <string.h>

#include "text/unicode/classes.h"
#include "text/unicode/ucd.h"
#include "text/utf8.h"

/* ---- characters ----------------------------------------------------------------------------- */

static int is_space(uint32_t c)
{
    return (ucd_properties(c) & UCD_SPACE) != 0;
}

static int is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
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
        small[i] = (char)(is_capital(word[i]) ? word[i] + ('a' - 'A') : word[i]);
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i]) == size && memcmp(list[i], small, size) == 0) return 1;
    return 0;
}

/* "J", "J.R.R", "U.S": capitals with a point between. */
static int is_initials(const char *word, size_t size)
{
    if (size % 2 == 0) return 0;
    for (size_t i = 0; i < size; i++)
        if (i % 2 == 0 ? !is_capital(word[i]) : word[i] != '.') return 0;
    return 1;
}

/* Is word and the point behind it short for something, `next` being how the text goes on? */
static int is_abbreviation(const char *start, const char *end, uint32_t next)
{
    while (start < end && unicode_is_opening((unsigned char)*start)) start++;
    size_t size = (size_t)(end - start);
    return is_initials(start, size) ||
           is_listed(titles, sizeof titles / sizeof *titles, start, size) ||
           (next >= '0' && next <= '9' &&
            is_listed(numbered, sizeof numbered / sizeof *numbered, start, size));
}

/* The first character of what follows that opens nothing. */
static uint32_t first_character(const char *at, const char *end)
{
    uint32_t c = 0;
    while (at < end && unicode_is_opening(c = utf8_next(&at, end)))
        ;
    return c;
}

static int ends_sentence(const char *start, const char *run_end, const char *next, const char *end)
{
    const char *at = run_end;
    uint32_t c = 0, follows = first_character(next, end);
    do {
        const char *limit = at, *begin = at = utf8_before(start, at);
        c = utf8_next(&begin, limit);
    } while (at > start && unicode_is_closing(c));
    if (unicode_is_wide_stop(c)) return 1;
    if (unicode_is_small_letter(follows) || (c != '.' && !unicode_is_stop(c))) return 0;
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
        if (!unicode_is_stop(c) && (!unicode_is_closing(c) || unicode_is_opening(c))) return;
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
        if (c < 0x3000 || (!unicode_is_wide_stop(c) && !unicode_is_wide_comma(c))) continue;
        take_closing(at, end);
        after = unicode_is_wide_stop(c) ? BOUNDARY_SENTENCE : BOUNDARY_WORD;
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
