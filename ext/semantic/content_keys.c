#include "semantic/content_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/keys.h"

void content_keys_deinit(struct content_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++) sqlite3_value_free(keys->values[i]);
    memory_free(keys->values);
    *keys = (struct content_keys){0};
}

int content_keys_begin(struct semantic_table *table, struct content_keys *keys, struct error *err)
{
    int64_t last;
    content_keys_deinit(keys);
    int rc = keys_last(&table->store, &last, err);
    if (rc == 0 && last > INT64_MAX / 2)
        rc = error_set(err, ERROR_CORRUPT, "%s_keys: %lld is no id of ours", table->store.name,
                       (long long)last);
    if (rc == 0) keys->first = last + 1;
    return rc;
}

int content_keys_add(struct content_keys *keys, sqlite3_value *value, int64_t *id,
                     struct error *err)
{
    if (keys->n == keys->capacity) {
        size_t capacity = keys->capacity == 0 ? 64 : keys->capacity * 2;
        sqlite3_value **values = memory_realloc(keys->values, capacity, sizeof *values);
        if (values == NULL) return error_nomem(err);
        keys->values = values;
        keys->capacity = capacity;
    }
    keys->values[keys->n] = sqlite3_value_dup(value);
    if (keys->values[keys->n] == NULL) return error_nomem(err);
    *id = keys->first + (int64_t)keys->n++;
    return 0;
}

sqlite3_value *content_keys_new(const struct content_keys *keys, int64_t id)
{
    if (keys == NULL || id < keys->first || id - keys->first >= (int64_t)keys->n) return NULL;
    return keys->values[id - keys->first];
}

int content_key(struct semantic_table *table, const struct content_keys *keys, int64_t id,
                sqlite3_value **key, struct error *err)
{
    sqlite3_value *value = content_keys_new(keys, id);
    sqlite3_stmt *row = NULL;
    *key = NULL;
    if (!table->store.keeps_keys) return 0;
    int rc = value == NULL ? keys_get(&table->store, id, &row, err) : 0;
    if (rc == 0 && row != NULL) value = sqlite3_column_value(row, 0);
    if (rc == 0 && value != NULL) {
        *key = sqlite3_value_dup(value);
        if (*key == NULL) rc = error_nomem(err);
    }
    if (row != NULL) sqlite3_reset(row);
    return rc;
}

/* A UUID is 16 bytes. */
static void name_blob(const char *column, sqlite3_value *key, struct error *err)
{
    const unsigned char *bytes = sqlite3_value_blob(key);
    int size = bytes == NULL ? 0 : sqlite3_value_bytes(key), shown = size < 20 ? size : 20;
    char hex[2 * 20 + 1] = "";
    for (int i = 0; i < shown; i++) snprintf(hex + 2 * (size_t)i, 3, "%02x", bytes[i]);
    error_context(err, "%.100s x'%s%s'", column, hex, shown < size ? "..." : "");
}

void content_name_row(const struct semantic_table *table, int64_t id, sqlite3_value *key,
                      struct error *err)
{
    const char *column = table->config.content_rowid;
    int type = key == NULL ? SQLITE_NULL : sqlite3_value_type(key);
    const char *text = NULL;
    if (type != SQLITE_NULL && type != SQLITE_BLOB) text = (const char *)sqlite3_value_text(key);
    if (text != NULL)
        error_context(err, type == SQLITE_TEXT ? "%.100s '%.100s'" : "%.100s %.100s", column, text);
    else if (type == SQLITE_BLOB) name_blob(column, key, err);
    else error_context(err, "row %lld", (long long)id);
}

int content_keys_settle(struct semantic_table *table, const struct content_keys *keys, int64_t *id,
                        struct error *err)
{
    struct keys_value key = {content_keys_new(keys, *id), NULL};
    return key.value == NULL ? 0 : keys_put(&table->store, key, id, err);
}

/* ---- keys that come twice -------------------------------------------------------------------- */

static int comes_twice(const struct semantic_table *table, sqlite3_value *key, struct error *err)
{
    error_set(err, ERROR_INVALID, "it comes twice, and content_rowid %s of %s must be unique",
              table->config.content_rowid, table->config.content);
    content_name_row(table, 0, key, err);
    return ERROR_INVALID;
}

int content_twice(struct semantic_table *table, const struct content_keys *keys, int64_t id,
                  struct error *err)
{
    sqlite3_value *key;
    if (!table->store.keeps_keys)
        return error_set(err, ERROR_INVALID,
                         "content_rowid %s of %s must be unique: %lld comes twice",
                         table->config.content_rowid, table->config.content, (long long)id);
    int rc = content_key(table, keys, id, &key, err);
    if (rc == 0) rc = comes_twice(table, key, err);
    sqlite3_value_free(key);
    return rc;
}

/* Any order, in which keys that X_keys takes for one lie side by side: 1 and 1.0 are. */
static int compare_keys(const void *a, const void *b)
{
    sqlite3_value *x = *(sqlite3_value *const *)a, *y = *(sqlite3_value *const *)b;
    int type = sqlite3_value_type(x), other = sqlite3_value_type(y);
    int is_number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    if (is_number && (other == SQLITE_INTEGER || other == SQLITE_FLOAT)) {
        int64_t n = sqlite3_value_int64(x), m = sqlite3_value_int64(y);
        double p = sqlite3_value_double(x), q = sqlite3_value_double(y);
        if (type == SQLITE_INTEGER && other == SQLITE_INTEGER) return n < m ? -1 : n > m;
        return p < q ? -1 : p > q;
    }
    if (type != other) return type < other ? -1 : 1;
    int size = sqlite3_value_bytes(x), other_size = sqlite3_value_bytes(y);
    if (size != other_size) return size < other_size ? -1 : 1;
    return size == 0 ? 0 : memcmp(sqlite3_value_blob(x), sqlite3_value_blob(y), (size_t)size);
}

int content_keys_check(const struct semantic_table *table, const struct content_keys *keys,
                       struct error *err)
{
    int rc = 0;
    if (keys->n < 2) return 0;
    sqlite3_value **sorted = memory_alloc(keys->n, sizeof(sqlite3_value *));
    if (sorted == NULL) return error_nomem(err);
    memcpy(sorted, keys->values, keys->n * sizeof(sqlite3_value *));
    qsort(sorted, keys->n, sizeof(sqlite3_value *), compare_keys);
    for (size_t i = 1; rc == 0 && i < keys->n; i++)
        if (compare_keys(&sorted[i - 1], &sorted[i]) == 0) rc = comes_twice(table, sorted[i], err);
    memory_free(sorted);
    return rc;
}
