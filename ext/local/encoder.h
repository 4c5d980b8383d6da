/*
 * encoder.h: the forward pass.
 *
 * Devlin et al. 2019 (BERT), after Vaswani et al. 2017: embeddings of word, position and, if
 * there are any, segment, summed and normalised; then layers of attention and of a feed-forward
 * network, each added to its input and normalised (post-norm). What an architecture does
 * otherwise stands in its row (architecture.h). The texts of a group lie one behind the other as
 * rows; only attention knows where one ends, so no padding is computed. Where only a text's first
 * token counts in the end (CLS pooling, cross-encoders), the last layer computes its keys and
 * values of all tokens, and everything else of that one.
 */
#ifndef LOCAL_ENCODER_H
#define LOCAL_ENCODER_H

#include "local/input.h"
#include "local/team.h"
#include "local/weights.h"

struct local_group {
    const struct local_text *texts; /* [n_texts] */
    size_t n_texts;
    size_t n_rows; /* tokens of all texts */
};

/* Bytes of scratch memory for groups that have at most so many rows, texts, and tokens in a
 * text, and for teams of so many members; a multiple of 64. */
size_t local_encoder_scratch(const struct local_weights *weights, size_t n_rows, size_t n_texts,
                             size_t longest, size_t n_members);

/* Steps that a team goes through. */
size_t local_encoder_steps(const struct local_weights *weights);

/* One member's part in computing the group. All members of the team call it, with the same
 * scratch memory (at a multiple of 64) and `longest`. Results are there when the call returns,
 * unless the team was halted. */
void local_encode(const struct local_weights *weights, const struct local_group *group,
                  size_t longest, unsigned char *scratch, struct team_member *member);

#endif
