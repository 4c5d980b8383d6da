#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/config_files.h"

/* ---- pooling and modules --------------------------------------------------------------------- */

static void test_pooling(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum local_pooling pooling;
    } known[] = {{"{\"pooling_mode_max_tokens\":true}", LOCAL_MAX},
                 {"{\"pooling_mode\":\"mean\",\"embedding_dimension\":384}", LOCAL_MEAN},
                 {"{\"pooling_mode\":[\"cls\"]}", LOCAL_CLS},
                 {"{\"pooling_mode\":\"max\",\"pooling_mode_lasttoken\":true}", LOCAL_MAX},
                 {"{}", LOCAL_MEAN}};
    model_folder_put_text("config.json", minilm);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        model_folder_put_text("1_Pooling/config.json", known[i].text);
        assert_int_equal(good().pooling, known[i].pooling);
    }
}

static void refused_pooling(const char *pooling, int code, const char *text)
{
    model_folder_put_text("1_Pooling/config.json", pooling);
    refused(code, text);
}

static void test_bad_pooling(void **state)
{
    (void)state;
    model_folder_put_text("config.json", minilm);
    refused_pooling("{\"pooling_mode_lasttoken\":true}", ERROR_UNAVAILABLE,
                    "1_Pooling/config.json: the pooling pooling_mode_lasttoken is not known here");
    refused_pooling("{\"pooling_mode\":\"weightedmean\"}", ERROR_UNAVAILABLE,
                    "1_Pooling/config.json: the pooling weightedmean is not known here");
    refused_pooling("{\"pooling_mode\":[\"cls\",\"mean\"]}", ERROR_UNAVAILABLE,
                    "1_Pooling/config.json: pooling_mode: expected cls, mean or max, not an array");
    refused_pooling("{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":true}",
                    ERROR_UNAVAILABLE, "1_Pooling/config.json: 2 kinds of pooling at once");
    refused_pooling("{\"pooling_mode_cls_token\":false}", ERROR_UNAVAILABLE,
                    "1_Pooling/config.json: 0 kinds of pooling");
    refused_pooling("{\"word_embedding_dimension\":768}", ERROR_CORRUPT,
                    "1_Pooling/config.json: word_embedding_dimension: expected 384 as in "
                    "config.json, not 768");
    refused_pooling("{\"embedding_dimension\":-1}", ERROR_CORRUPT,
                    "1_Pooling/config.json: embedding_dimension");
}

#define MODULE(type, path)                                                                         \
    "{\"path\":\"" path "\",\"type\":\"sentence_transformers.models." type "\"}"

static void refused_modules(const char *text, int code, const char *words)
{
    model_folder_put_text("modules.json", text);
    refused(code, words);
}

static void test_modules(void **state)
{
    (void)state;
    model_folder_put_text("config.json", minilm);
    model_folder_put_text("1_Pooling/config.json", pooling_mean);
    model_folder_put_text("modules.json",
                          "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "]");
    assert_int_equal(good().normalize, 0);
    refused_modules("[" MODULE("Transformer", "") "," MODULE("Pooling", "2_P") "]",
                    ERROR_UNAVAILABLE, "2_P/config.json: no such file, which modules.json names");
    model_folder_put_text("2_P/config.json", "{\"pooling_mode\":\"cls\"}");
    assert_int_equal(good().pooling, LOCAL_CLS);
    refused_modules("[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "," MODULE(
                        "LSTM", "2_LSTM") "]",
                    ERROR_UNAVAILABLE,
                    "modules.json: the module LSTM is not known here, expected Dense or "
                    "Normalize");
    refused_modules("[" MODULE("Transformer", "") "," MODULE("Dense", "2_Dense") "]",
                    ERROR_UNAVAILABLE,
                    "modules.json: the module Dense is not known here, expected "
                    "Pooling");
    refused_modules("[" MODULE("MLMTransformer", "") "," MODULE("SpladePooling", "1_S") "]",
                    ERROR_UNAVAILABLE,
                    "modules.json: the module MLMTransformer is not known here, "
                    "expected Transformer");
    refused_modules("[" MODULE("Transformer", "0_BERT") "," MODULE("Pooling", "1_Pooling") "]",
                    ERROR_UNAVAILABLE, "0_BERT/config.json: no such file in /");
    refused_modules("[" MODULE("Transformer", "") "]", ERROR_UNAVAILABLE,
                    "modules.json: expected a Transformer and its Pooling");
    refused_modules("[]", ERROR_UNAVAILABLE, "modules.json: expected a Transformer");
    refused_modules("{}", ERROR_CORRUPT, "modules.json: expected an array, not an object");
    refused_modules("[5]", ERROR_CORRUPT, "modules.json: a module without a type");
    refused_modules("[{\"path\":\"\"}]", ERROR_CORRUPT, "modules.json: a module without a type");
    static const char *const paths[] = {"../1_Pooling", "/etc",      "",  "..",
                                        "a/b",          "a\\\\b",    ".", "1_Pooling/..",
                                        ".hidden",      "1_Pooling/"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        static const char *const types[] = {"Pooling", "Dense"};
        char text[400], words[80];
        for (int j = 0; j < 2; j++) {
            snprintf(text, sizeof text, "[%s,%s{\"path\":\"%s\",\"type\":\"%s\"}]",
                     MODULE("Transformer", ""), j == 0 ? "" : MODULE("Pooling", "1_Pooling") ",",
                     paths[i], types[j]);
            snprintf(words, sizeof words, "modules.json: %s: expected a folder's name", types[j]);
            refused_modules(text, ERROR_CORRUPT, words);
        }
    }
    refused_modules(
        "[" MODULE("Transformer", "../other") "]", ERROR_CORRUPT,
        "modules.json: Transformer: expected a folder's name as its path, not ../other");
    model_folder_put_text("config.json", ms_marco);
    refused_modules("[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "]",
                    ERROR_UNAVAILABLE,
                    "modules.json: the module Pooling is not known here, expected none in a "
                    "reranker");
    model_folder_put_text("config.json", potion);
    refused_modules("[" MODULE("Transformer", "") "]", ERROR_UNAVAILABLE,
                    "modules.json: the module Transformer is not known here, expected "
                    "StaticEmbedding");
}

/* Of a Transformer in a folder of its own all files are there, but those of the whole. */
static void test_a_part(void **state)
{
    (void)state;
    model_folder_put_text("0_Transformer/config.json", minilm);
    model_folder_put_text("0_Transformer/sentence_bert_config.json", "{\"max_seq_length\":99}");
    model_folder_put_text("sentence_bert_config.json", "{\"max_seq_length\":77}");
    model_folder_put_text("0_Transformer/tokenizer_config.json", "{\"model_max_length\":-1}");
    model_folder_put_text("1_Pooling/config.json", pooling_mean);
    model_folder_put_text("modules.json", "[" MODULE("Transformer", "0_Transformer") "," MODULE(
                                              "Pooling", "1_Pooling") "]");
    refused(ERROR_CORRUPT, "0_Transformer/tokenizer_config.json: model_max_length");
    unlink(model_folder_path("0_Transformer/tokenizer_config.json"));
    struct local_config config = good();
    assert_string_equal(config.part, "0_Transformer");
    assert_int_equal(config.max_tokens, 99);
    model_folder_put_text("0_Transformer/config.json", "{");
    refused(ERROR_CORRUPT, "0_Transformer/config.json: the JSON breaks off");
}

static void refused_dense(const char *config, int code, const char *words)
{
    model_folder_put_text("2_Dense/config.json", config);
    refused(code, words);
}

#define DENSE_CHAIN                                                                                \
    MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "," MODULE("Dense", "2_Dense")

static void test_dense(void **state)
{
    (void)state;
    model_folder_put_text("config.json", minilm);
    model_folder_put_text("1_Pooling/config.json", pooling_mean);
    model_folder_put_text("2_Dense/config.json",
                          "{\"in_features\":384,\"out_features\":512,\"bias\":false,"
                          "\"activation_function\":\"torch.nn.modules.linear.Identity\"}");
    model_folder_put_text("3_Dense/config.json", "{\"in_features\":512,\"out_features\":64}");
    model_folder_put_text(
        "modules.json",
        "[" DENSE_CHAIN "," MODULE("Normalize", "3_Normalize") "," MODULE("Dense", "3_Dense") "]");
    struct local_config config = good();
    assert_int_equal(config.n_dense, 2);
    assert_int_equal(config.dimensions, 64);
    assert_int_equal(config.hidden_size, 384);
    assert_int_equal(config.normalize, 0);
    assert_true(!config.dense[0].has_bias && config.dense[0].activation == LOCAL_IDENTITY);
    assert_true(config.dense[1].has_bias && config.dense[1].activation == LOCAL_TANH);
    assert_true(!config.dense[0].normalizes_input && config.dense[1].normalizes_input);
    assert_string_equal(config.dense[1].folder, "3_Dense");
    model_folder_put_text("modules.json",
                          "[" DENSE_CHAIN "," MODULE("Normalize", "3_Normalize") "]");
    assert_int_equal(good().normalize, 1);
    refused_dense("{\"in_features\":768,\"out_features\":64}", ERROR_CORRUPT,
                  "2_Dense/config.json: in_features: expected 384, as the module before it gives, "
                  "not 768");
    refused_dense("{\"in_features\":384}", ERROR_CORRUPT,
                  "2_Dense/config.json: out_features: expected a number, not nothing");
    refused_dense("{\"in_features\":384,\"out_features\":1e9}", ERROR_CORRUPT,
                  "2_Dense/config.json: out_features: expected a whole number from 1 to 65536");
    refused_dense("[]", ERROR_CORRUPT, "2_Dense/config.json: in_features");
    refused_dense("{", ERROR_CORRUPT, "2_Dense/config.json: the JSON breaks off");
    refused_dense("{\"in_features\":384,\"out_features\":8,\"activation_function\":\"a.SiLU\"}",
                  ERROR_UNAVAILABLE,
                  "2_Dense/config.json: activation_function a.SiLU is not known here, expected "
                  "Identity, Tanh, GELU, ReLU or Sigmoid");
    refused_dense("{\"in_features\":384,\"out_features\":8,"
                  "\"module_input_name\":\"token_embeddings\"}",
                  ERROR_UNAVAILABLE,
                  "2_Dense/config.json: module_input_name token_embeddings is not known here");
    refused_dense("{\"in_features\":384,\"out_features\":8,\"use_residual\":true}",
                  ERROR_UNAVAILABLE, "2_Dense/config.json: use_residual true is not known here");
    model_folder_put_text("2_Dense/config.json", "{\"in_features\":384,\"out_features\":384}");
    refused_modules("[" DENSE_CHAIN
                    "," MODULE("Dense", "2_Dense") "," MODULE("Dense", "2_Dense") "," MODULE(
                        "Dense", "2_Dense") "," MODULE("Dense", "2_Dense") "]",
                    ERROR_UNAVAILABLE, "modules.json: more than 4 modules Dense are not known");
}

/* ---- prompts --------------------------------------------------------------------------------- */

static void put_prompts(const char *text)
{
    model_folder_put_text("config_sentence_transformers.json", text);
}

static void good_prompts(const char *text, const char *query, const char *document)
{
    put_prompts(text);
    struct local_config config = good();
    assert_int_equal(config.has_prompt[MODEL_QUERY], query != NULL);
    assert_int_equal(config.has_prompt[MODEL_DOCUMENT], document != NULL);
    assert_string_equal(config.prompts[MODEL_QUERY], query == NULL ? "" : query);
    assert_string_equal(config.prompts[MODEL_DOCUMENT], document == NULL ? "" : document);
}

static void refused_prompts(const char *text, int code, const char *words)
{
    put_prompts(text);
    refused(code, words);
}

#define PROMPT_FILE "config_sentence_transformers.json: "

static void test_prompts(void **state)
{
    (void)state;
    model_folder_put_text("config.json", minilm);
    good_prompts("{}", NULL, NULL);
    good_prompts("{\"prompts\":{},\"default_prompt_name\":null}", NULL, NULL);
    good_prompts("{\"prompts\":null}", NULL, NULL);
    good_prompts("{\"prompts\":{\"s2s\":\"x\"}}", NULL, NULL);
    good_prompts("{\"prompts\":{\"query\":\"q: \"}}", "q: ", "");
    good_prompts("{\"prompts\":{\"query\":\"\",\"document\":\"\"}}", "", "");
    good_prompts("{\"prompts\":{\"query\":\"q: \",\"passage\":\"p: \"}}", "q: ", "p: ");
    good_prompts("{\"prompts\":{\"corpus\":\"c: \"}}", "", "c: ");
    good_prompts("{\"prompts\":{\"corpus\":\"c\",\"passage\":\"p\",\"document\":\"d\"}}", "", "d");
    good_prompts("{\"prompts\":{\"query\":\"q\",\"x\":\"y\"},\"default_prompt_name\":\"x\"}", "q",
                 "y");
    good_prompts("{\"prompts\":{\"x\":\"y\"},\"default_prompt_name\":\"x\"}", "y", "y");
    refused_prompts("{\"prompts\":[\"q\"]}", ERROR_CORRUPT,
                    PROMPT_FILE "prompts: expected an object, not an array");
    refused_prompts("{\"prompts\":{\"query\":5}}", ERROR_CORRUPT,
                    PROMPT_FILE "prompts: query: expected a text, not a number");
    refused_prompts("{\"prompts\":{\"query\":null}}", ERROR_CORRUPT,
                    PROMPT_FILE "prompts: query: expected a text, not null");
    refused_prompts("{\"prompts\":{\"query\":\"q\"},\"default_prompt_name\":\"none\"}",
                    ERROR_CORRUPT, PROMPT_FILE "default_prompt_name: no prompt is called none");
    refused_prompts("{\"default_prompt_name\":\"query\"}", ERROR_CORRUPT,
                    PROMPT_FILE "default_prompt_name: no prompt is called query");
    refused_prompts("{\"prompts\":{\"query\":\"a\377b\"}}", ERROR_CORRUPT,
                    PROMPT_FILE "prompts: query: the text is not valid UTF-8");
    static char large[LOCAL_PROMPT_SIZE + 60];
    snprintf(large, sizeof large, "{\"prompts\":{\"query\":\"%0*d\"}}", LOCAL_PROMPT_SIZE, 0);
    refused_prompts(large, ERROR_UNAVAILABLE, PROMPT_FILE "prompts: query: 2048 bytes are not");
}

/* Its tokens would have to be left out of the mean; a first token needs none of them. */
static void test_prompts_that_are_not_pooled(void **state)
{
    (void)state;
    model_folder_put_text("config.json", minilm);
    model_folder_put_text("1_Pooling/config.json",
                          "{\"pooling_mode\":\"mean\",\"include_prompt\":false}");
    good_prompts("{\"prompts\":{\"query\":\"\"}}", "", "");
    refused_prompts("{\"prompts\":{\"query\":\"q\"}}", ERROR_UNAVAILABLE,
                    PROMPT_FILE "prompts with include_prompt false is not known here");
    model_folder_put_text("1_Pooling/config.json",
                          "{\"pooling_mode\":\"cls\",\"include_prompt\":false}");
    good_prompts("{\"prompts\":{\"query\":\"q\"}}", "q", "");
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int read_once(void *context, struct error *err)
{
    struct local_config config;
    (void)context;
    return local_config_read(model_folder, &config, err);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    model_folder_put_text("config.json", minilm);
    model_folder_put_text("1_Pooling/config.json", pooling_mean);
    model_folder_put_text("2_Dense/config.json", "{\"in_features\":384,\"out_features\":8}");
    model_folder_put_text("modules.json", "[" DENSE_CHAIN "]");
    put_prompts("{\"prompts\":{\"query\":\"q\"}}");
    assert_true(each_allocation(read_once, NULL) >= 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, model_folder_make, model_folder_remove)

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        TEST(test_pooling),
        TEST(test_bad_pooling),
        TEST(test_modules),
        TEST(test_a_part),
        TEST(test_dense),
        TEST(test_prompts),
        TEST(test_prompts_that_are_not_pooled),
        TEST(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
