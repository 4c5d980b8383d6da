/*
 * fuzz_fitted.c: any bytes as a fitted model from a shadow table: refused, or a model that embeds
 * and reranks. The input is applied to a good model's bytes (two bytes of position, then what to
 * write there), and is a model itself. The check sum is made right each time, for what is behind it
 * would never be reached.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "lexical/lexical.h"
#include "model/array_sink.h"

static const char *const documents[] = {
    "a masked hero fights crime in a dark city",
    "birds on the ice look for their egg",
    "a detective follows a murder on a train",
    "a young chef learns to make soup",
    "bats live in a cave under the old house",
    "the city hires a new detective",
    "the hero finds a cave in the ice",
    "soup for a masked chef",
    "a train to the city in the ice",
    "the birds on the old train",
    "a murder in the house of the chef",
    "the egg of the birds in the cave",
};
enum { N_DOCUMENTS = sizeof documents / sizeof *documents };

static struct model *model;
static struct buffer good, all;

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
    buffer_init(&all, 1 << 16);
    for (size_t i = 0; i < N_DOCUMENTS; i++)
        if (buffer_format(&all, &err, "%s\n", documents[i]) != 0) abort();
    if (lexical_new(&model, &err) != 0) abort();
    if (model->methods->fit(model, &collection, &fitted, &err) != 0) abort();
    if (model->methods->save(fitted, &good, &err) != 0) abort();
    model_free(fitted);
}

/* The text of all documents has every term of the model. */
static void use(struct model *loaded)
{
    struct error err = {0};
    struct span text = {all.data, all.size},
                candidate[] = {{"the city", 8}, {"", 0}, {"a new detective", 15}};
    struct model_texts texts = {.texts = &text, .n_texts = 1, .role = MODEL_QUERY};
    struct model_candidates candidates = {.query = text, .documents = candidate, .n_documents = 3};
    float *embedding = memory_alloc(loaded->dimensions, sizeof *embedding);
    double scores[3];
    double length = 0;
    if (embedding == NULL || embed_into(loaded, &texts, embedding, &err) != 0) abort();
    for (size_t i = 0; i < loaded->dimensions; i++)
        length += (double)embedding[i] * (double)embedding[i];
    if (!(fabs(length - 1.0) < 1e-4)) abort();
    if (model_rerank(loaded, &candidates, scores, &(struct model_usage){0}, &err) != 0) abort();
    for (size_t i = 0; i < 3; i++)
        if (!(scores[i] >= 0 && scores[i] <= 1)) abort();
    memory_free(embedding);
}

static void load(const char *bytes, size_t size)
{
    struct error err = {0};
    struct model *loaded = NULL;
    int rc = model->methods->load(model, (struct span){bytes, size}, &loaded, &err);
    if (rc != 0 && rc != ERROR_CORRUPT) abort();
    if (rc != 0) return;
    use(loaded);
    model_free(loaded);
}

/* Loads a copy of the bytes as it is and with the right check sum; `patch` is written at `at`. */
static void load_patched(struct span bytes, size_t at, struct span patch)
{
    char *copy = memory_copy(bytes.data, bytes.size);
    if (copy == NULL) return;
    if (patch.size > bytes.size - at) patch.size = bytes.size - at;
    if (patch.size > 0) memcpy(copy + at, patch.data, patch.size);
    load(copy, bytes.size);
    if (bytes.size >= 8) {
        uint64_t hash = hash_bytes(copy, bytes.size - 8, 0);
        for (size_t i = 0; i < 8; i++) copy[bytes.size - 8 + i] = (char)(hash >> (8 * i));
        load(copy, bytes.size);
    }
    memory_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (model == NULL) prepare();
    struct span input = {(const char *)data, size}, none = {NULL, 0};
    load_patched(input, 0, none);
    if (size < 3) return 0;
    size_t at = (size_t)(data[0] | data[1] << 8) % good.size;
    load_patched((struct span){good.data, good.size}, at, (struct span){input.data + 2, size - 2});
    load_patched((struct span){good.data, at}, 0, none);
    return 0;
}
