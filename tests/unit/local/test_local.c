#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "local/local.h"
#include "local/random_model.h"

static const struct local_config config = {
    .architecture = &local_bert,
    .hidden_size = 32,
    .n_layers = 1,
    .n_heads = 2,
    .intermediate_size = 48,
    .vocabulary_size = 40,
    .n_positions = 16,
    .n_segments = 2,
    .layer_norm_epsilon = 1e-12f,
    .activation = LOCAL_GELU,
};

static struct random_model *folder;

static int setup(int classifies)
{
    struct local_config wanted = config;
    wanted.classifies = classifies;
    folder = random_model_new(&wanted);
    return setenv("RERANK_MODEL_PATH", "/tmp", 1);
}

static int open_embedder(void **state)
{
    (void)state;
    return setup(0);
}

static int open_reranker(void **state)
{
    (void)state;
    return setup(1);
}

static int close_folder(void **state)
{
    (void)state;
    random_model_free(folder);
    return 0;
}

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static int make(const struct local_session *session, enum model_task task, size_t dimensions,
                struct model **model, struct error *err)
{
    struct local_options options = {.name = "local:test",
                                    .model = folder->path + strlen("/tmp/"),
                                    .task = task,
                                    .precision = LOCAL_INT8,
                                    .dimensions = dimensions};
    return local_new(session, &options, model, err);
}

static int embed_some(void *context, struct error *err)
{
    struct local_session session = {.n_threads = 2};
    struct span all[] = {span_of("w5 w6 w7"), span_of("w8"), span_of("w9 w10 w11 w12")};
    struct model_texts texts = {.texts = all, .n_texts = 3};
    struct model_embeddings embeddings = {.n_texts = 3};
    struct model_sink sink = {.put = model_embeddings_put, .context = &embeddings};
    struct model_usage usage = {0};
    struct model_tokens tokens = {0};
    uint64_t fingerprint = 0;
    struct model *model;
    (void)context;
    int rc = make(&session, MODEL_EMBED, 0, &model, err);
    if (rc == 0) rc = model_embed(model, &texts, &sink, &usage, err);
    if (rc == 0) rc = model_tokenize(model, all[0], NULL, 1, &tokens, err);
    if (rc == 0) rc = model_fingerprint(model, NULL, &fingerprint, err);
    if (rc == 0) {
        assert_int_equal(embeddings.dimensions, 32);
        assert_int_equal(tokens.n, 5);
        assert_int_equal(usage.tokens, 5 + 3 + 6);
        /* Stored in indexes: one that changes makes each of them be rebuilt. */
        assert_true(fingerprint == UINT64_C(0x4d4ff3ae0a8e49cb));
    }
    memory_free(tokens.ids);
    memory_free(embeddings.vectors);
    model_free(model);
    return rc;
}

static void test_embedding_where_each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(each_allocation(embed_some, NULL) > 20);
}

static int rerank_some(void *context, struct error *err)
{
    struct local_session session = {.n_threads = 1};
    struct span all[] = {span_of("w5 w6 w7"), span_of(""), span_of("w9 w10 w11 w12")};
    struct model_candidates candidates = {
        .query = span_of("w5"), .documents = all, .n_documents = 3};
    struct model_usage usage = {0};
    struct model *model;
    double scores[3];
    (void)context;
    int rc = make(&session, MODEL_RERANK, 0, &model, err);
    if (rc == 0) rc = model_rerank(model, &candidates, scores, &usage, err);
    for (int i = 0; rc == 0 && i < 3; i++) assert_true(scores[i] > 0 && scores[i] < 1);
    model_free(model);
    return rc;
}

static void test_reranking_where_each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(each_allocation(rerank_some, NULL) > 20);
}

#define LONG "w5 w5 w5 w5 w5 w5 w5 w5 w5 w5 w5 w5 w5 w5 w5 w5"

/* A document that is too long is refused, unless it is the query that is: to find that out takes
 * memory, too. */
static int rerank_one_that_is_too_long(void *context, struct error *err)
{
    struct local_session session = {.n_threads = 1, .refuse_overlong = 1};
    struct span all[] = {span_of(LONG), span_of("w8")};
    unsigned char refused[2] = {0};
    struct model_candidates candidates = {
        .query = span_of("w5"), .documents = all, .n_documents = 2, .refused = refused};
    struct model_usage usage = {0};
    struct model *model;
    double scores[2];
    (void)context;
    int rc = make(&session, MODEL_RERANK, 0, &model, err);
    if (rc == 0) rc = model_rerank(model, &candidates, scores, &usage, err);
    if (rc == 0) assert_true(refused[0] && !refused[1]);
    model_free(model);
    return rc;
}

static void test_refusing_where_each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(each_allocation(rerank_one_that_is_too_long, NULL) > 20);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    struct local_session session = {.n_threads = 1, .refuse_overlong = 1};
    struct span text = span_of(LONG);
    struct model_texts texts = {.texts = &text, .n_texts = 1};
    struct model_embeddings embeddings = {.n_texts = 1};
    struct model_sink sink = {.put = model_embeddings_put, .context = &embeddings};
    struct model_usage usage = {0};
    struct error err = {0};
    struct model *model;
    assert_int_equal(make(&session, MODEL_RERANK, 0, &model, &err), ERROR_INVALID);
    assert_string_equal(err.text,
                        "local:test embeds and does not rerank (a reranker is a model for "
                        "sequence classification)");
    assert_int_equal(make(&session, MODEL_EMBED, 33, &model, &err), ERROR_INVALID);
    assert_int_equal(make(&session, MODEL_EMBED, 8, &model, &err), 0);
    assert_int_equal(model->dimensions, 8);
    assert_int_equal(model_embed(model, &texts, &sink, &usage, &err), ERROR_INVALID);
    assert_non_null(strstr(err.text, "reads 16 tokens, and the text has 18"));
    session.refuse_overlong = 0;
    assert_int_equal(model_embed(model, &texts, &sink, &usage, &err), 0);
    assert_int_equal(embeddings.dimensions, 8);
    assert_int_equal(usage.truncated, 1);
    memory_free(embeddings.vectors);
    model_free(model);
}

struct refusals {
    size_t n, texts[4];
};

static int note_refusal(void *context, size_t text, const struct error *why, struct error *err)
{
    struct refusals *refusals = context;
    (void)err;
    assert_int_equal(why->code, ERROR_INVALID);
    assert_true(refusals->n < 4);
    refusals->texts[refusals->n++] = text;
    return 0;
}

static int put_nothing(void *context, size_t text, const float *embedding, size_t dimensions,
                       struct error *err)
{
    (void)context, (void)text, (void)embedding, (void)dimensions, (void)err;
    return 0;
}

/* Texts that are too long are left out; what the others give is what they give alone. */
static void test_overlong_texts_are_left_out(void **state)
{
    (void)state;
    struct local_session session = {.n_threads = 2, .refuse_overlong = 1};
    struct span all[] = {span_of(LONG), span_of("w8"), span_of(LONG), span_of("w9 w10")};
    struct model_texts texts = {.texts = all, .n_texts = 4};
    struct refusals refusals = {0};
    struct model_sink sink = {.put = put_nothing, .refuse = note_refusal, .context = &refusals};
    struct model_usage usage = {0};
    struct model *model;
    assert_int_equal(make(&session, MODEL_EMBED, 0, &model, NULL), 0);
    assert_int_equal(model_embed(model, &texts, &sink, &usage, NULL), 0);
    assert_int_equal(refusals.n, 2);
    assert_true(refusals.texts[0] == 0 && refusals.texts[1] == 2);
    assert_int_equal(usage.tokens, 3 + 4);
    texts.n_texts = 1;
    assert_int_equal(model_embed(model, &texts, &sink, &usage, NULL), 0);
    assert_int_equal(refusals.n, 3);
    model_free(model);
}

static void test_overlong_documents_are_left_out(void **state)
{
    (void)state;
    struct local_session session = {.n_threads = 1, .refuse_overlong = 1};
    struct span all[] = {span_of("w6"), span_of(LONG), span_of("w7 w8")};
    unsigned char refused[3];
    struct model_candidates candidates = {
        .query = span_of("w5"), .documents = all, .n_documents = 3, .refused = refused};
    struct model_usage usage = {0};
    struct error err = {0};
    struct model *model;
    double scores[3], alone;
    assert_int_equal(make(&session, MODEL_RERANK, 0, &model, NULL), 0);
    assert_int_equal(model_rerank(model, &candidates, scores, &usage, NULL), 0);
    assert_memory_equal(refused, "\0\1\0", 3);
    candidates.documents = all + 2;
    candidates.n_documents = 1;
    assert_int_equal(model_rerank(model, &candidates, &alone, &usage, NULL), 0);
    assert_true(alone == scores[2]);
    /* Of a query that is too long no document is to blame. */
    candidates.query = span_of(LONG);
    assert_int_equal(model_rerank(model, &candidates, scores, &usage, &err), ERROR_INVALID);
    assert_non_null(strstr(err.text, "reads 16 tokens"));
    model_free(model);
}

static void test_precisions_have_names(void **state)
{
    (void)state;
    enum local_precision precision;
    for (int i = LOCAL_FLOAT32; i <= LOCAL_INT8; i++) {
        assert_true(
            local_precision_parse(local_precision_name((enum local_precision)i), &precision));
        assert_int_equal(precision, i);
    }
    assert_false(local_precision_parse("fp4", &precision));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_embedding_where_each_allocation_may_fail,
                                        open_embedder, close_folder),
        cmocka_unit_test_setup_teardown(test_reranking_where_each_allocation_may_fail,
                                        open_reranker, close_folder),
        cmocka_unit_test_setup_teardown(test_refusing_where_each_allocation_may_fail, open_reranker,
                                        close_folder),
        cmocka_unit_test_setup_teardown(test_what_is_refused, open_embedder, close_folder),
        cmocka_unit_test_setup_teardown(test_overlong_texts_are_left_out, open_embedder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(test_overlong_documents_are_left_out, open_reranker,
                                        close_folder),
        cmocka_unit_test(test_precisions_have_names),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
