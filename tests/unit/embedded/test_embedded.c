/*
 * test_embedded.c: vectors of builtin:static. Their bytes are also compared with a computation in
 * Python: tests/drivers/test_embedded.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/each_allocation.h"
#include "base/hash.h"
#include "base/memory.h"
#include "embedded/embedded.h"
#include "embedded/pieces.h"
#include "embedded/unknown.h"
#include "model/array_sink.h"

enum { DIMENSIONS = 384 };
#define GOLDEN_OF_ALL 0x433086AA2395BDB1

static struct model *new_model(void)
{
    struct model *model;
    assert_int_equal(embedded_new(&model, NULL), 0);
    return model;
}

static void embed(const char *text, size_t size, float vector[DIMENSIONS])
{
    struct model *model = new_model();
    struct span span = {text, size};
    struct model_texts texts = {&span, 1, MODEL_DOCUMENT, NULL, 0};
    assert_int_equal(embed_into(model, &texts, vector, NULL), 0);
    model_free(model);
}

static double similarity(const char *a, const char *b)
{
    float p[DIMENSIONS], q[DIMENSIONS];
    double dot = 0.0;
    embed(a, strlen(a), p);
    embed(b, strlen(b), q);
    for (size_t i = 0; i < DIMENSIONS; i++) dot += (double)p[i] * (double)q[i];
    return dot;
}

static void check_bytes(const char *text, size_t size, uint64_t golden)
{
    float vector[DIMENSIONS];
    embed(text, size, vector);
    uint64_t hash = hash_bytes(vector, sizeof vector, 0);
    if (hash != golden) fail_msg("%.20s... gives 0x%016" PRIX64, text, hash);
}

/* They are the same on every platform: users store them. Another value is another model: METHOD in
 * embedded.c goes up. */
static void test_the_same_bytes_everywhere(void **state)
{
    (void)state;
    static char text[20000 * 8 + 1];
    for (size_t i = 0; i < 20000; i++) snprintf(text + 8 * i, 9, "word%03zu ", i * i % 193);
    check_bytes("The Dark Knight returns", 23, 0x38AD8CDFE601B70F);
    check_bytes("\xD0\xBC\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0 \xE6\x9D\xB1\xE4\xBA\xAC", 19,
                0x2B44ECDD1ABFABE6);
    check_bytes(text, sizeof text - 1, 0xB2F993E7B849D0F6);
}

/* More rows than 32 bits hold: as their number says. */
static void test_a_long_text(void **state)
{
    (void)state;
    enum { WORDS = 30000 };
    static char text[WORDS * 7];
    float one[DIMENSIONS], many[DIMENSIONS];
    for (size_t i = 0; i < WORDS; i++) memcpy(text + 7 * i, "orchid ", 7);
    embed("orchid", 6, one);
    embed(text, sizeof text, many);
    assert_memory_equal(one, many, sizeof one);
}

static void test_unit_vectors_of_all_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"a",
                                        "?",
                                        "the of",
                                        "\xE3\x80\x82",
                                        "\xE2\x86\x92",
                                        "\xCC\x81",
                                        "\xC2\xAD",
                                        "\x01",
                                        "\xF0\x9F\xA6\x87",
                                        "x\xE2\x80\x8B",
                                        "\xE6\x9D\xB1\xE4\xBA\xAC"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double length = similarity(texts[i], texts[i]);
        if (!(fabs(length - 1.0) < 1e-6)) fail_msg("text %zu has the length %g", i, length);
    }
}

static void test_meaning(void **state)
{
    (void)state;
    assert_true(similarity("a dog barks", "puppies") > similarity("a dog barks", "stock market"));
    assert_true(similarity("film about space", "movie with astronauts") >
                similarity("film about space", "recipe with onions") + 0.2);
    assert_true(fabs(similarity("caf\xC3\xA9 na\xC3\xAFve", "CAFE\xCC\x81 NAIVE") - 1.0) < 1e-6);
}

static void test_unknown_words(void **state)
{
    (void)state;
    const char *moscow = "\xD0\xBC\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0";    /* moskva */
    const char *of_moscow = "\xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD1\x8B"; /* Moskvy */
    const char *other = "\xD1\x85\xD0\xBB\xD0\xB5\xD0\xB1";                     /* khleb */
    assert_true(similarity(moscow, of_moscow) > 0.5);
    assert_true(fabs(similarity(moscow, other)) < 0.2);
    /* "Tokyo" in a sentence without spaces. */
    assert_true(similarity("\xE6\x9D\xB1\xE4\xBA\xAC",
                           "\xE5\xBD\xBC\xE3\x81\xAF\xE6\x9D\xB1\xE4\xBA\xAC\xE3\x81\xAB") > 0.3);
}

static int stop_soon(void *context)
{
    return --*(int *)context < 0;
}

/* ---- batches --------------------------------------------------------------------------------- */

static void test_batches(void **state)
{
    (void)state;
    struct model *model = new_model();
    static float all[3 * DIMENSIONS];
    float one[DIMENSIONS];
    struct span spans[] = {{"bats in a cave", 14}, {"\xC3\x85ngstr\xC3\xB6m", 10}, {"bats", 4}};
    struct model_texts texts = {spans, 3, MODEL_QUERY, NULL, 0};
    assert_int_equal(embed_into(model, &texts, all, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        embed(spans[i].data, spans[i].size, one);
        assert_memory_equal(one, all + i * DIMENSIONS, sizeof one);
    }
    model_free(model);
}

/* Some that a thread may not read: not of ASCII, or a word too long. */
static void test_any_number_of_threads(void **state)
{
    (void)state;
    enum { TEXTS = 2100, SIZE = 160 };
    char *bytes = malloc((size_t)TEXTS * SIZE);
    struct span *spans = malloc(TEXTS * sizeof *spans);
    float *one = malloc((size_t)TEXTS * DIMENSIONS * sizeof *one),
          *some = malloc((size_t)TEXTS * DIMENSIONS * sizeof *some);
    struct model *model = new_model();
    struct model_texts texts = {spans, TEXTS, MODEL_DOCUMENT, NULL, 0};
    size_t n_threads = 3;
    for (int i = 0; i < TEXTS; i++) {
        char *at = bytes + i * SIZE;
        int n = snprintf(at, SIZE, "bats %d in xq%dw %s %0*d", i, i % 97,
                         i % 5 == 0 ? "caf\xC3\xA9" : "caves", i % 7 == 0 ? 110 : 2, i);
        spans[i] = (struct span){at, (size_t)n};
    }
    assert_int_equal(embed_into(model, &texts, one, NULL), 0);
    embedded_use_threads(model, &n_threads);
    assert_int_equal(embed_into(model, &texts, some, NULL), 0);
    assert_memory_equal(one, some, (size_t)TEXTS * DIMENSIONS * sizeof *one);
    int left = 0;
    struct cancel cancel = {stop_soon, &left};
    texts.cancel = &cancel;
    assert_int_equal(embed_into(model, &texts, some, NULL), ERROR_INTERRUPTED);
    model_free(model);
    free(bytes);
    free(spans);
    free(one);
    free(some);
}

static void check_tokens(const char *text, size_t n, const uint32_t *ids)
{
    struct model *model = new_model();
    struct model_tokens tokens;
    struct span span = {text, strlen(text)};
    assert_int_equal(model_tokenize(model, span, NULL, 0, &tokens, NULL), 0);
    assert_int_equal(tokens.n, n);
    assert_null(tokens.ids);
    assert_int_equal(model_tokenize(model, span, NULL, 1, &tokens, NULL), 0);
    assert_int_equal(tokens.n, n);
    if (n > 0) assert_memory_equal(tokens.ids, ids, n * sizeof *ids);
    memory_free(tokens.ids);
    model_free(model);
}

static void test_tokens(void **state)
{
    (void)state;
    check_tokens("The bats, the bats!", 6, (const uint32_t[]){1996, 12236, 1010, 1996, 12236, 999});
    check_tokens("\xE6\x9D\xB1\xE4\xBA\xAC bats", 2, (const uint32_t[]){100, 12236});
    check_tokens("", 0, NULL);
}

/* ---- sense ----------------------------------------------------------------------------------- */

static int has_sense(const char *query, const char *text)
{
    struct model *model = new_model();
    struct span span = {text, text == NULL ? 0 : strlen(text)};
    int has = -1;
    assert_int_equal(model->methods->has_sense(model, (struct span){query, strlen(query)}, &span,
                                               text != NULL, NULL, &has, NULL),
                     0);
    model_free(model);
    return has;
}

static void test_sense(void **state)
{
    (void)state;
    assert_int_equal(has_sense("bats", NULL), 1);
    assert_int_equal(has_sense("42", "bats"), 1);
    assert_int_equal(has_sense("?!", "what?!"), 0);
    assert_int_equal(has_sense("\xE6\x9D\xB1\xE4\xBA\xAC", NULL), 0);
    assert_int_equal(has_sense("\xE6\x9D\xB1\xE4\xBA\xAC", "tokyo"), 0);
    assert_int_equal(has_sense("\xE6\x9D\xB1\xE4\xBA\xAC", "\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD"),
                     1);
}

static double known(const char *query)
{
    struct model *model = new_model();
    double share = -1;
    struct span span = {query, strlen(query)};
    assert_int_equal(model->methods->knows(model, span, NULL, &share, NULL), 0);
    model_free(model);
    return share;
}

static void test_knows(void **state)
{
    (void)state;
    assert_true(known("") == 0);
    assert_true(known("Bats in the caves") == 1);
    assert_true(known("zurvanite bats") == .5);
    assert_true(known("bats zurvanite") == .5);
    assert_true(known("программа bats, bats") == .75);
    assert_true(known("программа программы") == 0);
}

/* ---- rarity ---------------------------------------------------------------------------------- */

/* What words were asked for, and what is answered: so many times as rare as they were learnt, 0:
 * not known; "bats" another number. */
struct rarities {
    char asked[256];
    double times, times_of_bats;
    int rc;
};

static int find_rarity(void *context, struct span word, double *idf, struct error *err)
{
    struct rarities *rarities = context;
    size_t size = strlen(rarities->asked);
    int is_bats = word.size == 4 && memcmp(word.data, "bats", 4) == 0;
    snprintf(rarities->asked + size, sizeof rarities->asked - size, "%s%.*s", size == 0 ? "" : "|",
             (int)word.size, word.data);
    assert_int_equal(pieces_rarity(word, idf, NULL), 0);
    *idf *= is_bats ? rarities->times_of_bats : rarities->times;
    return rarities->rc == 0 ? 0 : error_set(err, rarities->rc, "not today");
}

static int embed_weighed(struct rarities *rarities, const char *query, float vector[DIMENSIONS])
{
    struct model *model = new_model();
    struct model_rarity rarity = {find_rarity, rarities};
    struct span span = {query, strlen(query)};
    int rc = model->methods->embed_by_rarity(model, span, &rarity, NULL, vector, NULL);
    model_free(model);
    return rc;
}

static double cosine(const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < DIMENSIONS; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void test_words_count_by_how_rare_they_are(void **state)
{
    static const char query[] = "Bats, taxes";
    struct rarities usual = {"", 1, 1, 0}, none = {"", 0, 0, 0}, rare = {"", 1, 3, 0};
    float bats[DIMENSIONS], taxes[DIMENSIONS], plain[DIMENSIONS], vector[DIMENSIONS] = {7};
    (void)state;
    embed("bats", 4, bats);
    embed("taxes", 5, taxes);
    embed(query, strlen(query), plain);
    assert_int_equal(embed_weighed(&none, query, vector), 0);
    assert_true(vector[0] == 7.0f); /* nobody knows how rare its words are */
    assert_string_equal(none.asked, "bats|,|taxes");
    assert_int_equal(embed_weighed(&usual, query, vector), 0);
    for (size_t i = 0; i < DIMENSIONS; i++)
        assert_true(fabsf(vector[i] - plain[i]) < 1e-6f); /* as rare as in training */
    assert_int_equal(embed_weighed(&rare, query, vector), 0);
    assert_true(fabs(cosine(vector, vector) - 1) < 1e-6);
    assert_true(cosine(vector, bats) > cosine(plain, bats) + .1);
    assert_true(cosine(vector, taxes) < cosine(plain, taxes) - .1);
}

/* Three times as rare counts twice: "bats bats taxes" weighs its words so, too. */
static void test_a_weight_is_a_number_of_times(void **state)
{
    struct rarities rare = {"", 1, 3, 0};
    float twice[DIMENSIONS], vector[DIMENSIONS];
    (void)state;
    embed("bats bats taxes", 15, twice);
    assert_int_equal(embed_weighed(&rare, "bats taxes", vector), 0);
    for (size_t i = 0; i < DIMENSIONS; i++) assert_true(fabsf(vector[i] - twice[i]) < 1e-6f);
}

static void test_rarity_of_unknown_words(void **state)
{
    static const char query[] = "МОСКВА l'h\xC3\xA9r\xC3\xB4s";
    struct rarities usual = {"", 1, 1, 0}, fails = {"", 1, 1, ERROR_STORAGE};
    float vector[DIMENSIONS], moscow[DIMENSIONS], plain[DIMENSIONS];
    (void)state;
    embed(query, strlen(query), plain);
    embed("москва", strlen("москва"), moscow);
    assert_int_equal(embed_weighed(&usual, query, vector), 0);
    assert_string_equal(usual.asked, "москва|l|'|heros");
    assert_true(cosine(vector, moscow) > cosine(plain, moscow)); /* of no word that was learnt */
    assert_int_equal(embed_weighed(&fails, query, vector), ERROR_STORAGE);
}

/* ---- failures -------------------------------------------------------------------------------- */

static int pass_rarity(void *context, struct span word, double *idf, struct error *err)
{
    (void)context;
    (void)word;
    (void)err;
    *idf = 1;
    return 0;
}

static int use_all(void *context, struct error *err)
{
    static const char text[] = "bats \xE2\x80\x9C\xC3\x85ngstr\xC3\xB6m\xE2\x80\x9D in "
                               "\xD0\xBC\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0 o\xCC\x88";
    struct span span = {text, sizeof text - 1};
    struct model_texts texts = {&span, 1, MODEL_DOCUMENT, NULL, 0};
    struct model_tokens tokens = {0};
    struct model *model;
    float vector[DIMENSIONS];
    double share;
    int has;
    (void)context;
    int rc = embedded_new(&model, err);
    if (rc == 0) rc = embed_into(model, &texts, vector, err);
    if (rc == 0 && hash_bytes(vector, sizeof vector, 0) != GOLDEN_OF_ALL)
        fail_msg("0x%016" PRIX64, hash_bytes(vector, sizeof vector, 0));
    if (rc == 0) rc = model_tokenize(model, span, NULL, 1, &tokens, err);
    if (rc == 0)
        rc = model->methods->has_sense(model, (struct span){"\xD0\xBC\xD0\xBE", 4}, &span, 1, NULL,
                                       &has, err);
    if (rc == 0) rc = model->methods->knows(model, span, NULL, &share, err);
    if (rc == 0)
        rc = model->methods->embed_by_rarity(model, span, &(struct model_rarity){pass_rarity, NULL},
                                             NULL, vector, err);
    memory_free(tokens.ids);
    model_free(model);
    return rc;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    assert_true(each_allocation(use_all, NULL) > 8);
}

static void check_interrupt(const char *part)
{
    enum { TIMES = 200000 };
    size_t size = strlen(part);
    char *text = malloc(TIMES * size);
    float vector[DIMENSIONS];
    struct model *model = new_model();
    int left = 3;
    struct cancel cancel = {stop_soon, &left};
    for (size_t i = 0; i < TIMES; i++) memcpy(text + size * i, part, size);
    struct span span = {text, TIMES * size};
    struct model_texts texts = {&span, 1, MODEL_DOCUMENT, &cancel, 0};
    struct model_tokens tokens = {0};
    assert_int_equal(embed_into(model, &texts, vector, NULL), ERROR_INTERRUPTED);
    left = 3;
    assert_int_equal(model_tokenize(model, span, &cancel, 1, &tokens, NULL), ERROR_INTERRUPTED);
    model_free(model);
    free(text);
}

static void test_interrupts(void **state)
{
    (void)state;
    check_interrupt("bats ");
    check_interrupt("\xE6\x9D\xB1");
    check_interrupt("\xC3\xA9 ");
}

static void test_fingerprint(void **state)
{
    (void)state;
    struct model *model = new_model();
    uint64_t number;
    assert_int_equal(model_fingerprint(model, NULL, &number, NULL), 0);
    if (number != 0x824AED1C8E27BC91) fail_msg("fingerprint 0x%016" PRIX64, number);
    model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_bytes_everywhere),
        cmocka_unit_test(test_a_long_text),
        cmocka_unit_test(test_unit_vectors_of_all_texts),
        cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_unknown_words),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_any_number_of_threads),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_sense),
        cmocka_unit_test(test_knows),
        cmocka_unit_test(test_words_count_by_how_rare_they_are),
        cmocka_unit_test(test_a_weight_is_a_number_of_times),
        cmocka_unit_test(test_rarity_of_unknown_words),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_fingerprint),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
