/*
 * embedded_bench.c: megabytes of text that builtin:static embeds a second, on one core, in
 * documents of 700 bytes, beside the aim of 20; the best of 5 runs. RERANK_SIMD names a family of
 * kernels.
 *
 * With RERANK_SHARED the published movies, as they are and with all letters of ASCII replaced by
 * those of other alphabets (all words unknown); and always words of the table, and words of two
 * letters and a number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "embedded/embedded.h"
#include "embedded/table.h"
#include "vector/simd/kernels.h"

enum { TEXT = 4000000, DOCUMENT = 700, DOCUMENTS = 256, RUNS = 5, AIM = 20 };

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
    double speed = (double)text.size / best / 1e6;
    printf("%-28s %-10s %6.1f MB/s, %.1f us a document, aim %d: %s\n", name,
           vector_kernels_chosen()->name, speed, best * 1e6 / ((double)text.size / DOCUMENT), AIM,
           speed < AIM ? "not met" : "met");
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

static void measure_numbers(struct model *model)
{
    char *text = malloc(TEXT + 32);
    size_t used = 0;
    for (unsigned i = 1; used < TEXT; i = i * 31 % 99991)
        used += (size_t)sprintf(text + used, "xq%u ", i);
    measure("words with numbers", model, (struct span){text, used});
    free(text);
}

/* Letters of ASCII become those of an alphabet that begins with a character of two or three
 * bytes. */
static void measure_alphabet(const char *name, const char *first, struct model *model,
                             struct span text)
{
    size_t size = strlen(first);
    struct buffer other;
    buffer_init(&other, 1 << 25);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i] | 0x20;
        char letter[4];
        memcpy(letter, first, size);
        letter[size - 1] = (char)(letter[size - 1] + (c - 'a') % 15);
        if (c >= 'a' && c <= 'z') buffer_append(&other, letter, size, NULL);
        else buffer_append(&other, text.data + i, 1, NULL);
    }
    measure(name, model, (struct span){other.data, other.size});
    buffer_deinit(&other);
}

static void measure_published(struct model *model, const char *shared)
{
    struct buffer movies;
    char path[4096];
    buffer_init(&movies, 1 << 24);
    snprintf(path, sizeof path, "%s/movies.json", shared);
    if (file_read_whole(path, &movies, NULL) == 0) {
        struct span text = {movies.data, movies.size};
        measure("published movies", model, text);
        measure_alphabet("the same in Cyrillic", "\xD0\xB0", model, text);
        measure_alphabet("in Greek", "\xCE\xB1", model, text);
        measure_alphabet("in Devanagari", "\xE0\xA4\x95", model, text);
        measure_alphabet("in Chinese characters", "\xE4\xB8\x80", model, text);
        measure_alphabet("in Hangul", "\xEA\xB0\x80", model, text);
        measure_alphabet("in Latin with accents", "\xC3\xA0", model, text);
    }
    buffer_deinit(&movies);
}

int main(void)
{
    const char *shared = getenv("RERANK_SHARED");
    struct model *model;
    if (embedded_new(&model, NULL) != 0) return 1;
    if (shared != NULL) measure_published(model, shared);
    measure_words(model);
    measure_numbers(model);
    model_free(model);
    return 0;
}
