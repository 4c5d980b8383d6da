#include "local/modules.h"

#include <stdio.h>
#include <string.h>

#include "local/architecture.h"
#include "local/settings.h"

/* ---- pooling --------------------------------------------------------------------------------- */

static int choose_pooling(const char *name, struct local_config *config, struct error *err)
{
    static const struct settings_choice choices[] = {{"cls", LOCAL_CLS},
                                                     {"mean", LOCAL_MEAN},
                                                     {"max", LOCAL_MAX},
                                                     {"pooling_mode_cls_token", LOCAL_CLS},
                                                     {"pooling_mode_mean_tokens", LOCAL_MEAN},
                                                     {"pooling_mode_max_tokens", LOCAL_MAX},
                                                     {NULL, 0}};
    const struct settings_choice *found = settings_choose(choices, name);
    if (found == NULL) return settings_unknown("the pooling", name, "cls, mean or max", err);
    config->pooling = (enum local_pooling)found->value;
    return 0;
}

/* "pooling_mode": "mean", or ["mean"]. */
static int apply_pooling_name(const cJSON *mode, struct local_config *config, struct error *err)
{
    if (cJSON_IsArray(mode) && cJSON_GetArraySize(mode) == 1) mode = mode->child;
    if (cJSON_IsString(mode)) return choose_pooling(mode->valuestring, config, err);
    return error_set(err, ERROR_UNAVAILABLE,
                     "pooling_mode: expected cls, mean or max, not %s: several at once are not "
                     "known here",
                     json_kind(mode));
}

/* "pooling_mode_mean_tokens": true. None that is told at all is the mean. */
static int apply_pooling_flags(const cJSON *root, struct local_config *config, struct error *err)
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

static int apply_pooling(const cJSON *root, struct local_config *config, struct error *err)
{
    static const char *const names[] = {"/word_embedding_dimension", "/embedding_dimension"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof names / sizeof *names; i++) {
        size_t n = config->hidden_size;
        if (settings_has(root, names[i]))
            rc = settings_size(root, names[i], 1, SIZE_MAX >> 12, &n, err);
        if (rc == 0 && n != config->hidden_size)
            rc = error_set(err, ERROR_CORRUPT, "%s: expected %zu as in config.json, not %zu",
                           names[i] + 1, config->hidden_size, n);
    }
    if (rc != 0) return rc;
    config->leaves_prompt_out = cJSON_IsFalse(json_at(root, "/include_prompt"));
    return settings_has(root, "/pooling_mode")
               ? apply_pooling_name(json_at(root, "/pooling_mode"), config, err)
               : apply_pooling_flags(root, config, err);
}

/* ---- Dense ----------------------------------------------------------------------------------- */

#define MAX_FEATURES ((size_t)1 << 16)

static int apply_dense_activation(const char *name, struct local_dense *dense, struct error *err)
{
    static const struct settings_choice choices[] = {
        {"Identity", LOCAL_IDENTITY}, {"Tanh", LOCAL_TANH},       {"GELU", LOCAL_GELU},
        {"ReLU", LOCAL_RELU},         {"Sigmoid", LOCAL_SIGMOID}, {NULL, 0}};
    if (name == NULL) name = "Tanh"; /* as sentence-transformers */
    const struct settings_choice *found = settings_choose(choices, settings_last_part(name));
    if (found == NULL)
        return settings_unknown("activation_function", name,
                                "Identity, Tanh, GELU, ReLU or Sigmoid", err);
    dense->activation = (enum local_activation)found->value;
    return 0;
}

/* Not of the tokens' vectors, and nothing added to its output. */
static int refuse_foreign_dense(const cJSON *root, struct error *err)
{
    static const char *const names[] = {"/module_input_name", "/module_output_name"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *name = json_text_at(root, names[i]);
        if (name != NULL && strcmp(name, "sentence_embedding") != 0)
            return settings_unknown(names[i] + 1, name, "sentence_embedding", err);
    }
    return settings_is_true(root, "/use_residual")
               ? settings_unknown("use_residual", "true", "false", err)
               : 0;
}

static int apply_dense(const cJSON *root, struct local_config *config, struct error *err)
{
    struct local_dense *dense = &config->dense[config->n_dense];
    int rc = settings_size(root, "/in_features", 1, MAX_FEATURES, &dense->n_in, err);
    if (rc == 0) rc = settings_size(root, "/out_features", 1, MAX_FEATURES, &dense->n_out, err);
    if (rc == 0) rc = refuse_foreign_dense(root, err);
    if (rc == 0)
        rc = apply_dense_activation(json_text_at(root, "/activation_function"), dense, err);
    if (rc == 0 && config->dimensions != 0 && dense->n_in != config->dimensions)
        rc = error_set(err, ERROR_CORRUPT,
                       "in_features: expected %zu, as the module before it gives, not %zu",
                       config->dimensions, dense->n_in);
    if (rc != 0) return rc;
    dense->has_bias = json_flag(root, "bias", 1);
    dense->normalizes_input = config->normalize;
    config->normalize = 0;
    config->dimensions = dense->n_out;
    config->n_dense++;
    return 0;
}

/* The config.json of a module. */
static int apply_module_config(const char *folder, const char *module,
                               int (*apply)(const cJSON *root, struct local_config *config,
                                            struct error *err),
                               struct local_config *config, struct error *err)
{
    char path[LOCAL_PART_SIZE + 16];
    cJSON *root = NULL;
    snprintf(path, sizeof path, "%s/config.json", module);
    int rc = settings_read(folder, path, &root, err);
    if (rc == 0 && root == NULL)
        return error_set(err, ERROR_UNAVAILABLE, "%s: no such file, which modules.json names",
                         path);
    if (rc == 0 && (rc = apply(root, config, err)) != 0) error_context(err, "%s", path);
    cJSON_Delete(root);
    return rc;
}

/* ---- modules.json ---------------------------------------------------------------------------- */

/* How far the chain of modules has come. */
enum stage { NOTHING, TOKENS, EMBEDDING };

/* Of a module: its type's last part, and the folder below the model's that it lies in; "": that
 * itself. */
struct module {
    const char *name, *folder;
};

/* Errors are told of modules.json. */
static int in_modules(int rc, struct error *err)
{
    if (rc != 0) error_context(err, "modules.json");
    return rc;
}

static int read_module(const cJSON *item, struct module *module, struct error *err)
{
    const char *type = json_text_at(item, "/type"), *path = json_text_at(item, "/path");
    if (type == NULL) return error_set(err, ERROR_CORRUPT, "a module without a type");
    *module = (struct module){settings_last_part(type), path == NULL ? "" : path};
    if (strcmp(module->folder, ".") == 0) module->folder = "";
    if (module->folder[0] != '.' && strpbrk(module->folder, "/\\") == NULL &&
        strlen(module->folder) < LOCAL_PART_SIZE)
        return 0;
    return error_set(err, ERROR_CORRUPT, "%.50s: expected a folder's name as its path, not %.100s",
                     module->name, module->folder);
}

static int is_model(const struct module *module, int is_static)
{
    return strcmp(module->name, is_static ? "StaticEmbedding" : "Transformer") == 0;
}

int local_modules_open(const char *folder, cJSON **root, struct error *err)
{
    return settings_read(folder, "modules.json", root, err);
}

int local_modules_find_part(const cJSON *root, struct local_config *config, int *is_static,
                            struct error *err)
{
    struct module module;
    *is_static = 0;
    if (root == NULL) return 0;
    if (!cJSON_IsArray(root))
        return in_modules(
            error_set(err, ERROR_CORRUPT, "expected an array, not %s", json_kind(root)), err);
    if (root->child == NULL) return 0;
    int rc = read_module(root->child, &module, err);
    if (rc != 0) return in_modules(rc, err);
    *is_static = is_model(&module, 1);
    if (*is_static || is_model(&module, 0))
        snprintf(config->part, sizeof config->part, "%s", module.folder);
    return 0;
}

static int refuse_module(const struct local_config *config, const struct module *module,
                         enum stage stage, struct error *err)
{
    const char *expected = stage == EMBEDDING                ? "Dense or Normalize"
                           : stage == TOKENS                 ? "Pooling"
                           : config->architecture->is_static ? "StaticEmbedding"
                                                             : "Transformer";
    if (config->classifies && stage == TOKENS) expected = "none in a reranker";
    return in_modules(settings_unknown("the module", module->name, expected, err), err);
}

/* A module that has files has a folder. */
static int read_folder(const char *folder, const struct module *module,
                       int (*apply)(const cJSON *root, struct local_config *config,
                                    struct error *err),
                       struct local_config *config, struct error *err)
{
    if (module->folder[0] == '\0')
        return in_modules(
            error_set(err, ERROR_CORRUPT, "%s: expected a folder's name as its path", module->name),
            err);
    return apply_module_config(folder, module->folder, apply, config, err);
}

static int read_dense(const char *folder, const struct module *module, struct local_config *config,
                      struct error *err)
{
    if (config->n_dense == LOCAL_MAX_DENSE)
        return in_modules(error_set(err, ERROR_UNAVAILABLE,
                                    "more than %d modules Dense are not known here",
                                    LOCAL_MAX_DENSE),
                          err);
    snprintf(config->dense[config->n_dense].folder, LOCAL_PART_SIZE, "%s", module->folder);
    return read_folder(folder, module, apply_dense, config, err);
}

static int apply_module(const char *folder, const struct module *module,
                        struct local_config *config, enum stage *stage, struct error *err)
{
    if (*stage == NOTHING && is_model(module, config->architecture->is_static)) {
        *stage = config->architecture->is_static ? EMBEDDING : TOKENS;
        return 0;
    }
    if (strcmp(module->name, "Pooling") == 0 && *stage == TOKENS && !config->classifies) {
        *stage = EMBEDDING;
        return read_folder(folder, module, apply_pooling, config, err);
    }
    if (strcmp(module->name, "Dense") == 0 && *stage == EMBEDDING)
        return read_dense(folder, module, config, err);
    if (strcmp(module->name, "Normalize") != 0 || *stage != EMBEDDING)
        return refuse_module(config, module, *stage, err);
    config->normalize = 1;
    return 0;
}

static int apply_modules(const char *folder, const cJSON *root, struct local_config *config,
                         struct error *err)
{
    enum stage stage = NOTHING;
    const cJSON *item;
    cJSON_ArrayForEach(item, root)
    {
        struct module module;
        int rc = in_modules(read_module(item, &module, err), err);
        if (rc == 0) rc = apply_module(folder, &module, config, &stage, err);
        if (rc != 0) return rc;
    }
    if (stage == (config->classifies ? TOKENS : EMBEDDING)) return 0;
    return in_modules(
        error_set(err, ERROR_UNAVAILABLE, "expected %s",
                  config->classifies ? "a Transformer" : "a Transformer and its Pooling"),
        err);
}

int local_modules_read(const char *folder, const cJSON *root, struct local_config *config,
                       struct error *err)
{
    config->pooling = config->classifies ? LOCAL_CLS : LOCAL_MEAN;
    if (root != NULL) return apply_modules(folder, root, config, err);
    if (config->classifies || config->architecture->is_static) return 0;
    return settings_apply(folder, "1_Pooling/config.json", apply_pooling, config, err);
}
