#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "functions/functions.h"
#include "sqlite/argument.h"
#include "sqlite/result.h"
#include "sqlite/table_function.h"
#include "sqlite/text_list.h"
#include "text/blank.h"

static int find_model(struct connection *connection, sqlite3_value *name,
                      struct catalog_entry **entry, struct error *err)
{
    const char *text;
    int rc = argument_optional_text(name, &text, err);
    return rc == 0 ? catalog_find(connection->catalog, text, MODEL_RERANK, entry, err) : rc;
}

/* The place of a document among none would be the first, whatever it says. */
static int check_ranks_one(const struct catalog_entry *entry, struct error *err)
{
    if (!catalog_entry_model(entry)->is_listwise) return 0;
    return error_set(err, ERROR_INVALID,
                     "%.100s ranks documents beside each other, and has no score for one (use the "
                     "table rerank(query, documents), or relevance of an index)",
                     catalog_entry_name(entry));
}

/* rerank(query, document [, model]): NULL for a query or a document without anything to
 * read. */
static void rerank(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct connection *connection = sqlite3_user_data(context);
    struct catalog_entry *entry;
    struct error err;
    struct span document;
    double score;
    char *owned = NULL;
    struct model_candidates candidates = {
        .documents = &document, .n_documents = 1, .cancel = &connection->cancel};
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
        return;
    int rc = argument_query(argv[0], &candidates.query, &owned, &err);
    if (rc == 0) rc = argument_text(argv[1], &document, &err);
    if (rc == 0 && (candidates.query.data == NULL || text_is_blank(document))) {
        memory_free(owned);
        return;
    }
    if (rc == 0) rc = find_model(connection, argc > 2 ? argv[2] : NULL, &entry, &err);
    if (rc == 0) rc = check_ranks_one(entry, &err);
    if (rc == 0) {
        rc = catalog_rerank(connection->catalog, entry, NULL, &candidates, &score, &err);
        if (rc != 0) result_name_text(&err, "document", document);
    }
    if (rc == 0) sqlite3_result_double(context, score);
    else result_error(context, "rerank", &err);
    memory_free(owned);
}

/* The table rerank(query, documents [, top_n [, model]]), with the hidden column rank_fields. */
enum { RANK, KEY, DOCUMENT, SCORE, QUERY };

struct ranked {
    size_t item;  /* in the list */
    double score; /* NAN: it has none, and comes last */
};

struct rerank_cursor {
    struct table_cursor base;
    struct text_list list;
    struct ranked *ranked; /* [n], best first */
    size_t n;
    char *query; /* owned, or NULL: see argument_query */
};

static void rerank_free(struct table_cursor *base)
{
    struct rerank_cursor *cursor = (struct rerank_cursor *)base;
    text_list_deinit(&cursor->list);
    memory_free(cursor->ranked);
    memory_free(cursor->query);
}

static int compare_scores(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (isnan(x->score) != isnan(y->score)) return isnan(x->score) ? 1 : -1;
    if (x->score > y->score || x->score < y->score) return x->score > y->score ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

/* One call for all documents; nulls are passed over. What the model cannot read comes last. */
static int rank_documents(struct rerank_cursor *cursor, struct catalog_entry *entry,
                          struct span query, const char *fields, size_t top_n, struct error *err)
{
    struct connection *connection = table_cursor_connection(&cursor->base);
    struct span *documents = memory_alloc(cursor->list.n, sizeof *documents);
    struct span *objects = memory_alloc(cursor->list.n, sizeof *objects);
    double *scores = memory_alloc(cursor->list.n, sizeof *scores);
    unsigned char *refused = memory_alloc(cursor->list.n, 1);
    cursor->ranked = memory_alloc(cursor->list.n, sizeof *cursor->ranked);
    int rc = documents == NULL || objects == NULL || scores == NULL || refused == NULL ||
                     cursor->ranked == NULL
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
    }
    struct model_candidates candidates = {.query = query,
                                          .documents = documents,
                                          .n_documents = n,
                                          .cancel = &connection->cancel,
                                          .objects = n_objects == n ? objects : NULL,
                                          .fields = {fields, fields == NULL ? 0 : strlen(fields)},
                                          .top_n = top_n < n ? top_n : 0,
                                          .refused = refused};
    if (rc == 0) rc = catalog_rerank(connection->catalog, entry, NULL, &candidates, scores, err);
    size_t n_scored = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (!isnan(scores[i]) || refused[i])
            cursor->ranked[n_scored++] = (struct ranked){cursor->ranked[i].item, scores[i]};
    n = n_scored;
    if (rc == 0 && n > 1) qsort(cursor->ranked, n, sizeof *cursor->ranked, compare_scores);
    memory_free(documents);
    memory_free(objects);
    memory_free(scores);
    memory_free(refused);
    cursor->n = rc == 0 ? n : 0;
    return rc;
}

static int rerank_start(struct table_cursor *base, struct error *err)
{
    struct rerank_cursor *cursor = (struct rerank_cursor *)base;
    struct connection *connection = table_cursor_connection(base);
    sqlite3_value *const *arguments = base->arguments;
    struct catalog_entry *entry;
    struct span query;
    const char *fields;
    size_t top_n = SIZE_MAX;
    int rc = argument_optional_count(arguments[2], "top_n", 0, SIZE_MAX, &top_n, err);
    if (rc == 0) rc = argument_query(arguments[0], &query, &cursor->query, err);
    if (rc == 0) rc = find_model(connection, arguments[3], &entry, err);
    if (rc == 0) rc = argument_optional_text(arguments[4], &fields, err);
    if (rc == 0)
        rc = text_list_read(connection->db, arguments[1], TEXT_LIST_OBJECTS, fields, &cursor->list,
                            err);
    if (rc == 0 && top_n > 0 && query.data != NULL)
        rc = rank_documents(cursor, entry, query, fields, top_n, err);
    if (cursor->n > top_n) cursor->n = top_n;
    base->is_done = cursor->n == 0;
    return rc;
}

static int rerank_next(struct table_cursor *base, struct error *err)
{
    (void)err;
    base->is_done = (size_t)base->n_rows >= ((struct rerank_cursor *)base)->n;
    return 0;
}

static void rerank_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    struct rerank_cursor *cursor = (struct rerank_cursor *)base;
    const struct ranked *ranked = &cursor->ranked[base->n_rows];
    const struct text_item *item = &cursor->list.items[ranked->item];
    if (column == RANK) sqlite3_result_int64(context, base->n_rows + 1);
    else if (column == SCORE) result_number(context, ranked->score);
    else sqlite3_result_value(context, column == KEY ? item->key : item->value);
}

static const struct table_function rerank_table = {
    .name = "rerank",
    .usage = "a query and documents: rerank(query, documents)",
    .declaration =
        "CREATE TABLE x(rank INTEGER, key, document, relevance_score REAL, query HIDDEN, documents "
        "HIDDEN, top_n HIDDEN, model HIDDEN, rank_fields HIDDEN)",
    .first_argument = QUERY,
    .n_arguments = 5,
    .n_needed = 2,
    .rising = 1u << RANK,
    .falling = 1u << SCORE,
    .cursor_size = sizeof(struct rerank_cursor),
    .start = rerank_start,
    .next = rerank_next,
    .column = rerank_column,
    .free = rerank_free,
};

int rerank_register(struct connection *connection)
{
    int rc = SQLITE_OK;
    for (int n = 2; rc == SQLITE_OK && n <= 3; n++)
        rc = connection_function(connection, "rerank", n, SQLITE_DETERMINISTIC, rerank);
    return rc == SQLITE_OK ? table_function_register(connection, &rerank_table, NULL) : rc;
}
