/*
 * tokenizer_bench.c: megabytes of text that are tokenized a second, on one core, in documents of
 * 1400 bytes.
 *
 * With RERANK_SHARED the published movies by the vocabulary of BERT; and always words of two
 * syllables, by WordPiece and by Unigram, each syllable a token.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "text/tokenizer.h"

enum { SYLLABLES = 400, TEXT = 10000000, DOCUMENT = 1400, RUNS = 5 };

static const char *syllable(size_t i)
{
    static char text[4];
    text[0] = "bcdfghklmnprstvz"[i % 16];
    text[1] = "aeiou"[i / 16 % 5];
    text[2] = "nrslt"[i / 80 % 5];
    text[3] = '\0';
    return text;
}

static struct span make_text(void)
{
    char *text = malloc(TEXT + 8);
    size_t used = 0;
    for (size_t i = 0; used < TEXT; i++) {
        memcpy(text + used, syllable(i * 7919 % SYLLABLES), 3);
        memcpy(text + used + 3, syllable(i * 104729 / 3 % SYLLABLES), 3);
        text[used + 6] = ' ';
        used += 7;
    }
    return (struct span){text, used};
}

/* A document after the other; the tokens of all of them. */
static size_t tokenize_documents(const struct tokenizer *tokenizer, struct span text)
{
    struct tokens tokens;
    size_t n = 0;
    tokens_init(&tokens);
    for (size_t at = 0; at < text.size; at += DOCUMENT) {
        size_t left = text.size - at;
        struct tokenizer_request request = {
            .text = {text.data + at, left < DOCUMENT ? left : DOCUMENT}};
        tokens.n = 0;
        tokenizer_encode(tokenizer, &request, &tokens, NULL, NULL);
        n += tokens.n;
    }
    tokens_deinit(&tokens);
    return n;
}

static void measure(const char *name, const struct tokenizer_files *files, struct span text)
{
    struct tokenizer *tokenizer;
    struct error err = {0};
    double best = 1e9;
    size_t n = 0;
    if (tokenizer_new(files, &tokenizer, &err) != 0) {
        printf("%s: %s\n", name, err.text);
        return;
    }
    for (int i = 0; i < RUNS; i++) {
        double start = clock_seconds();
        n = tokenize_documents(tokenizer, text);
        double seconds = clock_seconds() - start;
        if (seconds < best) best = seconds;
    }
    printf("%-28s %6.1f MB/s, %.1f million tokens/s\n", name, (double)text.size / best / 1e6,
           (double)n / best / 1e6);
    tokenizer_free(tokenizer);
}

static void measure_word_piece(struct span text)
{
    static char vocabulary[SYLLABLES * 12 + 64];
    size_t used = (size_t)sprintf(vocabulary, "[UNK]\n[CLS]\n[SEP]\n");
    for (size_t i = 0; i < SYLLABLES; i++) {
        used += (size_t)sprintf(vocabulary + used, "%s\n", syllable(i));
        used += (size_t)sprintf(vocabulary + used, "##%s\n", syllable(i));
    }
    struct tokenizer_files files = {.vocab_txt = {vocabulary, used}};
    measure("WordPiece, two syllables", &files, text);
}

static void measure_unigram(struct span text)
{
    static char json[SYLLABLES * 40 + 500];
    size_t used = (size_t)sprintf(
        json, "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\"},"
              "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0]");
    for (size_t i = 0; i < SYLLABLES; i++)
        used += (size_t)sprintf(json + used, ",[\"%s\",-5],[\"\xE2\x96\x81%s\",-6]", syllable(i),
                                syllable(i));
    used += (size_t)sprintf(json + used, "]}}");
    struct tokenizer_files files = {.tokenizer_json = {json, used}};
    measure("Unigram, two syllables", &files, text);
}

static void measure_published(const char *shared)
{
    struct buffer vocabulary, movies;
    char path[4096];
    buffer_init(&vocabulary, 1 << 24);
    buffer_init(&movies, 1 << 24);
    snprintf(path, sizeof path, "%s/models/bert-base-uncased-vocab.txt", shared);
    int rc = file_read_whole(path, &vocabulary, NULL);
    snprintf(path, sizeof path, "%s/movies.json", shared);
    if (rc == 0) rc = file_read_whole(path, &movies, NULL);
    struct tokenizer_files files = {.vocab_txt = {vocabulary.data, vocabulary.size}};
    if (rc == 0)
        measure("WordPiece, published movies", &files, (struct span){movies.data, movies.size});
    buffer_deinit(&vocabulary);
    buffer_deinit(&movies);
}

int main(void)
{
    struct span text = make_text();
    const char *shared = getenv("RERANK_SHARED");
    if (shared != NULL) measure_published(shared);
    measure_word_piece(text);
    measure_unigram(text);
    free((void *)text.data);
    return 0;
}
