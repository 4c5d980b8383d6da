/*
 * config_files.h: for the tests of what a folder says of its model: files of published models, and
 * what comes of a folder.
 *
 * For one program: include it in one file.
 */
#ifndef TESTS_LOCAL_CONFIG_FILES_H
#define TESTS_LOCAL_CONFIG_FILES_H

#include "base/each_allocation.h"
#include "local/config.h"
#include "local/model_folder.h"

static const char minilm[] =
    "{\"architectures\":[\"BertModel\"],\"attention_probs_dropout_prob\":0.1,"
    "\"classifier_dropout\":null,\"hidden_act\":\"gelu\",\"hidden_size\":384,"
    "\"intermediate_size\":1536,\"layer_norm_eps\":1e-12,\"max_position_embeddings\":512,"
    "\"model_type\":\"bert\",\"num_attention_heads\":12,\"num_hidden_layers\":6,\"pad_token_id\":0,"
    "\"position_embedding_type\":\"absolute\",\"type_vocab_size\":2,\"vocab_size\":30522}";

static const char ms_marco[] =
    "{\"architectures\":[\"BertForSequenceClassification\"],\"hidden_act\":\"gelu\","
    "\"hidden_size\":384,\"id2label\":{\"0\":\"LABEL_0\"},\"intermediate_size\":1536,"
    "\"layer_norm_eps\":1e-12,\"max_position_embeddings\":512,\"model_type\":\"bert\","
    "\"num_attention_heads\":12,\"num_hidden_layers\":6,\"pad_token_id\":0,"
    "\"sbert_ce_default_activation_function\":\"torch.nn.modules.linear.Identity\","
    "\"type_vocab_size\":2,\"vocab_size\":30522}";

static const char potion[] =
    "{\"model_type\":\"model2vec\",\"architectures\":[\"StaticModel\"],"
    "\"tokenizer_name\":\"baai/bge-base-en-v1.5\",\"apply_pca\":256,\"apply_zipf\":true,"
    "\"hidden_dim\":256,\"seq_length\":1000000,\"normalize\":true}";

static const char pooling_mean[] =
    "{\"word_embedding_dimension\":384,\"pooling_mode_cls_token\":false,"
    "\"pooling_mode_mean_tokens\":true,\"pooling_mode_max_tokens\":false,"
    "\"pooling_mode_mean_sqrt_len_tokens\":false,\"pooling_mode_weightedmean_tokens\":false,"
    "\"pooling_mode_lasttoken\":false,\"include_prompt\":true}";

static struct local_config good(void)
{
    struct local_config config;
    struct error err = {0};
    int rc = local_config_read(model_folder, &config, &err);
    if (rc != 0) print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
    assert_int_equal(failing_memory_blocks, 0);
    return config;
}

static void refused(int code, const char *text)
{
    struct local_config config;
    struct error err = {0};
    int rc = local_config_read(model_folder, &config, &err);
    if (strstr(err.text, text) == NULL) print_error("no '%s' in '%s'\n", text, err.text);
    assert_ptr_equal(strstr(err.text, text), err.text);
    assert_int_equal(rc, code);
    assert_int_equal(err.code, code);
    assert_int_equal(local_config_read(model_folder, &config, NULL), code);
    assert_int_equal(failing_memory_blocks, 0);
}

#endif
