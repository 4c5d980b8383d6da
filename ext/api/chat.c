#include "api/chat.h"

#include <string.h>

#include "api/attempt.h"
#include "api/chat_body.h"
#include "api/chat_fault.h"
#include "api/completion.h"
#include "api/cut.h"
#include "api/request.h"
#include "base/memory.h"

#define BODY_MAX_BYTES ((size_t)64 << 20)
#define ANSWER_MAX_BYTES ((size_t)1 << 20) /* reasoning included */

/* Tokens, estimated: of what is the same in each request; of a document's number, its quotes and
 * braces, and its number in the answer; of the least that a request may have. */
#define FORM_TOKENS 200
#define DOCUMENT_TOKENS 12
#define LEAST_TOKENS 500
#define LEAST_DOCUMENT 16

#define PLAIN_TEXT "text" /* what hardly anybody has a reason to refuse */

struct chat {
    struct model model; /* first */
    struct api_session *session;
    const struct api_provider *provider;
    char *name, *model_name, *url;
    char *instruction, *key; /* or NULL */
    const char *key_from;    /* see response.h */
    int plain;
    size_t max_documents; /* of a request, as model.max_tokens are */
    unsigned without;     /* enum chat_feature: what it does not take */
    int is_format_taken;  /* it has answered with response_format */
};

/* One call. */
struct run {
    struct chat *chat;
    const struct model_candidates *candidates;
    struct model_usage *usage;
    struct span query;  /* as it is sent */
    struct span *texts; /* [n_documents] as they are sent; owned */
    size_t *tokens;     /* [n_documents] of these; owned */
    size_t room;        /* tokens of the documents of a request */
    size_t *order;      /* [n] documents that are not refused; owned */
    size_t n;           /* of these */
    struct span *shown; /* [n_documents] the documents of a request; owned */
    size_t *places;     /* [n_documents] its answer, from 0 on; owned */
    size_t max_tokens;  /* of the model when the call began */
    struct error why;   /* the last refusal */
    int takes_format;   /* a refusal that named nothing came without response_format too */
};

/* A request until it is answered. */
struct question {
    struct run *run;
    size_t n; /* documents: run->shown */
    unsigned without;
    struct buffer body;
    int is_sent, was_broken;
    struct error last;
    enum api_outcome outcome; /* API_OK, API_TOO_LARGE or API_REFUSED */
    unsigned fault;           /* see chat_fault.h */
    int is_withheld;          /* refused by the model or a filter of its answers */
};

/* ---- one request ----------------------------------------------------------------------------- */

static int next(void *context, struct http_request *request, struct error *err)
{
    struct question *question = context;
    const struct chat *chat = question->run->chat;
    if (question->is_sent) return 0;
    question->is_sent = 1;
    *request = (struct http_request){.url = chat->url,
                                     .bearer = chat->key,
                                     .body = {question->body.data, question->body.size},
                                     .plain = chat->plain,
                                     .max_answer = ANSWER_MAX_BYTES};
    return api_session_spend(chat->session, err) == 0 ? 1 : -1;
}

/* What an answer means. A refusal that names what it is about is one, whatever its status. */
static enum api_outcome take(struct question *question, const struct http_answer *answer,
                             struct error *err)
{
    struct run *run = question->run;
    const struct chat *chat = run->chat;
    int64_t tokens;
    struct api_answer parsed = {.provider = chat->provider,
                                .model = chat->model_name,
                                .key = chat->key,
                                .url = chat->url,
                                .status = answer->status,
                                .body = answer->body,
                                .n_texts = question->n,
                                .key_from = chat->key_from};
    enum api_outcome outcome = api_parse_ranking(&parsed, run->places, &tokens, err);
    if (tokens > 0) run->usage->tokens += (uint64_t)tokens;
    if (outcome == API_OK || outcome == API_BROKEN || outcome == API_BUSY ||
        err->code == ERROR_NOMEM)
        return outcome;
    question->is_withheld = answer->status == 200 && outcome == API_REFUSED;
    question->fault = question->is_withheld || (answer->status == 200 && outcome == API_FAILED)
                          ? 0
                          : api_chat_fault(answer->status, answer->body);
    if (question->fault & CHAT_LENGTH || outcome == API_TOO_LARGE) return API_TOO_LARGE;
    return question->fault & ~question->without ? API_REFUSED : outcome;
}

static enum http_verdict judge(struct question *question, const struct http_answer *answer,
                               double *wait, struct error *err)
{
    const struct chat *chat = question->run->chat;
    question->outcome = take(question, answer, err);
    switch (question->outcome) {
    case API_OK:
        return HTTP_DONE;
    case API_BROKEN:
        if (question->was_broken++ > 0) return api_stop(chat->provider, err);
        return api_repeat(chat->session, chat->provider, answer, HTTP_REPEAT, &question->last, err);
    case API_BUSY:
    case API_RETRY:
        return api_repeat_later(chat->session, chat->provider, answer,
                                question->outcome == API_BUSY, wait, &question->last, err);
    case API_TOO_LARGE:
    case API_REFUSED:
        api_stop(chat->provider, err);
        question->run->why = *err;
        return HTTP_DONE;
    default:
        return api_stop(chat->provider, err);
    }
}

static enum http_verdict answered(void *context, const struct http_request *request,
                                  const struct http_answer *answer, double *wait, struct error *err)
{
    struct question *question = context;
    const struct chat *chat = question->run->chat;
    struct model_usage *usage = question->run->usage;
    usage->requests++;
    if (answer->attempt > 1) usage->retries++;
    usage->bytes += request->body.size + answer->body.size;
    if (answer->status != 0) return judge(question, answer, wait, err);
    error_set(err, ERROR_UNAVAILABLE, "%s", answer->failure);
    if (!answer->may_heal) return api_stop(chat->provider, err);
    return api_repeat(chat->session, chat->provider, answer, HTTP_REPEAT, &question->last, err);
}

static void give_up(void *context, const struct http_request *request,
                    const struct http_answer *answer, struct error *err)
{
    const struct question *question = context;
    const struct chat *chat = question->run->chat;
    (void)request;
    api_give_up(chat->session, chat->provider, answer, &question->last, err);
}

static int send(struct question *question, struct error *err)
{
    struct run *run = question->run;
    struct http_work work = {.next = next,
                             .answer = answered,
                             .give_up = give_up,
                             .context = question,
                             .cancel = run->candidates->cancel};
    struct api_chat_request request = {.model = run->chat->model_name,
                                       .instruction = run->chat->instruction,
                                       .query = run->query,
                                       .documents = run->shown,
                                       .n_documents = question->n,
                                       .without = question->without};
    buffer_init(&question->body, BODY_MAX_BYTES);
    int rc = api_chat_body(&request, &question->body, err);
    if (rc == 0) rc = api_session_run(run->chat->session, &work, err);
    buffer_deinit(&question->body);
    if (rc == 0 && err != NULL) *err = (struct error){0};
    return rc;
}

/* What to leave out after a refusal: what it names; where it names nothing, response_format. */
static unsigned to_leave_out(const struct question *question)
{
    unsigned named = question->fault & ~question->without;
    if (question->is_withheld) return 0;
    if (question->fault != 0 || question->run->takes_format) return named;
    return CHAT_FORMAT & ~question->without;
}

/* What was not taken is left out from now on; but what a refusal did not name not where it was
 * taken before. */
static void learn(struct chat *chat, const struct question *question, unsigned guessed)
{
    if (chat->is_format_taken) guessed &= CHAT_FORMAT;
    else guessed = 0;
    chat->without = question->without & ~guessed;
    if (!(question->without & CHAT_FORMAT)) chat->is_format_taken = 1;
}

/* Asks for the order of run->shown [n]. *outcome: API_OK and it is in run->places, API_TOO_LARGE or
 * API_REFUSED and run->why says what came. */
static int ask(struct run *run, size_t n, enum api_outcome *outcome, struct error *err)
{
    struct chat *chat = run->chat;
    struct question question = {.run = run, .n = n, .without = chat->without};
    unsigned guessed = 0;
    for (;;) {
        question.is_sent = question.was_broken = 0;
        question.fault = 0;
        int rc = send(&question, err);
        if (rc != 0) return rc;
        *outcome = question.outcome;
        if (*outcome == API_OK) learn(chat, &question, guessed);
        if (*outcome != API_REFUSED) return 0;
        unsigned left_out = to_leave_out(&question);
        if (left_out == 0) break;
        question.without |= left_out;
        if (question.fault == 0) guessed |= left_out;
    }
    if (question.fault == 0) run->takes_format = 1;
    return 0;
}

/* ---- what is sent ---------------------------------------------------------------------------- */

/* Query and documents, cut to what the model reads. */
static void prepare(struct run *run)
{
    const struct chat *chat = run->chat;
    const struct model_candidates *candidates = run->candidates;
    const char *instruction = chat->instruction != NULL ? chat->instruction : "";
    size_t most = chat->model.max_tokens, used = FORM_TOKENS;
    run->query = api_cut(candidates->query, most / 4);
    used += api_count_tokens(run->query);
    used += api_count_tokens((struct span){instruction, strlen(instruction)});
    run->room = used < most - most / 4 ? most - used : most / 4;
    size_t longest = run->room / CHAT_LEAST_WINDOW;
    longest =
        longest > DOCUMENT_TOKENS + LEAST_DOCUMENT ? longest - DOCUMENT_TOKENS : LEAST_DOCUMENT;
    if (longest > CHAT_DOCUMENT_TOKENS) longest = CHAT_DOCUMENT_TOKENS;
    for (size_t i = 0; i < candidates->n_documents; i++) {
        run->texts[i] = api_cut(candidates->documents[i], longest);
        run->tokens[i] = api_count_tokens(run->texts[i]) + DOCUMENT_TOKENS;
    }
}

/* The model's context is smaller than was thought; 0: it cannot be. */
static int shrink(struct run *run, size_t first, size_t end)
{
    struct chat *chat = run->chat;
    size_t sent = chat->model.max_tokens - run->room;
    for (size_t i = first; i < end; i++) sent += run->tokens[run->order[i]];
    if (sent < chat->model.max_tokens) chat->model.max_tokens = sent;
    if (chat->model.max_tokens / 2 < LEAST_TOKENS) return 0;
    chat->model.max_tokens /= 2;
    prepare(run);
    return 1;
}

/* ---- windows --------------------------------------------------------------------------------- */

static void show(struct run *run, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) run->shown[i] = run->texts[run->order[first + i]];
}

/* Finds which of the documents are refused, of some that are when they are together. */
static int find_refused(struct run *run, size_t first, size_t n, int is_known, struct error *err)
{
    enum api_outcome outcome = API_REFUSED;
    show(run, first, n);
    int rc = is_known ? 0 : ask(run, n, &outcome, err);
    if (rc != 0 || outcome == API_OK) return rc;
    if (n == 1) {
        run->candidates->refused[run->order[first]] = 1;
        return 0;
    }
    rc = find_refused(run, first, n / 2, 0, err);
    return rc == 0 ? find_refused(run, first + n / 2, n - n / 2, 0, err) : rc;
}

/* A window was refused. Whether its documents are to blame, a question of the same query with plain
 * words tells; those that are leave the order. Without a place for refusals the window's is the
 * error. */
static int refuse(struct run *run, size_t first, size_t *end, size_t *below, struct error *err)
{
    struct span plain = {PLAIN_TEXT, strlen(PLAIN_TEXT)};
    struct error why = run->why;
    enum api_outcome outcome = API_OK;
    size_t n = *end - first, n_kept = first, n_refused = 0;
    run->shown[0] = run->shown[1] = plain;
    int rc = 0;
    if (run->candidates->refused == NULL) outcome = API_REFUSED;
    else rc = ask(run, 2, &outcome, err);
    if (rc == 0 && outcome == API_OK) rc = find_refused(run, first, n, 1, err);
    if (rc != 0) return rc;
    size_t end_before = *end, below_before = *below;
    for (size_t i = first; outcome == API_OK && i < run->n; i++) {
        size_t document = run->order[i];
        if (!run->candidates->refused[document]) {
            run->order[n_kept++] = document;
            continue;
        }
        n_refused++;
        *end -= i < end_before;
        *below -= i < below_before;
    }
    if (outcome == API_OK) run->n = n_kept;
    if (n_refused > 0) return 0;
    *err = why;
    return err->code;
}

/* A window was too long. Where even the least one is, it is refused: "too long" may be said of a
 * document, for a reason of its own, and the model's context is what it was. */
static int fit(struct run *run, size_t first, size_t *end, size_t *below, struct error *err)
{
    int rc = 0;
    if (shrink(run, first, *end)) return 0;
    rc = refuse(run, first, end, below, err);
    run->chat->model.max_tokens = run->max_tokens;
    prepare(run);
    return rc;
}

/* The first place of the window that ends before `end`. */
static size_t first_of(const struct run *run, size_t end)
{
    size_t first = end, tokens = 0;
    while (first > 0 && end - first < run->chat->max_documents) {
        tokens += run->tokens[run->order[first - 1]];
        if (first < end && tokens > run->room) break;
        first--;
    }
    return first;
}

static void reorder(struct run *run, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) run->places[i] = run->order[first + run->places[i]];
    memcpy(run->order + first, run->places, n * sizeof *run->places);
}

/* From the back: *below, the first place that was in a window, goes to 0. */
static int slide(struct run *run, struct error *err)
{
    size_t end = run->n, below = run->n;
    while (below > 0) {
        enum api_outcome outcome = API_OK;
        size_t first = first_of(run, end);
        while (first >= below && end > below) first = first_of(run, --end);
        size_t n = end - first;
        int rc = 0;
        if (n > 1) {
            show(run, first, n);
            rc = ask(run, n, &outcome, err);
        }
        if (rc == 0 && outcome == API_TOO_LARGE) rc = fit(run, first, &end, &below, err);
        else if (rc == 0 && outcome == API_REFUSED) rc = refuse(run, first, &end, &below, err);
        if (rc != 0) return rc;
        if (outcome != API_OK) continue;
        if (n > 1) reorder(run, first, n);
        below = first;
        end = first + n / 2;
    }
    return 0;
}

/* ---- the model ------------------------------------------------------------------------------- */

static int run_init(struct run *run, struct error *err)
{
    size_t n = run->candidates->n_documents;
    run->texts = memory_alloc(n, sizeof *run->texts);
    run->tokens = memory_alloc(n, sizeof *run->tokens);
    run->order = memory_alloc(n, sizeof *run->order);
    run->shown = memory_alloc(n < 2 ? 2 : n, sizeof *run->shown);
    run->places = memory_alloc(n < 2 ? 2 : n, sizeof *run->places);
    if (run->texts == NULL || run->tokens == NULL || run->order == NULL || run->shown == NULL ||
        run->places == NULL)
        return error_nomem(err);
    for (run->n = 0; run->n < n; run->n++) run->order[run->n] = run->n;
    prepare(run);
    return 0;
}

static void run_deinit(struct run *run)
{
    memory_free(run->texts);
    memory_free(run->tokens);
    memory_free(run->order);
    memory_free(run->shown);
    memory_free(run->places);
}

static int rerank(struct model *model, const struct model_candidates *candidates, double *scores,
                  struct model_usage *usage, struct error *err)
{
    struct error unread;
    struct run run = {.chat = (struct chat *)model,
                      .candidates = candidates,
                      .usage = usage,
                      .max_tokens = model->max_tokens};
    if (err == NULL) err = &unread;
    int rc = run_init(&run, err);
    if (rc == 0) rc = slide(&run, err);
    if (rc != 0) model->max_tokens = run.max_tokens;
    for (size_t i = 0; rc == 0 && i < run.n; i++)
        scores[run.order[i]] = 1 - (double)i / (double)run.n;
    for (size_t i = 0; rc == 0 && i < run.n; i++)
        usage->truncated += run.texts[run.order[i]].size < candidates->documents[run.order[i]].size;
    run_deinit(&run);
    return rc;
}

void chat_forget_key(struct model *model)
{
    struct chat *chat = (struct chat *)model;
    memory_free_secret(chat->key);
    chat->key = NULL;
}

static void free_model(struct model *model)
{
    struct chat *chat = (struct chat *)model;
    chat_forget_key(model);
    memory_free(chat->name);
    memory_free(chat->model_name);
    memory_free(chat->instruction);
    memory_free(chat->url);
    memory_free(chat);
}

static const struct model_methods methods = {.rerank = rerank, .free = free_model};

static int check_options(const struct remote_options *options, struct error *err)
{
    int rc = http_check_url(options->base_url, options->plain, err);
    if (rc == 0 && options->dimensions != 0)
        rc = error_set(err, ERROR_INVALID, "%s cannot be asked for dimensions",
                       options->provider->name);
    if (rc == 0 && options->batch_size == 1)
        rc = error_set(err, ERROR_INVALID,
                       "batch_size must be 2 or more: %s ranks documents beside each other",
                       options->provider->name);
    if (rc == 0 && options->max_tokens != 0 && options->max_tokens < LEAST_TOKENS)
        rc = error_set(err, ERROR_INVALID,
                       "max_tokens must be %d or more: %s reads query and documents together",
                       LEAST_TOKENS, options->provider->name);
    return rc;
}

int chat_new(struct api_session *session, const struct remote_options *options,
             const char *instruction, struct model **model, struct error *err)
{
    const struct api_provider *provider = options->provider;
    *model = NULL;
    int rc = check_options(options, err);
    struct chat *chat = rc == 0 ? memory_zalloc(1, sizeof *chat) : NULL;
    if (chat == NULL) return rc == 0 ? error_nomem(err) : rc;
    chat->max_documents = options->batch_size != 0 ? options->batch_size : CHAT_MAX_DOCUMENTS;
    chat->model.max_tokens =
        options->max_tokens != 0 ? options->max_tokens : provider->chat.max_tokens;
    chat->model.methods = &methods;
    chat->model.batch_size = chat->max_documents;
    chat->model.is_listwise = 1;
    chat->session = session;
    chat->provider = provider;
    chat->plain = options->plain;
    chat->key_from = options->is_registered ? "the api_key of its row in rerank_models" : NULL;
    if (!memory_copy_text(options->name, &chat->name) ||
        !memory_copy_text(options->model, &chat->model_name) ||
        !memory_copy_text(instruction, &chat->instruction))
        rc = error_nomem(err);
    if (rc == 0 && options->key.size > 0) {
        chat->key = memory_copy(options->key.data, options->key.size);
        if (chat->key == NULL) rc = error_nomem(err);
    }
    if (rc == 0) rc = api_url(options->base_url, provider->chat.path, &chat->url, err);
    chat->model.name = chat->name;
    if (rc == 0) *model = &chat->model;
    else free_model(&chat->model);
    return rc;
}
