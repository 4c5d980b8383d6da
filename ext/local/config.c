#include "local/config.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"

/* Configurations have a few kilobytes, a tokenizer's with many added tokens some hundred. */
#define MAX_FILE ((size_t)4 << 20)
#define PATH_SIZE 4096

/* No text is read that leaves no room between [CLS] and [SEP]. */
#define LEAST_TOKENS 3
/* What tokenizers write that know no limit is 10^30. */
#define MOST_TOKENS ((size_t)1 << 20)
#define STATIC_TOKENS 512

/* ---- files ----------------------------------------------------------------------------------- */

/* *root: the file's tree, for cJSON_Delete; NULL after an error, and if there is no such file. */
static int read_json(const char *folder, const char *file, cJSON **root, struct error *err)
{
    char path[PATH_SIZE];
    struct buffer text;
    *root = NULL;
    int length = snprintf(path, sizeof path, "%s/%s", folder, file);
    if (length < 0 || length >= (int)sizeof path)
        return error_set(err, ERROR_UNAVAILABLE, "%.100s: a path of more than %d bytes", file,
                         PATH_SIZE);
    if (!file_exists(path)) return 0;
    buffer_init(&text, MAX_FILE);
    int rc = file_read_whole(path, &text, err);
    if (rc == 0) rc = json_parse((struct span){text.data, text.size}, root, err);
    buffer_deinit(&text);
    if (rc == 0) return 0;
    error_context(err, "%.100s", file);
    if (rc == ERROR_INVALID) rc = ERROR_CORRUPT; /* too long, or no JSON */
    if (err != NULL) err->code = rc;
    return rc;
}

/* What a file says: its errors begin with its name. */
typedef int (*obeying)(const cJSON *root, struct local_config *config, struct error *err);

static int obey(const char *folder, const char *file, obeying what, struct local_config *config,
                struct error *err)
{
    cJSON *root = NULL;
    int rc = read_json(folder, file, &root, err);
    if (rc == 0 && root != NULL && (rc = what(root, config, err)) != 0)
        error_context(err, "%.100s", file);
    cJSON_Delete(root);
    return rc;
}

/* ---- values ---------------------------------------------------------------------------------- */

static int unknown(const char *what, const char *value, const char *expected, struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE, "%s %.100s is not known here, expected %s", what,
                     value, expected);
}

/* Whether the value is there; null is not. */
static int has(const cJSON *root, const char *pointer)
{
    const cJSON *item = json_at(root, pointer);
    return item != NULL && !cJSON_IsNull(item);
}

static int is_true(const cJSON *root, const char *pointer)
{
    return cJSON_IsTrue(json_at(root, pointer));
}

/* A whole number from `least` to `most`. */
static int parse_size(const cJSON *root, const char *pointer, size_t least, size_t most,
                      size_t *value, struct error *err)
{
    const cJSON *item = json_at(root, pointer);
    const char *name = pointer + 1;
    if (!cJSON_IsNumber(item))
        return error_set(err, ERROR_CORRUPT, "%s: expected a number, not %s", name,
                         json_kind(item));
    double number = item->valuedouble;
    if (number >= (double)least && number <= (double)most) *value = (size_t)number;
    if (!(number >= (double)least && number <= (double)most) || (double)*value != number)
        return error_set(err, ERROR_CORRUPT, "%s: expected a whole number from %zu to %zu, not %g",
                         name, least, most, number);
    return 0;
}

/* The value for the text there; `names` end with NULL. */
struct choice {
    const char *name;
    int value;
};

static const struct choice *choose(const struct choice *choices, const char *name)
{
    for (; choices->name != NULL; choices++)
        if (strcmp(choices->name, name) == 0) return choices;
    return NULL;
}

/* "a.b.Name" is Name: where Python keeps it changes from version to version. */
static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

/* ---- config.json ----------------------------------------------------------------------------- */

struct architecture {
    const char *name, *model_type;
    enum local_architecture architecture;
    int classifies;
};

/* The first of a model_type is what it means where no architecture is told. */
static const struct architecture architectures[] = {
    {"BertModel", "bert", LOCAL_BERT, 0},
    {"BertForSequenceClassification", "bert", LOCAL_BERT, 1},
    {"BertForMaskedLM", "bert", LOCAL_BERT, 0},
    {"XLMRobertaModel", "xlm-roberta", LOCAL_XLM_ROBERTA, 0},
    {"XLMRobertaForSequenceClassification", "xlm-roberta", LOCAL_XLM_ROBERTA, 1},
    {"StaticModel", "model2vec", LOCAL_STATIC, 0},
};

static int obey_architecture(const cJSON *root, struct local_config *config, struct error *err)
{
    const char *name = json_text_at(root, "/architectures/0");
    const char *type = json_text_at(root, "/model_type");
    const struct architecture *found = NULL;
    if (name == NULL && type == NULL)
        return error_set(err, ERROR_CORRUPT, "neither architectures nor model_type");
    for (size_t i = 0; found == NULL && i < sizeof architectures / sizeof *architectures; i++)
        if (name == NULL ? strcmp(architectures[i].model_type, type) == 0
                         : strcmp(architectures[i].name, name) == 0)
            found = &architectures[i];
    if (found == NULL)
        return unknown(name == NULL ? "the model_type" : "the architecture",
                       name == NULL ? type : name,
                       "BertModel, BertForSequenceClassification, BertForMaskedLM, "
                       "XLMRobertaModel, XLMRobertaForSequenceClassification or StaticModel",
                       err);
    if (type != NULL && strcmp(type, found->model_type) != 0)
        return unknown("the model_type", type, found->model_type, err);
    config->architecture = found->architecture;
    config->classifies = found->classifies;
    return 0;
}

/* What an encoder may ask for, and these do not. */
static int refuse_foreign(const cJSON *root, struct error *err)
{
    static const char *const flags[] = {"/is_decoder", "/add_cross_attention"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (is_true(root, flags[i])) return unknown(flags[i] + 1, "true", "false", err);
    const cJSON *code = json_at(root, "/auto_map");
    if (code != NULL && code->child != NULL)
        return error_set(err, ERROR_UNAVAILABLE,
                         "auto_map: a model that brings code of its own is not known here");
    const char *positions = json_text_at(root, "/position_embedding_type");
    return positions == NULL || strcmp(positions, "absolute") == 0
               ? 0
               : unknown("position_embedding_type", positions, "absolute", err);
}

static int obey_activation(const cJSON *root, struct local_config *config, struct error *err)
{
    static const struct choice choices[] = {{"gelu", LOCAL_GELU},
                                            {"gelu_new", LOCAL_GELU_TANH},
                                            {"gelu_pytorch_tanh", LOCAL_GELU_TANH},
                                            {"relu", LOCAL_RELU},
                                            {NULL, 0}};
    const char *name = json_text_at(root, "/hidden_act");
    if (name == NULL && has(root, "/hidden_act"))
        return error_set(err, ERROR_CORRUPT, "hidden_act: expected a name, not %s",
                         json_kind(json_at(root, "/hidden_act")));
    const struct choice *found = choose(choices, name == NULL ? "gelu" : name);
    if (found == NULL)
        return unknown("hidden_act", name, "gelu, gelu_new, gelu_pytorch_tanh or relu", err);
    config->activation = (enum local_activation)found->value;
    return 0;
}

/* As transformers counts them: those that id2label names, or num_labels, or 2. */
static int obey_labels(const cJSON *root, struct error *err)
{
    size_t n = 2;
    int rc = 0;
    if (has(root, "/id2label")) n = (size_t)cJSON_GetArraySize(json_at(root, "/id2label"));
    else if (has(root, "/num_labels")) rc = parse_size(root, "/num_labels", 1, 1 << 20, &n, err);
    if (rc == 0 && n != 1)
        rc = error_set(err, ERROR_UNAVAILABLE, "it has %zu labels; a reranker has 1", n);
    return rc;
}

/* "torch.nn.modules.linear.Identity" or "torch.nn.modules.activation.Sigmoid". */
static int obey_score(const char *name, struct local_config *config, struct error *err)
{
    static const struct choice choices[] = {
        {"Identity", LOCAL_IDENTITY}, {"Sigmoid", LOCAL_SIGMOID}, {NULL, 0}};
    if (name == NULL) return 0;
    const struct choice *found = choose(choices, last_part(name));
    if (found == NULL)
        return unknown("the activation of the score", name, "Identity or Sigmoid", err);
    config->score = (enum local_activation)found->value;
    return 0;
}

static int obey_classifier(const cJSON *root, struct local_config *config, struct error *err)
{
    config->score = LOCAL_SIGMOID;
    const char *name = json_text_at(root, "/sentence_transformers/activation_fn");
    if (name == NULL) name = json_text_at(root, "/sbert_ce_default_activation_function");
    int rc = obey_labels(root, err);
    if (rc == 0) rc = obey_score(name, config, err);
    if (rc == 0 && config->architecture == LOCAL_BERT && config->n_segments < 2)
        rc = error_set(err, ERROR_CORRUPT, "type_vocab_size: expected 2 for a pair, not %zu",
                       config->n_segments);
    return rc;
}

static int obey_epsilon(const cJSON *root, struct local_config *config, struct error *err)
{
    config->layer_norm_epsilon = 1e-12F;
    if (!has(root, "/layer_norm_eps")) return 0;
    if (json_float(json_at(root, "/layer_norm_eps"), &config->layer_norm_epsilon) &&
        config->layer_norm_epsilon > 0 && config->layer_norm_epsilon <= 0.1F)
        return 0;
    return error_set(err, ERROR_CORRUPT, "layer_norm_eps: expected a number from 0 to 0.1");
}

static int obey_sizes(const cJSON *root, struct local_config *config, struct error *err)
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
        {"/type_vocab_size", 1, 256, &config->n_segments},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof sizes / sizeof *sizes; i++)
        rc = parse_size(root, sizes[i].pointer, sizes[i].least, sizes[i].most, sizes[i].value, err);
    if (rc != 0) return rc;
    if (config->hidden_size % config->n_heads != 0 || config->hidden_size / config->n_heads > 256)
        return error_set(err, ERROR_CORRUPT,
                         "hidden_size %zu in %zu attention heads: expected heads of one size, 256 "
                         "at most",
                         config->hidden_size, config->n_heads);
    return 0;
}

/* XLM-RoBERTa counts positions from behind that of padding. */
static int obey_positions(const cJSON *root, struct local_config *config, struct error *err)
{
    size_t padding = 1;
    if (config->architecture == LOCAL_XLM_ROBERTA) {
        int rc = has(root, "/pad_token_id")
                     ? parse_size(root, "/pad_token_id", 0, config->n_positions, &padding, err)
                     : 0;
        if (rc != 0) return rc;
        config->first_position = padding + 1;
    }
    if (config->n_positions < config->first_position + LEAST_TOKENS)
        return error_set(err, ERROR_CORRUPT,
                         "max_position_embeddings: %zu leave no room for a text",
                         config->n_positions);
    config->max_tokens = config->n_positions - config->first_position;
    return 0;
}

static int obey_config(const cJSON *root, struct local_config *config, struct error *err)
{
    int rc = obey_architecture(root, config, err);
    if (rc != 0) return rc;
    if (config->architecture == LOCAL_STATIC) {
        config->normalize = is_true(root, "/normalize");
        config->max_tokens = STATIC_TOKENS;
        return 0;
    }
    rc = refuse_foreign(root, err);
    if (rc == 0) rc = obey_activation(root, config, err);
    if (rc == 0) rc = obey_sizes(root, config, err);
    if (rc == 0) rc = obey_epsilon(root, config, err);
    if (rc == 0) rc = obey_positions(root, config, err);
    if (rc == 0 && config->classifies) rc = obey_classifier(root, config, err);
    config->dimensions = config->hidden_size;
    return rc;
}

/* ---- pooling --------------------------------------------------------------------------------- */

static int choose_pooling(const char *name, struct local_config *config, struct error *err)
{
    static const struct choice choices[] = {{"cls", LOCAL_CLS},
                                            {"mean", LOCAL_MEAN},
                                            {"max", LOCAL_MAX},
                                            {"pooling_mode_cls_token", LOCAL_CLS},
                                            {"pooling_mode_mean_tokens", LOCAL_MEAN},
                                            {"pooling_mode_max_tokens", LOCAL_MAX},
                                            {NULL, 0}};
    const struct choice *found = choose(choices, name);
    if (found == NULL) return unknown("the pooling", name, "cls, mean or max", err);
    config->pooling = (enum local_pooling)found->value;
    return 0;
}

/* "pooling_mode": "mean", or ["mean"]. */
static int obey_pooling_name(const cJSON *mode, struct local_config *config, struct error *err)
{
    if (cJSON_IsArray(mode) && cJSON_GetArraySize(mode) == 1) mode = mode->child;
    if (cJSON_IsString(mode)) return choose_pooling(mode->valuestring, config, err);
    return error_set(err, ERROR_UNAVAILABLE,
                     "pooling_mode: expected cls, mean or max, not %s: several at once are not "
                     "known here",
                     json_kind(mode));
}

/* "pooling_mode_mean_tokens": true. None that is told at all is the mean. */
static int obey_pooling_flags(const cJSON *root, struct local_config *config, struct error *err)
{
    size_t n = 0, n_told = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, root)
    {
        if (item->string == NULL || strncmp(item->string, "pooling_mode_", 13) != 0) continue;
        n_told++;
        if (!cJSON_IsTrue(item)) continue;
        n++;
        int rc = choose_pooling(item->string, config, err);
        if (rc != 0) return rc;
    }
    if (n == 1 || n_told == 0) return 0;
    return error_set(err, ERROR_UNAVAILABLE,
                     "%zu kinds of pooling at once are not known here, expected one", n);
}

static int obey_pooling(const cJSON *root, struct local_config *config, struct error *err)
{
    static const char *const names[] = {"/word_embedding_dimension", "/embedding_dimension"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof names / sizeof *names; i++) {
        size_t n = config->hidden_size;
        if (has(root, names[i])) rc = parse_size(root, names[i], 1, SIZE_MAX >> 12, &n, err);
        if (rc == 0 && n != config->hidden_size)
            rc = error_set(err, ERROR_CORRUPT, "%s: expected %zu as in config.json, not %zu",
                           names[i] + 1, config->hidden_size, n);
    }
    if (rc != 0) return rc;
    return has(root, "/pooling_mode")
               ? obey_pooling_name(json_at(root, "/pooling_mode"), config, err)
               : obey_pooling_flags(root, config, err);
}

/* ---- modules.json ---------------------------------------------------------------------------- */

/* How far the chain of modules has come. */
enum stage { NOTHING, TOKENS, EMBEDDING };

struct modules {
    enum stage stage;
    char pooling[128]; /* the folder of the Pooling module; "" without one */
};

/* A folder of the model's own. */
static int is_folder_name(const char *path)
{
    return path != NULL && path[0] != '\0' && path[0] != '.' && strchr(path, '/') == NULL &&
           strlen(path) < sizeof((struct modules *)NULL)->pooling;
}

static int obey_module(const cJSON *module, struct local_config *config, struct modules *modules,
                       struct error *err)
{
    const char *type = json_text_at(module, "/type"), *path = json_text_at(module, "/path");
    int is_static = config->architecture == LOCAL_STATIC;
    int is_here = path == NULL || strcmp(path, ".") == 0;
    if (type == NULL) return error_set(err, ERROR_CORRUPT, "a module without a type");
    const char *name = last_part(type);
    if (strcmp(name, is_static ? "StaticEmbedding" : "Transformer") == 0 &&
        modules->stage == NOTHING) {
        if (!is_here) return unknown("a model in the folder", path, "one beside modules.json", err);
        modules->stage = is_static ? EMBEDDING : TOKENS;
        return 0;
    }
    if (strcmp(name, "Pooling") == 0 && modules->stage == TOKENS && !config->classifies) {
        if (!is_folder_name(path))
            return error_set(err, ERROR_CORRUPT, "Pooling: expected a folder's name as its path");
        snprintf(modules->pooling, sizeof modules->pooling, "%s", path);
        modules->stage = EMBEDDING;
        return 0;
    }
    if (strcmp(name, "Normalize") == 0 && modules->stage == EMBEDDING) {
        config->normalize = 1;
        return 0;
    }
    const char *expected = modules->stage == EMBEDDING ? "Normalize"
                           : modules->stage == TOKENS  ? "Pooling"
                           : is_static                 ? "StaticEmbedding"
                                                       : "Transformer";
    if (config->classifies && modules->stage == TOKENS) expected = "none in a reranker";
    return unknown("the module", name, expected, err);
}

static int obey_modules(const cJSON *root, struct local_config *config, struct modules *modules,
                        struct error *err)
{
    const cJSON *module;
    int rc = 0;
    if (!cJSON_IsArray(root))
        return error_set(err, ERROR_CORRUPT, "expected an array, not %s", json_kind(root));
    cJSON_ArrayForEach(module, root)
    {
        rc = obey_module(module, config, modules, err);
        if (rc != 0) return rc;
    }
    if (modules->stage == (config->classifies ? TOKENS : EMBEDDING)) return 0;
    return error_set(err, ERROR_UNAVAILABLE, "expected %s",
                     config->classifies ? "a Transformer" : "a Transformer and its Pooling");
}

/* modules.json and the pooling it names, or the usual folder of pooling. */
static int read_modules(const char *folder, struct local_config *config, struct error *err)
{
    struct modules modules = {.stage = NOTHING};
    char path[sizeof modules.pooling + 16];
    cJSON *root = NULL;
    config->pooling = config->classifies ? LOCAL_CLS : LOCAL_MEAN;
    int rc = read_json(folder, "modules.json", &root, err);
    int is_told = root != NULL;
    if (rc == 0 && is_told && (rc = obey_modules(root, config, &modules, err)) != 0)
        error_context(err, "modules.json");
    cJSON_Delete(root);
    if (rc != 0 || config->classifies || config->architecture == LOCAL_STATIC) return rc;
    snprintf(path, sizeof path, "%s/config.json", is_told ? modules.pooling : "1_Pooling");
    root = NULL;
    rc = read_json(folder, path, &root, err);
    if (rc == 0 && root == NULL && is_told)
        return error_set(err, ERROR_UNAVAILABLE, "%s: no such file, which modules.json names",
                         path);
    if (rc == 0 && root != NULL && (rc = obey_pooling(root, config, err)) != 0)
        error_context(err, "%s", path);
    cJSON_Delete(root);
    return rc;
}

/* ---- what remains ---------------------------------------------------------------------------- */

/* The least of the limits that are told. */
static int obey_limit(const cJSON *root, const char *pointer, struct local_config *config,
                      struct error *err)
{
    size_t limit = MOST_TOKENS;
    const cJSON *item = json_at(root, pointer);
    if (!has(root, pointer) || (cJSON_IsNumber(item) && item->valuedouble > (double)MOST_TOKENS))
        return 0;
    int rc = parse_size(root, pointer, LEAST_TOKENS, MOST_TOKENS, &limit, err);
    if (rc == 0 && limit < config->max_tokens) config->max_tokens = limit;
    return rc;
}

static int obey_sentence_bert(const cJSON *root, struct local_config *config, struct error *err)
{
    return obey_limit(root, "/max_seq_length", config, err);
}

static int obey_tokenizer(const cJSON *root, struct local_config *config, struct error *err)
{
    return obey_limit(root, "/model_max_length", config, err);
}

static int obey_sentence_transformers(const cJSON *root, struct local_config *config,
                                      struct error *err)
{
    return obey_score(json_text_at(root, "/activation_fn"), config, err);
}

/* sentence-transformers makes a text lower case before its tokenizer sees it: no matter if that does
 * so itself. */
static int refuse_lower_case(const char *folder, struct error *err)
{
    cJSON *wanted = NULL, *tokenizer = NULL;
    int rc = read_json(folder, "sentence_bert_config.json", &wanted, err);
    if (rc == 0 && is_true(wanted, "/do_lower_case"))
        rc = read_json(folder, "tokenizer_config.json", &tokenizer, err);
    if (rc == 0 && is_true(wanted, "/do_lower_case") && !is_true(tokenizer, "/do_lower_case"))
        rc = error_set(err, ERROR_UNAVAILABLE,
                       "sentence_bert_config.json: do_lower_case is not known here for a tokenizer "
                       "that does not do so itself");
    cJSON_Delete(wanted);
    cJSON_Delete(tokenizer);
    return rc;
}

static int read_config(const char *folder, struct local_config *config, struct error *err)
{
    cJSON *root = NULL;
    int rc = read_json(folder, "config.json", &root, err);
    if (rc == 0 && root == NULL)
        return error_set(err, ERROR_UNAVAILABLE, "config.json: no such file in %.300s", folder);
    if (rc == 0 && (rc = obey_config(root, config, err)) != 0) error_context(err, "config.json");
    cJSON_Delete(root);
    return rc;
}

int local_config_read(const char *folder, struct local_config *config, struct error *err)
{
    *config = (struct local_config){.score = LOCAL_IDENTITY};
    int rc = read_config(folder, config, err);
    if (rc == 0) rc = read_modules(folder, config, err);
    if (rc != 0 || config->architecture == LOCAL_STATIC) return rc;
    rc = obey(folder, "sentence_bert_config.json", obey_sentence_bert, config, err);
    if (rc == 0) rc = obey(folder, "tokenizer_config.json", obey_tokenizer, config, err);
    if (rc == 0) rc = refuse_lower_case(folder, err);
    if (rc == 0 && config->classifies)
        rc = obey(folder, "config_sentence_transformers.json", obey_sentence_transformers, config,
                  err);
    return rc;
}
