#include "sqlite/text_list.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "sqlite/semantic_config.h"
#include "sqlite/semantic_store.h"

void text_list_deinit(struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        sqlite3_value_free(list->items[i].key);
        sqlite3_value_free(list->items[i].value);
    }
    memory_free(list->items);
    buffer_deinit(&list->joined);
    *list = (struct text_list){0};
}

/* Array or object? Anything else, and what is not JSON, is an error. */
static int check_json(sqlite3 *db, sqlite3_value *json, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    if (sqlite3_value_type(json) != SQLITE_TEXT)
        return error_set(err, ERROR_INVALID, "expected a JSON array or object of texts, not %s",
                         sqlite3_value_type(json) == SQLITE_BLOB ? "a blob" : "a number");
    int rc = store_prepare(db, &statement, err, "SELECT CASE WHEN json_valid(?1) THEN json_type(?1) END");
    if (rc != 0) return rc;
    sqlite3_bind_value(statement, 1, json);
    rc = store_step(db, statement, &row, err);
    const char *type = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (rc == 0 && type == NULL)
        rc = error_set(err, ERROR_INVALID, "expected a JSON array or object of texts, and this is not JSON");
    else if (rc == 0 && strcmp(type, "array") != 0 && strcmp(type, "object") != 0)
        rc = error_set(err, ERROR_INVALID, "expected a JSON array or object of texts, not %s", type);
    sqlite3_finalize(statement);
    return rc;
}

static int is_wanted(const struct name_list *fields, const char *key)
{
    for (size_t i = 0; i < fields->n_names; i++)
        if (strcmp(fields->names[i], key) == 0) return 1;
    return fields->n_names == 0;
}

/* Appends the wanted text fields of an object, in its order. */
static int join_fields(sqlite3 *db, sqlite3_stmt *fields_of, sqlite3_value *object, const struct name_list *fields,
                       struct buffer *joined, struct error *err)
{
    size_t start = joined->size;
    int row = 0, rc = 0;
    sqlite3_reset(fields_of);
    sqlite3_bind_value(fields_of, 1, object);
    while (rc == 0 && (rc = store_step(db, fields_of, &row, err)) == 0 && row) {
        const char *key = (const char *)sqlite3_column_text(fields_of, 0);
        const char *text = (const char *)sqlite3_column_text(fields_of, 1);
        if (key == NULL || text == NULL) rc = error_nomem(err);
        else if (is_wanted(fields, key)) {
            if (joined->size > start) rc = buffer_append(joined, " ", 1, err);
            if (rc == 0) rc = buffer_append(joined, text, (size_t)sqlite3_column_bytes(fields_of, 1), err);
        }
    }
    return rc;
}

static int refuse(sqlite3_value *key, const char *type, int objects, struct error *err)
{
    const char *name = (const char *)sqlite3_value_text(key);
    return error_set(err, ERROR_INVALID, "element %.100s: expected a text%s, not %s", name == NULL ? "?" : name,
                     objects ? " or an object" : "", type);
}

static int grow(struct text_list *list, struct error *err)
{
    if (list->n < list->capacity) return 0;
    size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
    struct text_item *items = memory_realloc(list->items, capacity, sizeof *items);
    if (items == NULL) return error_nomem(err);
    list->items = items;
    list->capacity = capacity;
    return 0;
}

/* One row of json_each: key, value, type. */
static int read_item(sqlite3 *db, sqlite3_stmt *each, sqlite3_stmt *fields_of, const struct name_list *fields, int objects,
                     struct text_list *list, struct error *err)
{
    int rc = grow(list, err);
    if (rc != 0) return rc;
    struct text_item *item = &list->items[list->n++];
    *item = (struct text_item){.key = sqlite3_value_dup(sqlite3_column_value(each, 0)),
                               .value = sqlite3_value_dup(sqlite3_column_value(each, 1))};
    const char *type = (const char *)sqlite3_column_text(each, 2);
    if (item->key == NULL || item->value == NULL || type == NULL) return error_nomem(err);
    if (strcmp(type, "null") == 0) {
        item->is_null = 1;
        return 0;
    }
    if (strcmp(type, "object") == 0 && objects) {
        size_t start = list->joined.size;
        rc = join_fields(db, fields_of, item->value, fields, &list->joined, err);
        item->text.size = list->joined.size - start;
        return rc;
    }
    if (strcmp(type, "text") != 0 && strcmp(type, "integer") != 0 && strcmp(type, "real") != 0)
        return refuse(item->key, type, objects, err);
    item->text.data = (const char *)sqlite3_value_text(item->value);
    item->text.size = (size_t)sqlite3_value_bytes(item->value);
    return item->text.data == NULL ? error_nomem(err) : 0;
}

int text_list_read(sqlite3 *db, sqlite3_value *json, int objects, const char *fields, struct text_list *list,
                   struct error *err)
{
    sqlite3_stmt *each = NULL, *fields_of = NULL;
    struct name_list names = {0};
    int row = 0;
    *list = (struct text_list){0};
    buffer_init(&list->joined, (size_t)1 << 30);
    int rc = check_json(db, json, err);
    if (rc == 0 && fields != NULL) rc = name_list_parse(fields, &names, err);
    if (rc == 0) rc = store_prepare(db, &each, err, "SELECT key, value, type FROM json_each(?1)");
    if (rc == 0) rc = store_prepare(db, &fields_of, err, "SELECT key, value FROM json_each(?1) WHERE type = 'text'");
    if (rc == 0) sqlite3_bind_value(each, 1, json);
    while (rc == 0 && (rc = store_step(db, each, &row, err)) == 0 && row)
        rc = read_item(db, each, fields_of, &names, objects, list, err);
    /* The joined texts have their final place now. */
    size_t at = 0;
    for (size_t i = 0; rc == 0 && i < list->n; i++) {
        struct text_item *item = &list->items[i];
        if (item->is_null || item->text.data != NULL) continue;
        item->text.data = item->text.size == 0 ? "" : list->joined.data + at;
        at += item->text.size;
    }
    sqlite3_finalize(each);
    sqlite3_finalize(fields_of);
    name_list_deinit(&names);
    if (rc != 0) text_list_deinit(list);
    return rc;
}
