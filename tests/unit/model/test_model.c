#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "model/fake_model.h"

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static void check_refused(struct span text, int empty_is_error, const char *expected)
{
    struct error err = {0};
    assert_int_equal(model_check_text(text, empty_is_error, &err), ERROR_INVALID);
    assert_string_equal(err.text, expected);
}

static void test_texts_are_checked(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(model_check_text(span_of("h\xc3\xa9llo \xf0\x9f\xa6\x87"), 1, &err), 0);
    assert_int_equal(model_check_text(span_of(""), 0, &err), 0);
    assert_int_equal(model_check_text((struct span){NULL, 0}, 0, &err), 0);
    assert_int_equal(model_check_text(span_of(" \t\n"), 0, &err), 0);
    check_refused(span_of(""), 1, "the text is empty");
    check_refused((struct span){NULL, 0}, 1, "the text is empty");
    check_refused(span_of(" \t\r\n\v\f"), 1, "the text is empty");
    check_refused(span_of("\xc2\xa0\xe2\x80\xa8\xe3\x80\x80\xc2\x85"), 1, "the text is empty");
    check_refused((struct span){"ab\0c", 4}, 0, "the text holds a NUL character at byte 2");
    check_refused(span_of("abc\xff"), 0, "the text is not valid UTF-8 at byte 3");
    check_refused(span_of("a\xc3"), 0, "the text is not valid UTF-8 at byte 1");
    check_refused(span_of("\xed\xa0\x80"), 0, "the text is not valid UTF-8 at byte 0");
}

static void test_embed_cuts_into_batches(void **state)
{
    (void)state;
    struct fake_model fake = fake_new(3);
    struct span texts[7];
    struct model_embeddings all = {.n_texts = 7};
    struct model_sink sink = {.put = model_embeddings_put, .context = &all};
    struct model_usage usage = {.requests = 10};
    for (size_t i = 0; i < 7; i++) texts[i] = (struct span){"abcdefgh", i + 1};
    struct model_texts request = {texts, 7, MODEL_QUERY, NULL, 0};
    assert_int_equal(model_embed(&fake.model, &request, &sink, &usage, NULL), 0);
    assert_int_equal(usage.requests, 13);
    assert_int_equal(all.dimensions, 2);
    assert_int_equal(fake.n_calls, 3);
    assert_int_equal(fake.largest_batch, 3);
    for (size_t i = 0; i < 7; i++) {
        assert_true(all.vectors[2 * i] == (float)(i + 1));
        assert_true(all.vectors[2 * i + 1] == (float)MODEL_QUERY);
    }
    request.n_texts = 0;
    assert_int_equal(model_embed(&fake.model, &request, &sink, &usage, NULL), 0);
    assert_int_equal(fake.n_calls, 3);
    memory_free(all.vectors);
}

/* Nothing goes to a model before all is known to be text. */
static void test_bad_input_is_no_call(void **state)
{
    (void)state;
    struct fake_model fake = fake_new(1);
    struct span texts[2] = {span_of("good"), span_of(" ")};
    struct model_texts request = {texts, 2, MODEL_DOCUMENT, NULL, 0};
    struct model_candidates candidates = {
        .query = span_of("q"), .documents = texts, .n_documents = 2};
    double out[4];
    struct model_embeddings all = {.n_texts = 2};
    struct model_sink sink = {.put = model_embeddings_put, .context = &all};
    struct model_usage usage = {0};
    assert_int_equal(model_embed(&fake.model, &request, &sink, &usage, NULL), ERROR_INVALID);
    assert_int_equal(usage.requests, 0);
    assert_int_equal(model_rerank(&fake.model, &candidates, out, &usage, NULL), 0);
    fake.n_calls = 0;
    candidates.query = span_of("");
    assert_int_equal(model_rerank(&fake.model, &candidates, out, &usage, NULL), ERROR_INVALID);
    candidates.query = span_of("q");
    texts[1] = span_of("\xff");
    assert_int_equal(model_rerank(&fake.model, &candidates, out, &usage, NULL), ERROR_INVALID);
    assert_int_equal(fake.n_calls, 0);
}

/* Texts of a call that get no embedding, as a sink notes them. */
struct noted {
    struct model_embeddings all;
    char refused[300]; /* "number: why; " of each */
};

static int note_put(void *context, size_t text, const float *embedding, size_t dimensions,
                    struct error *err)
{
    return model_embeddings_put(&((struct noted *)context)->all, text, embedding, dimensions, err);
}

static int note_refuse(void *context, size_t text, const struct error *why, struct error *err)
{
    struct noted *noted = context;
    size_t size = strlen(noted->refused);
    (void)err;
    snprintf(noted->refused + size, sizeof noted->refused - size, "%zu: %s; ", text, why->text);
    return 0;
}

static void test_refused_texts_do_not_stop_the_others(void **state)
{
    (void)state;
    struct fake_model fake = fake_new(2);
    struct span texts[7] = {span_of("abc"),         span_of(" "),     span_of("a"), span_of("\xff"),
                            (struct span){"\0", 1}, span_of("never"), span_of("ab")};
    struct model_texts request = {texts, 7, MODEL_DOCUMENT, NULL, 0};
    struct noted noted = {.all = {.n_texts = 7}};
    struct model_sink sink = {.put = note_put, .refuse = note_refuse, .context = &noted};
    struct model_usage usage = {0};
    fake.refuses = "never";
    assert_int_equal(model_embed(&fake.model, &request, &sink, &usage, NULL), 0);
    assert_int_equal(fake.n_texts, 4);
    assert_string_equal(noted.refused,
                        "1: the text is empty; 3: the text is not valid UTF-8 at byte 0; "
                        "4: the text holds a NUL character at byte 0; 5: not this one; ");
    assert_true(noted.all.vectors[0] == 3 && noted.all.vectors[4] == 1);
    assert_true(noted.all.vectors[12] == 2 && noted.all.vectors[2] == 0);
    /* Not finite is one text's own fault too. */
    noted.refused[0] = '\0';
    fake.answer = NAN;
    request.n_texts = 1;
    assert_int_equal(model_embed(&fake.model, &request, &sink, &usage, NULL), 0);
    assert_string_equal(noted.refused, "0: fake:model gave a number that is not finite; ");
    /* All refused: no call. */
    fake.n_calls = 0;
    request.texts = texts + 3;
    request.n_texts = 2;
    assert_int_equal(model_embed(&fake.model, &request, &sink, &usage, NULL), 0);
    assert_int_equal(fake.n_calls, 0);
    memory_free(noted.all.vectors);
}

/* Without a place for refusals the first one is the error. */
static void test_a_refused_text_is_the_error(void **state)
{
    (void)state;
    struct fake_model fake = fake_new(2);
    struct span texts[2] = {span_of("abc"), span_of("never")};
    struct model_texts request = {texts, 2, MODEL_DOCUMENT, NULL, 0};
    struct model_embeddings all = {.n_texts = 2};
    struct model_sink sink = {.put = model_embeddings_put, .context = &all};
    struct model_usage usage = {0};
    struct error err = {0};
    fake.refuses = "never";
    assert_int_equal(model_embed(&fake.model, &request, &sink, &usage, &err), ERROR_REFUSED);
    assert_string_equal(err.text, "not this one");
    memory_free(all.vectors);
}

static void test_refused_documents_do_not_stop_the_others(void **state)
{
    (void)state;
    struct fake_model fake = fake_new(2);
    struct span documents[6] = {span_of("abc"),  span_of(""),      span_of("a"),
                                span_of("\xff"), span_of("never"), span_of("ab")};
    float similarities[6] = {0};
    double scores[6];
    unsigned char refused[6];
    struct model_candidates candidates = {.query = span_of("q"),
                                          .documents = documents,
                                          .n_documents = 6,
                                          .similarities = similarities,
                                          .objects = documents,
                                          .refused = refused};
    struct model_usage usage = {0};
    fake.refuses = "never";
    assert_int_equal(model_rerank(&fake.model, &candidates, scores, &usage, NULL), 0);
    assert_int_equal(fake.n_texts, 4);
    assert_memory_equal(refused, "\0\1\0\1\1\0", 6);
    assert_true(scores[0] == 3 && scores[2] == 1 && scores[5] == 2);
    assert_true(isnan(scores[1]) && isnan(scores[3]) && isnan(scores[4]));
    /* Where all can be read the arrays are the caller's own. */
    candidates.n_documents = 1;
    assert_int_equal(model_rerank(&fake.model, &candidates, scores, &usage, NULL), 0);
    assert_true(scores[0] == 3 && !refused[0]);
    fake.answer = INFINITY;
    assert_int_equal(model_rerank(&fake.model, &candidates, scores, &usage, NULL), 0);
    assert_true(isnan(scores[0]) && refused[0]);
    candidates.documents = documents + 1;
    assert_int_equal(model_rerank(&fake.model, &candidates, scores, &usage, NULL), 0);
    assert_true(isnan(scores[0]) && refused[0]);
    candidates.query = span_of(" ");
    assert_int_equal(model_rerank(&fake.model, &candidates, scores, &usage, NULL), ERROR_INVALID);
}

static void test_rerank_is_one_call(void **state)
{
    (void)state;
    struct fake_model fake = fake_new(1);
    struct span documents[3] = {span_of("abc"), span_of(""), span_of("a")};
    struct model_candidates candidates = {
        .query = span_of("q"), .documents = documents, .n_documents = 3};
    struct model_usage usage = {0};
    double scores[3];
    assert_int_equal(model_rerank(&fake.model, &candidates, scores, &usage, NULL), 0);
    assert_int_equal(fake.n_calls, 1);
    assert_true(scores[0] == 3 && scores[1] == 0 && scores[2] == 1);
    candidates.n_documents = 0;
    assert_int_equal(model_rerank(&fake.model, &candidates, scores, &usage, NULL), 0);
    assert_int_equal(fake.n_calls, 1);
}

static void test_failures_are_passed_on(void **state)
{
    (void)state;
    struct fake_model fake = fake_new(1);
    struct span texts[3] = {span_of("a"), span_of("b"), span_of("c")};
    struct model_texts request = {texts, 3, MODEL_DOCUMENT, NULL, 0};
    struct error err = {0};
    double out[6];
    struct model_embeddings all = {.n_texts = 3};
    struct model_sink sink = {.put = model_embeddings_put, .context = &all};
    struct model_usage usage = {0};
    fake.fail_at = 2;
    assert_int_equal(model_embed(&fake.model, &request, &sink, &usage, &err), ERROR_UNAVAILABLE);
    assert_string_equal(err.text, "down");
    assert_int_equal(usage.requests, 2);
    memory_free(all.vectors);
    fake = fake_new(8);
    fake.answer = NAN;
    assert_int_equal(model_embed(&fake.model, &request, &sink, &usage, &err), ERROR_UNAVAILABLE);
    assert_string_equal(err.text, "fake:model gave a number that is not finite");
    struct model_candidates candidates = {
        .query = span_of("q"), .documents = texts, .n_documents = 3};
    fake.answer = -INFINITY;
    assert_int_equal(model_rerank(&fake.model, &candidates, out, &usage, &err), ERROR_UNAVAILABLE);
}

static int requested(void *context)
{
    return ++*(int *)context > 0;
}

static void test_cancel_stops_before_a_call(void **state)
{
    (void)state;
    struct fake_model fake = fake_new(1);
    struct span texts[3] = {span_of("a"), span_of("b"), span_of("c")};
    int n_asked = 0;
    struct cancel cancel = {requested, &n_asked};
    struct model_texts request = {texts, 3, MODEL_DOCUMENT, &cancel, 0};
    struct model_embeddings all = {.n_texts = 3};
    struct model_sink sink = {.put = model_embeddings_put, .context = &all};
    struct model_usage usage = {0};
    assert_int_equal(model_embed(&fake.model, &request, &sink, &usage, NULL), ERROR_INTERRUPTED);
    assert_int_equal(fake.n_calls, 0);
}

static void test_release(void **state)
{
    (void)state;
    struct fake_model fake = fake_new(1);
    model_free(&fake.model);
    assert_int_equal(fake.n_freed, 1);
    model_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_checked),
        cmocka_unit_test(test_embed_cuts_into_batches),
        cmocka_unit_test(test_bad_input_is_no_call),
        cmocka_unit_test(test_refused_texts_do_not_stop_the_others),
        cmocka_unit_test(test_a_refused_text_is_the_error),
        cmocka_unit_test(test_refused_documents_do_not_stop_the_others),
        cmocka_unit_test(test_rerank_is_one_call),
        cmocka_unit_test(test_failures_are_passed_on),
        cmocka_unit_test(test_cancel_stops_before_a_call),
        cmocka_unit_test(test_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
