/*
 * fuzz_fitted.c: any bytes as a fitted model from a shadow table: refused, or a model that embeds.
 * The input is applied to a good model's bytes (two bytes of position, then what to write there),
 * so that the checks behind the first ones are reached.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "lexical/lexical.h"

static const char *const documents[] = {
    "a masked hero fights crime in a dark city", "birds on the ice look for their egg",
    "a detective follows a murder on a train",   "a young chef learns to make soup",
    "bats live in a cave under the old house",   "the city hires a new detective",
};
enum { N_DOCUMENTS = sizeof documents / sizeof *documents };

static struct model *model;
static struct buffer good;

static int next_document(void *context, struct span *text, int *done, struct error *err)
{
    size_t *i = context;
    (void)err;
    *done = *i == N_DOCUMENTS;
    if (!*done) *text = (struct span){documents[*i], strlen(documents[*i])};
    if (!*done) (*i)++;
    return 0;
}

static void prepare(void)
{
    struct error err = {0};
    struct model *fitted = NULL;
    size_t position = 0;
    struct model_collection collection = {
        .n_documents = N_DOCUMENTS, .next = next_document, .context = &position};
    buffer_init(&good, 1 << 26);
    if (lexical_new(&model, &err) != 0) abort();
    if (model->methods->fit(model, &collection, &fitted, &err) != 0) abort();
    if (model->methods->save(fitted, &good, &err) != 0) abort();
    model_free(fitted);
}

static void load(const char *bytes, size_t size)
{
    struct error err = {0};
    struct model *loaded = NULL;
    if (model->methods->load(model, (struct span){bytes, size}, &loaded, &err) != 0) return;
    struct span text = {"a detective in the city", 23};
    struct model_texts texts = {.texts = &text, .n_texts = 1, .role = MODEL_QUERY};
    float *embedding = memory_alloc(loaded->dimensions, sizeof *embedding);
    if (embedding != NULL) model_embed(loaded, &texts, embedding, NULL, &err);
    memory_free(embedding);
    model_free(loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (model == NULL) prepare();
    load((const char *)data, size);
    if (size < 3) return 0;
    char *bytes = memory_copy(good.data, good.size);
    if (bytes == NULL) return 0;
    size_t at = (size_t)(data[0] | data[1] << 8) % good.size;
    size_t n = size - 2 < good.size - at ? size - 2 : good.size - at;
    memcpy(bytes + at, data + 2, n);
    load(bytes, good.size);
    load(good.data, at);
    memory_free(bytes);
    return 0;
}
