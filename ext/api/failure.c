/*
 * failure.c: answers that say no.
 */
#include "api/response.h"

#include <stdlib.h>
#include <string.h>

#include "api/limit.h"
#include "api/scrub.h"
#include "base/json.h"

/* Where providers put the message, and where a code, in the order of looking. */
static const char *const message_places[] = {"/error/message", "/error",        "/detail/message",
                                             "/detail",        "/detail/0/msg", "/message"};
static const char *const code_places[] = {"/error/code", "/detail/code", "/code",
                                          "/error/type", "/error_type",  "/type"};

/* Waiting heals none of these, whatever the status. */
static const char *const bill_codes[] = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "AUTHZ_INSUFFICIENT_BALANCE",
};

/* With a status of 400: no text is to blame for these. */
static const char *const call_codes[] = {"model_not_available", "model_not_found",
                                         "invalid_api_key", "authentication_error"};

/* How providers say that fewer texts would do; '#' is a number. */
static const char *const too_large_phrases[] = {
    "per submitted batch",      "split into more batches",
    "tokens in batch",          "maximum allowed batch size",
    "max # tokens per request", "number of texts must be at most #",
    "at most # items",          "allowed size #",
};

/* How servers say, with a status of 500, that they cannot have this text: what a model makes of it
 * is no number, or it is longer than the model reads. In lower case. */
static const char *const text_phrases[] = {
    "not json compliant", "unsupported value",    "infinity",
    "context length",     "too large to process", "input is too long",
};

struct failure {
    const struct api_answer *answer;
    cJSON *root;         /* NULL: the body is not JSON */
    const char *message; /* within root, or NULL */
};

const char *api_error_message(const cJSON *root)
{
    for (size_t i = 0; i < sizeof message_places / sizeof *message_places; i++) {
        const char *text = json_text_at(root, message_places[i]);
        if (text != NULL) return text;
    }
    return NULL;
}

static int has_code(const cJSON *root, const char *code)
{
    for (size_t i = 0; i < sizeof code_places / sizeof *code_places; i++) {
        const char *text = json_text_at(root, code_places[i]);
        if (text != NULL && strcmp(text, code) == 0) return 1;
    }
    return 0;
}

static int is_about_a_bill(const cJSON *root)
{
    for (size_t i = 0; i < sizeof bill_codes / sizeof *bill_codes; i++)
        if (has_code(root, bill_codes[i])) return 1;
    return 0;
}

static int is_about_the_call(const cJSON *root)
{
    for (size_t i = 0; i < sizeof call_codes / sizeof *call_codes; i++)
        if (has_code(root, call_codes[i])) return 1;
    return 0;
}

/* Whether the text goes on like the phrase. */
static int follows(const char *text, const char *phrase)
{
    for (; *phrase != '\0'; phrase++) {
        if (*phrase != '#') {
            if (*text++ != *phrase) return 0;
            continue;
        }
        size_t digits = strspn(text, "0123456789");
        if (digits == 0) return 0;
        text += digits;
    }
    return 1;
}

static int is_about_size(const char *message)
{
    for (; message != NULL && *message != '\0'; message++)
        for (size_t i = 0; i < sizeof too_large_phrases / sizeof *too_large_phrases; i++)
            if (follows(message, too_large_phrases[i])) return 1;
    return 0;
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The body, as it may be no JSON. "nan" only as a word. */
static int is_about_a_text(struct span body)
{
    char text[2048];
    size_t n = body.size < sizeof text - 1 ? body.size : sizeof text - 1;
    for (size_t i = 0; i < n; i++) {
        char c = body.data[i];
        text[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c == '\0' ? ' ' : c);
    }
    text[n] = '\0';
    for (size_t i = 0; i < sizeof text_phrases / sizeof *text_phrases; i++)
        if (strstr(text, text_phrases[i]) != NULL) return 1;
    for (const char *at = text; (at = strstr(at, "nan")) != NULL; at++)
        if ((at == text || !is_letter(at[-1])) && !is_letter(at[3])) return 1;
    return 0;
}

/* The status; of an error under 200, the one that it has for its code (vLLM a number, LiteLLM a
 * text). */
static int status_of(const struct failure *failure)
{
    if (failure->answer->status != 200) return failure->answer->status;
    const cJSON *code = json_at(failure->root, "/error/code");
    double number = cJSON_IsNumber(code) ? code->valuedouble : 0;
    if (cJSON_IsString(code)) number = strtod(code->valuestring, NULL);
    return number >= 400 && number <= 599 ? (int)number : 200;
}

static enum api_outcome outcome_of_status(int status, const struct api_provider *provider)
{
    switch (status) {
    case 200:
        return API_BROKEN;
    case 408:
    case 409:
    case 502:
    case 504:
        return API_RETRY;
    case 429:
    case 503:
    case 529:
        return API_BUSY;
    case 500:
        return provider->retries_500 ? API_RETRY : API_FAILED;
    default:
        return API_FAILED;
    }
}

/* Of a refusal that may be about what was sent. */
static size_t told_limit(const struct api_answer *answer, int status)
{
    if (status != 400 && status != 413 && status != 422 && status != 500) return 0;
    return api_told_limit(answer->body, answer->n_texts, status == 413);
}

static enum api_outcome outcome_of(const struct failure *failure)
{
    int status = status_of(failure);
    enum api_outcome outcome = outcome_of_status(status, failure->answer->provider);
    if (is_about_a_bill(failure->root) || is_about_the_call(failure->root)) return API_FAILED;
    if (outcome == API_BUSY || (outcome == API_RETRY && status != 500)) return outcome;
    if (failure->answer->n_texts > 1 && (status == 413 || is_about_size(failure->message) ||
                                         told_limit(failure->answer, status) != 0))
        return API_TOO_LARGE;
    if (status == 400 || status == 413 || status == 422 ||
        (status == 500 && is_about_a_text(failure->answer->body)))
        return API_REFUSED;
    return outcome;
}

/* What a status means, for an answer that does not say. */
static const char *words_of_status(int status)
{
    static const struct {
        int status;
        const char *words;
    } known[] = {
        {200, "an error without a message"},
        {400, "the request was refused"},
        {401, "invalid API key"},
        {402, "payment required"},
        {403, "access denied"},
        {404, "not found: wrong URL or model"},
        {408, "the request timed out"},
        {413, "the request is too large"},
        {422, "the request was refused"},
        {429, "too many requests"},
        {500, "internal server error"},
        {502, "bad gateway"},
        {503, "service unavailable"},
        {504, "the gateway timed out"},
        {529, "overloaded"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status) return known[i].words;
    if (status >= 300 && status < 400) return "redirected, which is not followed";
    return status >= 500 ? "server error" : "no message";
}

/* The model exists, but only for those who rent a machine for it. */
static int needs_endpoint(const struct failure *failure)
{
    return has_code(failure->root, "model_not_available") && failure->message != NULL &&
           (strstr(failure->message, "non-serverless") != NULL ||
            strstr(failure->message, "dedicated endpoint") != NULL);
}

/* What comes of a wrong address. */
static int may_be_elsewhere(int status)
{
    return (status >= 300 && status < 400) || status == 404 || status == 405 || status == 410;
}

static void describe(const struct failure *failure, struct error *err)
{
    const struct api_answer *answer = failure->answer;
    const char *provider = answer->provider->name;
    char message[API_MESSAGE_BYTES + 1] = "";
    int status = answer->status;
    if (needs_endpoint(failure)) {
        error_set(err, ERROR_UNAVAILABLE,
                  "HTTP %d: %.100s needs a dedicated endpoint at %s: choose another model, another "
                  "provider, local: or builtin:lexical",
                  status, answer->model != NULL ? answer->model : "the model", provider);
        return;
    }
    if (failure->message != NULL) api_scrub(failure->message, answer->key, message);
    const char *text = message[0] != '\0' ? message : words_of_status(status);
    int asked = status_of(failure);
    if ((asked == 401 || asked == 403 || asked == 498) && !is_about_a_bill(failure->root)) {
        error_set(err, ERROR_UNAVAILABLE, "HTTP %d: %s (set %s)", status, text,
                  answer->key_from != NULL ? answer->key_from : answer->provider->key_env);
    } else if (answer->url != NULL && may_be_elsewhere(asked)) {
        char url[API_MESSAGE_BYTES + 1];
        api_scrub(answer->url, answer->key, url);
        error_set(err, ERROR_UNAVAILABLE, "HTTP %d: %.150s (asked %s)", status, text, url);
    } else {
        error_set(err, ERROR_UNAVAILABLE, "HTTP %d: %s", status, text);
    }
}

enum api_outcome api_parse_failure(const struct api_answer *answer, struct error *err)
{
    struct failure failure = {.answer = answer};
    if (json_parse(answer->body, &failure.root, NULL) != 0) failure.root = NULL;
    failure.message = api_error_message(failure.root);
    enum api_outcome outcome = outcome_of(&failure);
    describe(&failure, err);
    cJSON_Delete(failure.root);
    return outcome;
}

size_t api_failure_limit(const struct api_answer *answer)
{
    struct failure failure = {.answer = answer};
    if (json_parse(answer->body, &failure.root, NULL) != 0) failure.root = NULL;
    size_t limit = told_limit(answer, status_of(&failure));
    cJSON_Delete(failure.root);
    return limit;
}
