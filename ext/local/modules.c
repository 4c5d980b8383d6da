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
    return settings_has(root, "/pooling_mode")
               ? apply_pooling_name(json_at(root, "/pooling_mode"), config, err)
               : apply_pooling_flags(root, config, err);
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

static int apply_module(const cJSON *module, struct local_config *config, struct modules *modules,
                        struct error *err)
{
    const char *type = json_text_at(module, "/type"), *path = json_text_at(module, "/path");
    int is_static = config->architecture->is_static;
    int is_here = path == NULL || strcmp(path, ".") == 0;
    if (type == NULL) return error_set(err, ERROR_CORRUPT, "a module without a type");
    const char *name = settings_last_part(type);
    if (strcmp(name, is_static ? "StaticEmbedding" : "Transformer") == 0 &&
        modules->stage == NOTHING) {
        if (!is_here)
            return settings_unknown("a model in the folder", path, "one beside modules.json", err);
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
    return settings_unknown("the module", name, expected, err);
}

static int apply_modules(const cJSON *root, struct local_config *config, struct modules *modules,
                         struct error *err)
{
    const cJSON *module;
    int rc = 0;
    if (!cJSON_IsArray(root))
        return error_set(err, ERROR_CORRUPT, "expected an array, not %s", json_kind(root));
    cJSON_ArrayForEach(module, root)
    {
        rc = apply_module(module, config, modules, err);
        if (rc != 0) return rc;
    }
    if (modules->stage == (config->classifies ? TOKENS : EMBEDDING)) return 0;
    return error_set(err, ERROR_UNAVAILABLE, "expected %s",
                     config->classifies ? "a Transformer" : "a Transformer and its Pooling");
}

int local_modules_read(const char *folder, struct local_config *config, struct error *err)
{
    struct modules modules = {.stage = NOTHING};
    char path[sizeof modules.pooling + 16];
    cJSON *root = NULL;
    config->pooling = config->classifies ? LOCAL_CLS : LOCAL_MEAN;
    int rc = settings_read(folder, "modules.json", &root, err);
    int is_told = root != NULL;
    if (rc == 0 && is_told && (rc = apply_modules(root, config, &modules, err)) != 0)
        error_context(err, "modules.json");
    cJSON_Delete(root);
    if (rc != 0 || config->classifies || config->architecture->is_static) return rc;
    snprintf(path, sizeof path, "%s/config.json", is_told ? modules.pooling : "1_Pooling");
    root = NULL;
    rc = settings_read(folder, path, &root, err);
    if (rc == 0 && root == NULL && is_told)
        return error_set(err, ERROR_UNAVAILABLE, "%s: no such file, which modules.json names",
                         path);
    if (rc == 0 && root != NULL && (rc = apply_pooling(root, config, err)) != 0)
        error_context(err, "%s", path);
    cJSON_Delete(root);
    return rc;
}
