/*
 * modules.h: how an embedding is made of what the model gives: modules.json (sentence-transformers'
 * chain) and the config.json of its Pooling, or 1_Pooling/config.json without it.
 */
#ifndef LOCAL_MODULES_H
#define LOCAL_MODULES_H

#include "local/config.h"

/* Sets pooling and normalize. Errors as of local_config_read. */
int local_modules_read(const char *folder, struct local_config *config, struct error *err);

#endif
