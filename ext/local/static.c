#include "local/static.h"

#include "base/file.h"
#include "base/memory.h"
#include "local/loading.h"
#include "local/overlong.h"
#include "local/resources.h"

struct static_vectors {
    size_t n_rows, dimensions, n_tokens;
    const float *rows;       /* [n_rows, dimensions] */
    const int64_t *mapping;  /* [n_tokens] each token's row; NULL: its number */
    const float *importance; /* [n_tokens] what its row is multiplied by; NULL: 1 */
    struct loading_block block;
};

/* ---- weights --------------------------------------------------------------------------------- */

static void plan_importance(struct loading *loading, struct static_vectors *vectors)
{
    size_t shape[2];
    int is_matrix = loading_shape(loading, "weights", shape);
    vectors->importance = is_matrix ? loading_floats(loading, "weights", vectors->n_tokens, 1)
                                    : loading_floats(loading, "weights", 0, vectors->n_tokens);
}

static void plan_vectors(struct loading *loading, void *context)
{
    struct static_vectors *vectors = context;
    const char *name = loading_has(loading, "embedding.weight") ? "embedding.weight" : "embeddings";
    size_t shape[2] = {0, 0};
    loading_shape(loading, name, shape);
    vectors->n_rows = vectors->n_tokens = shape[0];
    vectors->dimensions = shape[1];
    vectors->rows = loading_codes(loading, name, shape[0], shape[1]);
    if (loading_has(loading, "mapping")) {
        vectors->n_tokens = loading_length(loading, "mapping");
        vectors->mapping = loading_integers(loading, "mapping", vectors->n_tokens);
    }
    if (loading_has(loading, "weights")) plan_importance(loading, vectors);
}

static int check_mapping(const struct static_vectors *vectors, struct error *err)
{
    for (size_t i = 0; vectors->mapping != NULL && i < vectors->n_tokens; i++)
        if (vectors->mapping[i] < 0 || (uint64_t)vectors->mapping[i] >= vectors->n_rows)
            return error_set(err, ERROR_CORRUPT,
                             "tensor mapping: token %zu has row %lld, and there are %zu", i,
                             (long long)vectors->mapping[i], vectors->n_rows);
    return 0;
}

static void free_vectors(void *weights)
{
    struct static_vectors *vectors = weights;
    if (vectors == NULL) return;
    loading_block_free(&vectors->block);
    memory_free(vectors);
}

static int load_vectors(const struct local *local, const struct cancel *cancel, void **weights,
                        struct error *err)
{
    struct static_vectors *vectors = memory_zalloc(1, sizeof *vectors);
    struct loading_plan plan = {plan_vectors, vectors, local_kernels_chosen()};
    *weights = NULL;
    if (vectors == NULL) return error_nomem(err);
    char folder[FILE_PATH_SIZE];
    local_part_of(local, folder);
    int rc = loading_run(folder, &plan, local->session->n_threads, cancel, &vectors->block, err);
    if (rc == 0) rc = check_mapping(vectors, err);
    if (rc == 0) *weights = vectors;
    else free_vectors(vectors);
    return rc;
}

static struct local_shape shape(const void *weights)
{
    const struct static_vectors *vectors = weights;
    return (struct local_shape){vectors->n_tokens, vectors->dimensions};
}

static struct loading_block *block(void *weights)
{
    return &((struct static_vectors *)weights)->block;
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* Nothing but marks of spaces between what is not known says as little as no token. */
static int is_blank(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n)
{
    int64_t space = tokenizer_space(tokenizer);
    for (size_t i = 0; i < n; i++)
        if ((int64_t)ids[i] != space) return 0;
    return 1;
}

/* The tokens that are known, as many as the model reads. */
static int tokenize(const struct local_call *call, struct span text, struct tokens *tokens,
                    struct error *err)
{
    const struct local *local = call->local;
    const struct tokenizer *tokenizer = local_tokenizer(local);
    struct tokenizer_request request = {.text = text, .without_special = 1, .cancel = call->cancel};
    int64_t unknown = local->config.keeps_unknown ? -1 : tokenizer_unknown(tokenizer);
    size_t first = tokens->n, n = first, limit = local->config.max_tokens;
    int rc = tokenizer_encode(tokenizer, &request, tokens, NULL, err);
    if (rc != 0) return rc;
    for (size_t i = first; i < tokens->n; i++)
        if ((int64_t)tokens->ids[i] != unknown) tokens->ids[n++] = tokens->ids[i];
    if (is_blank(tokenizer, tokens->ids + first, n - first)) n = first;
    int is_long = limit > 0 && n - first > limit;
    tokens->n = is_long ? first + limit : n;
    request.max_tokens = limit;
    return is_long ? local_overlong(call, &request, err) : 0;
}

/* The mean of the vectors of a text's tokens. */
static void average(const struct static_vectors *vectors, const struct local_text *text)
{
    size_t n = vectors->dimensions;
    for (size_t i = 0; i < text->n_tokens; i++) {
        size_t id = text->ids[i];
        size_t number = vectors->mapping == NULL ? id : (size_t)vectors->mapping[id];
        const float *row = vectors->rows + number * n;
        float weight = vectors->importance == NULL ? 1 : vectors->importance[id];
        for (size_t j = 0; j < n; j++) text->result[j] += row[j] * weight;
    }
    for (size_t j = 0; text->n_tokens > 0 && j < n; j++) text->result[j] /= (float)text->n_tokens;
}

static int compute(const struct local_call *call, struct local_text *texts, size_t n_texts,
                   struct error *err)
{
    (void)err;
    for (size_t i = 0; i < n_texts; i++) average(local_weights_of(call->local), &texts[i]);
    return 0;
}

const struct local_methods local_static_methods = {
    .without_special = 1,
    .load = load_vectors,
    .free = free_vectors,
    .shape = shape,
    .block = block,
    .tokenize = tokenize,
    .compute = compute,
};
