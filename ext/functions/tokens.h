/*
 * tokens.h: what token_count, token_ids and chunk_each share.
 */
#ifndef FUNCTIONS_TOKENS_H
#define FUNCTIONS_TOKENS_H

#include "sqlite/connection.h"

/* The model that an optional argument names, whichever task it does; not given or NULL: the one
 * that embeds by default. Errors of catalog_find for embedding. */
int tokens_find_model(struct connection *connection, sqlite3_value *name,
                      struct catalog_entry **entry, struct error *err);

#endif
