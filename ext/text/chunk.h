/*
 * chunk.h: a long text, cut into pieces that a model can read.
 *
 * Pieces are filled greedily, from the front: as many runs (boundaries.h) as the limit allows, then
 * back to the last end of a paragraph if that leaves the piece at least half full, else of a
 * sentence (a quarter), a line (three quarters), a word; a single run longer than the limit is cut
 * between two characters. The next piece begins with what the two share: whole runs from the end of
 * the last one, from the beginning of a sentence where there is one in the first half of that.
 *
 * Tokens are counted by the caller, one run at a time and once for each finished piece: the tokens
 * of runs add up to those of the piece with nearly all tokenizers, and where they do not, a piece
 * that is over gives up runs until it is not. So a text of n bytes costs about 2 n bytes of
 * counting, plus what is shared.
 *
 * All of the text that is not white space is in some piece, in order; a piece always reaches
 * further than the one before.
 */
#ifndef TEXT_CHUNK_H
#define TEXT_CHUNK_H

#include <stddef.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/span.h"

/* The tokens of a text that may be empty, those included that every text gets. 0 or an error
 * code. */
typedef int (*chunk_count)(void *context, struct span text, size_t *n_tokens, struct error *err);

struct chunk_options {
    size_t max_tokens; /* of a piece, as `count` counts */
    size_t
        overlap; /* tokens that a piece shares with the one before, about; less than max_tokens */
    chunk_count count;
    void *context;
    const struct cancel *cancel; /* or NULL */
};

struct chunk {
    struct span text; /* part of the whole text, without white space around it; not empty */
    size_t start;     /* its first character, counted from 1 */
};

struct chunker;

/* The text is UTF-8; it and what `options` points to are borrowed until chunk_free. ERROR_INVALID:
 * max_tokens has no room for a token, the overlap is too large; errors of `count`; ERROR_NOMEM. */
int chunk_new(struct span text, const struct chunk_options *options, struct chunker **chunker,
              struct error *err);
void chunk_free(struct chunker *chunker); /* accepts NULL */

/* The next piece, or *done = 1. ERROR_INVALID: one character alone has more tokens than fit; errors
 * of `count`; ERROR_NOMEM, ERROR_INTERRUPTED. After an error there is nothing more to ask. */
int chunk_next(struct chunker *chunker, struct chunk *chunk, int *done, struct error *err);

#endif
