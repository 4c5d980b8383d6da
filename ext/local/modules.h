/*
 * modules.h: how an embedding is made of what the model gives: modules.json, sentence-transformers'
 * chain, and the config.json of its modules; without it 1_Pooling/config.json.
 *
 * A chain is a Transformer and its Pooling, or a StaticEmbedding, then any number of Dense and
 * Normalize. A module's folder is one below the model's: no other path is taken.
 */
#ifndef LOCAL_MODULES_H
#define LOCAL_MODULES_H

#include "base/json.h"
#include "local/config.h"

/* modules.json; NULL: there is none. Errors of settings_read. */
int local_modules_open(const char *folder, cJSON **root, struct error *err);

/* Sets part, by the first module; *is_static: it is a StaticEmbedding, which needs no config.json.
 * `root` may be NULL. */
int local_modules_find_part(const cJSON *root, struct local_config *config, int *is_static,
                            struct error *err);

/* Sets pooling, dense, normalize and dimensions, once config.json has been read. Errors as of
 * local_config_read. */
int local_modules_read(const char *folder, const cJSON *root, struct local_config *config,
                       struct error *err);

#endif
