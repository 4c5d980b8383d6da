#include "api/completion.h"

#include <string.h>

#include "api/ranking.h"
#include "api/scrub.h"
#include "base/buffer.h"

#define MAX_TEXT ((size_t)4 << 20)

static const char *const usage[2] = {"/usage/total_tokens", "/usage/prompt_tokens"};

/* The text of a content that is one, or the texts of its parts; what thinks aloud is not among
 * them. */
static int collect_text(const cJSON *content, struct buffer *text, struct error *err)
{
    if (cJSON_IsString(content))
        return buffer_append(text, content->valuestring, strlen(content->valuestring), err);
    const cJSON *part, *parts = cJSON_IsArray(content) ? content : NULL;
    int rc = 0;
    cJSON_ArrayForEach(part, parts)
    {
        const char *type = json_text_at(part, "/type"), *words = json_text_at(part, "/text");
        if (rc == 0 && words != NULL && (type == NULL || strcmp(type, "text") == 0))
            rc = buffer_append(text, words, strlen(words), err);
    }
    return rc;
}

/* What came in place of a ranking. */
static void describe(const struct api_answer *answer, const cJSON *choice, const cJSON *content,
                     const struct buffer *text, struct error *err)
{
    char shown[API_MESSAGE_BYTES + 1] = "";
    const char *reason = json_text_at(choice, "/finish_reason"),
               *tool = json_text_at(choice, "/message/tool_calls/0/function/name"),
               *refusal = json_text_at(choice, "/message/refusal");
    int is_cut = reason != NULL && strcmp(reason, "length") == 0;
    if (tool == NULL) tool = json_text_at(choice, "/message/function_call/name");
    if (refusal != NULL) {
        api_scrub(refusal, answer->key, shown);
        error_set(err, ERROR_UNAVAILABLE, "the model refused: %s", shown);
    } else if (tool != NULL) {
        api_scrub(tool, answer->key, shown);
        error_set(err, ERROR_UNAVAILABLE, "expected a ranking, not a call of the tool '%.100s'",
                  shown);
    } else if (is_cut) {
        error_set(err, ERROR_UNAVAILABLE,
                  "the answer was cut off before it ranked anything (finish_reason length): the "
                  "server allows too few tokens, or the model thinks for too long");
    } else if (text->size == 0) {
        const char *empty = cJSON_IsString(content) ? "an empty text" : json_kind(content);
        error_set(err, ERROR_UNAVAILABLE, "expected a ranking, not %s as content%s%.40s%s", empty,
                  reason != NULL ? " (finish_reason " : "", reason != NULL ? reason : "",
                  reason != NULL ? ")" : "");
    } else {
        api_scrub(text->data, answer->key, shown);
        error_set(err, ERROR_UNAVAILABLE, "expected a ranking of documents 1 to %zu, not '%s'",
                  answer->n_texts, shown);
    }
}

static enum api_outcome read_choice(const struct api_answer *answer, const cJSON *choice,
                                    struct buffer *text, size_t *order, struct error *err)
{
    const cJSON *message = json_at(choice, "/message"), *content = json_at(message, "/content");
    const char *reason = json_text_at(choice, "/finish_reason");
    size_t n_named = 0;
    if (!cJSON_IsObject(message)) {
        error_set(err, ERROR_UNAVAILABLE, "expected a message in the first choice, not %s",
                  json_kind(message));
        return API_BROKEN;
    }
    if (reason != NULL && strcmp(reason, "content_filter") == 0) {
        error_set(err, ERROR_UNAVAILABLE,
                  "a content filter withheld the answer (finish_reason content_filter)");
        return API_REFUSED;
    }
    int is_cut = reason != NULL && strcmp(reason, "length") == 0;
    int rc = collect_text(content, text, err);
    if (rc == 0) rc = buffer_append(text, "", 1, err);
    if (rc == 0) text->size--;
    if (rc == 0)
        rc = api_ranking_read((struct span){text->data, text->size}, answer->n_texts, is_cut, order,
                              &n_named, err);
    if (rc != 0) return API_FAILED;
    if (n_named > 0) return API_OK;
    describe(answer, choice, content, text, err);
    if (json_text_at(message, "/refusal") != NULL) return API_REFUSED;
    return is_cut ? API_FAILED : API_BROKEN;
}

enum api_outcome api_parse_ranking(const struct api_answer *answer, size_t *order, int64_t *tokens,
                                   struct error *err)
{
    cJSON *root;
    const cJSON *choices;
    struct buffer text;
    buffer_init(&text, MAX_TEXT);
    *tokens = -1;
    enum api_outcome outcome = api_read_answer(answer, "/choices", &root, &choices, err);
    if (answer->status == 200) *tokens = api_read_tokens(root, usage);
    if (outcome == API_OK && choices->child == NULL) {
        error_set(err, ERROR_UNAVAILABLE, "the answer holds no choice");
        outcome = API_BROKEN;
    }
    if (outcome == API_OK) outcome = read_choice(answer, choices->child, &text, order, err);
    buffer_deinit(&text);
    cJSON_Delete(root);
    return outcome;
}
