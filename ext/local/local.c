#include "local/local.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/shared.h"
#include "local/batch.h"
#include "local/folder.h"
#include "text/tokenizer.h"

#define BATCH_SIZE 64             /* texts: some seconds of a large model, so that progress shows */
#define GROUPS_A_THREAD 8         /* that are computed before results are handed over */
#define MAX_TOKENIZER (96u << 20) /* bytes of tokenizer.json; that of XLM-RoBERTa has 17 MB */
#define PATH_SIZE 4096

static const char *const precision_names[] = {
    [LOCAL_FLOAT32] = "float32", [LOCAL_BFLOAT16] = "bf16", [LOCAL_INT8] = "int8"};

struct local {
    struct model model;
    const struct local_session *session;
    char *name, *folder; /* owned */
    enum local_precision precision;
    struct local_config config;
    size_t dimensions;         /* asked for; 0: all */
    struct shared *vocabulary; /* a struct tokenizer; NULL: not read yet */
    struct shared *weights;    /* a struct local_weights; NULL: not read yet */
};

int local_precision_parse(const char *text, enum local_precision *precision)
{
    for (size_t i = 0; i < sizeof precision_names / sizeof *precision_names; i++) {
        if (strcmp(text, precision_names[i]) != 0) continue;
        *precision = (enum local_precision)i;
        return 1;
    }
    return 0;
}

const char *local_precision_name(enum local_precision precision)
{
    return precision_names[precision];
}

/* ---- what the process shares ----------------------------------------------------------------- */

struct make_context {
    struct local *local;
    const struct cancel *cancel;
};

/* Of the folder's files; those that are changed on disk make another thing. */
static int take_shared(struct local *local, const char *kind, const char *const *files,
                       const struct shared_maker *maker, struct shared **taken, struct error *err)
{
    const struct make_context *context = maker->context;
    struct buffer key;
    buffer_init(&key, 4 * PATH_SIZE);
    int rc = buffer_format(&key, err, "%s %s", kind, local->folder);
    for (; rc == 0 && *files != NULL; files++) {
        char path[PATH_SIZE], stamp[FILE_STAMP_SIZE];
        snprintf(path, sizeof path, "%s/%s", local->folder, *files);
        file_stamp(path, stamp);
        rc = buffer_format(&key, err, " %s", stamp);
    }
    if (rc == 0)
        rc = shared_take((struct span){key.data, key.size}, maker, context->cancel, taken, err);
    buffer_deinit(&key);
    if (rc != 0) error_context(err, "%s", local->name);
    return rc;
}

/* A file of the folder, if it is there. */
static int read_optional(const struct local *local, const char *file, struct buffer *bytes,
                         struct error *err)
{
    char path[PATH_SIZE];
    buffer_init(bytes, MAX_TOKENIZER);
    snprintf(path, sizeof path, "%s/%s", local->folder, file);
    return file_exists(path) ? file_read_whole(path, bytes, err) : 0;
}

static struct span bytes_of(const struct buffer *buffer)
{
    return (struct span){buffer->data, buffer->size};
}

static int make_vocabulary(void *context, void **thing, struct error *err)
{
    const struct local *local = ((struct make_context *)context)->local;
    struct buffer json, text, config;
    struct tokenizer *tokenizer = NULL;
    buffer_init(&text, 0);
    buffer_init(&config, 0);
    int rc = read_optional(local, "tokenizer.json", &json, err);
    if (rc == 0 && json.size == 0) rc = read_optional(local, "vocab.txt", &text, err);
    if (rc == 0 && json.size == 0) rc = read_optional(local, "tokenizer_config.json", &config, err);
    if (rc == 0 && json.size == 0 && text.size == 0)
        rc = error_set(err, ERROR_UNAVAILABLE, "no tokenizer.json and no vocab.txt in %.300s",
                       local->folder);
    struct tokenizer_files files = {bytes_of(&json), bytes_of(&text), bytes_of(&config)};
    if (rc == 0) rc = tokenizer_new(&files, &tokenizer, err);
    buffer_deinit(&json);
    buffer_deinit(&text);
    buffer_deinit(&config);
    *thing = tokenizer;
    return rc;
}

static void free_vocabulary(void *thing)
{
    tokenizer_free(thing);
}

static int make_weights(void *context, void **thing, struct error *err)
{
    const struct make_context *make = context;
    const struct local *local = make->local;
    struct local_weights *weights;
    int rc = local_weights_load(local->folder, &local->config, local->precision,
                                local->session->n_threads, make->cancel, &weights, err);
    *thing = weights;
    return rc;
}

static void free_weights(void *thing)
{
    local_batch_release(thing);
    local_weights_free(thing);
}

static const struct tokenizer *tokenizer_of(const struct local *local)
{
    return shared_thing(local->vocabulary);
}

static struct local_weights *weights_of(const struct local *local)
{
    return shared_thing(local->weights);
}

static int load_vocabulary(struct local *local, const struct cancel *cancel, struct error *err)
{
    static const char *const files[] = {"tokenizer.json", "vocab.txt", "tokenizer_config.json",
                                        NULL};
    struct make_context context = {local, cancel};
    struct shared_maker maker = {make_vocabulary, free_vocabulary, &context};
    if (local->vocabulary != NULL) return 0;
    return take_shared(local, "vocabulary", files, &maker, &local->vocabulary, err);
}

/* Each token needs a row of the embedding matrix. */
static int check_vocabulary(const struct local *local, struct error *err)
{
    size_t n_tokens = tokenizer_size(tokenizer_of(local));
    size_t n_rows = weights_of(local)->config.vocabulary_size;
    if (n_tokens <= n_rows) return 0;
    return error_set(err, ERROR_CORRUPT,
                     "%s: the tokenizer has %zu tokens, and the embedding matrix %zu rows",
                     local->name, n_tokens, n_rows);
}

static int load(struct local *local, const struct cancel *cancel, struct error *err)
{
    static const char *const files[] = {"config.json", "model.safetensors",
                                        "model.safetensors.index.json", NULL};
    struct make_context context = {local, cancel};
    struct shared_maker maker = {make_weights, free_weights, &context};
    char kind[40];
    if (local->weights != NULL) return 0;
    int rc = load_vocabulary(local, cancel, err);
    if (rc != 0) return rc;
    snprintf(kind, sizeof kind, "weights %s %d", local_precision_name(local->precision),
             local->config.classifies);
    rc = take_shared(local, kind, files, &maker, &local->weights, err);
    if (rc == 0) rc = check_vocabulary(local, err);
    size_t dimensions = rc == 0 ? weights_of(local)->config.dimensions : 0;
    if (rc == 0 && local->dimensions > dimensions)
        rc = error_set(err, ERROR_INVALID, "%s has %zu dimensions, not %zu", local->name,
                       dimensions, local->dimensions);
    if (rc == 0) return 0;
    shared_give(local->weights);
    local->weights = NULL;
    return rc;
}

/* ---- texts to numbers ------------------------------------------------------------------------ */

/* A call: texts, or with a query pairs. */
struct call {
    struct local *local;
    const struct span *query; /* NULL: embed the texts */
    const struct span *texts; /* [n_texts] */
    size_t n_texts;
    const struct cancel *cancel;
    struct model_usage *usage;
};

/* Some texts of a call, computed together. */
struct slice {
    size_t first, n; /* texts of the call */
    struct tokens tokens;
    size_t *starts;           /* [n + 1] of the texts' tokens */
    struct local_text *texts; /* [n] */
    float *results;           /* [n, size] */
    size_t size;
};

static void slice_deinit(struct slice *slice)
{
    tokens_deinit(&slice->tokens);
    memory_free(slice->starts);
    memory_free(slice->texts);
    memory_free(slice->results);
}

/* How long the text is that is too long. */
static int refuse_overlong(const struct call *call, struct tokenizer_request *request,
                           struct error *err)
{
    const struct local *local = call->local;
    size_t limit = request->max_tokens;
    struct tokens tokens;
    tokens_init(&tokens);
    request->max_tokens = 0;
    int rc = tokenizer_encode(tokenizer_of(local), request, &tokens, NULL, err);
    if (rc == 0)
        rc = error_set(err, ERROR_INVALID,
                       "%s reads %zu tokens, and the text has %zu (chunk_each() cuts it in pieces, "
                       "rerank_config('on_overlong', 'truncate') leaves the rest out)",
                       local->name, limit, tokens.n);
    tokens_deinit(&tokens);
    return rc;
}

static int tokenize_one(const struct call *call, struct span text, struct tokens *tokens,
                        struct error *err)
{
    const struct local *local = call->local;
    struct tokenizer_request request = {
        .text = call->query != NULL ? *call->query : text,
        .pair = call->query != NULL ? &text : NULL,
        .max_tokens = local->config.max_tokens,
        .cancel = call->cancel,
    };
    int is_truncated = 0;
    size_t n_before = tokens->n;
    int rc = tokenizer_encode(tokenizer_of(local), &request, tokens, &is_truncated, err);
    if (rc == 0 && tokens->n == n_before)
        rc = error_set(err, ERROR_INVALID, "the text has no tokens of %s", local->name);
    if (rc == 0 && is_truncated && local->session->refuse_overlong)
        rc = refuse_overlong(call, &request, err);
    if (rc == 0 && is_truncated) call->usage->truncated++;
    return rc;
}

/* The tokens of a text that a static model knows, as many as it reads. */
static int tokenize_static(const struct call *call, struct span text, struct tokens *tokens,
                           struct error *err)
{
    const struct local *local = call->local;
    struct tokenizer_request request = {.text = text, .without_special = 1, .cancel = call->cancel};
    int64_t unknown = tokenizer_unknown(tokenizer_of(local));
    size_t first = tokens->n, n = first, limit = local->config.max_tokens;
    int rc = tokenizer_encode(tokenizer_of(local), &request, tokens, NULL, err);
    if (rc != 0) return rc;
    for (size_t i = first; i < tokens->n; i++)
        if ((int64_t)tokens->ids[i] != unknown) tokens->ids[n++] = tokens->ids[i];
    size_t n_known = n - first;
    if (limit == 0 || n_known <= limit) {
        tokens->n = n;
        return 0;
    }
    tokens->n = first + limit;
    request.max_tokens = limit;
    if (local->session->refuse_overlong) return refuse_overlong(call, &request, err);
    call->usage->truncated++;
    return 0;
}

/* Tokenizes texts from slice->first on, until there is enough for all threads. */
static int fill_slice(const struct call *call, struct slice *slice, struct error *err)
{
    const struct local *local = call->local;
    size_t left = call->n_texts - slice->first;
    size_t enough = local->session->n_threads * GROUPS_A_THREAD * BATCH_GROUP_TOKENS;
    slice->starts = memory_alloc(left + 1, sizeof *slice->starts);
    if (slice->starts == NULL) return error_nomem(err);
    int rc = 0, is_static = local->config.architecture == LOCAL_STATIC;
    slice->starts[0] = 0;
    while (rc == 0 && slice->n < left && slice->tokens.n < enough) {
        struct span text = call->texts[slice->first + slice->n];
        rc = is_static ? tokenize_static(call, text, &slice->tokens, err)
                       : tokenize_one(call, text, &slice->tokens, err);
        slice->starts[++slice->n] = slice->tokens.n;
        if (rc == 0 && slice->n % 64 == 0) rc = cancel_check(call->cancel, err);
    }
    if (rc != 0) return rc;
    const struct local_config *config = &weights_of(local)->config;
    slice->size = config->classifies ? 1 : config->dimensions;
    slice->texts = memory_alloc(slice->n, sizeof *slice->texts);
    slice->results = memory_zalloc(slice->n, slice->size * sizeof *slice->results);
    if (slice->texts == NULL || slice->results == NULL) return error_nomem(err);
    for (size_t i = 0; i < slice->n; i++)
        slice->texts[i] = (struct local_text){.ids = slice->tokens.ids + slice->starts[i],
                                              .segments = slice->tokens.segments + slice->starts[i],
                                              .n_tokens = slice->starts[i + 1] - slice->starts[i],
                                              .result = slice->results + i * slice->size};
    call->usage->tokens += slice->tokens.n;
    return 0;
}

/* The mean of the vectors of a text's tokens; without a token all zero. */
static void average_static(const struct local_weights *weights, const struct local_text *text)
{
    size_t n = weights->config.dimensions;
    for (size_t i = 0; i < text->n_tokens; i++) {
        size_t id = text->ids[i];
        const float *row = weights->words + id * n;
        float weight = weights->importance == NULL ? 1 : weights->importance[id];
        for (size_t j = 0; j < n; j++) text->result[j] += row[j] * weight;
    }
    for (size_t j = 0; text->n_tokens > 0 && j < n; j++) text->result[j] /= (float)text->n_tokens;
}

static int compute_slice(const struct call *call, struct slice *slice, struct error *err)
{
    const struct local *local = call->local;
    struct local_weights *weights = weights_of(local);
    int rc = fill_slice(call, slice, err);
    if (rc != 0) return rc;
    if (local->config.architecture != LOCAL_STATIC)
        return local_batch_run(weights, slice->texts, slice->n, local->session->n_threads,
                               call->cancel, err);
    for (size_t i = 0; i < slice->n; i++) average_static(weights, &slice->texts[i]);
    return 0;
}

/* Hands each slice to `done` as it is computed. */
static int compute_all(const struct call *call,
                       int (*done)(void *context, const struct slice *slice, struct error *err),
                       void *context, struct error *err)
{
    int rc = load(call->local, call->cancel, err);
    size_t next = 0;
    call->usage->requests++;
    while (rc == 0 && next < call->n_texts) {
        struct slice slice = {.first = next};
        tokens_init(&slice.tokens);
        rc = compute_slice(call, &slice, err);
        if (rc == 0) rc = done(context, &slice, err);
        next += slice.n;
        slice_deinit(&slice);
    }
    return rc;
}

/* ---- embedding ------------------------------------------------------------------------------- */

/* To length 1; what is all zero stays so. */
static void normalize(float *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)values[i] * (double)values[i];
    double factor = sum > 0 ? 1 / sqrt(sum) : 0;
    for (size_t i = 0; i < n; i++) values[i] = (float)((double)values[i] * factor);
}

struct embedding {
    const struct local *local;
    const struct model_sink *sink;
};

static int put_embeddings(void *context, const struct slice *slice, struct error *err)
{
    const struct embedding *embedding = context;
    const struct local *local = embedding->local;
    const struct model_sink *sink = embedding->sink;
    size_t dimensions = local->dimensions > 0 ? local->dimensions : slice->size;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < slice->n; i++) {
        float *vector = slice->results + i * slice->size;
        if (local->config.normalize) normalize(vector, dimensions);
        rc = sink->put(sink->context, slice->first + i, vector, dimensions, err);
    }
    return rc == 0 ? sink->end(sink->context, err) : rc;
}

static int embed(struct model *model, const struct model_texts *texts,
                 const struct model_sink *sink, struct model_usage *usage, struct error *err)
{
    struct local *local = (struct local *)model;
    struct call call = {.local = local,
                        .texts = texts->texts,
                        .n_texts = texts->n_texts,
                        .cancel = texts->cancel,
                        .usage = usage};
    struct embedding embedding = {local, sink};
    return compute_all(&call, put_embeddings, &embedding, err);
}

/* ---- reranking ------------------------------------------------------------------------------- */

struct scoring {
    const struct local *local;
    float *scores;
};

static int put_scores(void *context, const struct slice *slice, struct error *err)
{
    const struct scoring *scoring = context;
    (void)err;
    for (size_t i = 0; i < slice->n; i++) {
        float logit = slice->results[i];
        scoring->scores[slice->first + i] = scoring->local->config.score == LOCAL_SIGMOID
                                                ? (float)(1 / (1 + exp(-(double)logit)))
                                                : logit;
    }
    return 0;
}

static int rerank(struct model *model, const struct model_candidates *candidates, float *scores,
                  struct model_usage *usage, struct error *err)
{
    struct local *local = (struct local *)model;
    struct call call = {.local = local,
                        .query = &candidates->query,
                        .texts = candidates->documents,
                        .n_texts = candidates->n_documents,
                        .cancel = candidates->cancel,
                        .usage = usage};
    struct scoring scoring = {local, scores};
    return compute_all(&call, put_scores, &scoring, err);
}

/* ---- the model ------------------------------------------------------------------------------- */

static int tokenize(struct model *model, struct span text, const struct cancel *cancel, int ids,
                    struct model_tokens *tokens, struct error *err)
{
    struct local *local = (struct local *)model;
    struct tokenizer_request request = {
        .text = text,
        .without_special = local->config.architecture == LOCAL_STATIC,
        .cancel = cancel,
    };
    struct tokens all;
    int rc = load_vocabulary(local, cancel, err);
    if (rc != 0) return rc;
    tokens_init(&all);
    rc = tokenizer_encode(tokenizer_of(local), &request, &all, NULL, err);
    tokens->n = all.n;
    if (rc == 0 && ids) {
        tokens->ids = all.ids;
        all.ids = NULL;
    }
    tokens_deinit(&all);
    return rc;
}

static void free_model(struct model *model)
{
    struct local *local = (struct local *)model;
    shared_give(local->weights);
    shared_give(local->vocabulary);
    memory_free(local->name);
    memory_free(local->folder);
    memory_free(local);
}

static const struct model_methods embedder_methods = {
    .embed = embed, .tokenize = tokenize, .free = free_model};
static const struct model_methods reranker_methods = {
    .rerank = rerank, .tokenize = tokenize, .free = free_model};

static int check_options(const struct local *local, const struct local_options *options,
                         struct error *err)
{
    const struct local_config *config = &local->config;
    int reranks = options->task == MODEL_RERANK;
    if (reranks && !config->classifies)
        return error_set(
            err, ERROR_INVALID,
            "%s embeds and does not rerank (a reranker is a model for sequence classification)",
            options->name);
    if (!reranks && config->classifies)
        return error_set(err, ERROR_INVALID, "%s reranks and does not embed", options->name);
    if (config->dimensions != 0 && options->dimensions > config->dimensions)
        return error_set(err, ERROR_INVALID, "%s has %zu dimensions, not %zu", options->name,
                         config->dimensions, options->dimensions);
    return 0;
}

int local_new(const struct local_session *session, const struct local_options *options,
              struct model **model, struct error *err)
{
    struct local *local = memory_zalloc(1, sizeof *local);
    *model = NULL;
    if (local == NULL) return error_nomem(err);
    local->session = session;
    local->precision = options->precision;
    local->dimensions = options->dimensions;
    local->name = memory_copy(options->name, strlen(options->name));
    int rc = local->name == NULL ? error_nomem(err) : 0;
    if (rc == 0) rc = local_folder_find(options->model, &local->folder, err);
    if (rc == 0) rc = local_config_read(local->folder, &local->config, err);
    if (rc == 0) rc = check_options(local, options, err);
    if (rc != 0) {
        free_model(&local->model);
        return rc;
    }
    int reranks = options->task == MODEL_RERANK;
    size_t dimensions = local->dimensions > 0 ? local->dimensions : local->config.dimensions;
    local->model =
        (struct model){.methods = reranks ? &reranker_methods : &embedder_methods,
                       .name = local->name,
                       .dimensions = reranks ? 0 : dimensions,
                       .batch_size = options->batch_size > 0 ? options->batch_size : BATCH_SIZE,
                       .max_tokens = local->config.max_tokens};
    *model = &local->model;
    return 0;
}
