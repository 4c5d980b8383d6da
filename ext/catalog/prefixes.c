#include "catalog/prefixes.h"

#include <string.h>
#include <strings.h>

#define PASSAGES "Represent this sentence for searching relevant passages: "
#define INSTRUCT                                                                                   \
    "Instruct: Given a web search query, retrieve relevant passages that answer the "              \
    "query\nQuery: "

/* The first row whose beginning fits counts. bge-*-en-v1.5 goes without, as its card allows and the
 * published flow has it. */
static const struct {
    const char *begins;
    struct prefixes prefixes;
} known[] = {
    {"bge-small-en-v1.5", {"", ""}},
    {"bge-base-en-v1.5", {"", ""}},
    {"bge-large-en-v1.5", {"", ""}},
    {"bge-small-en", {PASSAGES, ""}},
    {"bge-base-en", {PASSAGES, ""}},
    {"bge-large-en", {PASSAGES, ""}},
    {"e5-mistral-7b-instruct", {INSTRUCT, ""}},
    {"multilingual-e5-large-instruct", {INSTRUCT, ""}},
    {"multilingual-e5-", {"query: ", "passage: "}},
    {"e5-", {"query: ", "passage: "}},
    {"nomic-embed-text", {"search_query: ", "search_document: "}},
    {"mxbai-embed-large", {PASSAGES, ""}},
    {"mxbai-embed-2d-large", {PASSAGES, ""}},
    {"snowflake-arctic-embed-l-v2", {"query: ", ""}},
    {"snowflake-arctic-embed-m-v2", {"query: ", ""}},
    {"snowflake-arctic-embed", {PASSAGES, ""}},
    {"gte-qwen2", {INSTRUCT, ""}},
    {"qwen3-embedding", {INSTRUCT, ""}},
};

const struct prefixes *prefixes_find(const char *model)
{
    const char *slash = strrchr(model, '/');
    const char *name = slash != NULL ? slash + 1 : model;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncasecmp(name, known[i].begins, strlen(known[i].begins)) == 0)
            return &known[i].prefixes;
    return NULL;
}
