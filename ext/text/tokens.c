#include "text/tokens.h"

#include "base/memory.h"

void tokens_init(struct tokens *tokens)
{
    *tokens = (struct tokens){0};
}

void tokens_deinit(struct tokens *tokens)
{
    memory_free(tokens->ids);
    memory_free(tokens->segments);
    tokens_init(tokens);
}

int tokens_put(struct tokens *tokens, uint32_t id, uint8_t segment, struct error *err)
{
    if (tokens->n == tokens->capacity) {
        size_t capacity = tokens->capacity == 0 ? 64 : 2 * tokens->capacity;
        uint32_t *ids = memory_realloc(tokens->ids, capacity, sizeof *ids);
        if (ids == NULL) return error_nomem(err);
        tokens->ids = ids;
        uint8_t *segments = memory_realloc(tokens->segments, capacity, sizeof *segments);
        if (segments == NULL) return error_nomem(err);
        tokens->segments = segments;
        tokens->capacity = capacity;
    }
    tokens->ids[tokens->n] = id;
    tokens->segments[tokens->n++] = segment;
    return 0;
}
