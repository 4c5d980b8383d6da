#include "api/limit.h"

#include <string.h>

enum { READ_BYTES = 4096 };

/* What is counted, and that there is a bound. In lower case. */
static const char *const things[] = {
    "batch",    "input",     "item",    "text",   "document",
    "sentence", "passage",   "string",  "array",  "list",
    "element",  "entries",   "quer",    "chunk",  "instance",
    "content",  "embedding", "request", "length", "\xE6\x89\xB9" /* batch */,
    NULL};
static const char *const bounds[] = {"max",
                                     "at most",
                                     "limit",
                                     "exceed",
                                     "than",
                                     "too many",
                                     "too large",
                                     "too big",
                                     "too_long",
                                     "up to",
                                     "allow",
                                     "must",
                                     "should",
                                     "cannot",
                                     "can not",
                                     "can't",
                                     "at once",
                                     "only",
                                     "<=",
                                     ">",
                                     "between",
                                     "support",
                                     "fewer",
                                     "reduce",
                                     "too long",
                                     "\xE2\x89\xA4",
                                     "\xE8\xB6\x85\xE8\xBF\x87" /* exceed */,
                                     "\xE6\x9C\x80\xE5\xA4\x9A" /* at most */,
                                     NULL};

/* A number before such a word counts something else. */
static const char *const measures[] = {"token",   "char",  "byte",  "word",    "kb",   "mb",
                                       "kib",     "mib",   "dim",   "sec",     "ms",   "minute",
                                       "error",   "valid", "time",  "request", "retr", "attempt",
                                       "percent", "param", "field", "model",   "%",    NULL};

/* A number behind such a word is a place or a name, or what there must be at
 * least. */
static const char *const places[] = {
    "index",   "position", "item",  "input",   "text",    "document", "row",
    "line",    "no",       "code",  "element", "status",  "error",    "http",
    "port",    "column",   "char",  "id",      "chunk",   "entry",    "string",
    "passage", "between",  "least", "minimum", "request", "sentence", NULL};

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

static int holds_one(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strstr(text, *words) != NULL) return 1;
    return 0;
}

static int begins_with(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strncmp(text, *words, strlen(*words)) == 0) return 1;
    return 0;
}

/* Chinese, Japanese and Korean put no blanks around numbers. */
static int is_ideograph(const char *at)
{
    unsigned char c = (unsigned char)*at;
    return c >= 0xE3 && c <= 0xED;
}

/* "input 3", "texts[3]", ["body","texts",3]. */
static int comes_after_place(const char *text, const char *number)
{
    const char *end = number;
    while (end > text && end[-1] == ' ') end--;
    if (end > text && (end[-1] == '#' || end[-1] == '[')) return 1;
    if (end > text + 1 && end[-1] == ',' && end[-2] == '"') return 1;
    while (end > text && strchr(" \"':=(", end[-1]) != NULL) end--;
    const char *word = end;
    while (word > text && is_letter(word[-1])) word--;
    for (const char *const *place = places; *place != NULL; place++)
        if (strlen(*place) == (size_t)(end - word) && memcmp(word, *place, strlen(*place)) == 0)
            return 1;
    return 0;
}

static int is_measure(const char *behind)
{
    while (*behind == ' ' || *behind == '-') behind++;
    if (strncmp(behind, "input ", 6) == 0) behind += 6; /* "512 input tokens" */
    return begins_with(behind, measures);
}

/* Part of a word, a version, a fraction, a time: no number of its own. A
 * sentence may end behind. */
static int stands_alone(const char *text, const char *number, const char *behind)
{
    char before = number > text ? number[-1] : ' ';
    if (number >= text + 3 && is_ideograph(number - 3)) before = ' ';
    if (is_letter(before) || strchr("._-/", before) != NULL) return 0;
    if (before == ':' && number > text + 1 && is_digit(number[-2])) return 0;
    if (is_ideograph(behind) || (*behind == '-' && begins_with(behind + 1, things))) return 1;
    if (is_letter(*behind) || *behind == '_' || *behind == '/') return 0;
    return strchr(".-:", *behind) == NULL || *behind == '\0' ||
           !(is_digit(behind[1]) || is_letter(behind[1]));
}

/* "2048", "2,048"; *behind: where it ends. Past 9 digits it is no limit. */
static size_t read_number(const char *at, const char **behind)
{
    size_t value = 0, digits = 0;
    while (is_digit(*at) || (*at == ',' && digits > 0 && is_digit(at[1]) && is_digit(at[2]) &&
                             is_digit(at[3]) && !is_digit(at[4]))) {
        if (*at != ',' && digits++ < 9) value = value * 10 + (size_t)(*at - '0');
        at++;
    }
    *behind = at;
    return digits > 9 ? 0 : value;
}

static size_t largest_below(const char *text, size_t n_sent)
{
    size_t most = 0;
    for (const char *at = text; *at != '\0';) {
        const char *number = at, *behind;
        if (!is_digit(*at)) {
            at++;
            continue;
        }
        size_t value = read_number(number, &behind);
        at = behind;
        if (value == 1 && strstr(text, "batch") == NULL) continue;
        if (value > most && value < n_sent && stands_alone(text, number, behind) &&
            !is_measure(behind) && !comes_after_place(text, number))
            most = value;
    }
    return most;
}

size_t api_told_limit(struct span body, size_t n_sent, int is_about_size)
{
    char text[READ_BYTES + 1];
    size_t n = body.size < READ_BYTES ? body.size : READ_BYTES;
    for (size_t i = 0; i < n; i++) {
        char c = body.data[i];
        text[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c == '\0' ? ' ' : c);
    }
    text[n] = '\0';
    if (!is_about_size && !(holds_one(text, things) && holds_one(text, bounds))) return 0;
    return largest_below(text, n_sent);
}
