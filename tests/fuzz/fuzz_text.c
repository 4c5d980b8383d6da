/*
 * fuzz_text.c: any bytes as text: read as a query, cut into words, and when they are UTF-8 embedded
 * and reranked by the stateless model; lines are the query and its documents. The pieces of a query
 * follow each other in it, words stay within their bounds, an embedding has unit length, a score is
 * in [0, 1].
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "lexical/lexical.h"
#include "model/array_sink.h"
#include "text/asked.h"
#include "text/words.h"

static void ask(struct span text)
{
    struct asked asked;
    struct error err = {0};
    const char *at = text.data;
    if (asked_read(&asked, text, &err) != 0) abort();
    for (size_t i = 0; i < asked.n; i++) {
        struct span piece = asked.pieces[i].text;
        if (piece.size == 0 || piece.data < at) abort();
        at = piece.data + piece.size;
        if (at > text.data + text.size) abort();
    }
    asked_deinit(&asked);
}

static void split(struct span text, enum words_rules rules)
{
    struct words words;
    struct error err = {0};
    words_init(&words, rules, NULL);
    if (words_split(&words, text, &err) != 0) abort();
    for (size_t i = 0; i < words.n; i++) {
        struct span word = words_get(&words, i);
        if (word.size < 1 || word.size > WORD_MAX_BYTES) abort();
        word_is_stop(word);
    }
    words_deinit(&words);
}

static void embed(struct model *model, struct span text)
{
    struct error err = {0};
    struct model_texts texts = {.texts = &text, .n_texts = 1};
    float *embedding = memory_alloc(model->dimensions, sizeof *embedding);
    if (embedding != NULL && embed_into(model, &texts, embedding, &err) == 0) {
        double length = 0;
        for (size_t i = 0; i < model->dimensions; i++)
            length += (double)embedding[i] * (double)embedding[i];
        if (!(fabs(length - 1.0) < 1e-4)) abort();
    }
    memory_free(embedding);
}

static void rerank(struct model *model, struct span text)
{
    enum { MAX_LINES = 8 };
    struct error err = {0};
    struct span lines[MAX_LINES];
    double scores[MAX_LINES];
    size_t n = 0;
    while (n < MAX_LINES && text.size > 0) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        lines[n++] = (struct span){text.data, size};
        size_t past = end == NULL ? size : size + 1;
        text = (struct span){text.data + past, text.size - past};
    }
    if (n < 2) return;
    struct model_candidates candidates = {
        .query = lines[0], .documents = lines + 1, .n_documents = n - 1};
    if (model_rerank(model, &candidates, scores, &(struct model_usage){0}, &err) != 0) return;
    for (size_t i = 0; i < n - 1; i++)
        if (!(scores[i] >= 0 && scores[i] <= 1)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model *model;
    struct error err = {0};
    struct span text = {(const char *)data, size};
    if (model == NULL && lexical_new(&model, &err) != 0) abort();
    ask(text);
    split(text, WORDS_NOW);
    split(text, WORDS_FIRST);
    embed(model, text);
    rerank(model, text);
    return 0;
}
