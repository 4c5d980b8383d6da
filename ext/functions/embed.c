#include <string.h>

#include "base/memory.h"
#include "functions/functions.h"
#include "sqlite/argument.h"
#include "sqlite/result.h"
#include "sqlite/table_function.h"
#include "sqlite/text_list.h"
#include "text/blank.h"

/* Texts that embed_each embeds at a time. */
#define CHUNK 4096

static int parse_role(sqlite3_value *value, enum model_role *role, struct error *err)
{
    const char *text;
    *role = MODEL_DOCUMENT;
    int rc = argument_optional_text(value, &text, err);
    if (rc != 0 || text == NULL || strcmp(text, "document") == 0) return rc;
    *role = MODEL_QUERY;
    if (strcmp(text, "query") == 0) return 0;
    return error_set(err, ERROR_INVALID, "role must be 'document' or 'query', not '%.100s'", text);
}

static int find_model(struct connection *connection, sqlite3_value *name,
                      struct catalog_entry **entry, struct error *err)
{
    const char *text;
    int rc = argument_optional_text(name, &text, err);
    return rc == 0 ? catalog_find(connection->catalog, text, MODEL_EMBED, entry, err) : rc;
}

/* embed(text [, model [, role]]): NULL where there is nothing to embed. A query is what a person
 * typed. */
static void embed(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct connection *connection = sqlite3_user_data(context);
    struct catalog_entry *entry;
    struct error err;
    struct span text;
    char *owned = NULL;
    struct model_texts texts = {&text, 1, MODEL_DOCUMENT, &connection->cancel, 0};
    struct model_embeddings embedding = {0};
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
    int rc = argument_text(argv[0], &text, &err);
    if (rc == 0 && text_is_blank(text)) return;
    if (rc == 0) rc = find_model(connection, argc > 1 ? argv[1] : NULL, &entry, &err);
    if (rc == 0) rc = parse_role(argc > 2 ? argv[2] : NULL, &texts.role, &err);
    if (rc == 0 && texts.role == MODEL_QUERY) rc = argument_query(argv[0], &text, &owned, &err);
    if (rc == 0 && text.data == NULL) {
        memory_free(owned);
        return;
    }
    if (rc == 0) {
        rc = catalog_embed(connection->catalog, entry, NULL, &texts, &embedding, NULL, &err);
        if (rc != 0) result_name_text(&err, "text", text);
    }
    if (rc == 0)
        sqlite3_result_blob64(context, embedding.vectors,
                              embedding.dimensions * sizeof *embedding.vectors, SQLITE_TRANSIENT);
    else result_error(context, "embed", &err);
    memory_free(embedding.vectors);
    memory_free(owned);
}

/* embed_each(texts [, model [, role]]) */
enum { EACH_KEY, EACH_TEXT, EACH_EMBEDDING, EACH_TEXTS };

struct each_cursor {
    struct table_cursor base;
    struct text_list list;
    size_t at;
    struct catalog_entry *entry;
    enum model_role role;
    struct model_embeddings embeddings; /* of the items from `chunk` on that are not null */
    size_t chunk, n_chunk;
    size_t n_nulls; /* items without a vector, before the current one */
};

static void each_free(struct table_cursor *base)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    text_list_deinit(&cursor->list);
    memory_free(cursor->embeddings.vectors);
}

/* "element KEY: why", of the first of the chunk's texts that were refused. */
static int name_refused(const struct each_cursor *cursor, const struct catalog_refusals *refusals,
                        struct error *err)
{
    const struct text_item *item = &cursor->list.items[cursor->chunk];
    for (size_t n = 0;; item++)
        if (!item->is_null && n++ == refusals->items[0].text) break;
    if (refusals->n == 1) error_set(err, ERROR_INVALID, "%s", refusals->items[0].why.text);
    else
        error_set(err, ERROR_INVALID, "%.400s (and %zu more)", refusals->items[0].why.text,
                  refusals->n - 1);
    return text_item_error(item, ERROR_INVALID, err);
}

/* Embeds the chunk that begins at the current item; nulls, and what is no text or nothing but white
 * space, have no vector. One text that the model refuses is an error, but not before all others are
 * known. */
static int embed_chunk(struct each_cursor *cursor, struct error *err)
{
    struct connection *connection = table_cursor_connection(&cursor->base);
    struct catalog_refusals refusals;
    size_t left = cursor->list.n - cursor->at, n = 0;
    cursor->chunk = cursor->at;
    cursor->n_chunk = left < CHUNK ? left : CHUNK;
    cursor->n_nulls = 0;
    memory_free(cursor->embeddings.vectors);
    cursor->embeddings.vectors = NULL;
    struct span *texts = memory_alloc(cursor->n_chunk, sizeof *texts);
    if (texts == NULL) return error_nomem(err);
    for (size_t i = 0; i < cursor->n_chunk; i++) {
        struct text_item *item = &cursor->list.items[cursor->chunk + i];
        if (!item->is_null && model_check_text(item->text, 1, NULL) != 0) item->is_null = 1;
        if (!item->is_null) texts[n++] = item->text;
    }
    struct model_texts request = {texts, n, cursor->role, &connection->cancel, 0};
    int rc = catalog_embed(connection->catalog, cursor->entry, NULL, &request, &cursor->embeddings,
                           &refusals, err);
    if (rc == 0 && refusals.n > 0) rc = name_refused(cursor, &refusals, err);
    catalog_refusals_deinit(&refusals);
    memory_free(texts);
    return rc;
}

/* Makes sure that the current item is embedded. */
static int each_ready(struct each_cursor *cursor, struct error *err)
{
    cursor->base.is_done = cursor->at >= cursor->list.n;
    if (cursor->base.is_done || cursor->at < cursor->chunk + cursor->n_chunk) return 0;
    return embed_chunk(cursor, err);
}

static int each_start(struct table_cursor *base, struct error *err)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    struct connection *connection = table_cursor_connection(base);
    int rc = find_model(connection, base->arguments[1], &cursor->entry, err);
    if (rc == 0) rc = parse_role(base->arguments[2], &cursor->role, err);
    if (rc == 0)
        rc = text_list_read(connection->db, base->arguments[0], TEXT_LIST_PLAIN, NULL,
                            &cursor->list, err);
    return rc == 0 ? each_ready(cursor, err) : rc;
}

static int each_next(struct table_cursor *base, struct error *err)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    cursor->n_nulls += (size_t)(cursor->list.items[cursor->at].is_null != 0);
    cursor->at++;
    return each_ready(cursor, err);
}

static void each_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    const struct text_item *item = &cursor->list.items[cursor->at];
    if (column != EACH_EMBEDDING) {
        sqlite3_result_value(context, column == EACH_KEY ? item->key : item->value);
    } else if (!item->is_null) {
        const struct model_embeddings *all = &cursor->embeddings;
        size_t number = cursor->at - cursor->chunk - cursor->n_nulls;
        sqlite3_result_blob64(context, all->vectors + number * all->dimensions,
                              all->dimensions * sizeof *all->vectors, SQLITE_TRANSIENT);
    }
}

static const struct table_function embed_each = {
    .name = "embed_each",
    .usage = "a JSON array or object of texts: embed_each(texts)",
    .declaration = "CREATE TABLE x(key, text, embedding, texts HIDDEN, model HIDDEN, role HIDDEN)",
    .first_argument = EACH_TEXTS,
    .n_arguments = 3,
    .n_needed = 1,
    .cursor_size = sizeof(struct each_cursor),
    .start = each_start,
    .next = each_next,
    .column = each_column,
    .free = each_free,
};

/* embed_estimate(texts [, model [, role]]): what an embed_each of these texts would take, in
 * requests and tokens; nothing is sent. */
static void estimate(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct connection *connection = sqlite3_user_data(context);
    struct catalog_estimate sum = {0};
    struct catalog_entry *entry;
    struct text_list list = {0};
    struct span *texts = NULL;
    enum model_role role;
    struct error err;
    size_t n = 0;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
    int rc = find_model(connection, argc > 1 ? argv[1] : NULL, &entry, &err);
    if (rc == 0) rc = parse_role(argc > 2 ? argv[2] : NULL, &role, &err);
    if (rc == 0) rc = text_list_read(connection->db, argv[0], TEXT_LIST_PLAIN, NULL, &list, &err);
    if (rc == 0 && (texts = memory_alloc(list.n, sizeof *texts)) == NULL) rc = error_nomem(&err);
    for (size_t i = 0; rc == 0 && i < list.n; i++)
        if (!list.items[i].is_null && model_check_text(list.items[i].text, 1, NULL) == 0)
            texts[n++] = list.items[i].text;
    struct model_texts request = {texts, n, rc == 0 ? role : MODEL_DOCUMENT, &connection->cancel,
                                  0};
    if (rc == 0) rc = catalog_estimate(connection->catalog, entry, &request, &sum, &err);
    if (rc == 0) result_estimate(context, &sum);
    else result_error(context, "embed_estimate", &err);
    memory_free(texts);
    text_list_deinit(&list);
}

int embed_register(struct connection *connection)
{
    int rc = SQLITE_OK;
    for (int n = 1; rc == SQLITE_OK && n <= 3; n++) {
        rc = connection_function(connection, "embed", n, SQLITE_DETERMINISTIC, embed);
        if (rc == SQLITE_OK)
            rc = connection_function(connection, "embed_estimate", n, SQLITE_DIRECTONLY, estimate);
    }
    return rc == SQLITE_OK ? table_function_register(connection, &embed_each, NULL) : rc;
}
