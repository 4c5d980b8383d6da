/*
 * fuzz_response.c: any bytes as a provider's answer. The first byte chooses the provider and
 * whether vectors, scores, the order of a chat model or a failure are read from the rest. What is
 * accepted is finite, or a permutation; what is shown of a failure is UTF-8 and does not hold the
 * key.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/completion.h"
#include "api/ranking.h"
#include "api/response.h"
#include "base/memory.h"
#include "text/utf8.h"

static const char key[] = "Q7-secret-key-of-the-user-x9";

enum { N_TEXTS = 3 };

static enum api_outcome embeddings(const struct api_answer *answer, struct error *err)
{
    float *vectors = NULL;
    int64_t tokens = 0;
    size_t dimensions = 0;
    enum api_outcome outcome = api_parse_embeddings(answer, &dimensions, &vectors, &tokens, err);
    if ((outcome == API_OK) != (vectors != NULL) || tokens < -1) abort();
    for (size_t i = 0; outcome == API_OK && i < N_TEXTS * dimensions; i++)
        if (!isfinite(vectors[i])) abort();
    memory_free(vectors);
    return outcome;
}

static enum api_outcome scores(const struct api_answer *answer, size_t top_n, struct error *err)
{
    double came[N_TEXTS];
    int64_t tokens = 0;
    enum api_outcome outcome = api_parse_scores(answer, top_n, came, &tokens, err);
    for (size_t i = 0; outcome == API_OK && i < N_TEXTS; i++)
        if (!isfinite(came[i]) && (top_n == 0 || !isnan(came[i]))) abort();
    return outcome;
}

static void expect_permutation(const size_t *order)
{
    if (order[0] + order[1] + order[2] != 3 || order[0] == order[1] || order[1] == order[2] ||
        order[0] > 2 || order[1] > 2)
        abort();
}

static enum api_outcome ranking(const struct api_answer *answer, struct error *err)
{
    size_t order[N_TEXTS], n_named;
    int64_t tokens;
    enum api_outcome outcome = api_parse_ranking(answer, order, &tokens, err);
    if (outcome == API_OK) expect_permutation(order);
    if (api_ranking_read(answer->body, N_TEXTS, answer->body.size % 2 == 1, order, &n_named,
                         NULL) == 0)
        expect_permutation(order);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n;
    const struct api_provider *rows = api_providers(&n);
    struct error err = {0};
    if (size == 0) return 0;
    struct api_answer answer = {.provider = &rows[data[0] % n],
                                .key = key,
                                .status = 200,
                                .body = {(const char *)data + 1, size - 1},
                                .n_texts = N_TEXTS};
    static const int statuses[] = {400, 401, 429, 500};
    size_t kind = data[0] / n % 8;
    enum api_outcome outcome = API_OK;
    if (kind >= 4) answer.status = statuses[kind - 4];
    if (answer.provider->chat.path != NULL) outcome = ranking(&answer, &err);
    else if (kind == 0 || kind >= 4) outcome = embeddings(&answer, &err);
    else if (answer.provider->rerank.path != NULL) outcome = scores(&answer, kind - 1, &err);
    if ((outcome == API_OK) != (err.text[0] == '\0')) abort();
    if (strstr(err.text, key) != NULL) abort();
    if (!utf8_check((struct span){err.text, strlen(err.text)}, NULL)) abort();
    return 0;
}
