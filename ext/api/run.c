#include "api/run.h"

#include <string.h>

#include "api/attempt.h"
#include "api/request.h"
#include "api/response.h"
#include "base/memory.h"

/* Bytes of an answer, as room for each vector and for each score with its document echoed. */
#define ANSWER_BYTES ((size_t)64 << 10)
#define VECTOR_BYTES ((size_t)160 << 10)
#define NUMBER_BYTES ((size_t)32)
#define SCORE_BYTES ((size_t)4 << 10)
#define ANSWER_MAX_BYTES ((size_t)64 << 20)
#define BODY_MAX_BYTES ((size_t)1 << 30)

/* So many requests refused, and none answered, are a reason to ask again whether any would be. */
#define REFUSED_IN_A_ROW 16
#define PLAIN_TEXT "text" /* what hardly anybody has a reason to refuse */
#define MAX_SAMPLES 4     /* texts that are asked for alone where even that was refused */
/* So many right answers to requests as large as was learnt are a reason to try larger ones. */
#define RIGHT_AT_MOST 100

/* One request: texts, or documents, from `first` on. */
struct batch {
    struct batch *next_all, *next_waiting;
    struct batch *whole; /* that was refused and that it is half of; NULL: of none */
    size_t first, n;
    unsigned n_answered; /* of its halves */
    struct buffer body;
    int is_probe;   /* its one text is PLAIN_TEXT, or a sample, and the answer is not kept */
    int is_sample;  /* it is one of the texts */
    int was_broken; /* an answer of it was not valid */
    struct error last;
};

/* All requests of one call. */
struct run {
    struct remote *remote;
    const struct model_texts *texts; /* embedding; NULL: reranking */
    const struct model_sink *sink;
    const struct model_candidates *candidates;
    double *scores;
    struct model_usage *usage;
    size_t n, at;          /* items, and the first one that no batch has */
    size_t n_open;         /* batches that were sent and whose answers were not taken yet */
    struct batch *all;     /* owned */
    struct batch *waiting; /* halves that are to be sent */
    /* Refused requests, and whose doing that is. */
    int is_proven;        /* the provider has answered */
    unsigned n_in_a_row;  /* refused since */
    int is_probing;       /* nothing else is sent */
    struct batch *probe;  /* to be sent; NULL: it was */
    struct batch *held;   /* what was refused, until the probe is answered */
    size_t n_samples;     /* asked since */
    struct error refusal; /* of the first of them */
};

/* ---- cutting --------------------------------------------------------------------------------- */

static size_t most_texts(const struct remote *remote)
{
    size_t most = remote->model.batch_size, dimensions = remote->model.dimensions;
    if (dimensions == 0) dimensions = remote->dimensions;
    if (dimensions == 0 && most > REMOTE_MAX_TEXTS) most = REMOTE_MAX_TEXTS;
    if (dimensions > 0 && REMOTE_MAX_NUMBERS / dimensions < most)
        most = REMOTE_MAX_NUMBERS / dimensions;
    if (remote->most != 0 && remote->most < most) most = remote->most;
    return most > 0 ? most : 1;
}

static size_t most_documents(const struct remote *remote)
{
    size_t most = remote->max_documents;
    return remote->most != 0 && remote->most < most ? remote->most : most;
}

size_t remote_cut(const struct remote *remote, const struct model_texts *texts, size_t first)
{
    size_t most = most_texts(remote), max_tokens = remote->provider->embed.max_tokens;
    size_t n = 0, bytes = 0, tokens = 0;
    while (first + n < texts->n_texts && n < most) {
        struct span text = texts->texts[first + n];
        bytes += text.size;
        tokens += api_estimate_tokens(text);
        if (n > 0 && (bytes > REMOTE_MAX_BYTES || (max_tokens > 0 && tokens > max_tokens))) break;
        n++;
    }
    return n;
}

static struct batch *add_batch(struct run *run, size_t first, size_t n)
{
    struct batch *batch = memory_zalloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    buffer_init(&batch->body, BODY_MAX_BYTES);
    batch->first = first;
    batch->n = n;
    batch->next_all = run->all;
    run->all = batch;
    return batch;
}

/* Two halves in its place. */
static int halve(struct run *run, struct batch *batch, int was_refused, struct error *err)
{
    size_t half = batch->n / 2;
    struct batch *left = add_batch(run, batch->first, half),
                 *right = add_batch(run, batch->first + half, batch->n - half);
    if (left == NULL || right == NULL) return error_nomem(err);
    if (was_refused) left->whole = right->whole = batch;
    left->next_waiting = right;
    right->next_waiting = run->waiting;
    run->waiting = left;
    buffer_deinit(&batch->body);
    return 0;
}

/* The next request: the probe, a half, or a new one. *batch NULL: none now. */
static int choose(struct run *run, struct batch **batch, struct error *err)
{
    const struct remote *remote = run->remote;
    *batch = run->probe;
    run->probe = NULL;
    if (run->is_probing) return 0;
    while ((*batch = run->waiting) != NULL) {
        run->waiting = (*batch)->next_waiting;
        if (remote->most == 0 || (*batch)->n <= remote->most) return 0;
        if (halve(run, *batch, 0, err) != 0) return ERROR_NOMEM;
    }
    size_t left = run->n - run->at, most = most_documents(remote);
    if (left == 0) return 0;
    size_t n = run->texts != NULL ? remote_cut(remote, run->texts, run->at)
               : left < most      ? left
                                  : most;
    *batch = add_batch(run, run->at, n);
    if (*batch == NULL) return error_nomem(err);
    run->at += n;
    return 0;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static int is_plain(const struct batch *batch)
{
    return batch->is_probe && !batch->is_sample;
}

static int embed_body(const struct run *run, struct batch *batch, struct error *err)
{
    const struct remote *remote = run->remote;
    struct span plain = {PLAIN_TEXT, strlen(PLAIN_TEXT)};
    struct api_embed_request request = {.provider = remote->provider,
                                        .model = remote->model_name,
                                        .texts = is_plain(batch) ? &plain
                                                                 : run->texts->texts + batch->first,
                                        .n_texts = batch->n,
                                        .role = run->texts->role,
                                        .dimensions = remote->dimensions};
    return api_embed_body(&request, &batch->body, err);
}

/* An empty document is sent as a space: some refuse '', and its score means nothing anyhow. */
static int rerank_body(const struct run *run, struct batch *batch, struct error *err)
{
    const struct remote *remote = run->remote;
    const struct model_candidates *candidates = run->candidates;
    int objects = candidates->objects != NULL && !is_plain(batch) &&
                  api_provider_takes_objects(remote->provider, remote->model_name);
    struct span *documents = memory_alloc(batch->n, sizeof *documents);
    if (documents == NULL) return error_nomem(err);
    documents[0] = (struct span){PLAIN_TEXT, strlen(PLAIN_TEXT)};
    for (size_t i = 0; i < batch->n && !is_plain(batch); i++) {
        documents[i] = (objects ? candidates->objects : candidates->documents)[batch->first + i];
        if (documents[i].size == 0) documents[i] = (struct span){" ", 1};
    }
    struct api_rerank_request request = {.provider = remote->provider,
                                         .model = remote->model_name,
                                         .query = candidates->query,
                                         .documents = documents,
                                         .n_documents = batch->n,
                                         .objects = objects};
    if (objects) request.rank_fields = candidates->fields;
    if (batch->n == run->n && !batch->is_probe) request.top_n = candidates->top_n;
    int rc = api_rerank_body(&request, &batch->body, err);
    memory_free(documents);
    return rc;
}

/* ---- what http_run asks for ------------------------------------------------------------------ */

static size_t answer_bytes(const struct run *run, const struct batch *batch)
{
    size_t dimensions = run->remote->model.dimensions;
    size_t bytes = batch->n * (dimensions > 0 ? dimensions * NUMBER_BYTES + 1024 : VECTOR_BYTES);
    if (run->texts == NULL) bytes = batch->n * SCORE_BYTES + 2 * batch->body.size;
    bytes += ANSWER_BYTES;
    return bytes < ANSWER_MAX_BYTES ? bytes : ANSWER_MAX_BYTES;
}

static const char *url_of(const struct run *run)
{
    return run->texts != NULL ? run->remote->embed_url : run->remote->rerank_url;
}

static int next(void *context, struct http_request *request, struct error *err)
{
    struct run *run = context;
    struct remote *remote = run->remote;
    struct batch *batch;
    /* With the budget spent the run fails, but not before all that was paid for has come. */
    if (run->n_open > 0 && api_session_is_spent(remote->session)) return 0;
    if (choose(run, &batch, err) != 0) return -1;
    if (batch == NULL) return 0;
    int rc = run->texts != NULL ? embed_body(run, batch, err) : rerank_body(run, batch, err);
    if (rc == 0) rc = api_session_spend(remote->session, err);
    *request = (struct http_request){.url = url_of(run),
                                     .bearer = remote->key,
                                     .body = {batch->body.data, batch->body.size},
                                     .plain = remote->plain,
                                     .max_answer = answer_bytes(run, batch),
                                     .tag = batch};
    if (rc == 0) run->n_open++;
    return rc == 0 ? 1 : -1;
}

static int put_vectors(struct run *run, const struct batch *batch, const float *vectors,
                       size_t dimensions, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < batch->n; i++)
        rc = run->sink->put(run->sink->context, batch->first + i, vectors + i * dimensions,
                            dimensions, err);
    return rc == 0 ? run->sink->end(run->sink->context, err) : rc;
}

static struct api_answer describe(const struct run *run, const struct batch *batch,
                                  const struct http_answer *answer)
{
    const struct remote *remote = run->remote;
    return (struct api_answer){.provider = remote->provider,
                               .model = remote->model_name,
                               .key = remote->key,
                               .url = url_of(run),
                               .status = answer->status,
                               .body = answer->body,
                               .n_texts = batch->n,
                               .key_from = remote->key_from};
}

/* Keeps vectors, but those of a probe: from one of a plain word the length is learnt, if nothing
 * has told it yet, as it is no liar's if it is anybody's. */
static enum api_outcome keep_vectors(struct run *run, const struct batch *batch,
                                     const float *vectors, size_t dimensions, struct error *err)
{
    struct model *model = &run->remote->model;
    if (model_check_dimensions(model, dimensions, err) != 0) return API_BROKEN;
    if (!batch->is_probe)
        return put_vectors(run, batch, vectors, dimensions, err) == 0 ? API_OK : API_FAILED;
    if (is_plain(batch)) model->dimensions = dimensions;
    return API_OK;
}

/* Reads an answer and keeps what is in it. API_FAILED with the error set when it cannot be kept. */
static enum api_outcome take(struct run *run, const struct batch *batch,
                             const struct http_answer *answer, struct error *err)
{
    const struct remote *remote = run->remote;
    struct api_answer parsed = describe(run, batch, answer);
    enum api_outcome outcome;
    int64_t tokens = -1;
    if (run->texts != NULL) {
        size_t dimensions = remote->dimensions;
        float *vectors;
        outcome = api_parse_embeddings(&parsed, &dimensions, &vectors, &tokens, err);
        if (outcome == API_OK) outcome = keep_vectors(run, batch, vectors, dimensions, err);
        memory_free(vectors);
    } else {
        double score;
        size_t top_n = batch->n == run->n && !batch->is_probe ? run->candidates->top_n : 0;
        outcome = api_parse_scores(
            &parsed, top_n, batch->is_probe ? &score : run->scores + batch->first, &tokens, err);
    }
    if (tokens < 0) tokens = answer->compute_tokens;
    if (outcome == API_OK && tokens > 0) run->usage->tokens += (uint64_t)tokens;
    return outcome;
}

static enum http_verdict stop(const struct run *run, struct error *err)
{
    return api_stop(run->remote->provider, err);
}

static int is_last(const struct run *run, const struct http_answer *answer)
{
    return api_is_last(run->remote->session, answer);
}

static enum http_verdict repeat(struct run *run, struct batch *batch,
                                const struct http_answer *answer, enum http_verdict verdict,
                                struct error *err)
{
    const struct remote *remote = run->remote;
    return api_repeat(remote->session, remote->provider, answer, verdict, &batch->last, err);
}

/* ---- refused requests ------------------------------------------------------------------------ */

static int may_refuse(const struct run *run)
{
    return run->texts != NULL ? run->sink->refuse != NULL : run->candidates->refused != NULL;
}

/* What was refused and is not the fault of all: two halves, or a text that is left out, or is the
 * error of the call. */
static int settle(struct run *run, struct batch *batch, struct error *err)
{
    if (batch->n > 1) return halve(run, batch, 1, err);
    buffer_deinit(&batch->body);
    if (!may_refuse(run)) {
        if (err != NULL) *err = batch->last;
        return batch->last.code;
    }
    if (run->texts != NULL)
        return run->sink->refuse(run->sink->context, batch->first, &batch->last, err);
    run->candidates->refused[batch->first] = 1;
    return 0;
}

static int add_probe(struct run *run, size_t number, int is_sample, struct error *err)
{
    run->probe = add_batch(run, number, 1);
    if (run->probe == NULL) return error_nomem(err);
    run->probe->is_probe = 1;
    run->probe->is_sample = is_sample;
    return 0;
}

/* Notes it until it is known whether anything would be taken, and has that asked. */
static int hold(struct run *run, struct batch *batch, struct error *err)
{
    buffer_deinit(&batch->body);
    batch->next_waiting = run->held;
    run->held = batch;
    if (run->is_probing) return 0;
    run->is_probing = 1;
    run->n_samples = 0;
    run->refusal = batch->last;
    return add_probe(run, 0, 0, err);
}

/* The plain word was refused as well, or a sample was: a provider that refuses the word (as too
 * short, say) may take the texts. Whether another one is asked; they lie evenly in a request of
 * several that is held. */
static int probe_sample(struct run *run, int *rc, struct error *err)
{
    const struct batch *from = run->held;
    while (from != NULL && from->n == 1) from = from->next_waiting;
    size_t most = from == NULL ? 0 : from->n < MAX_SAMPLES ? from->n : MAX_SAMPLES;
    if (run->n_samples >= most) return 0;
    size_t number = from->first + run->n_samples++ * (from->n - 1) / (most - 1);
    *rc = add_probe(run, number, 1, err);
    return 1;
}

/* Something in the request is refused, or everything is: see run.h. */
static enum http_verdict refused(struct run *run, struct batch *batch, struct error *err)
{
    int rc;
    if (err->code == ERROR_UNAVAILABLE) error_context(err, "%s", run->remote->provider->name);
    err->code = ERROR_REFUSED;
    if (batch->is_probe && probe_sample(run, &rc, err)) return rc == 0 ? HTTP_DONE : HTTP_STOP;
    if (batch->is_probe) {
        *err = run->refusal;
        err->code = ERROR_UNAVAILABLE;
        return HTTP_STOP;
    }
    if (batch->n == 1 && !may_refuse(run) && api_session_is_spent(run->remote->session))
        return HTTP_STOP; /* whose fault it is cannot be asked any more */
    batch->last = *err;
    int is_doubtful = !run->is_proven || ++run->n_in_a_row >= REFUSED_IN_A_ROW;
    rc = is_doubtful ? hold(run, batch, err) : settle(run, batch, err);
    return rc == 0 ? HTTP_DONE : HTTP_STOP;
}

/* Both halves are taken of a request that was refused as a whole: no more than the larger one are,
 * unless more were taken already. */
static void learn(struct remote *remote, struct batch *batch)
{
    struct batch *whole = batch->whole;
    size_t half = whole == NULL ? 0 : whole->n - whole->n / 2;
    if (batch->n > remote->largest) remote->largest = batch->n;
    if (remote->most != 0 && batch->n > remote->most) remote->most = 0;
    if (whole != NULL && ++whole->n_answered == 2 && half >= remote->largest) {
        remote->most = half;
        remote->n_right = 0;
    } else if (remote->most != 0 && batch->n >= remote->most &&
               ++remote->n_right >= RIGHT_AT_MOST) {
        remote->most *= 2;
        remote->n_right = 0;
    }
}

/* An answer was right, so the provider works: what was held was its own fault. */
static enum http_verdict answered_rightly(struct run *run, struct batch *batch, struct error *err)
{
    buffer_deinit(&batch->body);
    run->is_proven = 1;
    run->n_in_a_row = 0;
    if (!batch->is_probe) {
        learn(run->remote, batch);
        return HTTP_DONE;
    }
    run->is_probing = 0;
    while (run->held != NULL) {
        struct batch *held = run->held;
        run->held = held->next_waiting;
        if (settle(run, held, err) != 0) return stop(run, err);
    }
    return HTTP_DONE;
}

/* More than the provider takes: what it says that it takes, or halves. */
static int make_smaller(struct run *run, struct batch *batch, const struct http_answer *answer,
                        struct error *err)
{
    struct remote *remote = run->remote;
    struct api_answer parsed = describe(run, batch, answer);
    size_t told = api_failure_limit(&parsed);
    if (told < remote->largest) told = 0; /* as many were taken: it speaks of something else */
    if (told == 0) return halve(run, batch, 1, err);
    if (remote->most == 0 || told < remote->most) {
        remote->most = told;
        remote->n_right = 0;
    }
    return halve(run, batch, 0, err);
}

/* What was learnt as the most that is taken, and is told of no more texts than that, is told of one
 * of them ("at most 3 emoji"). */
static void unlearn(struct run *run, const struct batch *batch, const struct http_answer *answer)
{
    struct remote *remote = run->remote;
    struct api_answer parsed = describe(run, batch, answer);
    parsed.n_texts = remote->most + 1;
    if (remote->most == 0 || batch->n > remote->most) return;
    if (api_failure_limit(&parsed) == remote->most) remote->most = 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

static enum http_verdict judge(struct run *run, struct batch *batch,
                               const struct http_answer *answer, double *wait, struct error *err)
{
    enum api_outcome outcome = take(run, batch, answer, err);
    switch (outcome) {
    case API_OK:
        return answered_rightly(run, batch, err);
    case API_BROKEN:
        if (batch->is_probe || batch->whole != NULL || is_last(run, answer) ||
            batch->was_broken++ > 0)
            return refused(run, batch, err);
        return repeat(run, batch, answer, HTTP_REPEAT, err);
    case API_BUSY:
    case API_RETRY:
        return api_repeat_later(run->remote->session, run->remote->provider, answer,
                                outcome == API_BUSY, wait, &batch->last, err);
    case API_TOO_LARGE:
        return make_smaller(run, batch, answer, err) == 0 ? HTTP_DONE : stop(run, err);
    case API_REFUSED:
        unlearn(run, batch, answer);
        return refused(run, batch, err);
    default:
        return stop(run, err);
    }
}

static enum http_verdict answered(void *context, const struct http_request *request,
                                  const struct http_answer *answer, double *wait, struct error *err)
{
    struct run *run = context;
    struct batch *batch = request->tag;
    run->usage->requests++;
    if (answer->attempt > 1) run->usage->retries++;
    run->usage->bytes += request->body.size + answer->body.size;
    if (answer->status != 0) {
        enum http_verdict verdict = judge(run, batch, answer, wait, err);
        if (verdict == HTTP_DONE) run->n_open--;
        return verdict;
    }
    error_set(err, ERROR_UNAVAILABLE, "%s", answer->failure);
    return answer->may_heal ? repeat(run, batch, answer, HTTP_REPEAT, err) : stop(run, err);
}

static void give_up(void *context, const struct http_request *request,
                    const struct http_answer *answer, struct error *err)
{
    struct run *run = context;
    const struct batch *batch = request->tag;
    api_give_up(run->remote->session, run->remote->provider, answer, &batch->last, err);
}

/* ---- the call -------------------------------------------------------------------------------- */

static int run_all(struct run *run, const struct cancel *cancel, struct error *err)
{
    struct http_work work = {
        .next = next, .answer = answered, .give_up = give_up, .context = run, .cancel = cancel};
    int rc = api_session_run(run->remote->session, &work, err);
    if (rc == 0 && err != NULL) *err = (struct error){0}; /* what was refused is told elsewhere */
    while (run->all != NULL) {
        struct batch *batch = run->all;
        run->all = batch->next_all;
        buffer_deinit(&batch->body);
        memory_free(batch);
    }
    return rc;
}

int remote_run_embed(struct remote *remote, const struct model_texts *texts,
                     const struct model_sink *sink, struct model_usage *usage, struct error *err)
{
    struct run run = {
        .remote = remote, .texts = texts, .sink = sink, .usage = usage, .n = texts->n_texts};
    return run_all(&run, texts->cancel, err);
}

int remote_run_rerank(struct remote *remote, const struct model_candidates *candidates,
                      double *scores, struct model_usage *usage, struct error *err)
{
    struct run run = {.remote = remote,
                      .candidates = candidates,
                      .scores = scores,
                      .usage = usage,
                      .n = candidates->n_documents};
    return run_all(&run, candidates->cancel, err);
}
