/*
 * settings.h: the JSON files of a model's folder, and the values in them. Internal to the readers
 * of the configuration. Errors name the member, or the file.
 */
#ifndef LOCAL_SETTINGS_H
#define LOCAL_SETTINGS_H

#include "base/json.h"
#include "local/config.h"

/* *root: the file's tree, for cJSON_Delete; NULL after an error, and if there is no such file. */
int settings_read(const char *folder, const char *file, cJSON **root, struct error *err);

/* Lets `apply` take from a file what it says, if it is there; its errors begin with the file's
 * name. */
int settings_apply(const char *folder, const char *file,
                   int (*apply)(const cJSON *root, struct local_config *config, struct error *err),
                   struct local_config *config, struct error *err);

/* Whether the value is there (null is not); and whether it is true. */
int settings_has(const cJSON *root, const char *pointer);
int settings_is_true(const cJSON *root, const char *pointer);

/* A whole number from `least` to `most`; ERROR_CORRUPT for anything else. */
int settings_size(const cJSON *root, const char *pointer, size_t least, size_t most, size_t *value,
                  struct error *err);

/* The value for a name; `choices` end with NULL, which is returned if it is none of them. */
struct settings_choice {
    const char *name;
    int value;
};
const struct settings_choice *settings_choose(const struct settings_choice *choices,
                                              const char *name);

/* "a.b.Name" is Name: where Python keeps it changes from version to version. */
const char *settings_last_part(const char *name);

/* ERROR_UNAVAILABLE: `what` says `value`, which is not known here. */
int settings_unknown(const char *what, const char *value, const char *expected, struct error *err);

#endif
