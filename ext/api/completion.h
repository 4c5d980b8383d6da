/*
 * completion.h: what a chat completion says of the order of documents. Pure, and as hostile as any
 * answer (response.h).
 *
 * The text is the message's content, or what its parts of type "text" hold. A ranking in it is used
 * whatever else came, repaired where it needs to be (ranking.h); without one the error says what
 * came instead: a refusal, a call of a tool, nothing, other words, an answer that was cut off
 * (finish_reason "length") before it said anything of use. What a content filter withheld is
 * refused also where a part of it came, as what the model refused is: a document may be to blame.
 */
#ifndef API_COMPLETION_H
#define API_COMPLETION_H

#include "api/response.h"

/* order: [answer->n_texts], places of documents, the best first: a permutation. *tokens: usage, or
 * -1, also of an answer that is of no use. API_OK; API_BROKEN: worth one more try; API_FAILED; any
 * outcome of api_parse_failure. */
enum api_outcome api_parse_ranking(const struct api_answer *answer, size_t *order, int64_t *tokens,
                                   struct error *err);

#endif
