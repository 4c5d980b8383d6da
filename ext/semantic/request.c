#include "semantic/request.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "semantic/columns.h"
#include "semantic/plan.h"
#include "sqlite/argument.h"
#include "sqlite/statement.h"
#include "store/keys.h"

/* A LIMIT beyond this is no hint. */
#define MAX_HINT 100000

/* similarity >= x, as SQLite compares: NULL and what is no number let nothing pass. */
static void read_similarity(sqlite3_value *value, int above, struct semantic_request *request)
{
    int type = sqlite3_value_type(value);
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) {
        request->none = 1;
        return;
    }
    double least = sqlite3_value_double(value);
    request->limits.min_similarity = above ? nextafter(least, INFINITY) : least;
}

/* A member: a rowid, or the key of a keyed index. */
static int read_member(struct semantic_table *table, sqlite3_value *value, int is_key, int64_t *id,
                       int *found, struct error *err)
{
    struct keys_value key = {value, columns_key_affinity(table)};
    if (is_key) return keys_find(&table->store, key, id, found, err);
    *found = argument_integer(value, id);
    return 0;
}

static int add_rowid(struct semantic_request *request, size_t *capacity, int64_t id,
                     struct error *err)
{
    if (request->limits.n_only == *capacity) {
        int64_t *ids = memory_realloc(request->ids, *capacity * 2, sizeof *ids);
        if (ids == NULL) return error_nomem(err);
        request->ids = ids;
        *capacity *= 2;
    }
    request->ids[request->limits.n_only++] = id;
    return 0;
}

/* Keeps of the sorted ids those that are in another sorted list too. */
static void intersect(struct semantic_request *request, const int64_t *others, size_t n_others)
{
    size_t n = 0, j = 0;
    for (size_t i = 0; i < request->limits.n_only; i++) {
        while (j < n_others && others[j] < request->ids[i]) j++;
        if (j < n_others && others[j] == request->ids[i]) request->ids[n++] = request->ids[i];
    }
    request->limits.n_only = n;
}

/* The members of rowid IN (...), each once, in order. */
static int read_list(struct semantic_table *table, sqlite3_value *list, int is_keys,
                     struct semantic_request *request, struct error *err)
{
    size_t capacity = 64, n = 0;
    sqlite3_value *value = NULL;
    request->limits.n_only = 0;
    request->ids = memory_alloc(capacity, sizeof *request->ids);
    if (request->ids == NULL) return error_nomem(err);
    int step = sqlite3_vtab_in_first(list, &value);
    for (; step == SQLITE_OK; step = sqlite3_vtab_in_next(list, &value)) {
        int64_t id;
        int found, rc = read_member(table, value, is_keys, &id, &found, err);
        if (rc == 0 && found) rc = add_rowid(request, &capacity, id, err);
        if (rc != 0) return rc;
    }
    if (step != SQLITE_DONE) return statement_error(table->store.db, step, err);
    qsort(request->ids, request->limits.n_only, sizeof *request->ids, retrieve_compare_ids);
    for (size_t i = 0; i < request->limits.n_only; i++)
        if (n == 0 || request->ids[n - 1] != request->ids[i]) request->ids[n++] = request->ids[i];
    request->limits.n_only = n;
    request->limits.only = request->ids;
    return 0;
}

/* The members that all lists have. */
static int read_rowids(struct semantic_table *table, sqlite3_value **lists, int plan,
                       struct semantic_request *request, struct error *err)
{
    int n_lists = plan >> PLAN_LISTS_SHIFT & PLAN_LISTS_MASK,
        of_keys = plan >> PLAN_KEY_LISTS_SHIFT;
    int rc = read_list(table, lists[0], of_keys & 1, request, err);
    for (int i = 1; rc == 0 && i < n_lists; i++) {
        struct semantic_request other = {0};
        rc = read_list(table, lists[i], of_keys >> i & 1, &other, err);
        if (rc == 0) intersect(request, other.ids, other.limits.n_only);
        memory_free(other.ids);
    }
    return rc;
}

/* LIMIT and OFFSET: how many rows SQLite will ask for, as far as it knows. */
static void read_limit(sqlite3_value *limit, sqlite3_value *offset,
                       struct semantic_request *request)
{
    int64_t n = sqlite3_value_int64(limit),
            skipped = offset == NULL ? 0 : sqlite3_value_int64(offset);
    if (n >= 0 && n <= MAX_HINT && skipped <= MAX_HINT)
        request->limits.hint = (size_t)(n + (skipped < 0 ? 0 : skipped)) + 1;
}

int request_read(struct semantic_request *request, struct semantic_table *table, int plan,
                 sqlite3_value **argv, struct error *err)
{
    int n = 1, rc = 0;
    *request = (struct semantic_request){
        .query = sqlite3_value_dup(argv[0]),
        .limits = {.k = SIZE_MAX, .hint = SIZE_MAX, .min_similarity = -INFINITY}};
    if (request->query == NULL) return error_nomem(err);
    request->none = sqlite3_value_type(argv[0]) == SQLITE_NULL;
    if (plan & PLAN_RELEVANCE) request->limits.k = table->config.candidates;
    if (plan & PLAN_K) {
        request->k = sqlite3_value_dup(argv[n]);
        rc = request->k == NULL
                 ? error_nomem(err)
                 : argument_count(argv[n++], "k", 1, SIZE_MAX, &request->limits.k, err);
    }
    if (rc == 0 && plan & PLAN_SIMILARITY)
        read_similarity(argv[n++], (plan & PLAN_SIMILARITY_ABOVE) != 0, request);
    if (rc == 0 && plan & PLAN_LIMIT) {
        sqlite3_value *limit = argv[n++];
        read_limit(limit, plan & PLAN_OFFSET ? argv[n++] : NULL, request);
    }
    if (rc == 0 && plan & PLAN_ROWIDS) rc = read_rowids(table, argv + n, plan, request, err);
    if (rc == 0 && !request->none)
        rc = retrieve_query_read(&request->asked, table, request->query, err);
    if (request->asked.text.data == NULL && request->asked.vector.data == NULL) request->none = 1;
    return rc;
}

void request_deinit(struct semantic_request *request)
{
    retrieve_query_deinit(&request->asked);
    sqlite3_value_free(request->query);
    sqlite3_value_free(request->k);
    memory_free(request->ids);
    *request = (struct semantic_request){0};
}
