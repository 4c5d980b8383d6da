#include "functions/tokens.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "functions/functions.h"
#include "sqlite/argument.h"
#include "sqlite/result.h"
#include "sqlite/table_function.h"

/* Digits of an id, and its comma. */
#define ID_BYTES 11

int tokens_find_model(struct connection *connection, sqlite3_value *name,
                      struct catalog_entry **entry, struct error *err)
{
    struct error problem;
    const char *text;
    int rc = argument_optional_text(name, &text, err);
    if (rc != 0) return rc;
    if (text == NULL) return catalog_find(connection->catalog, NULL, MODEL_EMBED, entry, err);
    rc = catalog_find(connection->catalog, text, MODEL_EMBED, entry, &problem);
    if (rc == ERROR_INVALID) {
        int rerank_rc = catalog_find(connection->catalog, text, MODEL_RERANK, entry, NULL);
        if (rerank_rc == ERROR_NOMEM) return error_nomem(err);
        if (rerank_rc == 0) return 0;
    }
    return rc == 0 ? 0 : error_set(err, rc, "%s", problem.text);
}

static int tokenize(struct connection *connection, int argc, sqlite3_value **argv, int ids,
                    struct model_tokens *tokens, struct error *err)
{
    struct catalog_entry *entry;
    struct span text;
    int rc = argument_text(argv[0], &text, err);
    if (rc == 0) rc = tokens_find_model(connection, argc > 1 ? argv[1] : NULL, &entry, err);
    return rc == 0 ? model_tokenize(catalog_entry_model(entry), text, &connection->cancel, ids,
                                    tokens, err)
                   : rc;
}

/* token_count(text [, model]) */
static void token_count(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct model_tokens tokens = {0};
    struct error err;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
    if (tokenize(sqlite3_user_data(context), argc, argv, 0, &tokens, &err) == 0)
        sqlite3_result_int64(context, (sqlite3_int64)tokens.n);
    else result_error(context, "token_count", &err);
}

static int format_ids(const struct model_tokens *tokens, struct buffer *json, struct error *err)
{
    int rc = buffer_reserve(json, tokens->n * ID_BYTES + 2, err);
    if (rc == 0) rc = buffer_append(json, "[", 1, err);
    for (size_t i = 0; rc == 0 && i < tokens->n; i++)
        rc = buffer_format(json, err, "%s%u", i > 0 ? "," : "", tokens->ids[i]);
    return rc == 0 ? buffer_append(json, "]", 1, err) : rc;
}

/* token_ids(text [, model]) */
static void token_ids(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct model_tokens tokens = {0};
    struct buffer json;
    struct error err;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
    buffer_init(&json, SIZE_MAX / 4);
    int rc = tokenize(sqlite3_user_data(context), argc, argv, 1, &tokens, &err);
    if (rc == 0) rc = format_ids(&tokens, &json, &err);
    if (rc == 0)
        sqlite3_result_text64(context, json.data, json.size, SQLITE_TRANSIENT, SQLITE_UTF8);
    else result_error(context, "token_ids", &err);
    memory_free(tokens.ids);
    buffer_deinit(&json);
}

int tokens_register(struct connection *connection)
{
    int rc = SQLITE_OK;
    for (int n = 1; rc == SQLITE_OK && n <= 2; n++) {
        rc = connection_function(connection, "token_count", n, SQLITE_DETERMINISTIC, token_count);
        if (rc == SQLITE_OK)
            rc = connection_function(connection, "token_ids", n, SQLITE_DETERMINISTIC, token_ids);
    }
    return rc;
}
