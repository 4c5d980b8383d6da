#include "api/chat_fault.h"

#include <string.h>

#include "api/response.h"
#include "base/json.h"

/* In lower case. */
static const struct {
    unsigned fault;
    const char *words;
} known[] = {
    {CHAT_LENGTH, "context length"},
    {CHAT_LENGTH, "context_length"},
    {CHAT_LENGTH, "context window"},
    {CHAT_LENGTH, "context size"},
    {CHAT_LENGTH, "maximum context"},
    {CHAT_LENGTH, "too many tokens"},
    {CHAT_LENGTH, "token limit"},
    {CHAT_LENGTH, "max_model_len"},
    {CHAT_LENGTH, "input length"},
    {CHAT_LENGTH, "too long"},
    {CHAT_FORMAT, "response_format"},
    {CHAT_FORMAT, "response format"},
    {CHAT_FORMAT, "json_schema"},
    {CHAT_FORMAT, "json schema"},
    {CHAT_FORMAT, "json mode"},
    {CHAT_FORMAT, "structured output"},
    {CHAT_FORMAT, "grammar"},
    {CHAT_FORMAT, "guided"},
    {CHAT_TEMPERATURE, "temperature"},
    {CHAT_SYSTEM, "system role"},
    {CHAT_SYSTEM, "system message"},
    {CHAT_SYSTEM, "system prompt"},
    {CHAT_SYSTEM, "role 'system'"},
    {CHAT_SYSTEM, "role \"system\""},
    {CHAT_SYSTEM, "role: system"},
    {CHAT_SYSTEM, "roles must alternate"},
    {CHAT_SYSTEM, "developer instruction"},
};

#define LOOKED_AT 2048

static unsigned fault_of(const char *message, size_t size)
{
    char text[LOOKED_AT];
    unsigned fault = 0;
    if (size > sizeof text - 1) size = sizeof text - 1;
    for (size_t i = 0; i < size; i++) {
        char c = message[i];
        text[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c == '\0' ? ' ' : c);
    }
    text[size] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(text, known[i].words) != NULL) fault |= known[i].fault;
    return fault;
}

/* The message and the name of the parameter alone: some send the whole request back. */
unsigned api_chat_fault(int status, struct span body)
{
    static const char *const params[] = {"/error/param", "/param", "/error/code", "/code"};
    cJSON *root = NULL;
    if (status == 413) return CHAT_LENGTH;
    if (status != 200 && status != 400 && status != 404 && status != 415 && status != 422 &&
        status != 500 && status != 501)
        return 0;
    if (json_parse(body, &root, NULL) != 0) return fault_of(body.data, body.size);
    const char *message = api_error_message(root);
    unsigned fault = message == NULL ? 0 : fault_of(message, strlen(message));
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        const char *param = json_text_at(root, params[i]);
        if (param != NULL) fault |= fault_of(param, strlen(param));
    }
    cJSON_Delete(root);
    return fault;
}
