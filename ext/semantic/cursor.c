#include "semantic/cursor.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "semantic/columns.h"
#include "semantic/content.h"
#include "semantic/embedder.h"
#include "semantic/flush.h"
#include "semantic/pending.h"
#include "semantic/plan.h"
#include "semantic/request.h"
#include "sqlite/argument.h"
#include "sqlite/result.h"
#include "store/failures.h"
#include "store/keys.h"

struct hit {
    struct retrieve_row row;
    double relevance; /* NAN: the reranker cannot read its document */
};

struct semantic_cursor {
    sqlite3_vtab_cursor base;
    int plan;
    int eof;
    int64_t id; /* of the current row */

    /* A search. When the statement reads relevance all its rows are in `hits`, in the order of the
     * plan; else they are taken one by one. */
    struct semantic_request request;
    struct retrieval *retrieval; /* also of another plan, once it reads the embedding; else NULL, as
                                    it is large; owned */
    struct hit hit;              /* the current one */
    struct hit *hits;            /* [n_hits]; owned */
    size_t n_hits, capacity, position;
    int scored; /* the hits have their relevance */

    sqlite3_stmt *listing; /* a listing */

    sqlite3_stmt *content;  /* the content row; stands on the current one while content_read */
    int64_t content_schema; /* the table's schema_version when it was opened */
    struct name_list lacks; /* columns that the content has no more */
    int content_read, content_found;
};

static struct semantic_table *table_of(const sqlite3_vtab_cursor *base)
{
    return (struct semantic_table *)base->pVtab;
}

int semantic_open(sqlite3_vtab *base, sqlite3_vtab_cursor **opened)
{
    struct semantic_cursor *cursor = memory_zalloc(1, sizeof *cursor);
    if (cursor == NULL) return SQLITE_NOMEM;
    (void)base;
    *opened = &cursor->base;
    return SQLITE_OK;
}

/* Back to the state after xOpen; the statements on the content are kept. */
static void reset(struct semantic_cursor *cursor)
{
    if (cursor->retrieval != NULL) retrieve_close(cursor->retrieval);
    request_clear(&cursor->request);
    memory_free(cursor->hits);
    cursor->hits = NULL;
    cursor->n_hits = cursor->capacity = cursor->position = 0;
    cursor->scored = 0;
    sqlite3_finalize(cursor->listing);
    cursor->listing = NULL;
    if (cursor->content != NULL) sqlite3_reset(cursor->content);
    cursor->content_read = 0;
    cursor->hit = (struct hit){0};
    cursor->eof = 1;
}

int semantic_close(sqlite3_vtab_cursor *base)
{
    struct semantic_cursor *cursor = (struct semantic_cursor *)base;
    reset(cursor);
    request_deinit(&cursor->request);
    memory_free(cursor->retrieval);
    content_row_close(table_of(base), cursor->content, cursor->content_schema, &cursor->lacks);
    memory_free(cursor);
    return SQLITE_OK;
}

/* Steps the content statement to the current row, once. Without such a row all its columns are
 * NULL. */
static int read_content(struct semantic_cursor *cursor, int64_t id, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    int rc = 0;
    if (cursor->content == NULL) {
        cursor->content_schema = table->schema_version;
        rc = content_row_open(table, &cursor->content, &cursor->lacks, err);
    }
    if (rc != 0) return rc;
    sqlite3_reset(cursor->content);
    sqlite3_bind_int64(cursor->content, 1, id);
    rc = content_step(table, cursor->content, &cursor->content_found, err);
    cursor->content_read = rc == 0;
    if (rc == 0) return 0;
    sqlite3_finalize(cursor->content);
    cursor->content = NULL;
    return rc;
}

static int add_hit(struct semantic_cursor *cursor, const struct retrieve_row *row,
                   struct error *err)
{
    if (cursor->n_hits == cursor->capacity) {
        size_t capacity = cursor->capacity == 0 ? 32 : cursor->capacity * 2;
        struct hit *hits = memory_realloc(cursor->hits, capacity, sizeof *hits);
        if (hits == NULL) return error_nomem(err);
        cursor->hits = hits;
        cursor->capacity = capacity;
    }
    cursor->hits[cursor->n_hits++] = (struct hit){*row, 0.0f};
    return 0;
}

/* The next row that the search finds. */
static int next_row(struct semantic_cursor *cursor, struct retrieve_row *row, int *found,
                    struct error *err)
{
    *found = 0;
    return cursor->request.none ? 0 : retrieve_next(cursor->retrieval, row, found, err);
}

static int take_all(struct semantic_cursor *cursor, struct error *err)
{
    struct retrieve_row row;
    int found, rc;
    while ((rc = next_row(cursor, &row, &found, err)) == 0 && found)
        if ((rc = add_hit(cursor, &row, err)) != 0) break;
    return rc;
}

/* The documents of all hits, one after the other in `all`; `documents` points into it. What cannot
 * be a text (a blob) is an empty one: the reranker does not see it. */
static int read_documents(struct semantic_cursor *cursor, struct buffer *all,
                          struct span *documents, size_t *title_sizes, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < cursor->n_hits; i++) {
        size_t start = all->size;
        rc = read_content(cursor, cursor->hits[i].row.id, err);
        if (rc == 0) rc = content_check_document(table, &cursor->lacks, err);
        if (rc == 0 && cursor->content_found) {
            rc = content_document(table, cursor->content, all, err);
            if (rc == ERROR_INVALID) {
                all->size = start;
                rc = 0;
            }
            title_sizes[i] = content_title_size(table, cursor->content);
        }
        documents[i].size = all->size - start;
        if (title_sizes[i] > documents[i].size) title_sizes[i] = documents[i].size;
    }
    size_t at = 0;
    for (size_t i = 0; rc == 0 && i < cursor->n_hits; at += documents[i++].size)
        documents[i].data = all->data + at;
    cursor->content_read = 0;
    return rc;
}

static int compare_relevance(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    if (isnan(x->relevance) != isnan(y->relevance)) return isnan(x->relevance) ? 1 : -1;
    if (x->relevance > y->relevance || x->relevance < y->relevance)
        return x->relevance > y->relevance ? -1 : 1;
    return x->row.rank < y->row.rank ? -1 : x->row.rank > y->row.rank;
}

static int score_hits(struct semantic_cursor *cursor, const struct model_candidates *candidates,
                      struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    struct store_state state;
    struct catalog_entry *entry;
    struct model *fitted;
    double *scores = memory_alloc(candidates->n_documents, sizeof *scores);
    int rc = scores == NULL ? error_nomem(err) : store_read_state(&table->store, &state, err);
    if (rc == 0) rc = semantic_reranker(table, &state, &entry, &fitted, err);
    if (rc == 0)
        rc = catalog_rerank(table->connection->catalog, entry, fitted, candidates, scores, err);
    for (size_t i = 0; rc == 0 && i < candidates->n_documents; i++)
        cursor->hits[i].relevance = scores[i];
    memory_free(scores);
    return rc;
}

/* One call of the reranker for all hits; they keep their order. */
static int rerank(struct semantic_cursor *cursor, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    if (!cursor->request.none && cursor->request.asked.text.data == NULL)
        return error_set(err, ERROR_INVALID,
                         "relevance needs a query that is text: the reranker cannot read a vector");
    struct buffer all;
    buffer_init(&all, (size_t)1 << 30);
    struct span *documents = NULL;
    float *similarities = NULL;
    double *fused = NULL;
    size_t *title_sizes = NULL;
    unsigned char *refused = NULL;
    int rc = 0, has_similarities = index_metrics[table->config.metric].is_bounded;
    int is_fused = table->store.tokenizer != NULL;
    if (cursor->n_hits > 0) {
        documents = memory_zalloc(cursor->n_hits, sizeof *documents);
        similarities = memory_alloc(cursor->n_hits, sizeof *similarities);
        fused = memory_alloc(cursor->n_hits, sizeof *fused);
        title_sizes = memory_zalloc(cursor->n_hits, sizeof *title_sizes);
        refused = memory_alloc(cursor->n_hits, 1);
        if (documents == NULL || similarities == NULL || fused == NULL || title_sizes == NULL ||
            refused == NULL)
            rc = error_nomem(err);
        if (rc == 0) rc = read_documents(cursor, &all, documents, title_sizes, err);
        for (size_t i = 0; rc == 0 && i < cursor->n_hits; i++) {
            similarities[i] = (float)cursor->hits[i].row.similarity;
            if (isnan(similarities[i])) has_similarities = 0; /* words alone were asked */
            fused[i] = cursor->hits[i].row.score;
            if (isnan(fused[i])) is_fused = 0;
        }
        struct model_candidates candidates = {.query = semantic_query_meant(&cursor->request.asked),
                                              .documents = documents,
                                              .n_documents = cursor->n_hits,
                                              .similarities =
                                                  has_similarities ? similarities : NULL,
                                              .fused = is_fused ? fused : NULL,
                                              .title_sizes = title_sizes,
                                              .cancel = &table->connection->cancel,
                                              .refused = refused};
        if (rc == 0) rc = score_hits(cursor, &candidates, err);
    }
    memory_free(documents);
    memory_free(similarities);
    memory_free(fused);
    memory_free(title_sizes);
    memory_free(refused);
    buffer_deinit(&all);
    cursor->scored = rc == 0;
    return rc;
}

/* The index as it is now. */
static int open_retrieval(struct semantic_cursor *cursor, struct error *err)
{
    if (cursor->retrieval == NULL) cursor->retrieval = memory_alloc(1, sizeof *cursor->retrieval);
    return cursor->retrieval == NULL
               ? error_nomem(err)
               : retrieve_open(cursor->retrieval, table_of(&cursor->base), err);
}

static int search(struct semantic_cursor *cursor, const char *conditions, sqlite3_value **argv,
                  struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    struct semantic_request *request = &cursor->request;
    int rc = request_read(request, table, cursor->plan, conditions, argv, err);
    if (rc == 0 && !request->none) {
        rc = open_retrieval(cursor, err);
        if (rc == 0) rc = request_reach(request, cursor->retrieval->reader.snapshot->n_rows, err);
        if (rc == 0)
            rc = retrieve_search(cursor->retrieval, &request->asked, 1, &request->limits, err);
    }
    if (rc == 0 && cursor->plan & PLAN_RELEVANCE) rc = take_all(cursor, err);
    if (rc == 0 && cursor->plan & PLAN_BY_RELEVANCE) {
        rc = rerank(cursor, err);
        if (rc == 0 && cursor->n_hits > 0)
            qsort(cursor->hits, cursor->n_hits, sizeof *cursor->hits, compare_relevance);
    }
    return rc;
}

/* The next hit of a search. */
static int next_hit(struct semantic_cursor *cursor, struct error *err)
{
    int found = cursor->position < cursor->n_hits, rc = 0;
    if (cursor->plan & PLAN_RELEVANCE) {
        if (found) cursor->hit = cursor->hits[cursor->position++];
    } else {
        rc = next_row(cursor, &cursor->hit.row, &found, err);
    }
    cursor->eof = rc != 0 || !found;
    cursor->id = cursor->hit.row.id;
    return rc;
}

static int next_listed(struct semantic_cursor *cursor, struct error *err)
{
    int row;
    int rc = statement_step(table_of(&cursor->base)->store.db, cursor->listing, &row, err);
    cursor->eof = !row;
    if (row) cursor->id = sqlite3_column_int64(cursor->listing, 0);
    return rc;
}

int semantic_next(sqlite3_vtab_cursor *base)
{
    struct semantic_cursor *cursor = (struct semantic_cursor *)base;
    struct error err;
    int rc = 0;
    cursor->content_read = 0;
    if (cursor->listing != NULL) rc = next_listed(cursor, &err);
    else if (cursor->plan & PLAN_QUERY) rc = next_hit(cursor, &err);
    else cursor->eof = 1; /* a lookup has one row */
    return rc == 0 ? SQLITE_OK : result_table_error(base->pVtab, table_of(base)->store.name, &err);
}

/* The id that is looked up; *found = 0: there is none of that kind, or of that key. */
static int read_id(struct semantic_cursor *cursor, sqlite3_value *value, int *found,
                   struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    struct keys_value key = {value, columns_key_affinity(table)};
    if (cursor->plan & PLAN_KEY) return keys_find(&table->store, key, &cursor->id, found, err);
    *found = argument_integer(value, &cursor->id);
    return 0;
}

/* Whether the content has a text for that row. */
static int look_up_content(struct semantic_table *table, int64_t id, int *found, struct error *err)
{
    struct buffer text;
    struct error bad;
    int exists;
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = content_text(table, id, &text, &bad, &exists, found, err);
    if (bad.code != 0) *found = 0;
    buffer_deinit(&text);
    return rc;
}

/* A row that could not be embedded, whose content is gone: not in the index, but there to be
 * deleted. */
static int is_lost_failure(struct semantic_table *table, int64_t id, int *lost, struct error *err)
{
    struct store_state state;
    struct buffer text;
    struct error bad;
    uint64_t hash;
    int exists, found;
    *lost = 0;
    int rc = store_read_state(&table->store, &state, err);
    if (rc == 0) rc = failures_find(&table->store, &state, id, &hash, lost, err);
    if (rc != 0 || !*lost) return rc;
    buffer_init(&text, CONTENT_MAX_TEXT);
    rc = content_text(table, id, &text, &bad, &exists, &found, err);
    buffer_deinit(&text);
    *lost = rc == 0 && !exists;
    return rc;
}

/* One row by its rowid or its key. Pending rows are looked at without a flush, so that DELETE and
 * INSERT in a row trigger stay in one batch; only a statement that reads the vector needs it. */
static int look_up(struct semantic_cursor *cursor, sqlite3_value *value, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    int found, rc = read_id(cursor, value, &found, err);
    if (rc != 0 || !found) return rc;
    const struct pending_row *waiting = pending_find(table->pending, cursor->id);
    if (waiting == NULL) {
        rc = store_has_row(&table->store, cursor->id, &found, err);
        if (rc == 0 && !found) rc = is_lost_failure(table, cursor->id, &found, err);
    } else if (waiting->kind >= PENDING_CHANGED) {
        rc = look_up_content(table, cursor->id, &found, err);
    } else {
        found = waiting->kind < PENDING_DELETE;
    }
    cursor->eof = rc != 0 || !found;
    return rc;
}

static int list(struct semantic_cursor *cursor, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    enum store_query which = table->config.content == NULL ? STORE_TEXT_IDS : STORE_IDS;
    return store_query(&table->store, which, &cursor->listing, err);
}

/* May this plan leave the pending rows where they are? */
static int reads_pending(const struct semantic_table *table, int plan)
{
    return (plan & PLAN_ROWID) && !(plan & PLAN_READS_VECTOR) &&
           (table->config.content != NULL || !(plan & PLAN_READS_CONTENT));
}

int semantic_filter(sqlite3_vtab_cursor *base, int plan, const char *conditions, int argc,
                    sqlite3_value **argv)
{
    (void)argc;
    struct semantic_cursor *cursor = (struct semantic_cursor *)base;
    struct semantic_table *table = table_of(base);
    struct error err = table->broken;
    reset(cursor);
    columns_renew(table, 0);
    cursor->plan = plan;
    int rc = err.code;
    if (rc == 0) rc = registry_check_content(table, &err);
    if (rc == 0 && !reads_pending(table, plan)) rc = flush_pending(table, &err);
    if (rc == 0 && plan & PLAN_QUERY) rc = search(cursor, conditions, argv, &err);
    else if (rc == 0 && plan & PLAN_ROWID) rc = look_up(cursor, argv[0], &err);
    else if (rc == 0) rc = list(cursor, &err);
    if (rc != 0) return result_table_error(base->pVtab, table->store.name, &err);
    return plan & PLAN_ROWID ? SQLITE_OK : semantic_next(base);
}

int semantic_eof(sqlite3_vtab_cursor *base)
{
    return ((struct semantic_cursor *)base)->eof;
}

int semantic_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = ((struct semantic_cursor *)base)->id;
    return SQLITE_OK;
}

/* The scores are made when the first one is read. */
static int current_relevance(struct semantic_cursor *cursor, struct error *err)
{
    int rc = cursor->scored ? 0 : rerank(cursor, err);
    if (rc == 0) cursor->hit = cursor->hits[cursor->position - 1];
    return rc;
}

static int result_embedding(struct semantic_cursor *cursor, sqlite3_context *context,
                            struct error *err)
{
    const void *bytes;
    size_t size;
    int found, rc = 0;
    if (cursor->retrieval == NULL || cursor->retrieval->table == NULL)
        rc = open_retrieval(cursor, err);
    if (rc == 0) rc = retrieve_vector(cursor->retrieval, cursor->id, &bytes, &size, &found, err);
    if (rc == 0 && found) sqlite3_result_blob64(context, bytes, size, SQLITE_TRANSIENT);
    return rc;
}

/* The key of a keyed index is known without the content. */
static int result_key(struct semantic_cursor *cursor, sqlite3_context *context, struct error *err)
{
    sqlite3_stmt *key;
    int rc = keys_get(&table_of(&cursor->base)->store, cursor->id, &key, err);
    if (key == NULL) return rc;
    sqlite3_result_value(context, sqlite3_column_value(key, 0));
    sqlite3_reset(key);
    return 0;
}

static int result_content(struct semantic_cursor *cursor, sqlite3_context *context, int column,
                          struct error *err)
{
    const struct semantic_table *table = table_of(&cursor->base);
    size_t i = (size_t)(column - COLUMN_CONTENT);
    if (i == table->key) return result_key(cursor, context, err);
    int rc = cursor->content_read ? 0 : read_content(cursor, cursor->id, err);
    if (rc == 0 && cursor->lacks.n_names > 0)
        rc = content_check_column(table, &cursor->lacks, table->columns[i].name, err);
    if (rc == 0 && cursor->content_found)
        sqlite3_result_value(context,
                             sqlite3_column_value(cursor->content, 1 + column - COLUMN_CONTENT));
    return rc;
}

static const char *const column_names[COLUMN_CONTENT] = {
    "query", "k", "similarity", "distance", "relevance", "rank", "embedding", "query",
};

static int no_query(const struct semantic_cursor *cursor, int column, struct error *err)
{
    const char *name = table_of(&cursor->base)->store.name;
    int words = columns_of_words(table_of(&cursor->base), column);
    return error_set(
        err, ERROR_INVALID,
        "the query did not reach the index: %s has a value only in a search, %.60s('...') or WHERE "
        "query = '...', and SQLite cannot push query = '...' into what it computes as a whole "
        "(LEFT "
        "JOIN of a view, LIMIT, UNION, DISTINCT, a window without PARTITION BY query)",
        words < 0 ? column_names[column] : semantic_words_names[words], name);
}

static void result_words(struct semantic_cursor *cursor, sqlite3_context *context, int column)
{
    const struct semantic_request *request = &cursor->request;
    if (column == WORDS_SCORE) result_number(context, cursor->hit.row.score);
    else if (column == WORDS_BM25) result_number(context, cursor->hit.row.bm25);
    else if (column == WORDS_WEIGHT) sqlite3_result_double(context, request->weight);
    else sqlite3_result_text(context, fusion_names[request->fusion], -1, SQLITE_STATIC);
}

/* The columns of a search. Whoever reads one in a listing waits for a query that never came; NULL
 * would silently give no row. But a tool that lists a table names every column that there is, the
 * one with the table's name too, of which no query reads a value. */
static int result_search(struct semantic_cursor *cursor, sqlite3_context *context, int column,
                         struct error *err)
{
    int rc = 0;
    if (cursor->plan & PLAN_NAMES_ALL) return 0;
    if (!(cursor->plan & PLAN_QUERY)) return no_query(cursor, column, err);
    switch (column) {
    case COLUMN_QUERY:
    case COLUMN_TABLE:
        sqlite3_result_value(context, cursor->request.query);
        break;
    case COLUMN_K:
        if (cursor->request.k != 0) sqlite3_result_int64(context, (sqlite3_int64)cursor->request.k);
        break;
    case COLUMN_SIMILARITY:
        result_number(context, cursor->hit.row.similarity);
        break;
    case COLUMN_DISTANCE:
        result_number(context, cursor->hit.row.distance);
        break;
    case COLUMN_RANK:
        sqlite3_result_int64(context, cursor->hit.row.rank);
        break;
    case COLUMN_RELEVANCE:
        rc = current_relevance(cursor, err);
        if (rc == 0) result_number(context, cursor->hit.relevance);
        break;
    default:
        result_words(cursor, context, columns_of_words(table_of(&cursor->base), column));
    }
    return rc;
}

int semantic_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct semantic_cursor *cursor = (struct semantic_cursor *)base;
    struct semantic_table *table = table_of(base);
    struct error err;
    int rc, is_of_words = columns_of_words(table, column) >= 0;
    /* In an UPDATE the columns that stay are not ours to read, but for the text that we keep
     * ourselves. */
    if (sqlite3_vtab_nochange(context) &&
        (column < COLUMN_CONTENT || table->config.content != NULL || is_of_words))
        return SQLITE_OK;
    if (column == COLUMN_EMBEDDING) rc = result_embedding(cursor, context, &err);
    else if (column >= COLUMN_CONTENT && !is_of_words)
        rc = result_content(cursor, context, column, &err);
    else rc = result_search(cursor, context, column, &err);
    if (rc != 0) result_error(context, table->store.name, &err);
    return SQLITE_OK;
}
