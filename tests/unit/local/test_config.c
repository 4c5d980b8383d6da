#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/config_files.h"

/* ---- configurations: those of published models ----------------------------------------------- */

static const char bge_m3[] =
    "{\"add_cross_attention\":false,\"architectures\":[\"XLMRobertaModel\"],\"bos_token_id\":0,"
    "\"eos_token_id\":2,\"hidden_act\":\"gelu\",\"hidden_size\":1024,\"intermediate_size\":4096,"
    "\"is_decoder\":false,\"layer_norm_eps\":1e-05,\"max_position_embeddings\":8194,"
    "\"model_type\":\"xlm-roberta\",\"num_attention_heads\":16,\"num_hidden_layers\":24,"
    "\"output_past\":true,\"pad_token_id\":1,\"position_embedding_type\":\"absolute\","
    "\"type_vocab_size\":1,\"use_cache\":true,\"vocab_size\":250002}";

static const char bge_reranker[] =
    "{\"architectures\":[\"XLMRobertaForSequenceClassification\"],\"hidden_act\":\"gelu\","
    "\"hidden_size\":768,\"id2label\":{\"0\":\"LABEL_0\"},\"intermediate_size\":3072,"
    "\"layer_norm_eps\":1e-05,\"max_position_embeddings\":514,\"model_type\":\"xlm-roberta\","
    "\"num_attention_heads\":12,\"num_hidden_layers\":12,\"pad_token_id\":1,"
    "\"type_vocab_size\":1,\"vocab_size\":250002}";

static const char mpnet[] =
    "{\"_name_or_path\":\"microsoft/mpnet-base\",\"architectures\":[\"MPNetForMaskedLM\"],"
    "\"attention_probs_dropout_prob\":0.1,\"bos_token_id\":0,\"eos_token_id\":2,"
    "\"hidden_act\":\"gelu\",\"hidden_dropout_prob\":0.1,\"hidden_size\":768,"
    "\"initializer_range\":0.02,\"intermediate_size\":3072,\"layer_norm_eps\":1e-05,"
    "\"max_position_embeddings\":514,\"model_type\":\"mpnet\",\"num_attention_heads\":12,"
    "\"num_hidden_layers\":12,\"pad_token_id\":1,\"relative_attention_num_buckets\":32,"
    "\"vocab_size\":30527}";

static const char modules[] = "[{\"idx\":0,\"name\":\"0\",\"path\":\"\",\"type\":\"sentence_"
                              "transformers.models.Transformer\"},"
                              "{\"idx\":1,\"name\":\"1\",\"path\":\"1_Pooling\","
                              "\"type\":\"sentence_transformers.models.Pooling\"},"
                              "{\"idx\":2,\"name\":\"2\",\"path\":\"2_Normalize\","
                              "\"type\":\"sentence_transformers.models.Normalize\"}]";

/* ---- helpers --------------------------------------------------------------------------------- */

/* The configuration with `from` replaced. */
static void put_changed(const char *config, const char *from, const char *to)
{
    char changed[2048];
    const char *at = strstr(config, from);
    assert_non_null(at);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - config), config, to,
             at + strlen(from));
    model_folder_put_text("config.json", changed);
}

static void refused_change(const char *config, const char *from, const char *to, int code,
                           const char *text)
{
    put_changed(config, from, to);
    refused(code, text);
}

/* ---- what is known --------------------------------------------------------------------------- */

static void test_sentence_transformers(void **state)
{
    (void)state;
    model_folder_put_text("config.json", minilm);
    model_folder_put_text("modules.json", modules);
    model_folder_put_text("1_Pooling/config.json", pooling_mean);
    model_folder_put_text("sentence_bert_config.json",
                          "{\"max_seq_length\":256,\"do_lower_case\":false}");
    model_folder_put_text("tokenizer_config.json", "{\"model_max_length\":512}");
    struct local_config config = good();
    assert_ptr_equal(config.architecture, &local_bert);
    assert_int_equal(config.classifies, 0);
    assert_int_equal(config.hidden_size, 384);
    assert_int_equal(config.n_layers, 6);
    assert_int_equal(config.n_heads, 12);
    assert_int_equal(config.intermediate_size, 1536);
    assert_int_equal(config.vocabulary_size, 30522);
    assert_int_equal(config.n_positions, 512);
    assert_int_equal(config.n_segments, 2);
    assert_int_equal(config.first_position, 0);
    assert_true(config.layer_norm_epsilon == 1e-12F);
    assert_int_equal(config.activation, LOCAL_GELU);
    assert_int_equal(config.pooling, LOCAL_MEAN);
    assert_int_equal(config.normalize, 1);
    assert_int_equal(config.dimensions, 384);
    assert_int_equal(config.max_tokens, 256);
}

static void test_plain_encoder(void **state)
{
    (void)state;
    model_folder_put_text("config.json", minilm);
    struct local_config config = good();
    assert_int_equal(config.pooling, LOCAL_MEAN);
    assert_int_equal(config.normalize, 0);
    assert_int_equal(config.max_tokens, 512);
    model_folder_put_text("1_Pooling/config.json", "{\"pooling_mode_cls_token\":true,"
                                                   "\"pooling_mode_mean_tokens\":false}");
    assert_int_equal(good().pooling, LOCAL_CLS);
    put_changed(minilm, "BertModel", "BertForMaskedLM");
    assert_int_equal(good().classifies, 0);
    put_changed(minilm, "\"architectures\":[\"BertModel\"],", "");
    assert_ptr_equal(good().architecture, &local_bert);
    put_changed(minilm, ",\"model_type\":\"bert\"", "");
    assert_ptr_equal(good().architecture, &local_bert);
    put_changed(minilm, "\"layer_norm_eps\":1e-12,", "");
    assert_true(good().layer_norm_epsilon == 1e-12F);
}

static void test_xlm_roberta(void **state)
{
    (void)state;
    model_folder_put_text("config.json", bge_m3);
    model_folder_put_text("modules.json", modules);
    model_folder_put_text("1_Pooling/config.json",
                          "{\"word_embedding_dimension\":1024,\"pooling_mode_cls_token\":true,"
                          "\"pooling_mode_mean_tokens\":false,\"pooling_mode_max_tokens\":false,"
                          "\"pooling_mode_mean_sqrt_len_tokens\":false}");
    struct local_config config = good();
    assert_ptr_equal(config.architecture, &local_xlm_roberta);
    assert_int_equal(config.first_position, 2);
    assert_int_equal(config.n_segments, 1);
    assert_int_equal(config.max_tokens, 8192);
    assert_int_equal(config.pooling, LOCAL_CLS);
    assert_int_equal(config.normalize, 1);
    assert_true(config.layer_norm_epsilon == 1e-5F);
    put_changed(bge_m3, "\"pad_token_id\":1,", "");
    assert_int_equal(good().first_position, 2);
}

static void test_mpnet(void **state)
{
    (void)state;
    model_folder_put_text("config.json", mpnet);
    model_folder_put_text("sentence_bert_config.json",
                          "{\"max_seq_length\":384,\"do_lower_case\":false}");
    model_folder_put_text("tokenizer_config.json", "{\"model_max_length\":512}");
    struct local_config config = good();
    assert_ptr_equal(config.architecture, &local_mpnet);
    assert_int_equal(config.classifies, 0);
    assert_int_equal(config.first_position, 2);
    assert_int_equal(config.n_segments, 0);
    assert_int_equal(config.n_positions, 514);
    assert_int_equal(config.max_tokens, 384);
    assert_true(config.layer_norm_epsilon == 1e-5F);
    put_changed(mpnet, "MPNetForMaskedLM", "MPNetModel");
    assert_ptr_equal(good().architecture, &local_mpnet);
    put_changed(mpnet, "\"pad_token_id\":1", "\"pad_token_id\":7"); /* transformers does not look */
    assert_int_equal(good().first_position, 2);
    put_changed(mpnet, ",\"relative_attention_num_buckets\":32", "");
    assert_ptr_equal(good().architecture, &local_mpnet);
    refused_change(
        mpnet, "num_buckets\":32", "num_buckets\":64", ERROR_UNAVAILABLE,
        "config.json: relative_attention_num_buckets: 64 are not known here, expected 32");
    refused_change(mpnet, "num_buckets\":32", "num_buckets\":\"x\"", ERROR_CORRUPT,
                   "config.json: relative_attention_num_buckets: expected a number, not a text");
    put_changed(mpnet, "\"MPNetForMaskedLM\"",
                "\"MPNetForSequenceClassification\"],\"id2label\":{\"0\":\"A\"},\"x\":[0");
    assert_int_equal(good().classifies, 1);
}

static void test_cross_encoders(void **state)
{
    (void)state;
    model_folder_put_text("config.json", ms_marco);
    struct local_config config = good();
    assert_int_equal(config.classifies, 1);
    assert_int_equal(config.score, LOCAL_IDENTITY);
    assert_int_equal(config.max_tokens, 512);
    put_changed(ms_marco, "\"torch.nn.modules.linear.Identity\"", "null");
    assert_int_equal(good().score, LOCAL_SIGMOID);
    put_changed(ms_marco, "\"sbert_ce_default_activation_function\":",
                "\"sentence_transformers\":{\"activation_fn\":\"torch.nn.modules.activation."
                "Sigmoid\",\"version\":\"4.0.1\"},\"sbert_ce_default_activation_function\":");
    assert_int_equal(good().score, LOCAL_SIGMOID);
    model_folder_put_text("config.json", bge_reranker);
    config = good();
    assert_ptr_equal(config.architecture, &local_xlm_roberta);
    assert_int_equal(config.classifies, 1);
    assert_int_equal(config.score, LOCAL_SIGMOID);
    assert_int_equal(config.max_tokens, 512);
    /* What newer versions of sentence-transformers write beside it. */
    model_folder_put_text("config_sentence_transformers.json",
                          "{\"model_type\":\"CrossEncoder\",\"prompts\":{},"
                          "\"activation_fn\":\"torch.nn.modules.linear.Identity\"}");
    model_folder_put_text(
        "modules.json",
        "[{\"idx\":0,\"name\":\"0\",\"path\":\"\","
        "\"type\":\"sentence_transformers.base.modules.transformer.Transformer\"}]");
    assert_int_equal(good().score, LOCAL_IDENTITY);
    put_changed(bge_reranker, "\"id2label\":{\"0\":\"LABEL_0\"}", "\"num_labels\":1");
    assert_int_equal(good().classifies, 1);
}

static void test_static(void **state)
{
    (void)state;
    model_folder_put_text("config.json", potion);
    model_folder_put_text("tokenizer_config.json", "{\"model_max_length\":16}");
    struct local_config config = good();
    assert_ptr_equal(config.architecture, &local_static);
    assert_int_equal(config.normalize, 1);
    assert_int_equal(config.dimensions, 0);
    assert_int_equal(config.n_layers, 0);
    assert_int_equal(config.max_tokens, 512);
    put_changed(potion, ",\"normalize\":true", "");
    assert_int_equal(good().normalize, 0);
    model_folder_put_text(
        "modules.json",
        "[{\"idx\":0,\"path\":\".\",\"type\":\"sentence_transformers.models.StaticEmbedding\"},"
        "{\"idx\":1,\"path\":\"1_Normalize\",\"type\":\"sentence_transformers.models.Normalize\"}"
        "]");
    assert_int_equal(good().normalize, 1);
    model_folder_put_text("modules.json",
                          "[{\"idx\":0,\"path\":\"0_StaticEmbedding\","
                          "\"type\":\"sentence_transformers.models.StaticEmbedding\"}]");
    /* The rules of Model2Vec stand in its config.json; without it sentence-transformers' hold. */
    config = good();
    assert_string_equal(config.part, "0_StaticEmbedding");
    assert_true(config.max_tokens == 0 && config.keeps_unknown);
    unlink(model_folder_path("config.json"));
    assert_ptr_equal(good().architecture, &local_static);
    model_folder_put_text("0_StaticEmbedding/config.json", potion);
    config = good();
    assert_true(config.max_tokens == 512 && config.normalize && !config.keeps_unknown);
}

static void test_activations(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum local_activation activation;
    } known[] = {{"\"gelu_new\"", LOCAL_GELU_TANH},
                 {"\"gelu_pytorch_tanh\"", LOCAL_GELU_TANH},
                 {"\"relu\"", LOCAL_RELU},
                 {"null", LOCAL_GELU}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        put_changed(minilm, "\"gelu\"", known[i].name);
        assert_int_equal(good().activation, known[i].activation);
    }
    refused_change(minilm, "\"gelu\"", "\"silu\"", ERROR_UNAVAILABLE,
                   "config.json: hidden_act silu is not known here, expected gelu");
    refused_change(minilm, "\"gelu\"", "5", ERROR_CORRUPT,
                   "config.json: hidden_act: expected a name, not a number");
}

static void test_lengths(void **state)
{
    (void)state;
    model_folder_put_text("config.json", minilm);
    model_folder_put_text("tokenizer_config.json",
                          "{\"model_max_length\":1000000000000000019884624838656}");
    assert_int_equal(good().max_tokens, 512);
    model_folder_put_text("tokenizer_config.json", "{\"model_max_length\":null}");
    assert_int_equal(good().max_tokens, 512);
    model_folder_put_text("tokenizer_config.json", "{\"model_max_length\":128}");
    model_folder_put_text("sentence_bert_config.json", "{\"max_seq_length\":null}");
    assert_int_equal(good().max_tokens, 128);
    model_folder_put_text("sentence_bert_config.json", "{\"max_seq_length\":1024}");
    assert_int_equal(good().max_tokens, 128);
    model_folder_put_text("sentence_bert_config.json", "{\"max_seq_length\":2}");
    refused(ERROR_CORRUPT, "sentence_bert_config.json: max_seq_length: expected a whole number from"
                           " 3 to");
    model_folder_put_text("sentence_bert_config.json", "{\"max_seq_length\":\"512\"}");
    refused(ERROR_CORRUPT, "sentence_bert_config.json: max_seq_length: expected a number, not a "
                           "text");
    model_folder_put_text("sentence_bert_config.json", "{\"do_lower_case\":true}");
    assert_int_equal(good().lowers_case, 1);
    model_folder_put_text("sentence_bert_config.json", "{\"do_lower_case\":false}");
    assert_int_equal(good().lowers_case, 0);
    model_folder_put_text("tokenizer_config.json", "{\"model_max_length\":-1}");
    refused(ERROR_CORRUPT, "tokenizer_config.json: model_max_length: expected a whole number");
}

/* ---- what is not ----------------------------------------------------------------------------- */

static void test_architectures(void **state)
{
    (void)state;
    static const char *const foreign[] = {"DistilBertModel", "ModernBertModel",
                                          "NomicBertModel",  "NewModel",
                                          "RobertaModel",    "RobertaForSequenceClassification"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "config.json: the architecture %s is not known here, expected BertModel, ",
                 foreign[i]);
        refused_change(minilm, "BertModel", foreign[i], ERROR_UNAVAILABLE, text);
    }
    refused_change(minilm, "\"model_type\":\"bert\"", "\"model_type\":\"nomic_bert\"",
                   ERROR_UNAVAILABLE, "config.json: the model_type nomic_bert is not known here");
    model_folder_put_text("config.json", "{\"model_type\":\"qwen2\"}");
    refused(ERROR_UNAVAILABLE, "config.json: the model_type qwen2 is not known here");
    model_folder_put_text("config.json", "{}");
    refused(ERROR_CORRUPT, "config.json: neither architectures nor model_type");
    refused_change(minilm, "\"absolute\"", "\"relative_key\"", ERROR_UNAVAILABLE,
                   "config.json: position_embedding_type relative_key is not known here");
    refused_change(minilm, "\"hidden_act\"", "\"is_decoder\":true,\"hidden_act\"",
                   ERROR_UNAVAILABLE, "config.json: is_decoder true is not known here");
    refused_change(minilm, "\"hidden_act\"", "\"add_cross_attention\":true,\"hidden_act\"",
                   ERROR_UNAVAILABLE, "config.json: add_cross_attention true is not known here");
    refused_change(minilm, "\"hidden_act\"", "\"auto_map\":{\"AutoModel\":\"m.M\"},\"hidden_act\"",
                   ERROR_UNAVAILABLE, "config.json: auto_map");
}

static void test_labels(void **state)
{
    (void)state;
    const char *one = "\"id2label\":{\"0\":\"LABEL_0\"}";
    refused_change(ms_marco, one, "\"id2label\":{\"0\":\"A\",\"1\":\"B\",\"2\":\"C\"}",
                   ERROR_UNAVAILABLE, "config.json: it has 3 labels; a reranker has 1");
    refused_change(ms_marco, one, "\"num_labels\":4", ERROR_UNAVAILABLE,
                   "config.json: it has 4 labels");
    refused_change(ms_marco, one, "\"x\":0", ERROR_UNAVAILABLE, "config.json: it has 2 labels");
    refused_change(ms_marco, "linear.Identity", "activation.Tanh", ERROR_UNAVAILABLE,
                   "config.json: the activation of the score torch.nn.modules.activation.Tanh is "
                   "not known here, expected Identity or Sigmoid");
    refused_change(ms_marco, "\"type_vocab_size\":2", "\"type_vocab_size\":1", ERROR_CORRUPT,
                   "config.json: type_vocab_size: expected 2 for a pair, not 1");
    model_folder_put_text("config.json", ms_marco);
    model_folder_put_text("config_sentence_transformers.json", "{\"activation_fn\":\"my.Own\"}");
    refused(ERROR_UNAVAILABLE, "config_sentence_transformers.json: the activation of the score");
}

static void test_sizes(void **state)
{
    (void)state;
    put_changed(minilm, "\"type_vocab_size\":2,", "");
    assert_int_equal(good().n_segments, 2);
    put_changed(bge_m3, "\"type_vocab_size\":1,", "");
    assert_int_equal(good().n_segments, 2);
    put_changed(minilm, "\"type_vocab_size\":2", "\"type_vocab_size\":null");
    assert_int_equal(good().n_segments, 2);
    refused_change(minilm, "\"type_vocab_size\":2", "\"type_vocab_size\":0", ERROR_CORRUPT,
                   "config.json: type_vocab_size: expected a whole number from 1");
    refused_change(minilm, "\"hidden_size\":384,", "", ERROR_CORRUPT,
                   "config.json: hidden_size: expected a number, not nothing");
    refused_change(minilm, "\"hidden_size\":384", "\"hidden_size\":\"384\"", ERROR_CORRUPT,
                   "config.json: hidden_size: expected a number, not a text");
    refused_change(minilm, "\"hidden_size\":384", "\"hidden_size\":384.5", ERROR_CORRUPT,
                   "config.json: hidden_size: expected a whole number from 1 to 8192, not 384.5");
    refused_change(minilm, "\"hidden_size\":384", "\"hidden_size\":-384", ERROR_CORRUPT,
                   "config.json: hidden_size: expected a whole number");
    refused_change(minilm, "\"hidden_size\":384", "\"hidden_size\":1e999", ERROR_CORRUPT,
                   "config.json: hidden_size: expected a whole number");
    refused_change(minilm, "\"hidden_size\":384", "\"hidden_size\":385", ERROR_CORRUPT,
                   "config.json: hidden_size 385 in 12 attention heads");
    refused_change(minilm, "\"hidden_size\":384", "\"hidden_size\":6144", ERROR_CORRUPT,
                   "config.json: hidden_size 6144 in 12 attention heads");
    refused_change(minilm, "\"num_hidden_layers\":6", "\"num_hidden_layers\":0", ERROR_CORRUPT,
                   "config.json: num_hidden_layers: expected a whole number from 1 to 128, not 0");
    refused_change(minilm, "\"num_attention_heads\":12", "\"num_attention_heads\":0", ERROR_CORRUPT,
                   "config.json: num_attention_heads");
    refused_change(minilm, "\"vocab_size\":30522", "\"vocab_size\":1e10", ERROR_CORRUPT,
                   "config.json: vocab_size");
    refused_change(minilm, "\"max_position_embeddings\":512", "\"max_position_embeddings\":1",
                   ERROR_CORRUPT, "config.json: max_position_embeddings");
    refused_change(minilm, "\"layer_norm_eps\":1e-12", "\"layer_norm_eps\":-1", ERROR_CORRUPT,
                   "config.json: layer_norm_eps");
    refused_change(bge_m3, "\"pad_token_id\":1", "\"pad_token_id\":8192", ERROR_CORRUPT,
                   "config.json: max_position_embeddings: 8194 leave no room");
    refused_change(bge_m3, "\"pad_token_id\":1", "\"pad_token_id\":1e9", ERROR_CORRUPT,
                   "config.json: pad_token_id");
}

static void test_broken_files(void **state)
{
    (void)state;
    refused(ERROR_UNAVAILABLE, "config.json: no such file in /");
    model_folder_put_text("config.json", "");
    refused(ERROR_CORRUPT, "config.json: expected JSON, not an empty text");
    model_folder_put_text("config.json", "<html>");
    refused(ERROR_CORRUPT, "config.json: expected JSON, not HTML");
    model_folder_put_text("config.json", "[1]");
    refused(ERROR_CORRUPT, "config.json: neither");
    static char large[(4 << 20) + 2];
    memset(large, ' ', sizeof large - 1);
    model_folder_put_text("config.json", large);
    refused(ERROR_CORRUPT, "config.json: /");
    model_folder_put_text("config.json", minilm);
    model_folder_put_text("tokenizer_config.json", "{");
    refused(ERROR_CORRUPT, "tokenizer_config.json: the JSON breaks off");
    model_folder_put_text("sentence_bert_config.json", "{");
    refused(ERROR_CORRUPT, "sentence_bert_config.json: the JSON breaks off");
    model_folder_put_text("1_Pooling/config.json", "{");
    refused(ERROR_CORRUPT, "1_Pooling/config.json: the JSON breaks off");
    model_folder_put_text("modules.json", "{");
    refused(ERROR_CORRUPT, "modules.json: the JSON breaks off");
}

/* ---- what it is ------------------------------------------------------------------------------ */

static void test_hash(void **state)
{
    (void)state;
    model_folder_put_text("config.json", minilm);
    struct local_config config = good(), other = config;
    uint64_t hash = local_config_hash(&config);
    other.pooling = LOCAL_CLS;
    assert_true(local_config_hash(&other) != hash);
    other = config;
    other.normalize = 1;
    assert_true(local_config_hash(&other) != hash);
    other = config;
    other.dense[other.n_dense++] = (struct local_dense){.n_in = 384, .n_out = 8};
    uint64_t with_dense = local_config_hash(&other);
    assert_true(with_dense != hash);
    other.dense[0].activation = LOCAL_TANH;
    assert_true(local_config_hash(&other) != with_dense);
    /* Prompts are the catalog's. */
    model_folder_put_text("config_sentence_transformers.json", "{\"prompts\":{\"query\":\"q\"}}");
    config = good();
    assert_true(local_config_hash(&config) == hash);
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
    model_folder_put_text("modules.json", modules);
    model_folder_put_text("1_Pooling/config.json", pooling_mean);
    model_folder_put_text("sentence_bert_config.json", "{}");
    model_folder_put_text("tokenizer_config.json", "{}");
    assert_true(each_allocation(read_once, NULL) >= 5);
    model_folder_put_text("config.json", ms_marco);
    model_folder_put_text("config_sentence_transformers.json", "{}");
    unlink(model_folder_path("modules.json"));
    assert_true(each_allocation(read_once, NULL) >= 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, model_folder_make, model_folder_remove)

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        TEST(test_sentence_transformers),
        TEST(test_plain_encoder),
        TEST(test_xlm_roberta),
        TEST(test_mpnet),
        TEST(test_cross_encoders),
        TEST(test_static),
        TEST(test_activations),
        TEST(test_lengths),
        TEST(test_architectures),
        TEST(test_labels),
        TEST(test_sizes),
        TEST(test_broken_files),
        TEST(test_hash),
        TEST(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
