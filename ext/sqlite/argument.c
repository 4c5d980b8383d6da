#include "sqlite/argument.h"

#include <string.h>

#include "base/memory.h"
#include "vector/codec.h"

int argument_vector(sqlite3_value *value, struct argument_vector *vector, struct error *err)
{
    *vector = (struct argument_vector){0};
    int type = sqlite3_value_type(value);
    if (type == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_value_text(value);
        if (text == NULL) return error_nomem(err);
        struct span json = {text, (size_t)sqlite3_value_bytes(value)};
        int rc = vector_parse_json(json, &vector->owned, &vector->dimensions, err);
        vector->data = vector->owned;
        return rc;
    }
    if (type != SQLITE_BLOB) {
        const char *name = type == SQLITE_NULL      ? "NULL"
                           : type == SQLITE_INTEGER ? "an integer"
                                                    : "a real number";
        return error_set(err, ERROR_INVALID,
                         "expected a vector (a blob of float32, or a JSON array), not %s", name);
    }
    const void *bytes = sqlite3_value_blob(value);
    size_t size = (size_t)sqlite3_value_bytes(value);
    int rc = vector_check(bytes, size, &vector->dimensions, err);
    if (rc != 0) return rc;
    vector->data = bytes;
    if ((uintptr_t)bytes % _Alignof(float) == 0) return 0;
    vector->owned = memory_alloc(vector->dimensions, sizeof *vector->owned);
    if (vector->owned == NULL) return error_nomem(err);
    memcpy(vector->owned, bytes, size);
    vector->data = vector->owned;
    return 0;
}

void argument_vector_deinit(struct argument_vector *vector)
{
    memory_free(vector->owned);
    vector->owned = NULL;
}

static int is_json_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int argument_is_json_array(sqlite3_value *value)
{
    static const char *const words[] = {"null", "true", "false", "NaN", "Infinity"};
    if (sqlite3_value_type(value) != SQLITE_TEXT) return 0;
    const char *text = (const char *)sqlite3_value_text(value);
    if (text == NULL) return 0;
    const char *end = text + strlen(text);
    while (is_json_space(*text)) text++;
    while (end > text && is_json_space(end[-1])) end--;
    if (*text != '[' || end[-1] != ']') return 0;
    for (text++; is_json_space(*text);) text++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0) return 1;
    return strchr("+-.0123456789\"[]{", *text) != NULL;
}

int argument_text(sqlite3_value *value, struct span *text, struct error *err)
{
    int type = sqlite3_value_type(value);
    if (type == SQLITE_BLOB) return error_set(err, ERROR_INVALID, "expected text, not a blob");
    if (type == SQLITE_NULL) return error_set(err, ERROR_INVALID, "expected text, not NULL");
    text->data = (const char *)sqlite3_value_text(value);
    text->size = (size_t)sqlite3_value_bytes(value);
    return text->data == NULL ? error_nomem(err) : 0;
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

void argument_result_error(sqlite3_context *context, const char *who, const struct error *err)
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

int argument_table_error(sqlite3_vtab *table, const char *who, const struct error *err)
{
    if (err->code == ERROR_NOMEM) return SQLITE_NOMEM;
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = message(who, err);
    return table->zErrMsg == NULL ? SQLITE_NOMEM : result_code(err);
}

int argument_storage_error(sqlite3 *db, int rc, struct error *err)
{
    if ((rc & 0xff) == SQLITE_NOMEM) return error_nomem(err);
    if ((rc & 0xff) == SQLITE_INTERRUPT) return error_set(err, ERROR_INTERRUPTED, "interrupted");
    error_set(err, ERROR_STORAGE, "%s", sqlite3_errmsg(db));
    if (err != NULL) err->storage_code = rc;
    return ERROR_STORAGE;
}
