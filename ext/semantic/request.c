#include "semantic/request.h"

#include <math.h>

#include "semantic/columns.h"
#include "semantic/plan.h"
#include "sqlite/argument.h"
#include "sqlite/statement.h"
#include "store/keys.h"

/* A LIMIT beyond this is no hint. */
#define MAX_HINT 100000

/* So many rows are looked for first, at least, where nothing says how many will be read, as of a
 * JOIN. */
#define FIRST_READ 32

/* So many candidates are reranked because LIMIT reaches them; for more there is to be a k. */
#define MAX_REACHED ((size_t)1000)

/* ---- similarity, distance, rank, score, bm25 ------------------------------------------------- */

static int is_upper(int op)
{
    return op == SQLITE_INDEX_CONSTRAINT_LE || op == SQLITE_INDEX_CONSTRAINT_LT;
}

/* Compared with what is no number these columns are as SQLite has it: less than text and blobs, and
 * NULL IS NULL, which SQLite finds out. */
static void read_other(const struct plan_condition *condition, sqlite3_value *value,
                       struct semantic_request *request)
{
    int is_null = sqlite3_value_type(value) == SQLITE_NULL;
    if (is_null && condition->op == SQLITE_INDEX_CONSTRAINT_IS) return;
    if (is_null || !is_upper(condition->op)) request->none = 1;
}

/* The bounds of a number that meets the condition. */
static void read_bounds(int op, double value, double *least, double *most)
{
    *least = is_upper(op) ? -INFINITY : value;
    *most = op == SQLITE_INDEX_CONSTRAINT_GE || op == SQLITE_INDEX_CONSTRAINT_GT ? INFINITY : value;
    if (op == SQLITE_INDEX_CONSTRAINT_GT) *least = nextafter(value, INFINITY);
    if (op == SQLITE_INDEX_CONSTRAINT_LT) *most = nextafter(value, -INFINITY);
}

static void read_similarity(double least, double most, struct semantic_request *request)
{
    struct retrieve_limits *limits = &request->limits;
    limits->min_similarity = fmax(limits->min_similarity, least);
    request->ring.max_similarity = fmin(request->ring.max_similarity, most);
}

static void read_distance(double least, double most, struct semantic_request *request)
{
    request->ring.min_distance = fmax(request->ring.min_distance, least);
    request->ring.max_distance = fmin(request->ring.max_distance, most);
}

/* Bounds of a rank; ranks are integers. */
static void read_rank(double least, double most, struct semantic_request *request)
{
    const double far = 9e18;
    least = ceil(least);
    most = floor(most);
    if (least >= far || most < 1) {
        request->none = 1;
        return;
    }
    if (least > (double)request->first_rank) request->first_rank = (int64_t)least;
    if (most < far && (int64_t)most < request->last_rank) request->last_rank = (int64_t)most;
}

static void read_score(double least, double most, struct semantic_request *request)
{
    struct fusion_bounds *score = &request->bounds.score;
    score->min_score = fmax(score->min_score, least);
    score->max_score = fmin(score->max_score, most);
    request->limits.bounds = &request->bounds;
}

static void read_bm25(double least, double most, struct semantic_request *request)
{
    request->bounds.min_bm25 = fmax(request->bounds.min_bm25, least);
    request->bounds.max_bm25 = fmin(request->bounds.max_bm25, most);
    request->limits.bounds = &request->bounds;
}

/* Where vectors rank alone the score is the similarity, and there is no bm25. */
static void read_alone(struct semantic_request *request)
{
    const struct retrieve_bounds *bounds = request->limits.bounds;
    if (bounds == NULL || semantic_query_is_fused(&request->asked)) return;
    read_similarity(bounds->score.min_score, bounds->score.max_score, request);
    if (bounds->min_bm25 > -INFINITY || bounds->max_bm25 < INFINITY) request->none = 1;
    request->limits.bounds = NULL;
}

static void read_number(const struct semantic_table *table, const struct plan_condition *condition,
                        sqlite3_value *value, struct semantic_request *request)
{
    int words = columns_of_words(table, condition->column);
    double number, least, most;
    if (!argument_number(value, &number)) {
        read_other(condition, value, request);
        return;
    }
    read_bounds(condition->op, number, &least, &most);
    if (condition->column == COLUMN_SIMILARITY) read_similarity(least, most, request);
    else if (condition->column == COLUMN_DISTANCE) read_distance(least, most, request);
    else if (words == WORDS_SCORE) read_score(least, most, request);
    else if (words == WORDS_BM25) read_bm25(least, most, request);
    else read_rank(least, most, request);
}

/* So many, or all, where a size_t counts no further. */
static size_t count_of(int64_t n)
{
    return (uint64_t)n < SIZE_MAX ? (size_t)n : SIZE_MAX;
}

/* The k rows are those from the first rank on. */
static void apply_ranks(struct semantic_request *request)
{
    struct retrieve_limits *limits = &request->limits;
    size_t skip = count_of(request->first_rank - 1);
    if (request->last_rank < request->first_rank || skip == SIZE_MAX) request->none = 1;
    limits->skip = skip;
    limits->k = limits->k > SIZE_MAX - 1 - skip ? SIZE_MAX : limits->k + skip;
    if (limits->hint < SIZE_MAX - 1 - skip) limits->hint += skip;
    if (request->last_rank < INT64_MAX && (uint64_t)request->last_rank < limits->k)
        limits->k = (size_t)request->last_rank;
}

/* ---- lists of ids ---------------------------------------------------------------------------- */

/* A member: a rowid, or the key of a keyed index. */
static int read_member(struct semantic_table *table, sqlite3_value *value, int is_key, int64_t *id,
                       int *found, struct error *err)
{
    struct keys_value key = {value, columns_key_affinity(table)};
    if (is_key) return keys_find(&table->store, key, id, found, err);
    *found = argument_integer(value, id);
    return 0;
}

static int add_member(struct semantic_table *table, sqlite3_value *value, int is_key,
                      struct ids *ids, struct error *err)
{
    int64_t id;
    int found, rc = read_member(table, value, is_key, &id, &found, err);
    return rc == 0 && found ? ids_add(ids, id, err) : rc;
}

/* The members of rowid IN (...) or rowid = x, each once, in order. */
static int read_list(struct semantic_table *table, const struct plan_condition *condition,
                     sqlite3_value *list, struct ids *ids, struct error *err)
{
    int is_key = table->key != SIZE_MAX && condition->column != -1, rc = 0;
    sqlite3_value *value = NULL;
    if (!condition->is_list) {
        rc = add_member(table, list, is_key, ids, err);
    } else {
        int step = sqlite3_vtab_in_first(list, &value);
        for (; rc == 0 && step == SQLITE_OK; step = sqlite3_vtab_in_next(list, &value))
            rc = add_member(table, value, is_key, ids, err);
        if (rc == 0 && step != SQLITE_DONE) rc = statement_error(table->store.db, step, err);
    }
    ids_sort(ids);
    return rc;
}

/* A list counts with those that came before. What is neither a literal nor a parameter may be a
 * column of a joined table: see plan.c. */
static int read_rowids(struct semantic_table *table, const struct plan_condition *condition,
                       sqlite3_value *value, struct semantic_request *request, struct error *err)
{
    struct ids ids;
    if (!condition->is_list && !condition->is_literal && !sqlite3_value_frombind(value)) return 0;
    int rc = ids_init(&ids, err);
    if (rc == 0) rc = read_list(table, condition, value, &ids, err);
    if (rc == 0 && request->ids.items != NULL) ids_keep(&ids, request->ids.items, request->ids.n);
    if (rc != 0) {
        ids_deinit(&ids);
        return rc;
    }
    ids_deinit(&request->ids);
    request->ids = ids;
    request->limits.only = ids.items;
    request->limits.n_only = ids.n;
    return 0;
}

/* ---- the request ----------------------------------------------------------------------------- */

static int is_key(const struct semantic_table *table, const struct plan_condition *condition)
{
    return table->key != SIZE_MAX && condition->column == COLUMN_CONTENT + (int)table->key &&
           sqlite3_stricmp(condition->collation, "BINARY") == 0;
}

static int is_rowid(const struct semantic_table *table, const struct plan_condition *condition)
{
    return condition->column == -1 ||
           (table->rowid_column != SIZE_MAX &&
            condition->column == COLUMN_CONTENT + (int)table->rowid_column);
}

/* k = n, k <= n or k < n, of which the least counts; NULL is the default where it is an argument,
 * and no row where it is compared. */
static int read_k(struct semantic_request *request, int is_bound, int is_less, sqlite3_value *value,
                  struct error *err)
{
    size_t k;
    if (sqlite3_value_type(value) == SQLITE_NULL) {
        request->none |= is_bound;
        return 0;
    }
    if (is_bound && sqlite3_value_type(value) == SQLITE_FLOAT) {
        double most = sqlite3_value_double(value);
        k = most < 1 ? 0 : most >= 0x1p53 ? SIZE_MAX : count_of((int64_t)most);
        if (is_less && (double)k >= most && k > 0) k--;
    } else {
        int rc = argument_count(value, "k", 1, SIZE_MAX, &k, err);
        if (rc != 0) return rc;
        if (is_less) k--;
    }
    if (k == 0) request->none = 1;
    if (request->k == 0 || k < request->k) request->k = request->limits.k = k;
    return 0;
}

/* How words and vectors are fused; NULL: as the table says. */
static int read_fusion(sqlite3_value *value, enum fusion_kind *fusion, struct error *err)
{
    const char *name = NULL;
    int rc = argument_optional_text(value, &name, err);
    if (rc != 0) error_context(err, "fusion");
    if (rc != 0 || name == NULL) return rc;
    for (int i = 0; i < FUSION_KINDS; i++) {
        if (sqlite3_stricmp(name, fusion_names[i]) != 0) continue;
        *fusion = (enum fusion_kind)i;
        return 0;
    }
    return error_set(err, ERROR_INVALID, "fusion must be '%s' or '%s', not '%.40s'",
                     fusion_names[FUSION_WEIGHTED], fusion_names[FUSION_RRF], name);
}

static int read_weight(sqlite3_value *value, double *weight, struct error *err)
{
    if (sqlite3_value_type(value) == SQLITE_NULL) return 0;
    double given;
    if (argument_number(value, &given) && given >= 0.0 && given <= 1.0) {
        *weight = given;
        return 0;
    }
    if (sqlite3_value_type(value) == SQLITE_BLOB)
        return error_set(err, ERROR_INVALID, "weight must be a number from 0 to 1, not a blob");
    const char *text = (const char *)sqlite3_value_text(value);
    return text == NULL ? error_nomem(err) : semantic_weight_parse(text, weight, err);
}

static int read_condition(struct semantic_table *table, const struct plan_condition *condition,
                          sqlite3_value *value, struct semantic_request *request, struct error *err)
{
    int op = condition->op, column = condition->column;
    if (column == COLUMN_SIMILARITY || column == COLUMN_DISTANCE || column == COLUMN_RANK ||
        columns_of_words(table, column) >= 0) {
        read_number(table, condition, value, request);
        return 0;
    }
    if (column == COLUMN_K) return read_k(request, 1, op == SQLITE_INDEX_CONSTRAINT_LT, value, err);
    if (op == SQLITE_INDEX_CONSTRAINT_EQ &&
        (is_rowid(table, condition) || is_key(table, condition)))
        return read_rowids(table, condition, value, request, err);
    request->limits.filter = &request->filter;
    return filter_add(&request->filter, condition, value, err);
}

static int read_conditions(struct semantic_table *table, const char *conditions,
                           sqlite3_value **argv, struct semantic_request *request,
                           struct error *err)
{
    struct plan_condition condition;
    int rc = 0;
    for (int i = 0; rc == 0 && plan_next_condition(&conditions, &condition); i++)
        rc = read_condition(table, &condition, argv[i], request, err);
    return rc;
}

/* A ranking of all rows is one of all vectors, and so are its first rows, where nothing says how
 * many will be read: some more than the last were. Words rank otherwise. */
static void begin_with_few(const struct semantic_table *table, struct retrieve_limits *limits)
{
    size_t n = table->n_read + table->n_read / 8;
    if (limits->k != SIZE_MAX || limits->hint != SIZE_MAX || table->store.tokenizer != NULL) return;
    limits->exactly = 1;
    if (n < FIRST_READ) n = FIRST_READ;
    if (limits->skip < SIZE_MAX - n) limits->hint = limits->skip + n;
}

/* LIMIT and OFFSET: how many rows SQLite will ask for, as far as it knows. */
static void read_limit(sqlite3_value *limit, sqlite3_value *offset, int by_relevance,
                       struct semantic_request *request)
{
    int64_t n = sqlite3_value_int64(limit),
            skipped = offset == NULL ? 0 : sqlite3_value_int64(offset);
    if (skipped < 0) skipped = 0;
    if (n < 0 && by_relevance) n = (int64_t)request->limits.k; /* those after the skipped */
    if (n < 0) return;
    if (by_relevance)
        request->n_reachable = n > INT64_MAX - skipped ? SIZE_MAX : count_of(n + skipped);
    else if (n <= MAX_HINT && skipped <= MAX_HINT) request->limits.hint = (size_t)(n + skipped) + 1;
}

int request_read(struct semantic_request *request, struct semantic_table *table, int plan,
                 const char *conditions, sqlite3_value **argv, struct error *err)
{
    int n = 1, rc = 0;
    request_clear(request);
    filter_begin(&request->filter, table);
    request->filter.is_cut = (plan & (PLAN_K | PLAN_RELEVANCE)) != 0;
    request->query = sqlite3_value_dup(argv[0]);
    request->limits =
        (struct retrieve_limits){.k = SIZE_MAX, .hint = SIZE_MAX, .min_similarity = -INFINITY};
    request->ring = (struct index_ring){INFINITY, -INFINITY, INFINITY};
    request->limits.ring = &request->ring;
    request->bounds = (struct retrieve_bounds){{-INFINITY, INFINITY}, -INFINITY, INFINITY};
    request->fusion = table->config.fusion;
    request->weight = table->config.weight;
    request->first_rank = 1;
    request->last_rank = INT64_MAX;
    if (request->query == NULL) return error_nomem(err);
    request->none = sqlite3_value_type(argv[0]) == SQLITE_NULL;
    request->limits.is_mixed = (plan & PLAN_RELEVANCE) != 0;
    if (plan & PLAN_RELEVANCE) request->limits.k = table->config.candidates;
    if (plan & PLAN_K)
        rc = read_k(request, (plan & (PLAN_K_AT_MOST | PLAN_K_LESS)) != 0,
                    (plan & PLAN_K_LESS) != 0, argv[n++], err);
    if (rc == 0 && plan & PLAN_LIMIT) {
        sqlite3_value *limit = argv[n++];
        read_limit(limit, plan & PLAN_OFFSET ? argv[n++] : NULL, (plan & PLAN_RELEVANCE) != 0,
                   request);
    }
    if (rc == 0 && plan & PLAN_FUSION) rc = read_fusion(argv[n++], &request->fusion, err);
    if (rc == 0 && plan & PLAN_WEIGHT) rc = read_weight(argv[n++], &request->weight, err);
    if (rc == 0) rc = read_conditions(table, conditions, argv + n, request, err);
    if (rc == 0) apply_ranks(request);
    if (rc == 0) begin_with_few(table, &request->limits);
    if (rc == 0 && !request->none)
        rc = semantic_query_read(&request->asked, table, request->query, err);
    if (request->asked.text.data == NULL && request->asked.vector.data == NULL) request->none = 1;
    request->asked.fusion = request->fusion;
    request->asked.weight = request->weight;
    read_alone(request);
    return rc;
}

int request_reach(struct semantic_request *request, size_t n_rows, struct error *err)
{
    struct retrieve_limits *limits = &request->limits;
    size_t wanted = request->n_reachable < n_rows ? request->n_reachable : n_rows;
    if (request->k != 0 || wanted <= limits->k - limits->skip) return 0;
    if (wanted > MAX_REACHED)
        return error_set(err, ERROR_INVALID,
                         "LIMIT and OFFSET reach beyond the %zu candidates that are reranked: say "
                         "how many are to be, k = n, or write a lower LIMIT",
                         limits->k - limits->skip);
    limits->k = wanted + limits->skip;
    return 0;
}

void request_clear(struct semantic_request *request)
{
    struct filter filter = request->filter;
    semantic_query_deinit(&request->asked);
    sqlite3_value_free(request->query);
    ids_deinit(&request->ids);
    *request = (struct semantic_request){.filter = filter};
}

void request_deinit(struct semantic_request *request)
{
    request_clear(request);
    filter_deinit(&request->filter);
}
