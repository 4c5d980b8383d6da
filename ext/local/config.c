#include "local/config.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "local/architecture.h"
#include "local/modules.h"
#include "local/relative.h"
#include "local/settings.h"

/* No text is read that leaves no room between [CLS] and [SEP]. */
#define LEAST_TOKENS 3
/* What tokenizers write that know no limit is 10^30. */
#define MOST_TOKENS ((size_t)1 << 20)
#define STATIC_TOKENS 512
#define KNOWN_SIZE 400 /* of a list of all architectures */

/* ---- config.json ----------------------------------------------------------------------------- */

static int apply_architecture(const cJSON *root, struct local_config *config, struct error *err)
{
    const char *name = json_text_at(root, "/architectures/0");
    const char *type = json_text_at(root, "/model_type");
    char known[KNOWN_SIZE];
    if (name == NULL && type == NULL)
        return error_set(err, ERROR_CORRUPT, "neither architectures nor model_type");
    config->architecture = local_architecture_find(name, type, &config->classifies);
    local_architecture_list(known, sizeof known);
    if (config->architecture == NULL)
        return settings_unknown(name == NULL ? "the model_type" : "the architecture",
                                name == NULL ? type : name, known, err);
    if (type != NULL && strcmp(type, config->architecture->model_type) != 0)
        return settings_unknown("the model_type", type, config->architecture->model_type, err);
    return 0;
}

/* As transformers does, whatever config.json says. */
static int check_buckets(const cJSON *root, struct error *err)
{
    size_t n = RELATIVE_BUCKETS;
    int rc = settings_has(root, "/relative_attention_num_buckets")
                 ? settings_size(root, "/relative_attention_num_buckets", 1, 1 << 20, &n, err)
                 : 0;
    if (rc != 0 || n == RELATIVE_BUCKETS) return rc;
    return error_set(err, ERROR_UNAVAILABLE,
                     "relative_attention_num_buckets: %zu are not known here, expected %d", n,
                     RELATIVE_BUCKETS);
}

/* What an encoder may ask for, and these do not. */
static int refuse_foreign(const cJSON *root, struct error *err)
{
    static const char *const flags[] = {"/is_decoder", "/add_cross_attention"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (settings_is_true(root, flags[i]))
            return settings_unknown(flags[i] + 1, "true", "false", err);
    const cJSON *code = json_at(root, "/auto_map");
    if (code != NULL && code->child != NULL)
        return error_set(err, ERROR_UNAVAILABLE,
                         "auto_map: a model that brings code of its own is not known here");
    const char *positions = json_text_at(root, "/position_embedding_type");
    return positions == NULL || strcmp(positions, "absolute") == 0
               ? 0
               : settings_unknown("position_embedding_type", positions, "absolute", err);
}

static int apply_activation(const cJSON *root, struct local_config *config, struct error *err)
{
    static const struct settings_choice choices[] = {{"gelu", LOCAL_GELU},
                                                     {"gelu_new", LOCAL_GELU_TANH},
                                                     {"gelu_pytorch_tanh", LOCAL_GELU_TANH},
                                                     {"relu", LOCAL_RELU},
                                                     {NULL, 0}};
    const char *name = json_text_at(root, "/hidden_act");
    if (name == NULL && settings_has(root, "/hidden_act"))
        return error_set(err, ERROR_CORRUPT, "hidden_act: expected a name, not %s",
                         json_kind(json_at(root, "/hidden_act")));
    const struct settings_choice *found = settings_choose(choices, name == NULL ? "gelu" : name);
    if (found == NULL)
        return settings_unknown("hidden_act", name, "gelu, gelu_new, gelu_pytorch_tanh or relu",
                                err);
    config->activation = (enum local_activation)found->value;
    return 0;
}

/* As transformers counts them: those that id2label names, or num_labels, or 2. */
static int apply_labels(const cJSON *root, struct error *err)
{
    size_t n = 2;
    int rc = 0;
    if (settings_has(root, "/id2label")) n = (size_t)cJSON_GetArraySize(json_at(root, "/id2label"));
    else if (settings_has(root, "/num_labels"))
        rc = settings_size(root, "/num_labels", 1, 1 << 20, &n, err);
    if (rc == 0 && n != 1)
        rc = error_set(err, ERROR_UNAVAILABLE, "it has %zu labels; a reranker has 1", n);
    return rc;
}

/* "torch.nn.modules.linear.Identity" or "torch.nn.modules.activation.Sigmoid". */
static int apply_score(const char *name, struct local_config *config, struct error *err)
{
    static const struct settings_choice choices[] = {
        {"Identity", LOCAL_IDENTITY}, {"Sigmoid", LOCAL_SIGMOID}, {NULL, 0}};
    if (name == NULL) return 0;
    const struct settings_choice *found = settings_choose(choices, settings_last_part(name));
    if (found == NULL)
        return settings_unknown("the activation of the score", name, "Identity or Sigmoid", err);
    config->score = (enum local_activation)found->value;
    return 0;
}

static int apply_classifier(const cJSON *root, struct local_config *config, struct error *err)
{
    config->score = LOCAL_SIGMOID;
    const char *name = json_text_at(root, "/sentence_transformers/activation_fn");
    if (name == NULL) name = json_text_at(root, "/sbert_ce_default_activation_function");
    int rc = apply_labels(root, err);
    if (rc == 0) rc = apply_score(name, config, err);
    size_t wanted = config->architecture->pair_segments;
    if (rc == 0 && config->n_segments < wanted)
        rc = error_set(err, ERROR_CORRUPT, "type_vocab_size: expected %zu for a pair, not %zu",
                       wanted, config->n_segments);
    return rc;
}

static int apply_epsilon(const cJSON *root, struct local_config *config, struct error *err)
{
    config->layer_norm_epsilon = 1e-12F;
    if (!settings_has(root, "/layer_norm_eps")) return 0;
    if (json_float(json_at(root, "/layer_norm_eps"), &config->layer_norm_epsilon) &&
        config->layer_norm_epsilon > 0 && config->layer_norm_epsilon <= 0.1F)
        return 0;
    return error_set(err, ERROR_CORRUPT, "layer_norm_eps: expected a number from 0 to 0.1");
}

static int apply_sizes(const cJSON *root, struct local_config *config, struct error *err)
{
    const struct {
        const char *pointer;
        size_t least, most, *value;
    } sizes[] = {
        {"/hidden_size", 1, 8192, &config->hidden_size},
        {"/num_hidden_layers", 1, 128, &config->n_layers},
        {"/num_attention_heads", 1, 8192, &config->n_heads},
        {"/intermediate_size", 1, 65536, &config->intermediate_size},
        {"/vocab_size", 1, (size_t)4 << 20, &config->vocabulary_size},
        {"/max_position_embeddings", LEAST_TOKENS, MOST_TOKENS, &config->n_positions},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof sizes / sizeof *sizes; i++)
        rc = settings_size(root, sizes[i].pointer, sizes[i].least, sizes[i].most, sizes[i].value,
                           err);
    config->n_segments = config->architecture->usual_segments;
    if (rc == 0 && config->n_segments > 0 && settings_has(root, "/type_vocab_size"))
        rc = settings_size(root, "/type_vocab_size", 1, 256, &config->n_segments, err);
    if (rc != 0) return rc;
    if (config->hidden_size % config->n_heads != 0 || config->hidden_size / config->n_heads > 256)
        return error_set(err, ERROR_CORRUPT,
                         "hidden_size %zu in %zu attention heads: expected heads of one size, 256 "
                         "at most",
                         config->hidden_size, config->n_heads);
    return 0;
}

static int apply_positions(const cJSON *root, struct local_config *config, struct error *err)
{
    config->first_position = config->architecture->first_position;
    if (config->architecture->is_first_behind_padding && settings_has(root, "/pad_token_id")) {
        int rc = settings_size(root, "/pad_token_id", 0, config->n_positions,
                               &config->first_position, err);
        if (rc != 0) return rc;
        config->first_position++;
    }
    if (config->n_positions < config->first_position + LEAST_TOKENS)
        return error_set(err, ERROR_CORRUPT,
                         "max_position_embeddings: %zu leave no room for a text",
                         config->n_positions);
    config->max_tokens = config->n_positions - config->first_position;
    return 0;
}

static void apply_static(const cJSON *root, struct local_config *config)
{
    config->normalize = settings_is_true(root, "/normalize");
    config->max_tokens = STATIC_TOKENS;
}

static int apply_encoder(const cJSON *root, struct local_config *config, struct error *err)
{
    int rc = refuse_foreign(root, err);
    if (rc == 0) rc = apply_activation(root, config, err);
    if (rc == 0) rc = apply_sizes(root, config, err);
    if (rc == 0) rc = apply_epsilon(root, config, err);
    if (rc == 0) rc = apply_positions(root, config, err);
    if (rc == 0 && config->architecture->names->relative_bias != NULL)
        rc = check_buckets(root, err);
    if (rc == 0 && config->classifies) rc = apply_classifier(root, config, err);
    config->dimensions = config->hidden_size;
    return rc;
}

static int apply_config(const cJSON *root, struct local_config *config, struct error *err)
{
    int rc = apply_architecture(root, config, err);
    if (rc != 0) return rc;
    if (!config->architecture->is_static) return apply_encoder(root, config, err);
    apply_static(root, config);
    return 0;
}

/* The name of a file of the model's part, below the folder. */
static void part_path(const struct local_config *config, const char *file, char *path, size_t size)
{
    snprintf(path, size, "%s%s%s", config->part, config->part[0] == '\0' ? "" : "/", file);
}

/* ---- what remains ---------------------------------------------------------------------------- */

/* The least of the limits that are told. */
static int apply_limit(const cJSON *root, const char *pointer, struct local_config *config,
                       struct error *err)
{
    size_t limit = MOST_TOKENS;
    const cJSON *item = json_at(root, pointer);
    if (!settings_has(root, pointer) ||
        (cJSON_IsNumber(item) && item->valuedouble > (double)MOST_TOKENS))
        return 0;
    int rc = settings_size(root, pointer, LEAST_TOKENS, MOST_TOKENS, &limit, err);
    if (rc == 0 && limit < config->max_tokens) config->max_tokens = limit;
    return rc;
}

static int apply_sentence_bert(const cJSON *root, struct local_config *config, struct error *err)
{
    config->lowers_case = !config->classifies && settings_is_true(root, "/do_lower_case");
    return apply_limit(root, "/max_seq_length", config, err);
}

static int apply_tokenizer(const cJSON *root, struct local_config *config, struct error *err)
{
    return apply_limit(root, "/model_max_length", config, err);
}

/* ---- config_sentence_transformers.json ------------------------------------------------------- */

static int take_prompt(const cJSON *prompt, enum model_role role, struct local_config *config,
                       struct error *err)
{
    if (!cJSON_IsString(prompt))
        return error_set(err, ERROR_CORRUPT, "prompts: %.50s: expected a text, not %s",
                         prompt->string, json_kind(prompt));
    struct span text = {prompt->valuestring, strlen(prompt->valuestring)};
    if (text.size >= LOCAL_PROMPT_SIZE)
        return error_set(err, ERROR_UNAVAILABLE,
                         "prompts: %.50s: %zu bytes are not known here, expected %d at most",
                         prompt->string, text.size, LOCAL_PROMPT_SIZE - 1);
    int rc = model_check_text(text, 0, err);
    if (rc != 0) {
        error_context(err, "prompts: %.50s", prompt->string);
        if (err != NULL) err->code = ERROR_CORRUPT;
        return ERROR_CORRUPT;
    }
    snprintf(config->prompts[role], LOCAL_PROMPT_SIZE, "%s", text.data);
    config->has_prompt[role] = 1;
    return 0;
}

/* By the names that sentence-transformers looks for (encode_query, encode_document), then by the
 * name that the file calls the default. */
static const cJSON *find_prompt(const cJSON *prompts, enum model_role role, const char *usual)
{
    static const char *const names[][4] = {
        [MODEL_DOCUMENT] = {"document", "passage", "corpus"}, [MODEL_QUERY] = {"query"}};
    const cJSON *found = NULL;
    for (size_t i = 0; found == NULL && names[role][i] != NULL; i++)
        found = cJSON_GetObjectItemCaseSensitive(prompts, names[role][i]);
    if (found == NULL && usual != NULL) found = cJSON_GetObjectItemCaseSensitive(prompts, usual);
    return found;
}

static int apply_prompts(const cJSON *root, struct local_config *config, struct error *err)
{
    const cJSON *prompts = json_at(root, "/prompts");
    const char *usual = json_text_at(root, "/default_prompt_name");
    int rc = 0;
    if (settings_has(root, "/prompts") && !cJSON_IsObject(prompts))
        return error_set(err, ERROR_CORRUPT, "prompts: expected an object, not %s",
                         json_kind(prompts));
    if (usual != NULL && cJSON_GetObjectItemCaseSensitive(prompts, usual) == NULL)
        return error_set(err, ERROR_CORRUPT, "default_prompt_name: no prompt is called %.100s",
                         usual);
    for (int role = MODEL_DOCUMENT; rc == 0 && role <= MODEL_QUERY; role++) {
        const cJSON *prompt = find_prompt(prompts, (enum model_role)role, usual);
        if (prompt != NULL) rc = take_prompt(prompt, (enum model_role)role, config, err);
    }
    if (rc != 0) return rc;
    /* Who gives one role a prompt gives the other none. */
    if (config->has_prompt[MODEL_QUERY] || config->has_prompt[MODEL_DOCUMENT])
        config->has_prompt[MODEL_QUERY] = config->has_prompt[MODEL_DOCUMENT] = 1;
    int is_pooled = config->pooling != LOCAL_CLS && !config->architecture->is_static;
    int is_there =
        config->prompts[MODEL_QUERY][0] != '\0' || config->prompts[MODEL_DOCUMENT][0] != '\0';
    return is_pooled && is_there && config->leaves_prompt_out
               ? settings_unknown("prompts with include_prompt", "false", "true", err)
               : 0;
}

static int apply_sentence_transformers(const cJSON *root, struct local_config *config,
                                       struct error *err)
{
    return config->classifies ? apply_score(json_text_at(root, "/activation_fn"), config, err)
                              : apply_prompts(root, config, err);
}

/* ---- all files ------------------------------------------------------------------------------- */

/* config.json of the model's part; a StaticEmbedding may come without. */
static int read_config(const char *folder, int is_static, struct local_config *config,
                       struct error *err)
{
    char path[LOCAL_PART_SIZE + 40];
    cJSON *root = NULL;
    part_path(config, "config.json", path, sizeof path);
    int rc = settings_read(folder, path, &root, err);
    if (rc == 0 && root == NULL && is_static) {
        config->architecture = &local_static;
        config->keeps_unknown = 1;
        return 0;
    }
    if (rc == 0 && root == NULL)
        return error_set(err, ERROR_UNAVAILABLE, "%s: no such file in %.300s", path, folder);
    if (rc == 0 && (rc = apply_config(root, config, err)) != 0) error_context(err, "%s", path);
    cJSON_Delete(root);
    return rc;
}

static int read_model(const char *folder, struct local_config *config, struct error *err)
{
    cJSON *modules = NULL;
    int is_static = 0;
    int rc = local_modules_open(folder, &modules, err);
    if (rc == 0) rc = local_modules_find_part(modules, config, &is_static, err);
    if (rc == 0) rc = read_config(folder, is_static, config, err);
    if (rc == 0) rc = local_modules_read(folder, modules, config, err);
    cJSON_Delete(modules);
    return rc;
}

static int read_limits(const char *folder, struct local_config *config, struct error *err)
{
    char path[LOCAL_PART_SIZE + 40];
    part_path(config, "sentence_bert_config.json", path, sizeof path);
    int rc = settings_apply(folder, path, apply_sentence_bert, config, err);
    part_path(config, "tokenizer_config.json", path, sizeof path);
    return rc == 0 ? settings_apply(folder, path, apply_tokenizer, config, err) : rc;
}

int local_config_read(const char *folder, struct local_config *config, struct error *err)
{
    *config = (struct local_config){.score = LOCAL_IDENTITY};
    int rc = read_model(folder, config, err);
    if (rc == 0 && !config->architecture->is_static) rc = read_limits(folder, config, err);
    if (rc == 0)
        rc = settings_apply(folder, "config_sentence_transformers.json",
                            apply_sentence_transformers, config, err);
    return rc;
}

/* ---- what it is ------------------------------------------------------------------------------ */

/* What is added here later counts only where it is not zero: indexes keep the hash. */
uint64_t local_config_hash(const struct local_config *config)
{
    uint32_t epsilon;
    memcpy(&epsilon, &config->layer_norm_epsilon, sizeof epsilon);
    const uint64_t numbers[] = {config->n_heads,
                                config->first_position,
                                epsilon,
                                config->activation,
                                config->pooling,
                                (uint64_t)config->normalize,
                                config->max_tokens,
                                (uint64_t)config->lowers_case,
                                (uint64_t)config->keeps_unknown};
    const char *kind = config->architecture->model_type;
    uint64_t hash = hash_bytes(numbers, sizeof numbers, hash_bytes(kind, strlen(kind), 0));
    for (size_t i = 0; i < config->n_dense; i++) {
        const struct local_dense *dense = &config->dense[i];
        const uint64_t more[] = {dense->n_in, dense->n_out, (uint64_t)dense->has_bias,
                                 dense->activation, (uint64_t)dense->normalizes_input};
        hash = hash_bytes(more, sizeof more, hash);
    }
    return hash;
}
