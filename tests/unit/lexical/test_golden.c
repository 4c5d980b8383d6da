/*
 * test_golden.c: the bytes of stateless embeddings, as XXH64 of their 1024 float32.
 *
 * They are the same on every platform and in every release, for users store them. A change of
 * text/, features.h or hashing.h that moves one is a new model, not a new value here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "lexical/lexical.h"
#include "model/array_sink.h"

static void check_embedding(const char *text, size_t size, uint64_t golden)
{
    static float embedding[LEXICAL_DIMENSIONS];
    struct span span = {text, size};
    struct model_texts texts = {&span, 1, MODEL_DOCUMENT, NULL, 0};
    struct model *model;
    assert_int_equal(lexical_new(&model, NULL), 0);
    assert_int_equal(embed_into(model, &texts, embedding, NULL), 0);
    model_free(model);
    uint64_t hash = hash_bytes(embedding, sizeof embedding, 0);
    if (hash != golden) fail_msg("%.20s... gives 0x%016" PRIX64, text, hash);
}

static void test_short_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t hash;
    } golden[] = {
        {"The Dark Knight returns to Gotham's streets, don't you know?", 0x951AD7DA0695F1AB},
        {"\xC3\x85ngstr\xC3\xB6m na\xC3\xAFve \xC5\x81\xC3\xB3"
         "d\xC5\xBA Stra\xC3\x9F"
         "e c\xC6\xA1m \xCE\xAC\xCE\xBD\xCE\xB8\xCF\x81\xCF\x89\xCF\x80\xCE\xBF\xCF\x82",
         0x3DE26439C1EEC40D},
        {"\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD\xE3\x81\xAB\xE8\xA1\x8C\xE3\x81\x8F",
         0x24ABE3E8B992DD94},
        {"\xF0\x9F\xA6\x87 and \xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9 \xE2\x9D\xA4",
         0x2C7437E4DD1DC69D},
        {"?!... --", 0xBE1249995A390C94},
    };
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
        check_embedding(golden[i].text, strlen(golden[i].text), golden[i].hash);
}

/* 20000 words, 97 of them different. */
static void test_a_long_text(void **state)
{
    (void)state;
    static char text[20000 * 8 + 1];
    for (size_t i = 0; i < 20000; i++) snprintf(text + 8 * i, 9, "word%03zu ", i * i % 193);
    check_embedding(text, sizeof text - 1, 0xD785B7A2B85E3954);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_texts),
        cmocka_unit_test(test_a_long_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
