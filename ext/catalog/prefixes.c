#include "catalog/prefixes.h"

#include <string.h>

#define PASSAGES "Represent this sentence for searching relevant passages: "
/* Models that read instructions differ in one blank. */
#define INSTRUCT                                                                                   \
    "Instruct: Given a web search query, retrieve relevant passages that answer the "              \
    "query\nQuery:"

/* The first row that is found counts, whose name stands at the beginning or behind a '-' or '_':
 * servers put owners and kinds before a name, and tags, sizes and file endings behind it. Names too
 * short to be told from others by that (at_start) stand at the beginning. bge-*-en-v1.5 goes
 * without, as its card allows and the published flow has it. */
static const struct {
    const char *name; /* in lower case, with '-' for '_' */
    int at_start;
    struct prefixes prefixes;
} known[] = {
    {"bge-small-en-v1.5", 0, {"", ""}},
    {"bge-base-en-v1.5", 0, {"", ""}},
    {"bge-large-en-v1.5", 0, {"", ""}},
    {"bge-small-en", 0, {PASSAGES, ""}},
    {"bge-base-en", 0, {PASSAGES, ""}},
    {"bge-large-en", 0, {PASSAGES, ""}},
    {"e5-mistral-7b-instruct", 0, {INSTRUCT " ", ""}},
    {"multilingual-e5-large-instruct", 0, {INSTRUCT " ", ""}},
    {"multilingual-e5-", 0, {"query: ", "passage: "}},
    {"intfloat-e5-", 0, {"query: ", "passage: "}},
    {"e5-", 1, {"query: ", "passage: "}},
    {"nomic-embed-text", 0, {"search_query: ", "search_document: "}},
    {"nomic-embed-code", 0, {"Represent this query for searching relevant code: ", ""}},
    {"modernbert-embed", 0, {"search_query: ", "search_document: "}},
    {"embeddinggemma", 0, {"task: search result | query: ", "title: none | text: "}},
    {"embedding-gemma", 0, {"task: search result | query: ", "title: none | text: "}},
    {"mxbai-embed-de-large", 0, {"query: ", "passage: "}},
    {"mxbai-embed-", 0, {PASSAGES, ""}},
    {"uae-large-v1", 0, {PASSAGES, ""}},
    {"arctic-embed2", 0, {"query: ", ""}},
    {"arctic-embed-2", 0, {"query: ", ""}},
    {"arctic-embed-l-v2", 0, {"query: ", ""}},
    {"arctic-embed-m-v2", 0, {"query: ", ""}},
    {"arctic-embed", 0, {PASSAGES, ""}},
    {"gte-qwen2", 0, {INSTRUCT " ", ""}},
    {"qwen3-embedding", 0, {INSTRUCT, ""}},
};

/* As the table writes them. */
static char plain(char c)
{
    if (c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
    return c == '_' ? '-' : c;
}

static int begins(const char *text, const char *name)
{
    while (*name != '\0' && plain(*text) == *name) text++, name++;
    return *name == '\0';
}

static int holds(const char *text, const char *name, int at_start)
{
    if (begins(text, name)) return 1;
    for (; !at_start && *text != '\0'; text++)
        if (plain(*text) == '-' && begins(text + 1, name)) return 1;
    return 0;
}

/* Without the folders or the owner, and without what LM Studio puts before all. */
static const char *bare_name(const char *model)
{
    static const char kind[] = "text-embedding-";
    const char *slash = strrchr(model, '/');
    if (slash != NULL) model = slash + 1;
    return begins(model, kind) ? model + strlen(kind) : model;
}

const struct prefixes *prefixes_find(const char *model)
{
    const char *name = bare_name(model);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (holds(name, known[i].name, known[i].at_start)) return &known[i].prefixes;
    return NULL;
}
