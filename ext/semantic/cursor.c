#include "semantic/cursor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "semantic/content.h"
#include "semantic/embedder.h"
#include "semantic/pending.h"
#include "semantic/plan.h"
#include "store/reader.h"
#include "store/store.h"
#include "semantic/update.h"

/* A LIMIT beyond this is no hint. */
#define MAX_HINT 100000

/* A hit of a search; `rank` is its place by similarity, from 1. */
struct hit {
    int64_t id;
    double closeness; /* see index/search.h */
    int64_t rank;
    float relevance;
};

/* What a search was asked for, read from its arguments. */
struct request {
    struct index_query query;
    int64_t *ids; /* owned; query.only */
    size_t first; /* how many are likely to be read: a hint */
    int none;     /* nothing can qualify */
};

struct semantic_cursor {
    sqlite3_vtab_cursor base;
    int plan;
    int eof;
    int64_t id; /* of the current row */

    /* A search. When the statement reads relevance all hits are in `hits`, in the order of the
     * plan; else they are taken from `ranked` one by one, so that nobody sorts a million for
     * LIMIT 5. */
    sqlite3_value *query, *k;      /* as given, to read back; owned */
    struct argument_vector vector; /* a query given as a vector */
    struct top_k ranked;
    struct request request;
    struct model_embeddings embedding; /* of a query that is text */
    int more;                          /* `ranked` has only as many as LIMIT hints at */
    int64_t *given;                    /* [hit.rank] the ids of those, once more are wanted */
    struct hit hit;                    /* the current one */
    struct hit *hits;                  /* [n_hits] */
    size_t n_hits, position;
    int scored; /* the hits have their relevance */

    sqlite3_stmt *listing; /* a listing */

    sqlite3_stmt *content; /* the content row; stands on row content_id while content_read */
    int content_read, content_found;
    struct semantic_reader reader; /* fetches the embedding of the current row */
    struct index_storage storage;
};

static struct semantic_table *table_of(const sqlite3_vtab_cursor *base)
{
    return (struct semantic_table *)base->pVtab;
}

int semantic_open(sqlite3_vtab *base, sqlite3_vtab_cursor **opened)
{
    struct semantic_cursor *cursor = memory_zalloc(1, sizeof *cursor);
    if (cursor == NULL) return SQLITE_NOMEM;
    reader_open((struct semantic_table *)base, &cursor->reader, &cursor->storage);
    *opened = &cursor->base;
    return SQLITE_OK;
}

/* Back to the state after xOpen; the content statement is kept. */
static void reset(struct semantic_cursor *cursor)
{
    sqlite3_value_free(cursor->query);
    sqlite3_value_free(cursor->k);
    cursor->query = cursor->k = NULL;
    top_k_deinit(&cursor->ranked);
    memory_free(cursor->hits);
    cursor->hits = NULL;
    cursor->n_hits = cursor->position = 0;
    cursor->scored = 0;
    argument_vector_deinit(&cursor->vector);
    cursor->vector = (struct argument_vector){0};
    memory_free(cursor->embedding.vectors);
    cursor->embedding = (struct model_embeddings){0};
    memory_free(cursor->request.ids);
    cursor->request = (struct request){0};
    memory_free(cursor->given);
    cursor->given = NULL;
    cursor->more = 0;
    sqlite3_finalize(cursor->listing);
    cursor->listing = NULL;
    if (cursor->content != NULL) sqlite3_reset(cursor->content);
    cursor->content_read = 0;
    reader_close(&cursor->reader);
    cursor->eof = 1;
}

int semantic_close(sqlite3_vtab_cursor *base)
{
    struct semantic_cursor *cursor = (struct semantic_cursor *)base;
    reset(cursor);
    sqlite3_finalize(cursor->content);
    memory_free(cursor);
    return SQLITE_OK;
}

/* Steps the content statement to the current row, once. Without such a row all its columns are
 * NULL. */
static int read_content(struct semantic_cursor *cursor, int64_t id, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    int rc = cursor->content == NULL ? content_row_open(table, &cursor->content, err) : 0;
    if (rc != 0) return rc;
    sqlite3_reset(cursor->content);
    sqlite3_bind_int64(cursor->content, 1, id);
    rc = content_step(table, cursor->content, &cursor->content_found, err);
    cursor->content_read = rc == 0;
    return rc;
}

/* All hits, from `ranked` into `hits`. */
static int take_all(struct semantic_cursor *cursor, struct error *err)
{
    struct top_k_hit hit;
    size_t n = cursor->ranked.n;
    cursor->hits = memory_alloc(n, sizeof *cursor->hits);
    if (cursor->hits == NULL) return error_nomem(err);
    cursor->n_hits = 0;
    while (top_k_pop(&cursor->ranked, &hit)) {
        struct hit *to = &cursor->hits[cursor->n_hits];
        *to = (struct hit){hit.id, hit.similarity, (int64_t)cursor->n_hits + 1, 0.0f};
        cursor->n_hits++;
    }
    return 0;
}

/* The documents of all hits, one after the other in `all`; `documents` points into it. */
static int read_documents(struct semantic_cursor *cursor, struct buffer *all,
                          struct span *documents, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < cursor->n_hits; i++) {
        size_t start = all->size;
        rc = read_content(cursor, cursor->hits[i].id, err);
        if (rc == 0 && cursor->content_found)
            rc = content_document(table, cursor->content, all, err);
        documents[i].size = all->size - start;
        if (rc == 0)
            rc = model_check_text((struct span){all->data + start, documents[i].size}, 0, err);
        if (rc == ERROR_INVALID) error_context(err, "row %lld", (long long)cursor->hits[i].id);
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
    if (x->relevance != y->relevance) return x->relevance > y->relevance ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static int score_hits(struct semantic_cursor *cursor, const struct model_candidates *candidates,
                      struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    struct semantic_state state;
    struct catalog_entry *entry;
    struct model *fitted;
    float *scores = memory_alloc(candidates->n_documents, sizeof *scores);
    int rc = scores == NULL ? error_nomem(err) : store_read_state(table, &state, err);
    if (rc == 0) rc = semantic_reranker(table, &state, &entry, &fitted, err);
    if (rc == 0)
        rc = catalog_rerank(table->connection->catalog, entry, fitted, candidates, scores, err);
    for (size_t i = 0; rc == 0 && i < candidates->n_documents; i++)
        cursor->hits[i].relevance = scores[i];
    memory_free(scores);
    return rc;
}

/* One call of the reranker for all hits; they keep the order of similarity. */
static int rerank(struct semantic_cursor *cursor, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    if (cursor->vector.data != NULL)
        return error_set(err, ERROR_INVALID,
                         "relevance needs a query that is text: the reranker cannot read a vector");
    struct buffer all;
    buffer_init(&all, (size_t)1 << 30);
    struct span *documents = NULL;
    float *similarities = NULL;
    int rc = 0;
    if (cursor->n_hits > 0) {
        documents = memory_zalloc(cursor->n_hits, sizeof *documents);
        similarities = memory_alloc(cursor->n_hits, sizeof *similarities);
        if (documents == NULL || similarities == NULL) rc = error_nomem(err);
        if (rc == 0) rc = read_documents(cursor, &all, documents, err);
        for (size_t i = 0; rc == 0 && i < cursor->n_hits; i++)
            similarities[i] =
                (float)index_similarity(table->config.metric, cursor->hits[i].closeness);
        struct model_candidates candidates = {
            .documents = documents,
            .n_documents = cursor->n_hits,
            .similarities = table->config.metric == INDEX_DOT ? NULL : similarities,
            .cancel = &table->connection->cancel};
        if (rc == 0) rc = argument_text(cursor->query, &candidates.query, err);
        if (rc == 0) rc = score_hits(cursor, &candidates, err);
    }
    memory_free(documents);
    memory_free(similarities);
    buffer_deinit(&all);
    cursor->scored = rc == 0;
    return rc;
}

static int read_k(sqlite3_value *value, size_t *k, struct error *err)
{
    int type = sqlite3_value_numeric_type(value);
    double real = sqlite3_value_double(value);
    if ((type != SQLITE_INTEGER && !(type == SQLITE_FLOAT && real == floor(real))) || real < 1) {
        const char *text = type == SQLITE_NULL ? "NULL" : (const char *)sqlite3_value_text(value);
        return error_set(err, ERROR_INVALID, "k must be an integer of 1 or more, not %.40s",
                         text == NULL ? "?" : text);
    }
    *k = real >= 9.0e18 ? SIZE_MAX : (size_t)sqlite3_value_int64(value);
    return 0;
}

/* similarity >= x, as SQLite compares: NULL and what is no number let nothing pass. */
static void read_similarity(sqlite3_value *value, int above, struct request *request)
{
    int type = sqlite3_value_type(value);
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) {
        request->none = 1;
        return;
    }
    double least = sqlite3_value_double(value);
    request->query.min_similarity = above ? nextafter(least, INFINITY) : least;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int add_rowid(struct request *request, size_t *capacity, sqlite3_value *value,
                     struct error *err)
{
    int type = sqlite3_value_numeric_type(value);
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) return 0;
    int64_t id = sqlite3_value_int64(value);
    if (type == SQLITE_FLOAT && (double)id != sqlite3_value_double(value)) return 0;
    if (request->query.n_only == *capacity) {
        int64_t *ids = memory_realloc(request->ids, *capacity * 2, sizeof *ids);
        if (ids == NULL) return error_nomem(err);
        request->ids = ids;
        *capacity *= 2;
    }
    request->ids[request->query.n_only++] = id;
    return 0;
}

/* Keeps of the sorted ids those that are in another sorted list too. */
static void intersect(struct request *request, const int64_t *others, size_t n_others)
{
    size_t n = 0, j = 0;
    for (size_t i = 0; i < request->query.n_only; i++) {
        while (j < n_others && others[j] < request->ids[i]) j++;
        if (j < n_others && others[j] == request->ids[i]) request->ids[n++] = request->ids[i];
    }
    request->query.n_only = n;
}

/* The members of rowid IN (...), each once, in order. */
static int read_list(sqlite3_vtab *base, sqlite3_value *list, struct request *request,
                     struct error *err)
{
    size_t capacity = 64, n = 0;
    sqlite3_value *value = NULL;
    request->query.n_only = 0;
    request->ids = memory_alloc(capacity, sizeof *request->ids);
    if (request->ids == NULL) return error_nomem(err);
    int step = sqlite3_vtab_in_first(list, &value);
    for (; step == SQLITE_OK; step = sqlite3_vtab_in_next(list, &value)) {
        int rc = add_rowid(request, &capacity, value, err);
        if (rc != 0) return rc;
    }
    if (step != SQLITE_DONE)
        return argument_storage_error(((struct semantic_table *)base)->db, step, err);
    qsort(request->ids, request->query.n_only, sizeof *request->ids, compare_ids);
    for (size_t i = 0; i < request->query.n_only; i++)
        if (n == 0 || request->ids[n - 1] != request->ids[i]) request->ids[n++] = request->ids[i];
    request->query.n_only = n;
    request->query.only = request->ids;
    return 0;
}

/* The members that all lists have. */
static int read_rowids(sqlite3_vtab *base, sqlite3_value **lists, int n_lists,
                       struct request *request, struct error *err)
{
    int rc = read_list(base, lists[0], request, err);
    for (int i = 1; rc == 0 && i < n_lists; i++) {
        struct request other = {0};
        rc = read_list(base, lists[i], &other, err);
        if (rc == 0) intersect(request, other.ids, other.query.n_only);
        memory_free(other.ids);
    }
    return rc;
}

/* LIMIT and OFFSET: how many rows SQLite will ask for, as far as it knows. */
static void read_limit(sqlite3_value *limit, sqlite3_value *offset, struct request *request)
{
    int64_t n = sqlite3_value_int64(limit),
            skipped = offset == NULL ? 0 : sqlite3_value_int64(offset);
    if (n >= 0 && n <= MAX_HINT && skipped <= MAX_HINT)
        request->first = (size_t)(n + (skipped < 0 ? 0 : skipped)) + 1;
}

/* Reads the arguments after the query, in the order of the plan's flags. */
static int read_request(struct semantic_cursor *cursor, sqlite3_value **argv, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    struct request *request = &cursor->request;
    int n = 1, rc = 0;
    *request =
        (struct request){.query = {.k = SIZE_MAX, .min_similarity = -INFINITY}, .first = SIZE_MAX};
    if (cursor->plan & PLAN_RELEVANCE) request->query.k = table->config.candidates;
    if (cursor->plan & PLAN_K) {
        cursor->k = sqlite3_value_dup(argv[n]);
        rc = cursor->k == NULL ? error_nomem(err) : read_k(argv[n++], &request->query.k, err);
    }
    if (rc == 0 && cursor->plan & PLAN_SIMILARITY)
        read_similarity(argv[n++], (cursor->plan & PLAN_SIMILARITY_ABOVE) != 0, request);
    if (rc == 0 && cursor->plan & PLAN_LIMIT) {
        sqlite3_value *limit = argv[n++];
        read_limit(limit, cursor->plan & PLAN_OFFSET ? argv[n++] : NULL, request);
    }
    if (rc == 0 && cursor->plan & PLAN_ROWIDS)
        rc = read_rowids(cursor->base.pVtab, argv + n, cursor->plan >> PLAN_LISTS_SHIFT, request,
                         err);
    return rc;
}

/* Embeds a query text; the caller frees the vector. */
static int embed_query(struct semantic_table *table, const struct semantic_state *state,
                       sqlite3_value *query, struct model_embeddings *embedding, struct error *err)
{
    struct catalog_entry *entry;
    struct model *fitted;
    struct span text;
    int rc = argument_text(query, &text, err);
    if (rc == 0) rc = semantic_embedder(table, state, &entry, &fitted, err);
    if (rc != 0) return rc;
    struct model_texts request = {&text, 1, MODEL_QUERY, &table->connection->cancel};
    rc = catalog_embed(table->connection->catalog, entry, fitted, &request, embedding, err);
    if (rc == 0) rc = semantic_check_dimensions(state, state->model, embedding->dimensions, err);
    if (rc != 0) return rc;
    rc = semantic_check_direction(table, embedding->vectors, embedding->dimensions, err);
    if (rc != 0) error_context(err, "the query: %s", catalog_entry_name(entry));
    return rc;
}

/* The query as a vector: the one given, or the embedding of the text. */
static int query_vector(struct semantic_cursor *cursor, const struct semantic_state *state,
                        struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    if (sqlite3_value_type(cursor->query) != SQLITE_BLOB &&
        !argument_is_json_array(cursor->query)) {
        int rc = embed_query(table, state, cursor->query, &cursor->embedding, err);
        cursor->request.query.vector = cursor->embedding.vectors;
        return rc;
    }
    int rc = argument_vector(cursor->query, &cursor->vector, err);
    if (rc == 0) rc = semantic_check_dimensions(state, "the query", cursor->vector.dimensions, err);
    if (rc == 0)
        rc = semantic_check_direction(table, cursor->vector.data, cursor->vector.dimensions, err);
    cursor->request.query.vector = cursor->vector.data;
    return rc;
}

/* The k nearest into `ranked`. */
static int find(struct semantic_cursor *cursor, size_t k, struct error *err)
{
    struct index_search search = reader_search(&cursor->reader, &cursor->storage);
    struct index_query query = cursor->request.query;
    query.k = k;
    top_k_deinit(&cursor->ranked);
    top_k_init(&cursor->ranked, k);
    return index_search(&search, &query, 1, &cursor->ranked, err);
}

static int search(struct semantic_cursor *cursor, sqlite3_value **argv, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    struct request *request = &cursor->request;
    struct semantic_state state;
    cursor->query = sqlite3_value_dup(argv[0]);
    if (cursor->query == NULL) return error_nomem(err);
    int rc = read_request(cursor, argv, err);
    if (rc == 0) top_k_init(&cursor->ranked, request->query.k);
    if (rc == 0) rc = store_read_state(table, &state, err);
    if (rc == 0 && sqlite3_value_type(argv[0]) != SQLITE_NULL && !request->none) {
        rc = query_vector(cursor, &state, err);
        if (rc == 0 && state.dimensions != 0) {
            int is_hinted = request->first < request->query.k;
            rc = reader_begin(&cursor->reader, &state, err);
            if (rc == 0) rc = find(cursor, is_hinted ? request->first : request->query.k, err);
            cursor->more = is_hinted && cursor->ranked.n == request->first;
        }
    }
    if (rc == 0 && cursor->plan & PLAN_RELEVANCE) rc = take_all(cursor, err);
    if (rc == 0 && cursor->plan & PLAN_BY_RELEVANCE) {
        rc = rerank(cursor, err);
        if (rc == 0) qsort(cursor->hits, cursor->n_hits, sizeof *cursor->hits, compare_relevance);
    }
    return rc;
}

/* All that there are, when SQLite wants more rows than LIMIT hinted at: less those that it has. */
static int find_rest(struct semantic_cursor *cursor, struct error *err)
{
    struct top_k_hit hit;
    struct top_k rest;
    int64_t *given = cursor->given;
    struct semantic_state state;
    size_t dimensions = cursor->reader.layout.dimensions;
    top_k_init(&rest, SIZE_MAX);
    /* This connection may have written rows since: the snapshot of now. */
    int rc = store_read_state(table_of(&cursor->base), &state, err);
    if (rc == 0 && state.dimensions != dimensions)
        rc = error_set(err, ERROR_INVALID, "the index was rebuilt while a search of it was read");
    if (rc == 0) rc = reader_begin(&cursor->reader, &state, err);
    if (rc == 0) rc = find(cursor, cursor->request.query.k, err);
    while (rc == 0 && top_k_pop(&cursor->ranked, &hit))
        if (bsearch(&hit.id, given, cursor->request.first, sizeof *given, compare_ids) == NULL)
            rc = top_k_offer(&rest, hit.id, hit.similarity, err);
    top_k_deinit(&cursor->ranked);
    cursor->ranked = rest;
    cursor->more = 0;
    return rc;
}

/* The next hit of a search whose hits are taken one by one. */
static int next_ranked(struct semantic_cursor *cursor, struct error *err)
{
    struct top_k_hit hit;
    int rc = 0;
    if (cursor->more && cursor->given == NULL) {
        cursor->given = memory_alloc(cursor->ranked.n, sizeof *cursor->given);
        if (cursor->given == NULL) return error_nomem(err);
        for (size_t i = 0; i < cursor->ranked.n; i++) cursor->given[i] = cursor->ranked.hits[i].id;
        qsort(cursor->given, cursor->ranked.n, sizeof *cursor->given, compare_ids);
    }
    cursor->eof = !top_k_pop(&cursor->ranked, &hit);
    if (cursor->eof && cursor->more) {
        rc = find_rest(cursor, err);
        if (rc == 0) cursor->eof = !top_k_pop(&cursor->ranked, &hit);
    }
    if (rc == 0 && !cursor->eof)
        cursor->hit = (struct hit){hit.id, hit.similarity, cursor->hit.rank + 1, 0.0f};
    cursor->id = cursor->hit.id;
    return rc;
}

int semantic_next(sqlite3_vtab_cursor *base)
{
    struct semantic_cursor *cursor = (struct semantic_cursor *)base;
    cursor->content_read = 0;
    if (cursor->listing != NULL) {
        int row;
        struct error err;
        if (statement_step(table_of(base)->db, cursor->listing, &row, &err) != 0)
            return argument_table_error(base->pVtab, table_of(base)->name, &err);
        cursor->eof = !row;
        if (row) cursor->id = sqlite3_column_int64(cursor->listing, 0);
    } else if (cursor->hits != NULL) {
        cursor->eof = cursor->position == cursor->n_hits;
        if (!cursor->eof) cursor->hit = cursor->hits[cursor->position++];
        cursor->id = cursor->hit.id;
    } else if (cursor->plan & PLAN_QUERY) {
        struct error err;
        if (next_ranked(cursor, &err) != 0)
            return argument_table_error(base->pVtab, table_of(base)->name, &err);
    } else {
        cursor->eof = 1; /* a lookup has one row */
    }
    return SQLITE_OK;
}

/* One row by its rowid. Pending rows are looked at without a flush, so that DELETE and INSERT in a
 * row trigger stay in one batch; only a statement that reads the vector needs it. */
static int look_up(struct semantic_cursor *cursor, sqlite3_value *rowid, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    struct store_row row;
    int found;
    int type = sqlite3_value_numeric_type(rowid);
    cursor->id = sqlite3_value_int64(rowid);
    if (type != SQLITE_INTEGER &&
        !(type == SQLITE_FLOAT && sqlite3_value_double(rowid) == (double)cursor->id))
        return 0;
    const struct pending_row *waiting = pending_find(table->pending, cursor->id);
    int rc = waiting == NULL ? store_get_row(table, cursor->id, &row, &found, err) : 0;
    if (waiting != NULL) found = waiting->kind < PENDING_DELETE;
    cursor->eof = rc != 0 || !found;
    return rc;
}

static int list(struct semantic_cursor *cursor, struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    return statement_prepare(table->db, &cursor->listing, err,
                             "SELECT id FROM \"%w\".\"%w_rows\" ORDER BY id", table->schema,
                             table->name);
}

/* May this plan leave the pending rows where they are? */
static int reads_pending(const struct semantic_table *table, int plan)
{
    return (plan & PLAN_ROWID) && !(plan & PLAN_READS_VECTOR) &&
           (table->config.content != NULL || !(plan & PLAN_READS_CONTENT));
}

int semantic_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                    sqlite3_value **argv)
{
    (void)unused;
    (void)argc;
    struct semantic_cursor *cursor = (struct semantic_cursor *)base;
    struct semantic_table *table = table_of(base);
    struct error err = table->broken;
    reset(cursor);
    cursor->plan = plan;
    cursor->hit = (struct hit){0};
    int rc = err.code;
    if (rc == 0 && table->reading_content > 0)
        rc = error_set(&err, ERROR_INVALID, "its content %s reads the index itself",
                       table->config.content);
    if (rc == 0 && !reads_pending(table, plan)) rc = semantic_flush(table, &err);
    if (rc == 0 && plan & PLAN_QUERY) rc = search(cursor, argv, &err);
    else if (rc == 0 && plan & PLAN_ROWID) rc = look_up(cursor, argv[0], &err);
    else if (rc == 0) rc = list(cursor, &err);
    if (rc != 0) return argument_table_error(base->pVtab, table->name, &err);
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
    if (cursor->reader.snapshot == NULL) {
        struct semantic_state state;
        rc = store_read_state(table_of(&cursor->base), &state, err);
        if (rc == 0) rc = reader_begin(&cursor->reader, &state, err);
        if (rc != 0) return rc;
    }
    rc = cursor->storage.fetch(cursor->storage.context, cursor->id, &bytes, &size, &found, err);
    if (rc == 0 && found) sqlite3_result_blob64(context, bytes, size, SQLITE_TRANSIENT);
    return rc;
}

static int result_content(struct semantic_cursor *cursor, sqlite3_context *context, int column,
                          struct error *err)
{
    int rc = cursor->content_read ? 0 : read_content(cursor, cursor->id, err);
    if (rc == 0 && cursor->content_found)
        sqlite3_result_value(context,
                             sqlite3_column_value(cursor->content, 1 + column - COLUMN_CONTENT));
    return rc;
}

static const char *const column_names[COLUMN_CONTENT] = {
    "query", "k", "similarity", "distance", "relevance", "rank", "embedding", "query",
};

/* The columns of a search. Whoever reads one in a listing waits for a query that never came; NULL
 * would silently give no row. */
static int result_search(struct semantic_cursor *cursor, sqlite3_context *context, int column,
                         struct error *err)
{
    struct semantic_table *table = table_of(&cursor->base);
    int rc = 0;
    if (!(cursor->plan & PLAN_QUERY))
        return error_set(err, ERROR_INVALID,
                         "the query did not reach the index: %s has a value only in a search, and "
                         "SQLite cannot push query = '...' into what it computes as a whole (LEFT "
                         "JOIN of a view, LIMIT, UNION, DISTINCT, a window without PARTITION BY "
                         "query)",
                         column_names[column]);
    switch (column) {
    case COLUMN_QUERY:
    case COLUMN_TABLE:
        sqlite3_result_value(context, cursor->query);
        break;
    case COLUMN_K:
        if (cursor->k != NULL) sqlite3_result_value(context, cursor->k);
        break;
    case COLUMN_SIMILARITY:
        sqlite3_result_double(context,
                              index_similarity(table->config.metric, cursor->hit.closeness));
        break;
    case COLUMN_DISTANCE:
        sqlite3_result_double(context, index_distance(table->config.metric, cursor->hit.closeness));
        break;
    case COLUMN_RANK:
        sqlite3_result_int64(context, cursor->hit.rank);
        break;
    default:
        rc = current_relevance(cursor, err);
        if (rc == 0) sqlite3_result_double(context, cursor->hit.relevance);
    }
    return rc;
}

int semantic_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct semantic_cursor *cursor = (struct semantic_cursor *)base;
    struct semantic_table *table = table_of(base);
    struct error err;
    int rc;
    /* In an UPDATE the columns that stay are not ours to read, but for the text that we keep
     * ourselves. */
    if (sqlite3_vtab_nochange(context) &&
        (column < COLUMN_CONTENT || table->config.content != NULL))
        return SQLITE_OK;
    if (column == COLUMN_EMBEDDING) rc = result_embedding(cursor, context, &err);
    else if (column >= COLUMN_CONTENT) rc = result_content(cursor, context, column, &err);
    else rc = result_search(cursor, context, column, &err);
    if (rc != 0) argument_result_error(context, table->name, &err);
    return SQLITE_OK;
}
