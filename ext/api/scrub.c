#include "api/scrub.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "text/unicode/classes.h"
#include "text/utf8.h"

#define STAND_IN "[key]"

/* Longer than what is shown, as words may vanish; what is beyond is not looked at. */
enum { WORK_BYTES = 4096 };

struct text {
    char data[WORK_BYTES + 1]; /* NUL terminated */
    size_t size;
    int full; /* something did not fit */
};

static void add(struct text *text, const char *data, size_t size)
{
    if (text->full || size > WORK_BYTES - text->size) {
        text->full = 1;
        return;
    }
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One line with single spaces. What was too long loses its last word, which may be half a key. */
static void flatten(const char *message, struct text *out)
{
    const char *end = message + strlen(message);
    int blank = 0;
    while (message < end && !out->full) {
        char bytes[4];
        uint32_t c = utf8_next(&message, end);
        if (unicode_is_blank(c)) {
            blank = out->size > 0;
            continue;
        }
        if (blank) add(out, " ", 1);
        blank = 0;
        add(out, bytes, utf8_put(c, bytes));
    }
    if (!out->full) return;
    while (out->size > 0 && out->data[out->size - 1] != ' ') out->size--;
    out->data[out->size] = '\0';
}

static int contains(const char *text, const char *part)
{
    size_t size = strlen(part);
    for (; *text != '\0'; text++)
        if (strncasecmp(text, part, size) == 0) return 1;
    return 0;
}

static int is_html(const char *text)
{
    /* Some begin a message with "<400>". */
    int is_tag = text[0] == '<' && (is_letter(text[1]) || strchr("!?/", text[1]) != NULL);
    return is_tag || contains(text, "<html") || contains(text, "<!doctype");
}

static void replace_key(const struct text *in, const char *key, struct text *out)
{
    size_t size = key == NULL ? 0 : strlen(key);
    for (size_t i = 0; i < in->size;) {
        if (size != 0 && strncasecmp(in->data + i, key, size) == 0) {
            add(out, STAND_IN, strlen(STAND_IN));
            i += size;
        } else {
            add(out, in->data + i++, 1);
        }
    }
}

/* What a key consists of; bytes beyond ASCII for the dots of a mask. */
static int is_word(char c)
{
    return is_letter(c) || is_digit(c) || (unsigned char)c >= 0x80 ||
           (c != '\0' && strchr("_-.*+~", c) != NULL);
}

struct word {
    const char *data;
    size_t size; /* without dots at its end */
};

/* sk-...abcd, abcd****, with the character of three dots too. */
static int is_masked(struct word word)
{
    for (size_t i = 0; i + 1 < word.size; i++) {
        const char *at = word.data + i;
        size_t left = word.size - i;
        if (at[0] == '*' && at[1] == '*') return 1;
        if (left > 3 && memcmp(at, "...", 3) == 0) return 1;
        if (left > 3 && memcmp(at, "\xE2\x80\xA6", 3) == 0) return 1;
        if (left > 3 && memcmp(at, "\xE2\x80\xA2", 3) == 0) return 1; /* bullets */
    }
    return 0;
}

static int has_digit(struct word word)
{
    for (size_t i = 0; i < word.size; i++)
        if (is_digit(word.data[i])) return 1;
    return 0;
}

static int has_known_prefix(struct word word)
{
    static const char *const prefixes[] = {"sk-",   "sk_",  "tgp_", "pa-",  "al-",
                                           "jina_", "hf_",  "nk-",  "mxb_", "emb_",
                                           "gsk_",  "xai-", "AIza", "ghp_", "r8_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t size = strlen(prefixes[i]);
        if (word.size < size + 4 || memcmp(word.data, prefixes[i], size) != 0) continue;
        return i < 3 || word.size >= 20 || has_digit(word);
    }
    return 0;
}

/* 32 and more letters and digits, both of them: a hash, an id without hyphens, a key. */
static int has_long_run(struct word word)
{
    size_t letters = 0, digits = 0;
    for (size_t i = 0; i < word.size; i++) {
        if (is_letter(word.data[i])) letters++;
        else if (is_digit(word.data[i])) digits++;
        else letters = digits = 0;
        if (letters > 0 && digits > 0 && letters + digits >= 32) return 1;
    }
    return 0;
}

/* A piece of the key: how it begins, or how it ends. Short keys have no pieces. */
static int is_piece(struct word word, const char *key)
{
    size_t size = key == NULL ? 0 : strlen(key);
    if (size < 20) return 0;
    if (word.size >= 6 && strncasecmp(word.data, key, 6) == 0) return 1;
    return word.size >= 4 && word.size < size &&
           strncasecmp(word.data, key + size - word.size, word.size) == 0;
}

static int is_secret(struct word word, struct word before, const char *key)
{
    int announced = (before.size == 6 && strncasecmp(before.data, "bearer", 6) == 0) ||
                    (before.size == 5 && strncasecmp(before.data, "basic", 5) == 0);
    if (announced && (word.size >= 16 || (word.size >= 6 && has_digit(word)))) return 1;
    return is_masked(word) || has_known_prefix(word) || has_long_run(word) || is_piece(word, key);
}

static void replace_secrets(const struct text *in, const char *key, struct text *out)
{
    struct word before = {0};
    for (size_t i = 0; i < in->size;) {
        size_t start = i;
        while (i < in->size && !is_word(in->data[i])) i++;
        add(out, in->data + start, i - start);
        struct word word = {in->data + i, 0};
        while (i < in->size && is_word(in->data[i])) i++;
        size_t whole = (size_t)(in->data + i - word.data);
        word.size = whole;
        while (word.size > 0 && word.data[word.size - 1] == '.') word.size--;
        if (is_secret(word, before, key)) add(out, STAND_IN, strlen(STAND_IN));
        else add(out, word.data, word.size);
        add(out, word.data + word.size, whole - word.size);
        before = word;
    }
}

/* The longest beginning of at most `limit` bytes that cuts no character. */
static size_t clip(const struct text *text, size_t limit)
{
    if (text->size <= limit) return text->size;
    while (limit > 0 && utf8_is_inside(text->data[limit])) limit--;
    return limit;
}

/* Without the full stop at the end; three of them stay. */
static void trim(struct text *text)
{
    const char *data = text->data;
    size_t size = text->size;
    while (size > 0 && data[size - 1] == ' ') size--;
    if (size > 1 && data[size - 1] == '.' && data[size - 2] != '.') size--;
    while (size > 0 && data[size - 1] == ' ') size--;
    text->size = size;
}

void api_scrub(const char *message, const char *key, char out[API_MESSAGE_BYTES + 1])
{
    struct text line = {.size = 0}, without_key = {.size = 0}, clean = {.size = 0};
    out[0] = '\0';
    flatten(message, &line);
    if (is_html(line.data)) return;
    replace_key(&line, key, &without_key);
    replace_secrets(&without_key, key, &clean);
    memory_wipe(&line, sizeof line);
    memory_wipe(&without_key, sizeof without_key); /* pieces of the key */
    trim(&clean);
    int cut = clean.size > API_MESSAGE_BYTES;
    size_t size = clip(&clean, cut ? API_MESSAGE_BYTES - 3 : API_MESSAGE_BYTES);
    memcpy(out, clean.data, size);
    memcpy(out + size, cut ? "..." : "", cut ? 4 : 1);
}
