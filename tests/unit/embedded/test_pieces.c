/*
 * test_pieces.c: the table, and texts as its pieces: beside the tokenizer of text/ with the same
 * vocabulary.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/sha256.h"
#include "embedded/pieces.h"
#include "embedded/table.h"
#include "text/tokenizer.h"
#include "text/tokens.h"

#define UNKNOWN TABLE_ROWS

static int put_known(void *context, uint32_t row, struct error *err)
{
    return tokens_put(context, row, 0, err);
}

static int put_unknown(void *context, struct span word, struct error *err)
{
    assert_true(word.size > 0);
    return tokens_put(context, UNKNOWN, 0, err);
}

static void read_text(const char *text, size_t size, struct tokens *tokens)
{
    struct pieces_sink sink = {put_known, put_unknown, tokens};
    struct pieces pieces;
    tokens->n = 0;
    pieces_init(&pieces, &sink, NULL);
    assert_int_equal(pieces_read(&pieces, (struct span){text, size}, NULL), 0);
    pieces_deinit(&pieces);
}

/* "piece piece ?" : the unknown ones as ?. */
static void check(const char *text, const char *expected)
{
    struct tokens tokens;
    char found[1000] = "";
    size_t used = 0;
    tokens_init(&tokens);
    read_text(text, strlen(text), &tokens);
    for (size_t i = 0; i < tokens.n; i++) {
        struct span piece =
            tokens.ids[i] == UNKNOWN ? (struct span){"?", 1} : table_piece(tokens.ids[i]);
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%.*s", i > 0 ? " " : "",
                                 (int)piece.size, piece.data);
    }
    tokens_deinit(&tokens);
    if (strcmp(found, expected) != 0) fail_msg("%s: %s, not %s", text, found, expected);
}

/* ---- the table ------------------------------------------------------------------------------- */

static void test_the_file_is_whole(void **state)
{
    (void)state;
    unsigned char digest[SHA256_SIZE];
    uint64_t hash;
    sha256(table_words + 1, sizeof table_words - 8, digest);
    memcpy(&hash, digest, sizeof hash);
    assert_true(table_hash() == hash);
}

static void test_each_piece_is_found(void **state)
{
    (void)state;
    for (uint32_t row = 0; row < TABLE_ROWS; row++) {
        struct span piece = table_piece(row);
        int goes_on = piece.size > 2 && memcmp(piece.data, "##", 2) == 0;
        size_t skip = goes_on ? 2 : 0, size = 0;
        char text[64];
        assert_in_range(piece.size, 1, 18);
        memcpy(text, piece.data + skip, piece.size - skip);
        memset(text + piece.size - skip, '\x7F', 20);
        assert_int_equal(table_find((struct span){text, piece.size - skip}, goes_on, &size), row);
        assert_int_equal(table_find((struct span){text, piece.size - skip + 20}, goes_on, &size),
                         row);
        assert_int_equal(size, piece.size - skip);
        assert_in_range(table_id(row), 999, 29675);
        assert_in_range(table_scale(row), 1, TABLE_SCALE_LIMIT - 1);
    }
    size_t size;
    assert_int_equal(table_find((struct span){"", 0}, 0, &size), TABLE_NONE);
    assert_int_equal(table_find((struct span){"\xE6\x9D\xB1", 3}, 0, &size), TABLE_NONE);
    assert_int_equal(table_find((struct span){"##", 2}, 0, &size),
                     table_find((struct span){"#", 1}, 0, &size));
}

/* Columns, as their numbers are known: of "the" in the safetensors file. */
static void test_a_row(void **state)
{
    (void)state;
    size_t size;
    uint32_t row = table_find((struct span){"the", 3}, 0, &size);
    assert_int_equal(table_id(row), 1996);
    assert_int_equal(table_scale(row), 60960);
    static const uint8_t signs[8] = {0xB7, 0xBE, 0xDE, 0x88, 0x7B, 0x98, 0xDE, 0x46};
    assert_memory_equal(table_signs(row), signs, sizeof signs);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void test_words(void **state)
{
    (void)state;
    check("", "");
    check(" \n\t ", "");
    check("The Dark Knight, returning.", "the dark knight , returning .");
    check("unbelievably\vXJ-4500b", "un ##bel ##ie ##va ##bly x ##j - 450 ##0 ##b");
    check("C++ e=mc2 #1 ## don't", "c + + e = mc ##2 # 1 # # don ' t");
    check("a\x01"
          "b",
          "ab");
    check("\x7F", "");
}

static void test_spellings(void **state)
{
    (void)state;
    check("caf\xC3\xA9", "cafe"); /* composed, and not */
    check("cafe\xCC\x81 \xCC\x81", "cafe");
    check("\xC3\x85NGSTR\xC3\x96M", "ang ##strom");
    check("na\xC3\xAFve \xEF\xAC\x81nd \xEF\xBC\xA1\xEF\xBC\xA2", "naive find ab");
    check("\xE1\xBA\xBE"
          "cole",
          "ecole");                  /* Vietnamese letters are Latin, too */
    check("\xD9\xA1\xD9\xA2", "12"); /* digits of other scripts */
    check("soft\xC2\xADware", "software");
    check("\xDC\xBF", ""); /* a mark on nothing: spelled, nothing is left */
    check("\xC2\xA3"
          "100 10\xC2\xB0",
          "\xC2\xA3"
          "100 10 ##\xC2\xB0");
}

static void test_what_is_unknown(void **state)
{
    (void)state;
    check("\xE6\x9D\xB1\xE4\xBA\xAC tower", "? tower");
    check("\xE6\x9D\xB1\xE4\xBA\xACtower\xE3\x81\xAB", "? tower ?");
    check("\xD0\xBC\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0, moscow", "? , moscow");
    check("\xE2\x80\x9Cquoted\xE2\x80\x9D \xE2\x86\x92 \xE3\x80\x82",
          "quoted"); /* marks: nothing */
    check("\xF0\x9F\xA6\x87 bat", "? bat");
    char word[103];
    memset(word, 'a', sizeof word);
    word[102] = '\0';
    check(word + 1, "?");
    struct tokens tokens;
    tokens_init(&tokens);
    read_text(word + 2, 100, &tokens);
    assert_true(tokens.n > 1);
    tokens_deinit(&tokens);
}

/* ---- beside text/tokenizer.h ----------------------------------------------------------------- */

static struct tokenizer *make_tokenizer(void)
{
    static char vocabulary[TABLE_TEXT + TABLE_ROWS + 40];
    size_t used = 0;
    struct tokenizer *tokenizer;
    for (uint32_t row = 0; row < TABLE_ROWS; row++) {
        struct span piece = table_piece(row);
        memcpy(vocabulary + used, piece.data, piece.size);
        used += piece.size;
        vocabulary[used++] = '\n';
    }
    used += (size_t)sprintf(vocabulary + used, "[UNK]\n[CLS]\n[SEP]\n");
    struct tokenizer_files files = {.vocab_txt = {vocabulary, used}};
    assert_int_equal(tokenizer_new(&files, &tokenizer, NULL), 0);
    assert_int_equal(tokenizer_unknown(tokenizer), UNKNOWN);
    return tokenizer;
}

/* Parts of words and marks, of which texts are made. */
static const char *const parts[] = {"the",
                                    "Re",
                                    "ing",
                                    "un",
                                    "x",
                                    "9",
                                    "42",
                                    "quick",
                                    "ZEBRA",
                                    "ation",
                                    "'",
                                    "-",
                                    ".",
                                    "_",
                                    "##",
                                    " ",
                                    " ",
                                    " ",
                                    "\n",
                                    "\t",
                                    "\x7F",
                                    "\x02",
                                    "\xC3\xA9",
                                    "\xC3\x9F",
                                    "\xC5\x82",
                                    "o\xCC\x88",
                                    "\xC2\xA1",
                                    "\xC2\xA0",
                                    "(",
                                    "qqqq",
                                    "supercalifragilistic"};
enum { N_PARTS = sizeof parts / sizeof *parts };

static void test_as_the_tokenizer_does(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = make_tokenizer();
    struct tokens found, expected;
    uint64_t seed = 1;
    tokens_init(&found);
    tokens_init(&expected);
    for (int round = 0; round < 3000; round++) {
        char text[600];
        size_t used = 0;
        for (int i = 0; i < 25; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const char *part = parts[(seed >> 33) % N_PARTS];
            memcpy(text + used, part, strlen(part));
            used += strlen(part);
        }
        struct tokenizer_request request = {.text = {text, used}, .without_special = 1};
        expected.n = 0;
        assert_int_equal(tokenizer_encode(tokenizer, &request, &expected, NULL, NULL), 0);
        read_text(text, used, &found);
        if (found.n != expected.n ||
            memcmp(found.ids, expected.ids, found.n * sizeof *found.ids) != 0)
            fail_msg("%.*s: other pieces", (int)used, text);
    }
    tokens_deinit(&found);
    tokens_deinit(&expected);
    tokenizer_free(tokenizer);
}

static int has_word(const char *word)
{
    return table_has_word((struct span){word, strlen(word)});
}

static void test_whole_words(void **state)
{
    (void)state;
    assert_true(has_word("a"));
    assert_true(has_word("the"));
    assert_true(has_word("library"));
    assert_false(has_word(""));
    assert_false(has_word("librari"));
    assert_false(has_word("librarylibrary"));
    assert_false(has_word("paket"));
    for (uint32_t row = 0; row < TABLE_ROWS; row++) assert_true(table_has_word(table_piece(row)));
}

/* What is stored of words depends on which pieces there are, in whatever order. */
static void test_the_pieces_stay(void **state)
{
    uint64_t all = 0;
    (void)state;
    for (uint32_t row = 0; row < TABLE_ROWS; row++) {
        struct span piece = table_piece(row);
        all ^= hash_bytes(piece.data, piece.size, 0);
    }
    assert_int_equal(all, 0x6801F5A3D931AFEA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_file_is_whole),
        cmocka_unit_test(test_each_piece_is_found),
        cmocka_unit_test(test_a_row),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_what_is_unknown),
        cmocka_unit_test(test_as_the_tokenizer_does),
        cmocka_unit_test(test_whole_words),
        cmocka_unit_test(test_the_pieces_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
