/*
 * tokens.h: the tokens of one or more texts, one behind the other.
 */
#ifndef TEXT_TOKENS_H
#define TEXT_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct tokens {
    uint32_t *ids;     /* [n] */
    uint8_t *segments; /* [n] 0, or 1 for the second text of a pair (token_type_ids) */
    size_t n, capacity;
};

void tokens_init(struct tokens *tokens);
void tokens_deinit(struct tokens *tokens);

/* Appends one. ERROR_NOMEM. */
int tokens_put(struct tokens *tokens, uint32_t id, uint8_t segment, struct error *err);

#endif
