#include "local/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"

/* Configurations have a few kilobytes, a tokenizer's with many added tokens some hundred. */
#define MAX_FILE ((size_t)4 << 20)

/* ---- files ----------------------------------------------------------------------------------- */

int settings_read(const char *folder, const char *file, cJSON **root, struct error *err)
{
    char path[FILE_PATH_SIZE];
    struct buffer text;
    *root = NULL;
    int length = snprintf(path, sizeof path, "%s/%s", folder, file);
    if (length < 0 || length >= (int)sizeof path)
        return error_set(err, ERROR_UNAVAILABLE, "%.100s: a path of more than %d bytes", file,
                         FILE_PATH_SIZE);
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

int settings_apply(const char *folder, const char *file,
                   int (*apply)(const cJSON *root, struct local_config *config, struct error *err),
                   struct local_config *config, struct error *err)
{
    cJSON *root = NULL;
    int rc = settings_read(folder, file, &root, err);
    if (rc == 0 && root != NULL && (rc = apply(root, config, err)) != 0)
        error_context(err, "%.100s", file);
    cJSON_Delete(root);
    return rc;
}

/* ---- values ---------------------------------------------------------------------------------- */

int settings_unknown(const char *what, const char *value, const char *expected, struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE, "%s %.100s is not known here, expected %s", what,
                     value, expected);
}

int settings_has(const cJSON *root, const char *pointer)
{
    const cJSON *item = json_at(root, pointer);
    return item != NULL && !cJSON_IsNull(item);
}

int settings_is_true(const cJSON *root, const char *pointer)
{
    return cJSON_IsTrue(json_at(root, pointer));
}

int settings_size(const cJSON *root, const char *pointer, size_t least, size_t most, size_t *value,
                  struct error *err)
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

const struct settings_choice *settings_choose(const struct settings_choice *choices,
                                              const char *name)
{
    for (; choices->name != NULL; choices++)
        if (strcmp(choices->name, name) == 0) return choices;
    return NULL;
}

const char *settings_last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}
