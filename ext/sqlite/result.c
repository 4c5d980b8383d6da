#include "sqlite/result.h"

#include <math.h>
#include <string.h>

void result_number(sqlite3_context *context, double number)
{
    if (!isnan(number)) sqlite3_result_double(context, number);
}

void result_estimate(sqlite3_context *context, const struct catalog_estimate *estimate)
{
    char *json = sqlite3_mprintf(
        "{\"texts\":%llu,\"requests\":%llu,\"tokens\":%llu}", (unsigned long long)estimate->texts,
        (unsigned long long)estimate->requests, (unsigned long long)estimate->tokens);
    if (json == NULL) sqlite3_result_error_nomem(context);
    else sqlite3_result_text(context, json, -1, sqlite3_free);
}

static int result_code(const struct error *err)
{
    switch (err->code) {
    case ERROR_NOMEM:
        return SQLITE_NOMEM;
    case ERROR_INTERRUPTED:
        return SQLITE_INTERRUPT;
    case ERROR_CORRUPT:
        return SQLITE_CORRUPT_VTAB;
    case ERROR_STORAGE:
        return err->storage_code;
    default:
        return SQLITE_ERROR;
    }
}

/* "who: text", or the text alone when it begins so already. Freed by sqlite3_free; NULL when out of
 * memory. */
static char *message(const char *who, const struct error *err)
{
    size_t n = strlen(who);
    int named = strncmp(err->text, who, n) == 0 && err->text[n] == ':';
    return named ? sqlite3_mprintf("%s", err->text) : sqlite3_mprintf("%s: %s", who, err->text);
}

void result_error(sqlite3_context *context, const char *who, const struct error *err)
{
    if (err->code == ERROR_NOMEM) {
        sqlite3_result_error_nomem(context);
        return;
    }
    char *text = message(who, err);
    if (text == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    sqlite3_result_error(context, text, -1);
    sqlite3_result_error_code(context, result_code(err));
    sqlite3_free(text);
}

#define SHOWN_BYTES 40 /* of a text */

void result_name_text(struct error *err, const char *what, struct span text)
{
    struct error why = *err;
    int shown = text.size < SHOWN_BYTES ? (int)text.size : SHOWN_BYTES;
    if (err->code != ERROR_INVALID && err->code != ERROR_REFUSED) return;
    error_set(err, why.code, "%.400s (the %s begins '%.*s' and has %zu bytes)", why.text, what,
              shown, text.data == NULL ? "" : text.data, text.size);
}

int result_table_error(sqlite3_vtab *table, const char *who, const struct error *err)
{
    if (err->code == ERROR_NOMEM) return SQLITE_NOMEM;
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = message(who, err);
    return table->zErrMsg == NULL ? SQLITE_NOMEM : result_code(err);
}
