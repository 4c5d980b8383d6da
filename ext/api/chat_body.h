/*
 * chat_body.h: what a chat model is asked, in the form that OpenAI began. Pure.
 *
 * A system message says what is to be done: the instruction, then, always, how the documents come
 * and how to answer. One user message holds the data, and nothing else: a JSON object of query and
 * numbered documents, as a text. What a document says stays inside its JSON string, whatever it
 * is: quotes and control characters are escaped, and so are '<' and the '[' of a word in capitals,
 * with which chat templates write what is theirs ("<|im_end|>", "</s>", "[INST]"), which some
 * servers would obey inside a message.
 */
#ifndef API_CHAT_BODY_H
#define API_CHAT_BODY_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"

/* The usual instruction. */
#define CHAT_INSTRUCTION                                                                           \
    "Rank documents by how well they answer a query: the most relevant one first."

/* What not every server takes, and is left out where it does not. */
enum chat_feature {
    CHAT_FORMAT = 1,      /* response_format, with a JSON schema */
    CHAT_TEMPERATURE = 2, /* temperature 0 */
    CHAT_SYSTEM = 4       /* a system message; else its text begins the user message */
};

struct api_chat_request {
    const char *model;
    const char *instruction; /* NULL: CHAT_INSTRUCTION */
    struct span query;
    const struct span *documents; /* [n_documents], valid UTF-8: 1, 2, 3... */
    size_t n_documents;
    unsigned without; /* enum chat_feature */
};

/* Appends the body. ERROR_NOMEM; ERROR_INVALID when the buffer is too small. */
int api_chat_body(const struct api_chat_request *request, struct buffer *body, struct error *err);

#endif
