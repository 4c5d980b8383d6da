#include "semantic/retrieve.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "semantic/candidates.h"
#include "semantic/content.h"
#include "semantic/embedder.h"
#include "semantic/flush.h"
#include "semantic/sense.h"
#include "semantic/sides.h"
#include "store/vectors.h"
#include "store/write.h"

/* Where more rows are wanted than were looked for, so many times as many are. */
#define MORE_ROWS 8

/* Of rows that were read without a hint no more than so many are expected again. */
#define MOST_READ ((size_t)4096)

/* Bytes of the rows of a group, at most. */
#define GROUP_BYTES ((size_t)64 << 20)

/* ---- queries --------------------------------------------------------------------------------- */

/* The texts that need a vector, all checked: [*n] of them in *texts, which the caller frees. */
static int list_texts(struct retrieval *retrieval, struct span **texts, size_t *n,
                      struct error *err)
{
    int rc = 0;
    *n = 0;
    *texts = memory_alloc(retrieval->n_queries, sizeof **texts);
    if (*texts == NULL) return error_nomem(err);
    for (size_t i = 0; rc == 0 && i < retrieval->n_queries; i++) {
        const struct semantic_query *query = &retrieval->queries[i];
        if (query->text.data == NULL) continue;
        if (semantic_query_is_embedded(query)) (*texts)[(*n)++] = semantic_query_meant(query);
        retrieval->blamed = i;
        rc = model_check_text(query->text, 1, err);
    }
    return rc;
}

/* The query whose text is the one of that number. */
static size_t query_of_text(const struct retrieval *retrieval, size_t text)
{
    size_t i = 0;
    for (size_t n = 0; !semantic_query_is_embedded(&retrieval->queries[i]) || n++ < text;) i++;
    return i;
}

/* Of a text of which a model knows no word it makes zeros: nothing is near it. Zeros of a server
 * are its failure (check_query). */
static int is_senseless(const struct retrieval *retrieval, const struct catalog_entry *entry,
                        const float *vector, size_t dimensions)
{
    struct catalog_description description;
    for (size_t i = 0; i < dimensions; i++)
        if (vector[i] != 0.0f) return 0;
    catalog_describe(retrieval->table->connection->catalog, entry, &description);
    return !description.is_remote;
}

/* Of a text behind a prefix no word is weighed. */
static void note_embedder(struct retrieval *retrieval, const struct catalog_entry *entry,
                          struct model *fitted)
{
    const char *prefix = catalog_entry_prefix(entry, MODEL_QUERY);
    retrieval->embedder = fitted != NULL ? fitted : catalog_entry_model(entry);
    retrieval->weighs = retrieval->table->store.tokenizer != NULL &&
                        retrieval->embedder->methods->embed_by_rarity != NULL &&
                        retrieval->embedder->dimensions == retrieval->embeddings.dimensions &&
                        (prefix == NULL || *prefix == '\0');
}

/* Checks the texts, and asks for their vectors if there is anything that they could find. */
static int embed_texts(struct retrieval *retrieval, int wanted, struct error *err)
{
    struct semantic_table *table = retrieval->table;
    struct catalog_entry *entry;
    struct model *fitted;
    struct span *texts;
    struct catalog_refusals refusals = {0};
    size_t n;
    int rc = list_texts(retrieval, &texts, &n, err);
    if (!wanted) n = 0;
    if (rc == 0 && n > 0) {
        struct model_texts request = {texts, n, MODEL_QUERY, &table->connection->cancel, 0};
        retrieval->blamed = SIZE_MAX;
        rc = semantic_embedder(table, &retrieval->state, &entry, &fitted, err);
        if (rc == 0)
            rc = catalog_embed(table->connection->catalog, entry, fitted, &request,
                               &retrieval->embeddings, n > 1 ? &refusals : NULL, err);
    }
    if (rc == 0 && refusals.n > 0) {
        retrieval->blamed = query_of_text(retrieval, refusals.items[0].text);
        rc = error_set(err, ERROR_INVALID, "%s", refusals.items[0].why.text);
    }
    catalog_refusals_deinit(&refusals);
    const float *vector = retrieval->embeddings.vectors;
    size_t dimensions = retrieval->embeddings.dimensions;
    for (size_t i = 0; rc == 0 && n > 0 && i < retrieval->n_queries; i++) {
        if (!semantic_query_is_embedded(&retrieval->queries[i])) continue;
        if (!is_senseless(retrieval, entry, vector, dimensions))
            retrieval->queries[i].vector = (struct argument_vector){vector, dimensions, NULL};
        vector += dimensions;
    }
    if (rc == 0 && n > 0) note_embedder(retrieval, entry, fitted);
    memory_free(texts);
    return rc;
}

static int check_query(const struct retrieval *retrieval, const struct semantic_query *query,
                       struct error *err)
{
    const struct argument_vector *vector = &query->vector;
    int is_text = query->text.data != NULL;
    if (vector->data == NULL) return 0;
    int rc = store_check_dimensions(
        &retrieval->state, is_text ? retrieval->state.model : "the query", vector->dimensions, err);
    if (rc != 0 && is_text && query->text.data[0] == '[')
        error_context(err, "the query is no JSON array of %zu numbers, and so a text",
                      retrieval->state.dimensions);
    if (rc != 0) return rc;
    rc = semantic_check_direction(retrieval->table, vector->data, vector->dimensions, err);
    if (rc != 0 && is_text) error_context(err, "the query: %s", retrieval->state.model);
    return rc;
}

/* All queries that have a vector by now. */
static int check_queries(struct retrieval *retrieval, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < retrieval->n_queries; i++) {
        retrieval->blamed = i;
        rc = check_query(retrieval, &retrieval->queries[i], err);
    }
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Takes the vectors of texts that say nothing to the model, so that they have no rows: neither what
 * it has learnt nor the rows of the whole index that are nearest have anything of them. */
static int drop_senseless(struct retrieval *retrieval, struct error *err)
{
    struct model *model = retrieval->embedder;
    struct retrieve_limits limits = retrieval->limits;
    int rc = 0;
    if (model == NULL || model->methods->has_sense == NULL) return 0;
    retrieval->limits =
        (struct retrieve_limits){.k = SENSE_ROWS, .hint = SIZE_MAX, .min_similarity = -INFINITY};
    retrieval->only = NULL;
    retrieval->bits = NULL;
    for (size_t i = 0; rc == 0 && i < retrieval->n_queries; i++) {
        struct semantic_query *query = &retrieval->queries[i];
        struct top_k nearest;
        int has;
        if (query->text.data == NULL || query->vector.data == NULL) continue;
        struct span text = semantic_query_meant(query);
        rc = sense_is_learnt(retrieval->table, model, text, &has, err);
        if (rc != 0 || has) continue;
        top_k_init(&nearest, SENSE_ROWS);
        rc = candidates_rank(retrieval, query, SENSE_ROWS, &nearest, err);
        if (rc == 0) rc = sense_find(retrieval->table, model, text, &nearest, &has, err);
        if (rc == 0 && !has) query->vector = (struct argument_vector){0};
        top_k_deinit(&nearest);
    }
    retrieval->limits = limits;
    retrieval->only = limits.only;
    return rc;
}

/* How much of the texts the model knows, where words are ranked, too. */
static int measure_known(struct retrieval *retrieval, struct error *err)
{
    struct model *model = retrieval->embedder;
    const struct cancel *cancel = &retrieval->table->connection->cancel;
    int rc = 0;
    if (model == NULL || model->methods->knows == NULL) return 0;
    for (size_t i = 0; rc == 0 && i < retrieval->n_queries; i++) {
        struct semantic_query *query = &retrieval->queries[i];
        if (!semantic_query_is_fused(query) || query->vector.data == NULL) continue;
        rc = model->methods->knows(model, semantic_query_meant(query), cancel, &query->known, err);
    }
    return rc;
}

static void drop_group(struct retrieval *retrieval)
{
    for (size_t i = 0; i < retrieval->n_group; i++) {
        top_k_deinit(&retrieval->ranked[i]);
        fusion_deinit(&retrieval->fused[i]);
    }
    retrieval->n_group = 0;
}

/* How many queries of so many rows each may be searched for together. */
static size_t group_limit(const struct retrieval *retrieval, size_t k)
{
    size_t n_rows = retrieval->reader.snapshot->n_rows;
    size_t size = retrieval->table->store.tokenizer != NULL ? sizeof(struct fusion_row) : 0;
    size_t bytes = (k < n_rows ? k : n_rows) * (sizeof(struct top_k_hit) + size);
    size_t most = bytes == 0 ? RETRIEVE_GROUP : GROUP_BYTES / bytes;
    return most == 0 ? 1 : most < RETRIEVE_GROUP ? most : RETRIEVE_GROUP;
}

/* Whether a ranking begins with the same rows however many are looked for, which those of codes,
 * near partitions and words may not, and fewer cost less: vectors are in memory, or come to be. */
static int begins_alike(const struct retrieval *retrieval)
{
    const struct semantic_table *table = retrieval->table;
    int is_exact = retrieval->limits.exactly || !store_is_partitioned(&table->store);
    if (table->store.tokenizer != NULL) return 0;
    if (table->config.quantize == INDEX_EXACT) return is_exact;
    return retrieval->limits.exactly && vectors_may_stay(&retrieval->reader);
}

/* How many rows are looked for at first: as many as the hint says, but all by vectors that are read
 * each time. */
static size_t first_wanted(const struct retrieval *retrieval)
{
    const struct retrieve_limits *limits = &retrieval->limits;
    int by_hint = limits->hint < limits->k && (!limits->exactly || begins_alike(retrieval));
    return by_hint ? limits->hint : limits->k;
}

/* Searches for the queries from the current one on that can have rows. */
static int search_group(struct retrieval *retrieval, struct error *err)
{
    const struct retrieve_limits *limits = &retrieval->limits;
    const struct semantic_query *queries = retrieval->queries + retrieval->query;
    size_t left = retrieval->n_queries - retrieval->query;
    size_t k = first_wanted(retrieval);
    size_t most = group_limit(retrieval, k);
    drop_group(retrieval);
    retrieval->group = retrieval->query;
    size_t n = sides_group(queries, most < left ? most : left);
    retrieval->n_group = n;
    int rc = sides_find(retrieval, queries, n, k, retrieval->ranked, err);
    for (size_t i = 0; i < n; i++) {
        retrieval->has_more[i] = k < limits->k && retrieval->ranked[i].n == k;
        retrieval->unchecked[i] = (char)candidates_are_unchecked(retrieval, k);
    }
    return rc;
}

/* Remembers the rows of a ranking of the current query, before any is taken. */
static int note_given(struct retrieval *retrieval, const struct top_k *ranked, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ranked->n; i++)
        rc = ids_add(&retrieval->given, ranked->hits[i].id, err);
    ids_sort(&retrieval->given);
    return rc;
}

/* This connection may have written rows since: the snapshot of now. */
static int renew_snapshot(struct retrieval *retrieval, struct error *err)
{
    struct store_state state;
    int rc = store_read_state(&retrieval->table->store, &state, err);
    if (rc == 0 && state.dimensions != retrieval->state.dimensions)
        rc = error_set(err, ERROR_INVALID, "the index was rebuilt while a search of it was read");
    return rc == 0 ? reader_begin(&retrieval->reader, &state, err) : rc;
}

/* How many rows are looked for when more are wanted than were given: some times as many where that
 * is less work than all. */
static size_t more_than_given(const struct retrieval *retrieval)
{
    size_t k = retrieval->limits.k, n_rows = retrieval->reader.snapshot->n_rows;
    size_t more = retrieval->given.n * MORE_ROWS;
    return begins_alike(retrieval) && more < k && more < n_rows / MORE_ROWS ? more : k;
}

/* More rows of the current query, or all that there are: less those that were given. */
static int find_more(struct retrieval *retrieval, size_t i, struct error *err)
{
    struct top_k *ranked = &retrieval->ranked[i], all, rest;
    top_k_init(&rest, SIZE_MAX);
    top_k_init(&all, 0);
    int rc = renew_snapshot(retrieval, err);
    size_t k = more_than_given(retrieval);
    if (rc == 0) rc = sides_find(retrieval, retrieval->queries + retrieval->query, 1, k, &all, err);
    for (size_t j = 0; rc == 0 && j < all.n; j++)
        if (!ids_has(retrieval->given.items, retrieval->given.n, all.hits[j].id))
            rc = top_k_offer(&rest, all.hits[j].id, all.hits[j].score, err);
    retrieval->has_more[i] = rc == 0 && k < retrieval->limits.k && all.n == k;
    retrieval->unchecked[i] = (char)candidates_are_unchecked(retrieval, k);
    if (retrieval->has_more[i]) rc = note_given(retrieval, &all, err);
    top_k_deinit(&all);
    top_k_deinit(ranked);
    *ranked = rest;
    return rc;
}

/* The best row of a ranking that passes. */
static int pop(struct retrieval *retrieval, size_t i, struct top_k_hit *hit, int *found,
               struct error *err)
{
    struct top_k *ranked = &retrieval->ranked[i];
    size_t n_asked = 1;
    int rc = 0;
    *found = 0;
    if (!retrieval->unchecked[i]) {
        *found = top_k_pop(ranked, hit);
        return 0;
    }
    while (rc == 0 && retrieval->next == retrieval->n_passed && n_asked > 0) {
        retrieval->next = retrieval->n_passed = 0;
        rc = candidates_next(retrieval, ranked, retrieval->passed, &retrieval->n_passed, &n_asked,
                             err);
    }
    if (rc != 0 || retrieval->next == retrieval->n_passed) return rc;
    *hit = retrieval->passed[retrieval->next++];
    *found = 1;
    return 0;
}

/* The next row of the current query, whose group was searched for. */
static int take(struct retrieval *retrieval, struct top_k_hit *hit, int *found, struct error *err)
{
    size_t i = retrieval->query - retrieval->group;
    struct top_k *ranked = &retrieval->ranked[i];
    int rc = 0;
    if (retrieval->has_more[i] && retrieval->given.n == 0) rc = note_given(retrieval, ranked, err);
    if (rc == 0) rc = pop(retrieval, i, hit, found, err);
    while (rc == 0 && !*found && retrieval->has_more[i]) {
        rc = find_more(retrieval, i, err);
        if (rc == 0) rc = pop(retrieval, i, hit, found, err);
    }
    return rc;
}

/* ---- the retrieval --------------------------------------------------------------------------- */

int retrieve_open(struct retrieval *retrieval, struct semantic_table *table, struct error *err)
{
    *retrieval = (struct retrieval){.table = table};
    reader_open(&table->store, &retrieval->reader, &retrieval->storage);
    int rc = store_read_state(&table->store, &retrieval->state, err);
    if (rc == 0) rc = reader_begin(&retrieval->reader, &retrieval->state, err);
    if (rc != 0) retrieve_close(retrieval);
    return rc;
}

int retrieve_open_named(struct retrieval *retrieval, struct semantic_registry *registry,
                        sqlite3_value *name, sqlite3_value *schema, struct error *err)
{
    struct semantic_table *table;
    sqlite3_stmt *pin = NULL;
    int rc = registry_open(registry, name, schema, &pin, &table, err);
    if (rc == 0) rc = flush_pending(table, err);
    if (rc == 0) rc = retrieve_open(retrieval, table, err);
    if (rc == 0) retrieval->pin = pin;
    else sqlite3_finalize(pin);
    return rc;
}

/* How far a ranking of all was read that ends before its last row. */
static void note_read(const struct retrieval *retrieval)
{
    const struct retrieve_limits *limits = &retrieval->limits;
    size_t *lately = &retrieval->table->n_read, n = (size_t)retrieval->rank;
    if (!limits->exactly || limits->hint >= limits->k || n <= limits->skip) return;
    n -= limits->skip;
    *lately -= *lately / 8;
    if (n > *lately) *lately = n < MOST_READ ? n : MOST_READ;
}

/* Forgets the search. */
static void end_search(struct retrieval *retrieval)
{
    note_read(retrieval);
    drop_group(retrieval);
    ids_deinit(&retrieval->given);
    passing_release(retrieval->listed);
    retrieval->listed = NULL;
    retrieval->bits = NULL;
    memory_free(retrieval->embeddings.vectors);
    retrieval->n_passed = retrieval->next = 0;
    retrieval->embeddings = (struct model_embeddings){0};
    retrieval->embedder = NULL;
    retrieval->weighs = 0;
    retrieval->query = retrieval->group = 0;
    retrieval->rank = 0;
    retrieval->n_scanned = retrieval->n_rescored = 0;
}

void retrieve_close(struct retrieval *retrieval)
{
    if (retrieval->table == NULL) return;
    end_search(retrieval);
    filter_deinit(&retrieval->exists);
    reader_close(&retrieval->reader);
    sqlite3_finalize(retrieval->pin);
    retrieval->table = NULL;
}

int retrieve_search(struct retrieval *retrieval, struct semantic_query *queries, size_t n_queries,
                    const struct retrieve_limits *limits, struct error *err)
{
    end_search(retrieval);
    retrieval->queries = queries;
    retrieval->n_queries = n_queries;
    retrieval->limits = *limits;
    retrieval->only = limits->only;
    retrieval->n_only = limits->n_only;
    retrieval->blamed = SIZE_MAX;
    /* The vectors given first: what is embedded may have to be paid for. */
    int rc = check_queries(retrieval, err);
    int is_empty = retrieval->state.dimensions == 0 || retrieval->reader.snapshot->n_rows == 0;
    if (rc == 0) rc = embed_texts(retrieval, !is_empty, err);
    if (rc == 0 && !is_empty) rc = check_queries(retrieval, err);
    if (rc == 0 && !is_empty) rc = drop_senseless(retrieval, err);
    if (rc == 0 && !is_empty) rc = measure_known(retrieval, err);
    if (rc != 0 || is_empty) retrieval->n_queries = 0; /* no rows */
    return rc;
}

static struct retrieve_row make_row(struct retrieval *retrieval, const struct top_k_hit *hit)
{
    const struct index_metric_row *metric = &index_metrics[retrieval->table->config.metric];
    const struct fusion *fused = &retrieval->fused[retrieval->query - retrieval->group];
    const struct fusion_row *parts = fusion_find(fused, hit->id);
    double nearness = parts == NULL ? hit->score : parts->nearness;
    double similarity = isnan(nearness) ? NAN : metric->similarity(nearness);
    return (struct retrieve_row){.query = retrieval->query,
                                 .id = hit->id,
                                 .rank = ++retrieval->rank,
                                 .nearness = nearness,
                                 .similarity = similarity,
                                 .distance = isnan(nearness) ? NAN : metric->distance(nearness),
                                 .score = parts == NULL ? similarity : parts->score,
                                 .bm25 = parts == NULL ? NAN : parts->bm25};
}

int retrieve_next(struct retrieval *retrieval, struct retrieve_row *row, int *found,
                  struct error *err)
{
    struct top_k_hit hit;
    int rc = 0;
    *found = 0;
    while (rc == 0 && retrieval->query < retrieval->n_queries) {
        int is_searched = retrieval->query < retrieval->group + retrieval->n_group;
        if (sides_has_any(&retrieval->queries[retrieval->query])) {
            if (!is_searched) rc = search_group(retrieval, err);
            if (rc == 0) rc = take(retrieval, &hit, found, err);
            if (rc != 0) break;
            if (*found && (size_t)retrieval->rank < retrieval->limits.skip) {
                retrieval->rank++;
                continue;
            }
            if (*found) break;
        }
        retrieval->query++;
        retrieval->rank = 0;
        retrieval->n_passed = retrieval->next = 0;
        ids_deinit(&retrieval->given);
    }
    if (rc == 0 && *found) *row = make_row(retrieval, &hit);
    return rc;
}

int retrieve_vector(struct retrieval *retrieval, int64_t id, const void **bytes, size_t *size,
                    int *found, struct error *err)
{
    return reader_vector(&retrieval->reader, id, bytes, size, found, err);
}

int retrieve_copy_vector(struct retrieval *retrieval, int64_t id, float *vector, struct error *err)
{
    struct index_layout as_given = retrieval->reader.layout;
    const void *bytes;
    size_t size;
    int found;
    as_given.vectors = INDEX_FLOAT32;
    int rc = retrieve_vector(retrieval, id, &bytes, &size, &found, err);
    if (rc == 0 && !found)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: its vector is not there", (long long)id);
    if (rc == 0) rc = index_vector_check(&as_given, id, bytes, size, err);
    if (rc == 0) memcpy(vector, bytes, size);
    return rc;
}
