#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/each_allocation.h"
#include "text/boundaries.h"
#include "text/chunk.h"
#include "text/utf8.h"

#define N_SPECIAL 2

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* ---- tokenizers ----------------------------------------------------------------------------- */

/* A token for every four characters of a word, and two around the text. */
static int count_fours(void *context, struct span text, size_t *n, struct error *err)
{
    (void)context;
    (void)err;
    const char *at = text.data, *end = text.data + text.size;
    size_t n_letters = 0;
    *n = N_SPECIAL;
    while (at < end) {
        uint32_t c = utf8_next(&at, end);
        n_letters = c <= ' ' || c == 0xA0 || c == 0x3000 ? 0 : n_letters + 1;
        *n += n_letters % 4 == 1;
    }
    return 0;
}

/* A word is a token. */
static int count_words(void *context, struct span text, size_t *n, struct error *err)
{
    (void)context;
    (void)err;
    *n = 0;
    for (size_t i = 0; i < text.size; i++)
        *n += text.data[i] != ' ' && (i == 0 || text.data[i - 1] == ' ');
    return 0;
}

/* Nothing adds up: white space has tokens too, so that every whole is more than its parts. */
static int count_bytes(void *context, struct span text, size_t *n, struct error *err)
{
    (void)context;
    (void)err;
    *n = N_SPECIAL + text.size;
    return 0;
}

/* The same text has the same tokens, and that is all. */
static int count_anything(void *context, struct span text, size_t *n, struct error *err)
{
    (void)context;
    (void)err;
    uint32_t hash = 7;
    for (size_t i = 0; i < text.size; i++) hash = hash * 31 + (unsigned char)text.data[i];
    *n = text.size == 0 ? N_SPECIAL : (hash >> 7) % 40;
    return 0;
}

static int count_nothing(void *context, struct span text, size_t *n, struct error *err)
{
    (void)context;
    (void)text;
    (void)err;
    *n = 0;
    return 0;
}

/* ---- properties ----------------------------------------------------------------------------- */

struct check {
    struct span text;
    const struct chunk_options *options;
    const char *covered; /* the end of the last piece */
    const char *start;   /* its beginning, which is this character */
    size_t number;
    size_t n_pieces;
};

static int is_space(uint32_t c)
{
    return c <= ' ' || c == 0xA0 || c == 0x2003 || c == 0x3000;
}

static void check_blank(const char *at, const char *end)
{
    while (at < end) assert_true(is_space(utf8_next(&at, end)));
}

static void check_chunk(struct check *check, const struct chunk *chunk)
{
    const char *start = chunk->text.data, *end = start + chunk->text.size;
    const char *first = start;
    size_t n;
    assert_true(start >= check->text.data && end <= check->text.data + check->text.size);
    assert_true(end > start && utf8_check(chunk->text, NULL));
    assert_false(is_space(utf8_next(&first, end)));
    assert_true((unsigned char)end[-1] > ' ');
    assert_int_equal(check->options->count(check->options->context, chunk->text, &n, NULL), 0);
    assert_true(n <= check->options->max_tokens);
    assert_true(end > check->covered);
    assert_true(check->n_pieces == 0 || start > check->start);
    check_blank(check->covered, start);
    while (check->start < start) {
        utf8_next(&check->start, start);
        check->number++;
    }
    assert_ptr_equal(check->start, start);
    assert_int_equal(chunk->start, check->number);
    if (start < check->covered) {
        struct span shared = {start, (size_t)(check->covered - start)};
        check->options->count(check->options->context, shared, &n, NULL);
        if (check->options->count == count_fours)
            assert_true(n <= check->options->overlap + N_SPECIAL);
    }
    check->covered = end;
    check->n_pieces++;
}

/* All pieces of a text, looked at; returns how many. */
static size_t check_text(struct span text, size_t max_tokens, size_t overlap, chunk_count count)
{
    struct chunk_options options = {.max_tokens = max_tokens, .overlap = overlap, .count = count};
    struct check check = {
        .text = text, .options = &options, .covered = text.data, .start = text.data, .number = 1};
    struct chunker *chunker;
    struct chunk chunk;
    int done;
    assert_int_equal(chunk_new(text, &options, &chunker, NULL), 0);
    for (;;) {
        assert_int_equal(chunk_next(chunker, &chunk, &done, NULL), 0);
        if (done) break;
        check_chunk(&check, &chunk);
    }
    assert_int_equal(chunk_next(chunker, &chunk, &done, NULL), 0);
    assert_true(done);
    check_blank(check.covered, text.data + text.size);
    chunk_free(chunker);
    return check.n_pieces;
}

static uint32_t random_below(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % n;
}

/* Texts put together of all that can be met. */
static size_t make_text(uint64_t *state, char *text, size_t size)
{
    static const char *const parts[] = {"word",
                                        "a",
                                        " ",
                                        "  ",
                                        "\n",
                                        "\n\n",
                                        "\r\n\r\n",
                                        ". ",
                                        "! ",
                                        "?\" ",
                                        "Dr. ",
                                        "3.14",
                                        "\t",
                                        "\xC3\xA9",
                                        "\xE3\x80\x82",
                                        "\xE3\x80\x81",
                                        "\xE5\xAD\x97",
                                        "\xF0\x9F\xA6\x87",
                                        "\xC2\xA0",
                                        "\xE3\x80\x80",
                                        "anextraordinarilylongwordwithoutend",
                                        "\"",
                                        "(",
                                        ")",
                                        "...",
                                        "\xE2\x80\x9C",
                                        "\f",
                                        "one two three four. Five six"};
    size_t used = 0;
    for (;;) {
        const char *part = parts[random_below(state, sizeof parts / sizeof *parts)];
        size_t length = strlen(part);
        if (used + length > size) return used;
        memcpy(text + used, part, length);
        used += length;
    }
}

static void test_properties(void **state)
{
    (void)state;
    static const chunk_count counts[] = {count_fours, count_bytes, count_anything, count_words,
                                         count_nothing};
    uint64_t seed = 1;
    for (int i = 0; i < 3000; i++) {
        /* In a block of its own: a byte read too far is found by the address sanitizer. */
        char made[600];
        size_t size = make_text(&seed, made, random_below(&seed, sizeof made));
        char *text = malloc(size + 1);
        memcpy(text, made, size);
        chunk_count count = counts[i % 5];
        size_t least = count == count_anything ? 39 : count == count_bytes ? 6 : N_SPECIAL + 1;
        size_t max_tokens = least + random_below(&seed, 60);
        size_t overlap = i % 2 == 0 ? 0 : random_below(&seed, (uint32_t)max_tokens);
        check_text((struct span){text, size}, max_tokens, overlap, count);
        free(text);
    }
}

static void test_adversaries(void **state)
{
    (void)state;
    static const char *const units[] = {"a", "\xF0\x9F\xA6\x87", "- ",   ". ", "\n\n.",
                                        " ", "\xE3\x80\x82",     "a.b ", "\"", "'\xE2\x80\x9D "};
    size_t size = 400000;
    char *text = malloc(size);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t length = strlen(units[i]), n = size / length;
        for (size_t j = 0; j < n; j++) memcpy(text + j * length, units[i], length);
        struct span whole = {text, n * length};
        check_text(whole, 12, 0, count_fours);
        check_text(whole, 512, 100, count_fours);
        check_text(whole, 512, 0, count_bytes);
        check_text(whole, 256, 0, count_words);
        check_text((struct span){text, 1980}, 100, 99, count_fours);
        check_text((struct span){text, 1980}, 39, 20, count_anything);
        check_text(whole, 1, 0, count_nothing);
    }
    free(text);
}

/* ---- where it is cut ------------------------------------------------------------------------ */

/* `expected`: the pieces, each followed by '|'. */
static void check_pieces(const char *text, size_t max_tokens, size_t overlap, const char *expected)
{
    struct chunk_options options = {
        .max_tokens = max_tokens, .overlap = overlap, .count = count_words};
    struct chunker *chunker;
    struct chunk chunk;
    char joined[1000] = "";
    size_t used = 0;
    int done;
    assert_int_equal(chunk_new(span_of(text), &options, &chunker, NULL), 0);
    while (chunk_next(chunker, &chunk, &done, NULL) == 0 && !done)
        used += (size_t)snprintf(joined + used, sizeof joined - used, "%.*s|", (int)chunk.text.size,
                                 chunk.text.data);
    assert_string_equal(joined, expected);
    chunk_free(chunker);
}

static void test_pieces(void **state)
{
    (void)state;
    check_pieces("", 5, 0, "");
    check_pieces(" \n\t ", 5, 0, "");
    check_pieces(" one ", 5, 0, "one|");
    check_pieces("one two three four five", 2, 0, "one two|three four|five|");
    check_pieces("one two three four five", 3, 1, "one two three|three four five|");
    /* Back to the end of a sentence, of a paragraph; not if too little is left. */
    check_pieces("One two. Three four five six seven. Eight.", 6, 0,
                 "One two.|Three four five six seven. Eight.|");
    check_pieces("One two. Three four. Five \n\n six Seven eight nine", 6, 0,
                 "One two. Three four. Five|six Seven eight nine|");
    check_pieces("One. two three four five six seven eight nine ten", 8, 0,
                 "One. two three four five six seven eight|nine ten|");
    /* What is shared begins with a sentence, if that is not too little. */
    check_pieces("One two three. Four five. Six seven eight. Nine", 6, 3,
                 "One two three. Four five.|Four five. Six seven eight. Nine|");
    check_pieces("\xE4\xB8\x80\xE3\x80\x82\xE4\xBA\x8C\xE3\x80\x82", 5, 0,
                 "\xE4\xB8\x80\xE3\x80\x82\xE4\xBA\x8C\xE3\x80\x82|");
}

/* Behind which words of a text a sentence, or more, ends: the words, each followed by '|'. */
static void check_sentences(const char *text, const char *expected)
{
    struct boundary_run run;
    struct span span = span_of(text);
    const char *at = span.data, *end = span.data + span.size;
    char joined[1000] = "";
    size_t used = 0;
    while (boundary_next(&at, end, &run))
        if (run.after >= BOUNDARY_SENTENCE)
            used += (size_t)snprintf(joined + used, sizeof joined - used, "%.*s|",
                                     (int)(run.end - run.start), run.start);
    assert_string_equal(joined, expected);
}

static void test_sentences(void **state)
{
    (void)state;
    check_sentences("It is. Is it? Yes! So...", "is.|it?|Yes!|So...|");
    check_sentences("\"It is.\" (Is it?) He said \xE2\x80\x9Cyes!\xE2\x80\x9D Then left",
                    "is.\"|it?)|\xE2\x80\x9Cyes!\xE2\x80\x9D|left|");
    check_sentences("Dr. Who met Mr. J. R. R. Tolkien in the U.S. Army, e.g. Texas. It was 3.14 m",
                    "Texas.|m|");
    check_sentences("See fig. 3 and no. 7. He said no. Then etc. and (cf. Smith) at 5 p.m. The end",
                    "7.|no.|p.m.|end|");
    check_sentences("Yahoo! is big. and small", "small|");
    check_sentences("one\ntwo\n\nthree \r\n \r\nfour\ffive", "two|three|four|five|");
    check_sentences(
        "\xC3\x89t\xC3\xA9. \xC3\xA9t\xC3\xA9. \xD0\x94\xD0\xB0. \xD0\x9D\xD0\xB5\xD1\x82",
        "\xC3\xA9t\xC3\xA9.|\xD0\x94\xD0\xB0.|\xD0\x9D\xD0\xB5\xD1\x82|");
    /* Without spaces; a quote that opens stays with what it opens. */
    check_sentences(
        "\xE4\xB8\x80\xE3\x80\x82\xE3\x80\x8D\xE4\xBA\x8C\xEF\xBC\x9F\xEF\xBC\x81\xE4\xB8\x89",
        "\xE4\xB8\x80\xE3\x80\x82\xE3\x80\x8D|\xE4\xBA\x8C\xEF\xBC\x9F\xEF\xBC\x81|\xE4\xB8\x89|");
    check_sentences("\xE0\xA4\x95 \xE0\xA5\xA4 \xE0\xA4\x96", "\xE0\xA5\xA4|\xE0\xA4\x96|");
}

static void test_long_runs(void **state)
{
    (void)state;
    size_t size = 3 * BOUNDARY_RUN_MAX, n_runs = 0;
    char *text = malloc(size);
    struct boundary_run run;
    for (size_t i = 0; i < size; i++) text[i] = "\xE2\x82\xAC"[i % 3];
    const char *at = text;
    while (boundary_next(&at, text + size, &run)) {
        n_runs++;
        assert_true(run.end - run.start <= BOUNDARY_RUN_MAX + 3);
        assert_true(utf8_check((struct span){run.start, (size_t)(run.end - run.start)}, NULL));
        assert_int_equal(run.after, at == text + size ? BOUNDARY_PARAGRAPH : BOUNDARY_CHARACTER);
    }
    assert_int_equal(n_runs, 3);
    free(text);
}

/* ---- what goes wrong ------------------------------------------------------------------------ */

static void check_refused(const char *text, const struct chunk_options *options,
                          const char *expected)
{
    struct chunker *chunker;
    struct chunk chunk;
    struct error err = {0};
    int done = 0;
    int rc = chunk_new(span_of(text), options, &chunker, &err);
    while (rc == 0 && !done) rc = chunk_next(chunker, &chunk, &done, &err);
    assert_int_equal(rc, ERROR_INVALID);
    assert_string_equal(err.text, expected);
    chunk_free(chunker);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    struct chunk_options options = {.max_tokens = N_SPECIAL, .count = count_fours};
    check_refused("a", &options, "max_tokens must be 3 or more, not 2 (2 are special tokens)");
    options.max_tokens = options.overlap = 9;
    check_refused("a", &options, "overlap must be less than max_tokens (9), not 9");
    options = (struct chunk_options){.max_tokens = 4, .count = count_bytes};
    check_refused("ab \xE2\x82\xAC", &options,
                  "a single character (\xE2\x82\xAC) has 3 tokens: max_tokens must be 5 or more, "
                  "not 4");
}

/* Interrupts at the n-th look. */
static int interrupt_at(void *context)
{
    return --*(long *)context < 0;
}

/* Gives up at the n-th count. */
static int fail_at(void *context, struct span text, size_t *n, struct error *err)
{
    if (--*(long *)context < 0) return error_set(err, ERROR_UNAVAILABLE, "down");
    return count_fours(NULL, text, n, err);
}

static int cut(struct span text, const struct chunk_options *options, struct error *err)
{
    struct chunker *chunker;
    struct chunk chunk;
    int done = 0;
    int rc = chunk_new(text, options, &chunker, err);
    while (rc == 0 && !done) rc = chunk_next(chunker, &chunk, &done, err);
    chunk_free(chunker);
    return rc;
}

static void test_failures_pass(void **state)
{
    (void)state;
    struct span text = span_of("one two. anotherlongwordthatiscut three four. five");
    for (long n = 0;; n++) {
        long left = n;
        struct chunk_options options = {
            .max_tokens = 5, .overlap = 2, .count = fail_at, .context = &left};
        int rc = cut(text, &options, NULL);
        if (rc == 0) break;
        assert_int_equal(rc, ERROR_UNAVAILABLE);
    }
    /* Within one piece, too: it may hold the whole text. */
    size_t size = 1000000;
    char *words = malloc(size);
    for (size_t i = 0; i < size; i++) words[i] = i % 2 == 0 ? 'a' : ' ';
    long left = 1;
    struct cancel cancel = {interrupt_at, &left};
    struct chunk_options options = {.max_tokens = 10, .count = count_nothing, .cancel = &cancel};
    assert_int_equal(cut((struct span){words, size}, &options, NULL), ERROR_INTERRUPTED);
    assert_true(left < 0);
    free(words);
}

static int cut_all(void *context, struct error *err)
{
    struct chunk_options options = {.max_tokens = 40, .overlap = 10, .count = count_fours};
    return cut(*(struct span *)context, &options, err);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static char words[2000];
    memset(words, 'a', sizeof words);
    for (size_t i = 3; i < sizeof words; i += 4) words[i] = ' ';
    assert_true(each_allocation(cut_all, &(struct span){words, sizeof words}) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties),    cmocka_unit_test(test_adversaries),
        cmocka_unit_test(test_pieces),        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_long_runs),     cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_failures_pass), cmocka_unit_test(test_out_of_memory),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
