#include "sqlite/text_list.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "sqlite/name_list.h"
#include "sqlite/statement.h"

void text_list_deinit(struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        sqlite3_value_free(list->items[i].key);
        sqlite3_value_free(list->items[i].value);
    }
    memory_free(list->items);
    buffer_deinit(&list->joined);
    memory_free(list->json);
    *list = (struct text_list){0};
}

/* ---- NUL characters -------------------------------------------------------------------------- */

#define ESCAPE_SIZE ((size_t)6) /* of \u0000 */

/* The next escape \u00XX with these digits; NULL: none. */
static char *find_escape(char *text, const char *digits)
{
    for (char *at = text; (at = strchr(at, '\\')) != NULL; at += 2) {
        if (sqlite3_strnicmp(at + 1, "u00", 3) == 0 && sqlite3_strnicmp(at + 4, digits, 2) == 0)
            return at;
        if (at[1] == '\0') break;
    }
    return NULL;
}

/* A control character that the text does not hold, in no form; 0: it holds all that have no short
 * escape. */
static char find_unused(char *text)
{
    for (char c = 0x0e; c < 0x20; c++) {
        char digits[3];
        snprintf(digits, sizeof digits, "%02x", (unsigned)c);
        if (strchr(text, c) == NULL && find_escape(text, digits) == NULL) return c;
    }
    return 0;
}

/* Some versions of SQLite cut a JSON text at an escaped NUL character. So another character stands
 * for it while SQLite reads, and only the element that holds it is what it is: no text. */
static int hide_nul(struct text_list *list, const char *text, struct error *err)
{
    char digits[3], *at = find_escape((char *)text, "00");
    if (at == NULL) return 0;
    size_t offset = (size_t)(at - text);
    list->json = memory_copy(text, strlen(text));
    if (list->json == NULL) return error_nomem(err);
    list->nul = find_unused(list->json);
    if (list->nul == 0)
        return error_set(err, ERROR_INVALID,
                         "a text holds a NUL character (\\u0000 at byte %zu of the JSON)", offset);
    snprintf(digits, sizeof digits, "%02x", (unsigned)list->nul);
    for (at = list->json + offset; at != NULL; at = find_escape(at + ESCAPE_SIZE, "00"))
        memcpy(at + ESCAPE_SIZE - 2, digits, 2);
    return 0;
}

/* Puts NUL characters back into bytes that are the list's own. */
static void show_nul(const struct text_list *list, char *bytes, size_t size)
{
    if (list->json == NULL) return;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] == list->nul) bytes[i] = '\0';
}

/* The same in the JSON of an object. */
static void show_nul_escapes(const struct text_list *list, char *json)
{
    char digits[3];
    if (list->json == NULL) return;
    snprintf(digits, sizeof digits, "%02x", (unsigned)list->nul);
    for (char *at = json; (at = find_escape(at, digits)) != NULL; at += ESCAPE_SIZE)
        memcpy(at + ESCAPE_SIZE - 2, "00", 2);
}

/* A key names an element, so it must be what it is. */
static int check_key(const struct text_list *list, sqlite3_value *key, struct error *err)
{
    if (list->json == NULL || sqlite3_value_type(key) != SQLITE_TEXT) return 0;
    const char *text = (const char *)sqlite3_value_text(key);
    if (text == NULL) return error_nomem(err);
    return strchr(text, list->nul) == NULL
               ? 0
               : error_set(err, ERROR_INVALID, "a key holds a NUL character");
}

/* ---- elements -------------------------------------------------------------------------------- */

/* Looks like an array or an object: whether it is one, json_each finds. */
static int check_json(struct text_list *list, sqlite3_value *json, struct error *err)
{
    if (sqlite3_value_type(json) == SQLITE_BLOB)
        return error_set(err, ERROR_INVALID,
                         "expected a JSON array or object of texts, not a blob");
    const char *text = (const char *)sqlite3_value_text(json);
    if (text == NULL) return error_nomem(err);
    const char *at = text + strspn(text, " \t\n\r");
    if (*at != '[' && *at != '{')
        return error_set(err, ERROR_INVALID,
                         "expected a JSON array or object of texts, not '%.40s'", text);
    return hide_nul(list, text, err);
}

/* The fields to read. None named: every one that is text. */
struct wanted {
    struct name_list names;
    unsigned char *seen; /* [n_names] some object has it; owned */
};

static int wanted_init(struct wanted *wanted, const char *fields, struct error *err)
{
    *wanted = (struct wanted){0};
    if (fields == NULL) return 0;
    int rc = name_list_parse(fields, &wanted->names, err);
    if (rc != 0) {
        error_context(err, "rank_fields");
        return rc;
    }
    wanted->seen = memory_zalloc(wanted->names.n_names, 1);
    return wanted->seen == NULL ? error_nomem(err) : 0;
}

static void wanted_deinit(struct wanted *wanted)
{
    name_list_deinit(&wanted->names);
    memory_free(wanted->seen);
}

/* A name that no document has is a slip, not a wish for empty documents. */
static int wanted_check(const struct wanted *wanted, struct error *err)
{
    for (size_t i = 0; i < wanted->names.n_names; i++)
        if (!wanted->seen[i])
            return error_set(err, ERROR_INVALID, "rank_fields: no document has the field '%.100s'",
                             wanted->names.names[i]);
    return 0;
}

/* Numbers are read where they are named. */
static int is_wanted(struct wanted *wanted, const char *key, const char *type)
{
    for (size_t i = 0; i < wanted->names.n_names; i++) {
        if (strcmp(wanted->names.names[i], key) != 0) continue;
        wanted->seen[i] = 1;
        return strcmp(type, "null") != 0;
    }
    return wanted->names.n_names == 0 && strcmp(type, "text") == 0;
}

/* A field's value that is to be read and is neither text nor a number. */
static int is_readable(const char *type)
{
    return strcmp(type, "text") == 0 || strcmp(type, "integer") == 0 || strcmp(type, "real") == 0;
}

/* Appends the wanted fields of an object, in its order. */
static int join_fields(sqlite3 *db, sqlite3_stmt *fields_of, sqlite3_value *object,
                       struct wanted *wanted, struct buffer *joined, struct error *err)
{
    size_t start = joined->size;
    int row = 0, rc = 0;
    sqlite3_reset(fields_of);
    sqlite3_bind_value(fields_of, 1, object);
    while (rc == 0 && (rc = statement_step(db, fields_of, &row, err)) == 0 && row) {
        const char *key = (const char *)sqlite3_column_text(fields_of, 0);
        const char *type = (const char *)sqlite3_column_text(fields_of, 2);
        if (key == NULL || type == NULL) return error_nomem(err);
        if (!is_wanted(wanted, key, type)) continue;
        if (!is_readable(type))
            return error_set(err, ERROR_INVALID, "field %.100s: expected a text, not %s", key,
                             type);
        const char *text = (const char *)sqlite3_column_text(fields_of, 1);
        if (text == NULL) {
            rc = error_nomem(err);
        } else {
            if (joined->size > start) rc = buffer_append(joined, " ", 1, err);
            if (rc == 0)
                rc = buffer_append(joined, text, (size_t)sqlite3_column_bytes(fields_of, 1), err);
        }
    }
    return rc;
}

int text_item_error(const struct text_item *item, int rc, struct error *err)
{
    const char *key = (const char *)sqlite3_value_text(item->key);
    if (key == NULL) return error_nomem(err);
    error_context(err, "element %.100s", key);
    return rc;
}

static int refuse(const struct text_item *item, const char *type, enum text_list_kind kind,
                  struct error *err)
{
    static const char *const others[] = {"", " or an object", " or an array"};
    int rc = error_set(err, ERROR_INVALID, "expected a text%s, not %s", others[kind], type);
    return text_item_error(item, rc, err);
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
static int read_item(sqlite3 *db, sqlite3_stmt *each, sqlite3_stmt *fields_of,
                     struct wanted *wanted, enum text_list_kind kind, struct text_list *list,
                     struct error *err)
{
    int rc = grow(list, err);
    if (rc != 0) return rc;
    struct text_item *item = &list->items[list->n++];
    *item = (struct text_item){.key = sqlite3_value_dup(sqlite3_column_value(each, 0)),
                               .value = sqlite3_value_dup(sqlite3_column_value(each, 1))};
    const char *type = (const char *)sqlite3_column_text(each, 2);
    if (item->key == NULL || item->value == NULL || type == NULL) return error_nomem(err);
    rc = check_key(list, item->key, err);
    if (rc != 0) return rc;
    if (strcmp(type, "null") == 0) {
        item->is_null = 1;
        return 0;
    }
    if (strcmp(type, "object") == 0 && kind == TEXT_LIST_OBJECTS) {
        size_t start = list->joined.size;
        rc = join_fields(db, fields_of, item->value, wanted, &list->joined, err);
        if (rc == ERROR_INVALID) rc = text_item_error(item, rc, err);
        item->text.size = list->joined.size - start;
        if (item->text.size > 0) show_nul(list, list->joined.data + start, item->text.size);
        item->object.data = (const char *)sqlite3_value_text(item->value);
        item->object.size = (size_t)sqlite3_value_bytes(item->value);
        if (item->object.data != NULL) show_nul_escapes(list, (char *)item->object.data);
        return rc == 0 && item->object.data == NULL ? error_nomem(err) : rc;
    }
    int is_array = strcmp(type, "array") == 0 && kind == TEXT_LIST_ARRAYS;
    if (!is_array && !is_readable(type)) return refuse(item, type, kind, err);
    item->text.data = (const char *)sqlite3_value_text(item->value);
    item->text.size = (size_t)sqlite3_value_bytes(item->value);
    if (item->text.data == NULL) return error_nomem(err);
    show_nul(list, (char *)item->text.data, item->text.size);
    if (is_array) item->object = item->text;
    return 0;
}

int text_list_read(sqlite3 *db, sqlite3_value *json, enum text_list_kind kind, const char *fields,
                   struct text_list *list, struct error *err)
{
    sqlite3_stmt *each = NULL, *fields_of = NULL;
    struct wanted wanted;
    int row = 0;
    *list = (struct text_list){0};
    buffer_init(&list->joined, (size_t)1 << 30);
    int rc = wanted_init(&wanted, fields, err);
    if (rc == 0) rc = check_json(list, json, err);
    if (rc == 0)
        rc = statement_prepare(db, &each, err, "SELECT key, value, type FROM json_each(?1)");
    if (rc == 0)
        rc = statement_prepare(db, &fields_of, err, "SELECT key, value, type FROM json_each(?1)");
    if (rc == 0 && list->json != NULL) sqlite3_bind_text(each, 1, list->json, -1, SQLITE_STATIC);
    else if (rc == 0) sqlite3_bind_value(each, 1, json);
    while (rc == 0 && (rc = statement_step(db, each, &row, err)) == 0 && row)
        rc = read_item(db, each, fields_of, &wanted, kind, list, err);
    if (rc == ERROR_STORAGE && list->n == 0 && err->storage_code == SQLITE_ERROR)
        rc = error_set(err, ERROR_INVALID,
                       "expected a JSON array or object of texts, and this is not JSON");
    if (rc == 0 && list->n > 0) rc = wanted_check(&wanted, err);
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
    wanted_deinit(&wanted);
    if (rc != 0) text_list_deinit(list);
    return rc;
}
