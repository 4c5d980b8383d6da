/*
 * fuzz_config.c: any bytes as one of the files that tell what a model is; the first byte chooses
 * which, and of which model, the others are good. What is accepted is within the limits that the
 * forward pass counts on; what is refused begins with a file's name.
 */
#include <stdint.h>
#include <stdlib.h>

#include "local/config.h"
#include "local/model_folder.h"

#define SIZES                                                                                      \
    "\"hidden_size\":8,\"intermediate_size\":16,\"max_position_embeddings\":20,"                   \
    "\"num_attention_heads\":2,\"num_hidden_layers\":1,\"type_vocab_size\":2,\"vocab_size\":9}"

static const char *const configs[] = {
    "{\"architectures\":[\"BertModel\"]," SIZES,
    "{\"architectures\":[\"BertForSequenceClassification\"],\"num_labels\":1," SIZES,
    "{\"architectures\":[\"XLMRobertaModel\"]," SIZES,
    "{\"architectures\":[\"StaticModel\"]}",
};

static const char *const files[] = {
    "config.json",           "modules.json",
    "1_Pooling/config.json", "sentence_bert_config.json",
    "tokenizer_config.json", "config_sentence_transformers.json",
};

enum { N_CONFIGS = sizeof configs / sizeof *configs, N_FILES = sizeof files / sizeof *files };

static void clean_up(void)
{
    model_folder_remove(NULL);
}

static void check(const struct local_config *config)
{
    if (config->max_tokens < 3) abort();
    if (config->architecture->is_static) {
        if (config->classifies || config->dimensions != 0) abort();
        return;
    }
    if (config->n_heads == 0 || config->hidden_size % config->n_heads != 0) abort();
    if (config->hidden_size > 8192 || config->hidden_size / config->n_heads > 256) abort();
    if (config->dimensions != config->hidden_size || config->n_layers == 0) abort();
    if (config->n_layers > 128 || config->intermediate_size == 0) abort();
    if (config->vocabulary_size == 0) abort();
    if ((config->n_segments == 0) != (config->architecture->pair_segments == 0)) abort();
    if (config->first_position + config->max_tokens > config->n_positions) abort();
    if (!(config->layer_norm_epsilon > 0)) abort();
    if (config->score != LOCAL_IDENTITY && config->score != LOCAL_SIGMOID) abort();
}

static int begins_with_a_name(const char *text)
{
    const char *colon = strstr(text, ".json: ");
    return colon != NULL && colon < text + 150;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct local_config config;
    struct error err = {0};
    if (model_folder[0] == '\0' && (model_folder_make(NULL) != 0 || atexit(clean_up) != 0)) abort();
    if (size == 0) return 0;
    const char *file = files[data[0] % N_FILES];
    model_folder_put_text("config.json", configs[data[0] / N_FILES % N_CONFIGS]);
    model_folder_put(file, data + 1, size - 1);
    int rc = local_config_read(model_folder, &config, &err);
    if (rc == 0) check(&config);
    else if (rc != ERROR_CORRUPT && rc != ERROR_UNAVAILABLE) abort();
    else if (err.code != rc || !begins_with_a_name(err.text)) abort();
    unlink(model_folder_path(file));
    return 0;
}
