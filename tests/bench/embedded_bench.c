/*
 * embedded_bench.c: megabytes of text that builtin:static embeds a second, on one core, in documents
 * of 700 bytes; the best of 5 runs. RERANK_SIMD names a family of kernels.
 *
 * With RERANK_SHARED the published movies, as they are and without a byte that is ASCII's letters
 * (each replaced by a Cyrillic one: all words unknown); and always words of the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "embedded/embedded.h"
#include "embedded/table.h"
#include "vector/distance.h"

enum { TEXT = 4000000, DOCUMENT = 700, DOCUMENTS = 256, RUNS = 5 };

static int drop(void *context, size_t text, const float *embedding, size_t dimensions,
                struct error *err)
{
    (void)text;
    (void)dimensions;
    (void)err;
    *(float *)context += embedding[0];
    return 0;
}

/* A document after the other, each of whole characters. */
static void embed_documents(struct model *model, struct span text)
{
    struct span documents[DOCUMENTS];
    struct model_usage usage = {0};
    float sum = 0;
    struct model_sink sink = {.put = drop, .context = &sum};
    for (size_t at = 0; at < text.size;) {
        size_t n = 0;
        for (; n < DOCUMENTS && at < text.size; n++) {
            size_t size = text.size - at < DOCUMENT ? text.size - at : DOCUMENT;
            while (at + size < text.size && ((unsigned char)text.data[at + size] & 0xC0) == 0x80)
                size--;
            documents[n] = (struct span){text.data + at, size};
            at += size;
        }
        struct model_texts texts = {documents, n, MODEL_DOCUMENT, NULL, 0};
        struct error err = {0};
        if (model_embed(model, &texts, &sink, &usage, &err) != 0) printf("%s\n", err.text);
    }
}

static void measure(const char *name, struct model *model, struct span text)
{
    double best = 1e9;
    for (int i = 0; i < RUNS; i++) {
        double start = clock_seconds();
        embed_documents(model, text);
        double seconds = clock_seconds() - start;
        if (seconds < best) best = seconds;
    }
    printf("%-28s %-10s %6.1f MB/s, %.1f us a document\n", name, vector_simd_name(),
           (double)text.size / best / 1e6, best * 1e6 / ((double)text.size / DOCUMENT));
}

static void measure_words(struct model *model)
{
    char *text = malloc(TEXT + 32);
    size_t used = 0;
    for (uint32_t row = 0; used < TEXT; row = (row + 7919) % TABLE_ROWS) {
        struct span piece = table_piece(row);
        if (piece.data[0] == '#') continue;
        memcpy(text + used, piece.data, piece.size);
        used += piece.size;
        text[used++] = ' ';
    }
    measure("words of the table", model, (struct span){text, used});
    free(text);
}

static void measure_published(struct model *model, const char *shared)
{
    struct buffer movies, other;
    char path[4096];
    buffer_init(&movies, 1 << 24);
    buffer_init(&other, 1 << 25);
    snprintf(path, sizeof path, "%s/movies.json", shared);
    if (file_read_whole(path, &movies, NULL) == 0) {
        measure("published movies", model, (struct span){movies.data, movies.size});
        for (size_t i = 0; i < movies.size; i++) {
            unsigned char c = (unsigned char)movies.data[i] | 0x20;
            const char cyrillic[2] = {(char)0xD0, (char)(0xB0 + (c - 'a') % 16)};
            if (c >= 'a' && c <= 'z') buffer_append(&other, cyrillic, 2, NULL);
            else buffer_append(&other, movies.data + i, 1, NULL);
        }
        measure("the same in Cyrillic", model, (struct span){other.data, other.size});
    }
    buffer_deinit(&movies);
    buffer_deinit(&other);
}

int main(void)
{
    const char *shared = getenv("RERANK_SHARED");
    struct model *model;
    if (embedded_new(&model, NULL) != 0) return 1;
    if (shared != NULL) measure_published(model, shared);
    measure_words(model);
    model_free(model);
    return 0;
}
