#include "sqlite/result.h"

void result_estimate(sqlite3_context *context, const struct catalog_estimate *estimate)
{
    char *json = sqlite3_mprintf(
        "{\"texts\":%llu,\"requests\":%llu,\"tokens\":%llu}", (unsigned long long)estimate->texts,
        (unsigned long long)estimate->requests, (unsigned long long)estimate->tokens);
    if (json == NULL) sqlite3_result_error_nomem(context);
    else sqlite3_result_text(context, json, -1, sqlite3_free);
}
