/*
 * fuzz_fit.c: any lines as a collection to fit. The fitted model gives each line an embedding of
 * unit length, and its bytes are loaded again and give the same one.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "lexical/lexical.h"
#include "model/array_sink.h"

enum { MAX_LINES = 64, MAX_DIMENSIONS = 1024 };

struct lines {
    struct span items[MAX_LINES];
    size_t n, at;
};

static int next_line(void *context, struct span *text, int *done, struct error *err)
{
    struct lines *lines = context;
    (void)err;
    *done = lines->at == lines->n;
    if (!*done) *text = lines->items[lines->at++];
    return 0;
}

static void cut(struct span text, struct lines *lines)
{
    lines->n = lines->at = 0;
    while (lines->n < MAX_LINES && text.size > 0) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        lines->items[lines->n++] = (struct span){text.data, size};
        size_t past = end == NULL ? size : size + 1;
        text = (struct span){text.data + past, text.size - past};
    }
}

static void embed_both(struct model *fitted, struct model *loaded, struct span line)
{
    static float one[MAX_DIMENSIONS], other[MAX_DIMENSIONS];
    struct error err = {0};
    struct model_texts texts = {.texts = &line, .n_texts = 1, .role = MODEL_DOCUMENT};
    double length = 0;
    if (embed_into(fitted, &texts, one, &err) != 0) return; /* not UTF-8, or blank */
    if (embed_into(loaded, &texts, other, &err) != 0) abort();
    for (size_t i = 0; i < fitted->dimensions; i++) length += (double)one[i] * (double)one[i];
    if (!(fabs(length - 1.0) < 1e-4)) abort();
    for (size_t i = 0; i < fitted->dimensions; i++)
        if (!(fabsf(one[i] - other[i]) < 1e-6f)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model *model;
    struct model *fitted = NULL, *loaded = NULL;
    struct error err = {0};
    struct lines lines;
    struct buffer bytes;
    struct model_collection collection = {.next = next_line, .context = &lines};
    if (model == NULL && lexical_new(&model, &err) != 0) abort();
    cut((struct span){(const char *)data, size}, &lines);
    collection.n_documents = lines.n;
    buffer_init(&bytes, 1 << 26);
    if (model->methods->fit(model, &collection, &fitted, &err) != 0) abort();
    if (model->methods->save(fitted, &bytes, &err) != 0) abort();
    if (model->methods->load(model, (struct span){bytes.data, bytes.size}, &loaded, &err) != 0)
        abort();
    if (fitted->dimensions != loaded->dimensions || fitted->dimensions > MAX_DIMENSIONS) abort();
    for (size_t i = 0; i < lines.n; i++) embed_both(fitted, loaded, lines.items[i]);
    buffer_deinit(&bytes);
    model_free(loaded);
    model_free(fitted);
    return 0;
}
