/*
 * fuzz_config.c: any bytes as one of the files that tell what a model is; the first byte chooses
 * which, and of which model, the others are good. What is accepted is within the limits that the
 * forward pass counts on; what is refused begins with a file's name.
 */
#include <stdint.h>
#include <stdlib.h>

#include "local/config.h"
#include "local/model_folder.h"

#define MODULE(type, path) "{\"path\":\"" path "\",\"type\":\"" type "\"}"

/* So that 2_Dense/config.json is looked at. */
static const char modules[] = "[" MODULE("Transformer", "") "," MODULE(
    "Pooling", "1_Pooling") "," MODULE("Dense", "2_Dense") "," MODULE("Dense", "2_Dense") "]";

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
    "2_Dense/config.json",
};

enum { N_CONFIGS = sizeof configs / sizeof *configs, N_FILES = sizeof files / sizeof *files };

static void clean_up(void)
{
    model_folder_remove(NULL);
}

/* A chain of sizes, the last of which is the embedding's, in folders below the model's. */
static void check_modules(const struct local_config *config)
{
    size_t n = config->hidden_size;
    if (config->n_dense > LOCAL_MAX_DENSE || strchr(config->part, '/') != NULL) abort();
    for (size_t i = 0; i < config->n_dense; i++) {
        const struct local_dense *dense = &config->dense[i];
        if (n != 0 && dense->n_in != n) abort();
        if (dense->n_in == 0 || dense->n_out == 0 || dense->n_out > 65536) abort();
        if (dense->folder[0] == '\0' || dense->folder[0] == '.') abort();
        if (strchr(dense->folder, '/') != NULL) abort();
        n = dense->n_out;
    }
    if (config->dimensions != n) abort();
    for (int role = 0; role < 2; role++)
        if (strlen(config->prompts[role]) >= LOCAL_PROMPT_SIZE ||
            (!config->has_prompt[role] && config->prompts[role][0] != '\0'))
            abort();
}

static void check(const struct local_config *config)
{
    check_modules(config);
    if (config->max_tokens < 3 && !config->keeps_unknown) abort();
    if (config->architecture->is_static) {
        if (config->classifies) abort();
        return;
    }
    if (config->n_heads == 0 || config->hidden_size % config->n_heads != 0) abort();
    if (config->hidden_size > 8192 || config->hidden_size / config->n_heads > 256) abort();
    if (config->n_layers == 0 || config->n_layers > 128 || config->intermediate_size == 0) abort();
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
    model_folder_put_text("1_Pooling/config.json", "{}");
    if (data[0] % N_FILES == N_FILES - 1) model_folder_put_text("modules.json", modules);
    else unlink(model_folder_path("modules.json"));
    model_folder_put(file, data + 1, size - 1);
    int rc = local_config_read(model_folder, &config, &err);
    if (rc == 0) check(&config);
    else if (rc != ERROR_CORRUPT && rc != ERROR_UNAVAILABLE) abort();
    else if (err.code != rc || !begins_with_a_name(err.text)) abort();
    unlink(model_folder_path(file));
    return 0;
}
