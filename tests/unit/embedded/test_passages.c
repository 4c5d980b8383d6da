/*
 * test_passages.c: the nearest passage of a text, beside vectors of builtin:static.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/each_allocation.h"
#include "base/memory.h"
#include "embedded/embedded.h"
#include "embedded/passages.h"
#include "embedded/pieces.h"
#include "embedded/table.h"

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static double best(const char *query, const char *text)
{
    struct passages *passages;
    double cosine;
    assert_int_equal(passages_open(span_of(query), NULL, &passages, NULL), 0);
    assert_int_equal(passages_best(passages, span_of(text), &cosine, NULL), 0);
    passages_close(passages);
    return cosine;
}

/* Of embed(). */
static double cosine_of(const char *a, const char *b)
{
    const struct span texts[] = {span_of(a), span_of(b)};
    struct model_texts request = {texts, 2, MODEL_DOCUMENT, NULL, 0};
    struct model_embeddings vectors = {.n_texts = 2};
    struct model_sink sink = {.put = model_embeddings_put, .context = &vectors};
    struct model_usage usage = {0};
    struct model *model;
    double cosine = 0;
    assert_int_equal(embedded_new(&model, NULL), 0);
    assert_int_equal(model_embed(model, &request, &sink, &usage, NULL), 0);
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++)
        cosine += (double)vectors.vectors[i] * (double)vectors.vectors[TABLE_DIMENSIONS + i];
    memory_free(vectors.vectors);
    model_free(model);
    return cosine;
}

static void a_short_text_is_one_passage(void **state)
{
    (void)state;
    static const char text[] = "A bat in the caverns.";
    assert_float_equal(best("dark cave, bats", text), cosine_of("dark cave, bats", text), 1e-6);
    assert_float_equal(best("bats", "bats"), 1.0, 1e-12);
    assert_true(best("bats", "tea and soup") < best("bats", "a cave of bats"));
}

/* Ten times "soup and tea of", 40 pieces, then as many of the other, then soup again: stretches are
 * of 20. */
static void the_best_of_a_long_text(void **state)
{
    (void)state;
    char text[2000] = "", caves[500] = "";
    for (int i = 0; i < 10; i++) strcat(text, "soup and tea of ");
    for (int i = 0; i < 10; i++) strcat(caves, "bats in dark caves ");
    strcat(text, caves);
    assert_float_equal(best("dark cave, bats", text), cosine_of("dark cave, bats", caves), 1e-6);
    for (int i = 0; i < 10; i++) strcat(text, "soup and tea of ");
    assert_float_equal(best("dark cave, bats", text), cosine_of("dark cave, bats", caves), 1e-6);
    assert_true(cosine_of("dark cave, bats", text) < best("dark cave, bats", text) - .05);
}

static void what_has_no_piece_has_nothing(void **state)
{
    (void)state;
    static const char *const none[] = {"", " ", "\xff", "летучие мыши", "コウモリ"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_true(best("bats", none[i]) == 0);
        assert_true(best(none[i], "bats") == 0);
    }
}

static int never(void *context)
{
    return ++*(int *)context > 2;
}

static void long_texts(void **state)
{
    (void)state;
    size_t size = (size_t)4 << 20;
    char *text = memory_alloc(size, 1);
    int n_asked = 0;
    struct cancel cancel = {never, &n_asked};
    struct passages *passages;
    double cosine;
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) text[i] = (char)(i % 5 == 4 ? ' ' : 'a' + i * i % 26);
    struct span whole = {text, size};
    assert_int_equal(passages_open(span_of("bats"), &cancel, &passages, NULL), 0);
    assert_int_equal(passages_best(passages, whole, &cosine, NULL), ERROR_INTERRUPTED);
    passages_close(passages);
    assert_int_equal(passages_open(whole, &cancel, &passages, NULL), ERROR_INTERRUPTED);
    assert_null(passages);
    whole.size = size / 64;
    assert_int_equal(passages_open(whole, NULL, &passages, NULL), 0);
    assert_int_equal(passages_best(passages, whole, &cosine, NULL), 0);
    assert_true(cosine > .5 && cosine <= 1 + 1e-9);
    passages_close(passages);
    memory_free(text);
}

static double rarity(const char *word)
{
    double idf;
    assert_int_equal(pieces_rarity(span_of(word), &idf, NULL), 0);
    return idf;
}

static void rare_words(void **state)
{
    (void)state;
    size_t size;
    uint32_t row = table_find(span_of("bats"), 0, &size);
    assert_true(rarity("bats") == table_idf(row));
    assert_true(rarity("the") < rarity("film") && rarity("film") < rarity("bats"));
    assert_true(rarity("filmbats") >= rarity("film"));
    assert_true(rarity("мыши") == PIECES_RAREST && rarity("") == PIECES_RAREST);
    for (row = 0; row < TABLE_ROWS; row++)
        assert_true(table_idf(row) > 0 && table_idf(row) < PIECES_RAREST);
}

static int find_once(void *context, struct error *err)
{
    struct passages *passages;
    double cosine, idf;
    (void)context;
    int rc = passages_open(span_of("bats na\xc3\xafve"), NULL, &passages, err);
    if (rc == 0) rc = passages_best(passages, span_of("a b\xc3\xa4t"), &cosine, err);
    if (rc == 0) rc = pieces_rarity(span_of("b\xc3\xa4t"), &idf, err);
    passages_close(passages);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(each_allocation(find_once, NULL) > 1);
}

static int no_memory_is_left(void **state)
{
    (void)state;
    return failing_memory_blocks != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_text_is_one_passage),
        cmocka_unit_test(the_best_of_a_long_text),
        cmocka_unit_test(what_has_no_piece_has_nothing),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(rare_words),
        cmocka_unit_test(each_allocation_may_fail),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, no_memory_is_left);
}
