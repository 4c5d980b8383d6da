#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "sqlite/functions.h"
#include "sqlite/table_function.h"
#include "sqlite/text_list.h"

static int find_model(struct connection *connection, sqlite3_value *name,
                      struct catalog_entry **entry, struct error *err)
{
    const char *text;
    int rc = table_function_text(name, &text, err);
    return rc == 0 ? catalog_find(connection->catalog, text, MODEL_RERANK, entry, err) : rc;
}

/* rerank(query, document [, model]) */
static void rerank(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct connection *connection = sqlite3_user_data(context);
    struct catalog_entry *entry;
    struct error err;
    struct span document;
    float score;
    struct model_candidates candidates = {
        .documents = &document, .n_documents = 1, .cancel = &connection->cancel};
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
        return;
    int rc = argument_text(argv[0], &candidates.query, &err);
    if (rc == 0) rc = argument_text(argv[1], &document, &err);
    if (rc == 0) rc = find_model(connection, argc > 2 ? argv[2] : NULL, &entry, &err);
    if (rc == 0) rc = catalog_rerank(connection->catalog, entry, NULL, &candidates, &score, &err);
    if (rc == 0) sqlite3_result_double(context, (double)score);
    else argument_result_error(context, "rerank", &err);
}

/* The table rerank(query, documents [, top_n [, model]]), with the hidden column rank_fields. */
enum { RANK, KEY, DOCUMENT, SCORE, QUERY, DOCUMENTS, TOP_N, MODEL, RANK_FIELDS };
#define N_ARGUMENTS 5

_Static_assert(N_ARGUMENTS <= TABLE_FUNCTION_MAX_ARGUMENTS, "arguments fit");

struct ranked {
    size_t item; /* in the list */
    float score;
};

struct rerank_cursor {
    sqlite3_vtab_cursor base;
    struct text_list list;
    struct ranked *ranked; /* [n], best first */
    size_t n, at;
    sqlite3_value *arguments[N_ARGUMENTS];
};

static int rerank_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                          sqlite3_vtab **opened, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    return table_function_connect(
        db, aux,
        "CREATE TABLE x(rank, key, document, relevance_score, query HIDDEN, documents HIDDEN, "
        "top_n HIDDEN, model HIDDEN, rank_fields HIDDEN)",
        opened);
}

static int rerank_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    (void)base;
    int rc = table_function_plan(info, QUERY, N_ARGUMENTS);
    if (rc != SQLITE_OK || info->nOrderBy != 1) return rc;
    int column = info->aOrderBy[0].iColumn, descending = info->aOrderBy[0].desc;
    info->orderByConsumed = (column == RANK && !descending) || (column == SCORE && descending);
    return rc;
}

static int rerank_open(sqlite3_vtab *base, sqlite3_vtab_cursor **opened)
{
    (void)base;
    struct rerank_cursor *cursor = memory_zalloc(1, sizeof *cursor);
    if (cursor == NULL) return SQLITE_NOMEM;
    *opened = &cursor->base;
    return SQLITE_OK;
}

static void rerank_reset(struct rerank_cursor *cursor)
{
    text_list_deinit(&cursor->list);
    memory_free(cursor->ranked);
    table_function_release(cursor->arguments, N_ARGUMENTS);
    *cursor = (struct rerank_cursor){.base = cursor->base};
}

static int rerank_close(sqlite3_vtab_cursor *base)
{
    rerank_reset((struct rerank_cursor *)base);
    memory_free(base);
    return SQLITE_OK;
}

static int parse_top_n(sqlite3_value *value, size_t *top_n, struct error *err)
{
    *top_n = SIZE_MAX;
    if (value == NULL || sqlite3_value_type(value) == SQLITE_NULL) return 0;
    int type = sqlite3_value_numeric_type(value);
    double real = sqlite3_value_double(value);
    if ((type != SQLITE_INTEGER && !(type == SQLITE_FLOAT && real == floor(real))) || real < 0) {
        const char *text = (const char *)sqlite3_value_text(value);
        return error_set(err, ERROR_INVALID, "top_n must be an integer of 0 or more, not %.40s",
                         text == NULL ? "?" : text);
    }
    if (real < 9e18) *top_n = (size_t)sqlite3_value_int64(value);
    return 0;
}

static int compare_scores(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

/* One call for all documents; nulls are passed over. */
static int rank_documents(struct rerank_cursor *cursor, struct catalog_entry *entry,
                          struct span query, const char *fields, size_t top_n, struct error *err)
{
    struct connection *connection = ((struct table_function *)cursor->base.pVtab)->connection;
    struct span *documents = memory_alloc(cursor->list.n, sizeof *documents);
    struct span *objects = memory_alloc(cursor->list.n, sizeof *objects);
    float *scores = memory_alloc(cursor->list.n, sizeof *scores);
    cursor->ranked = memory_alloc(cursor->list.n, sizeof *cursor->ranked);
    int rc = documents == NULL || objects == NULL || scores == NULL || cursor->ranked == NULL
                 ? error_nomem(err)
                 : 0;
    size_t n = 0, n_objects = 0;
    for (size_t i = 0; rc == 0 && i < cursor->list.n; i++) {
        const struct text_item *item = &cursor->list.items[i];
        if (item->is_null) continue;
        cursor->ranked[n].item = i;
        objects[n] = item->object;
        n_objects += (size_t)(item->object.data != NULL);
        documents[n++] = item->text;
        rc = model_check_text(item->text, 0, err);
        if (rc != 0) rc = text_item_error(item, err);
    }
    struct model_candidates candidates = {.query = query,
                                          .documents = documents,
                                          .n_documents = n,
                                          .cancel = &connection->cancel,
                                          .objects = n_objects == n ? objects : NULL,
                                          .fields = {fields, fields == NULL ? 0 : strlen(fields)},
                                          .top_n = top_n < n ? top_n : 0};
    if (rc == 0) rc = catalog_rerank(connection->catalog, entry, NULL, &candidates, scores, err);
    size_t n_scored = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (!isnan(scores[i]))
            cursor->ranked[n_scored++] = (struct ranked){cursor->ranked[i].item, scores[i]};
    n = n_scored;
    if (rc == 0 && n > 1) qsort(cursor->ranked, n, sizeof *cursor->ranked, compare_scores);
    memory_free(documents);
    memory_free(objects);
    memory_free(scores);
    cursor->n = rc == 0 ? n : 0;
    return rc;
}

static int run(struct rerank_cursor *cursor, sqlite3_value *const *arguments, struct error *err)
{
    struct connection *connection = ((struct table_function *)cursor->base.pVtab)->connection;
    struct catalog_entry *entry;
    struct span query;
    const char *fields;
    size_t top_n;
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL ||
        sqlite3_value_type(arguments[1]) == SQLITE_NULL)
        return 0;
    int rc = parse_top_n(arguments[2], &top_n, err);
    if (rc == 0) rc = argument_text(arguments[0], &query, err);
    if (rc == 0) rc = model_check_text(query, 1, err);
    if (rc == 0) rc = find_model(connection, arguments[3], &entry, err);
    if (rc == 0) rc = table_function_text(arguments[4], &fields, err);
    if (rc == 0)
        rc = text_list_read(connection->db, arguments[1], TEXT_LIST_OBJECTS, fields, &cursor->list,
                            err);
    if (rc == 0 && top_n > 0) rc = rank_documents(cursor, entry, query, fields, top_n, err);
    if (cursor->n > top_n) cursor->n = top_n;
    return rc;
}

static int rerank_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                         sqlite3_value **argv)
{
    (void)unused;
    (void)argc;
    struct rerank_cursor *cursor = (struct rerank_cursor *)base;
    sqlite3_value *arguments[TABLE_FUNCTION_MAX_ARGUMENTS];
    struct error err;
    int rc = 0;
    rerank_reset(cursor);
    table_function_arguments(plan, argv, arguments);
    if (arguments[0] == NULL || arguments[1] == NULL)
        rc = error_set(&err, ERROR_INVALID,
                       "expected a query and documents: rerank(query, documents)");
    else if (table_function_keep(arguments, cursor->arguments, N_ARGUMENTS) != SQLITE_OK)
        rc = error_nomem(&err);
    if (rc == 0) rc = run(cursor, arguments, &err);
    return rc == 0 ? SQLITE_OK : argument_table_error(base->pVtab, "rerank", &err);
}

static int rerank_next(sqlite3_vtab_cursor *base)
{
    ((struct rerank_cursor *)base)->at++;
    return SQLITE_OK;
}

static int rerank_eof(sqlite3_vtab_cursor *base)
{
    struct rerank_cursor *cursor = (struct rerank_cursor *)base;
    return cursor->at >= cursor->n;
}

static int rerank_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct rerank_cursor *cursor = (struct rerank_cursor *)base;
    const struct ranked *ranked = &cursor->ranked[cursor->at];
    const struct text_item *item = &cursor->list.items[ranked->item];
    switch (column) {
    case RANK:
        sqlite3_result_int64(context, (sqlite3_int64)cursor->at + 1);
        break;
    case KEY:
        sqlite3_result_value(context, item->key);
        break;
    case DOCUMENT:
        sqlite3_result_value(context, item->value);
        break;
    case SCORE:
        sqlite3_result_double(context, (double)ranked->score);
        break;
    default:
        if (cursor->arguments[column - QUERY] != NULL)
            sqlite3_result_value(context, cursor->arguments[column - QUERY]);
    }
    return SQLITE_OK;
}

static int rerank_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((struct rerank_cursor *)base)->at + 1;
    return SQLITE_OK;
}

static const sqlite3_module rerank_table = {
    .xConnect = rerank_connect,
    .xBestIndex = rerank_best_index,
    .xDisconnect = table_function_disconnect,
    .xOpen = rerank_open,
    .xClose = rerank_close,
    .xFilter = rerank_filter,
    .xNext = rerank_next,
    .xEof = rerank_eof,
    .xColumn = rerank_column,
    .xRowid = rerank_rowid,
};

int rerank_register(struct connection *connection)
{
    int rc = SQLITE_OK;
    for (int n = 2; rc == SQLITE_OK && n <= 3; n++)
        rc = connection_function(connection, "rerank", n, SQLITE_DETERMINISTIC, rerank);
    return rc == SQLITE_OK ? connection_module(connection, "rerank", &rerank_table) : rc;
}
