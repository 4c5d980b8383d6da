#include "semantic/sides.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "semantic/candidates.h"
#include "store/words_search.h"

/* How many rows each side is asked for at least. */
#define LEAST_DEPTH ((size_t)100)

/* As many rows as an index of the content gives are looked at at once; where more than one in so
 * many matches would have to be asked about, listing the rows that pass costs less. */
#define FEW 1024
#define LIST_SHARE 8

/* Rows between two looks at the cancel token. */
#define ROWS_PER_POLL 4096

/* ---- queries --------------------------------------------------------------------------------- */

int sides_has_any(const struct semantic_query *query)
{
    return query->vector.data != NULL || semantic_query_is_fused(query);
}

static int stands_alone(const struct semantic_query *query)
{
    return query->vector.data == NULL || query->restricts;
}

size_t sides_group(const struct semantic_query *queries, size_t n)
{
    size_t together = 1;
    int is_fused = semantic_query_is_fused(queries);
    if (stands_alone(queries)) return 1;
    while (together < n && !stands_alone(&queries[together]) &&
           semantic_query_is_fused(&queries[together]) == is_fused)
        together++;
    return together;
}

static int open_words(struct retrieval *retrieval, const struct semantic_query *query,
                      struct words_search *words, struct error *err)
{
    int rc = words_search_open(words, &retrieval->table->store, query->text, err);
    if (rc == ERROR_UNAVAILABLE)
        rc = error_set(err, rc,
                       "words cannot be searched for, as this SQLite was compiled without FTS5: "
                       "weight = 1 ranks by vectors alone, of a query without quotes and -words");
    return rc;
}

static int find_rarity(void *context, struct span word, double *idf, struct error *err)
{
    return words_search_rarity(context, word, idf, err);
}

/* Lets the words of a query count in its vector by how rare they are in the rows, as in BM25. */
static int weigh_vector(struct retrieval *retrieval, const struct semantic_query *query,
                        struct words_search *words, struct error *err)
{
    struct model *model = retrieval->embedder;
    struct model_rarity rarity = {find_rarity, words};
    if (!retrieval->weighs || query->text.data == NULL || query->vector.data == NULL) return 0;
    float *vectors = retrieval->embeddings.vectors;
    return model->methods->embed_by_rarity(model, semantic_query_meant(query), &rarity,
                                           &retrieval->table->connection->cancel,
                                           vectors + (query->vector.data - vectors), err);
}

/* Those of a group, before their rows are looked for together. Of a query that vectors alone rank
 * they stay as they are where the words cannot be asked. */
static int weigh_vectors(struct retrieval *retrieval, const struct semantic_query *queries,
                         size_t n, struct error *err)
{
    struct words_search words;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n && retrieval->weighs; i++) {
        rc = open_words(retrieval, &queries[i], &words, err);
        if (rc == 0) rc = weigh_vector(retrieval, &queries[i], &words, err);
        words_search_deinit(&words);
        if (!semantic_query_is_fused(&queries[i]) && rc != ERROR_NOMEM && rc != ERROR_INTERRUPTED)
            rc = 0;
    }
    return rc;
}

/* ---- what holds for both sides --------------------------------------------------------------- */

/* Of one query: what was looked at before. */
struct restriction {
    const int64_t *only;
    size_t n_only;
    const struct ids_bits *bits;
    int is_listed;
    struct ids allowed; /* retrieval.only meanwhile, if items is not NULL */
};

static int is_bounded(const struct retrieve_bounds *bounds)
{
    return bounds != NULL && (bounds->min_bm25 > -INFINITY || bounds->max_bm25 < INFINITY);
}

/* The rows within the bounds of bm25, each with a word. */
static int list_bounded(struct retrieval *retrieval, const struct semantic_query *query,
                        struct ids *rows, struct error *err)
{
    const struct retrieve_bounds *bounds = retrieval->limits.bounds;
    struct words_search words;
    struct words_match match = {0, INFINITY};
    int found = 1;
    int rc = open_words(retrieval, query, &words, err);
    while (rc == 0 && found && match.bm25 >= bounds->min_bm25) {
        rc = words_search_next(&words, &match, &found, err);
        if (rc == 0 && found && match.bm25 >= bounds->min_bm25 && match.bm25 <= bounds->max_bm25)
            rc = ids_add(rows, match.id, err);
    }
    words_search_deinit(&words);
    ids_sort(rows);
    return rc;
}

/* The ids that are left by phrases that must match, and by bounds of bm25; not asked: items stays
 * NULL. */
static int list_allowed(struct retrieval *retrieval, const struct semantic_query *query,
                        const struct words_search *words, struct ids *allowed, struct error *err)
{
    int bounded = is_bounded(retrieval->limits.bounds);
    if (!bounded && !words->has_must) return 0;
    int rc = ids_init(allowed, err);
    if (rc == 0 && bounded) rc = list_bounded(retrieval, query, allowed, err);
    for (size_t i = 0; rc == 0 && !bounded && i < words->must.n; i++)
        rc = ids_add(allowed, words->must.items[i], err);
    if (rc == 0 && retrieval->only != NULL) ids_keep(allowed, retrieval->only, retrieval->n_only);
    return rc;
}

static int begin_restriction(struct retrieval *retrieval, const struct semantic_query *query,
                             const struct words_search *words, struct restriction *restriction,
                             struct error *err)
{
    int rc = list_allowed(retrieval, query, words, &restriction->allowed, err);
    if (rc != 0) return rc;
    if (restriction->allowed.items != NULL) {
        retrieval->only = restriction->allowed.items;
        retrieval->n_only = restriction->allowed.n;
        retrieval->bits = NULL;
    }
    if (words->excluded.n > 0) retrieval->excluded = &words->excluded;
    return 0;
}

/* What was listed meanwhile holds for this query alone. */
static void end_restriction(struct retrieval *retrieval, struct restriction *restriction)
{
    if (!restriction->is_listed) {
        passing_release(retrieval->listed);
        retrieval->listed = NULL;
    }
    ids_deinit(&restriction->allowed);
    retrieval->only = restriction->only;
    retrieval->n_only = restriction->n_only;
    retrieval->bits = restriction->bits;
    retrieval->excluded = NULL;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The rows of one query while they are gathered. */
struct gathering {
    struct retrieval *retrieval;
    const struct semantic_query *query;
    struct words_search *words;
    size_t depth;         /* how many each side is asked for */
    struct fusion *near;  /* what vectors found, by id; in the end all */
    struct fusion beside; /* what words alone found */
    size_t n_matched;     /* how many words found of `near` */
};

static struct fusion_row row_of(const struct gathering *gathering, int64_t id, double nearness,
                                double bm25)
{
    const struct index_metric_row *metric =
        &index_metrics[gathering->retrieval->table->config.metric];
    double similarity = isnan(nearness) ? NAN : metric->similarity(nearness);
    return (struct fusion_row){id, nearness, similarity, bm25, 0.0};
}

static int poll(const struct gathering *gathering, size_t i, struct error *err)
{
    if (i % ROWS_PER_POLL != ROWS_PER_POLL - 1) return 0;
    return cancel_check(&gathering->retrieval->table->connection->cancel, err);
}

static int add_near(struct gathering *gathering, const struct top_k *ranked, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ranked->n; i++) {
        struct fusion_row row = row_of(gathering, ranked->hits[i].id, ranked->hits[i].score, NAN);
        rc = fusion_add(gathering->near, &row, err);
        if (rc == 0) rc = poll(gathering, i, err);
    }
    fusion_sort(gathering->near);
    return rc;
}

/* What words say of rows that they were not asked for. */
static int complete_near(struct gathering *gathering, struct error *err)
{
    struct fusion *near = gathering->near;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < near->n && gathering->words->bound > 0.0; i++) {
        if (isnan(near->rows[i].bm25))
            rc = words_search_bm25(gathering->words, near->rows[i].id, &near->rows[i].bm25, err);
        if (rc == 0) rc = poll(gathering, i, err);
    }
    return rc;
}

/* ---- rows of words --------------------------------------------------------------------------- */

/* Adds a match that vectors did not find, or says its BM25 where they did: *is_near. */
static int note_match(struct gathering *gathering, const struct words_match *match, int *is_near,
                      struct error *err)
{
    struct fusion_row *near = fusion_find(gathering->near, match->id);
    struct fusion_row row = row_of(gathering, match->id, NAN, match->bm25);
    *is_near = near != NULL;
    if (near != NULL) near->bm25 = match->bm25;
    return near == NULL ? fusion_add(&gathering->beside, &row, err) : 0;
}

/* Of the rows beside, from the first of them on, those stay that are within the limits. */
static int measure(struct gathering *gathering, size_t first, struct error *err)
{
    struct fusion *beside = &gathering->beside;
    int64_t ids[FILTER_GROUP];
    struct top_k measured;
    size_t n = beside->n - first, n_kept = first;
    for (size_t i = 0; i < n; i++) ids[i] = beside->rows[first + i].id;
    qsort(ids, n, sizeof *ids, ids_compare);
    int rc = candidates_measure(gathering->retrieval, gathering->query, ids, n, &measured, err);
    for (size_t i = first; rc == 0 && i < beside->n; i++) {
        struct fusion_row row = beside->rows[i];
        for (size_t j = 0; j < measured.n; j++)
            if (measured.hits[j].id == row.id)
                beside->rows[n_kept++] =
                    row_of(gathering, row.id, measured.hits[j].score, row.bm25);
    }
    beside->n = n_kept;
    top_k_deinit(&measured);
    return rc;
}

/* Matches that pass, at most FILTER_GROUP. */
static int add_matches(struct gathering *gathering, const struct words_match *matches,
                       const unsigned char *pass, size_t n, struct error *err)
{
    size_t first = gathering->beside.n;
    int is_near, rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (!pass[i] || gathering->n_matched + gathering->beside.n == gathering->depth) continue;
        rc = note_match(gathering, &matches[i], &is_near, err);
        if (rc == 0) gathering->n_matched += (size_t)is_near;
    }
    if (rc == 0 && gathering->query->vector.data != NULL && gathering->beside.n > first)
        rc = measure(gathering, first, err);
    return rc;
}

/* The next group of the best matches; none: there are no more. */
static int next_matches(struct gathering *gathering, struct words_match *matches, size_t *n,
                        struct error *err)
{
    int found = 1, rc = 0;
    *n = 0;
    while (rc == 0 && found && *n < FILTER_GROUP) {
        rc = words_search_next(gathering->words, &matches[*n], &found, err);
        if (rc == 0 && found) ++*n;
    }
    return rc;
}

/* Those that vectors found have passed. */
static int pass_matches(const struct gathering *gathering, const struct words_match *matches,
                        size_t n, unsigned char *pass, struct error *err)
{
    struct retrieval *retrieval = gathering->retrieval;
    int64_t ids[FILTER_GROUP];
    unsigned char passed[FILTER_GROUP];
    size_t places[FILTER_GROUP], n_asked = 0;
    int rc = 0;
    memset(pass, 1, n);
    for (size_t i = 0; i < n; i++) {
        if (fusion_find(gathering->near, matches[i].id) != NULL) continue;
        ids[n_asked] = matches[i].id;
        places[n_asked++] = i;
    }
    if (n_asked > 0 && candidates_are_filtered(retrieval))
        rc = candidates_pass(retrieval, ids, n_asked, passed, err);
    else
        for (size_t i = 0; i < n_asked; i++)
            passed[i] =
                retrieval->only == NULL || ids_has(retrieval->only, retrieval->n_only, ids[i]);
    for (size_t i = 0; rc == 0 && i < n_asked; i++) pass[places[i]] = passed[i];
    return rc;
}

/* The best that pass, as many as are wanted; those that pass are listed where they are few. */
static int find_matches(struct gathering *gathering, struct error *err)
{
    struct retrieval *retrieval = gathering->retrieval;
    struct words_match matches[FILTER_GROUP];
    unsigned char pass[FILTER_GROUP];
    size_t n = 1, n_asked = 0, many = retrieval->reader.snapshot->n_rows / LIST_SHARE;
    int rc = candidates_list(retrieval, FEW, 0, err);
    if (rc == 0 && retrieval->only != NULL)
        words_search_keep(gathering->words, retrieval->only, retrieval->n_only);
    words_search_expect(gathering->words, gathering->depth + FILTER_GROUP);
    while (rc == 0 && n > 0 && gathering->n_matched + gathering->beside.n < gathering->depth) {
        if (n_asked > many) rc = candidates_list(retrieval, SIZE_MAX, 1, err);
        if (rc == 0) rc = next_matches(gathering, matches, &n, err);
        if (rc == 0) rc = pass_matches(gathering, matches, n, pass, err);
        if (rc == 0) rc = add_matches(gathering, matches, pass, n, err);
        n_asked += n;
        if (rc == 0) rc = cancel_check(&retrieval->table->connection->cancel, err);
    }
    return rc;
}

/* All matches, whether they pass or not: of a query with a vector, beside which no row is, those
 * that vectors found. */
static int note_all(struct gathering *gathering, struct error *err)
{
    struct retrieval *retrieval = gathering->retrieval;
    struct words_match match;
    int found = 1, is_near, rc = 0;
    if (retrieval->only != NULL)
        words_search_keep(gathering->words, retrieval->only, retrieval->n_only);
    for (size_t i = 0; rc == 0 && found; i++) {
        rc = words_search_next(gathering->words, &match, &found, err);
        if (rc == 0 && found) rc = note_match(gathering, &match, &is_near, err);
        if (rc == 0) rc = poll(gathering, i, err);
    }
    if (gathering->query->vector.data != NULL) gathering->beside.n = 0;
    return rc;
}

/* ---- both ------------------------------------------------------------------------------------ */

/* Leaves the rows that pass. */
static int drop_others(struct retrieval *retrieval, struct fusion *fused, struct error *err)
{
    int64_t ids[FILTER_GROUP];
    unsigned char pass[FILTER_GROUP];
    size_t kept = 0;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < fused->n; at += FILTER_GROUP) {
        size_t n = fused->n - at < FILTER_GROUP ? fused->n - at : FILTER_GROUP;
        for (size_t i = 0; i < n; i++) ids[i] = fused->rows[at + i].id;
        rc = candidates_pass(retrieval, ids, n, pass, err);
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (pass[i]) fused->rows[kept++] = fused->rows[at + i];
        if (rc == 0) rc = cancel_check(&retrieval->table->connection->cancel, err);
    }
    if (rc == 0) fused->n = kept;
    return rc;
}

/* All rows of both sides. Where vectors gave fewer than they were asked for, these are all. */
static int gather(struct gathering *gathering, const struct top_k *ranked, struct error *err)
{
    int is_whole = gathering->query->vector.data != NULL && ranked->n < gathering->depth;
    int rc = add_near(gathering, ranked, err);
    if (rc == 0 && gathering->depth == SIZE_MAX) rc = note_all(gathering, err);
    else if (rc == 0 && !is_whole) rc = find_matches(gathering, err);
    if (rc == 0 && gathering->depth < SIZE_MAX) rc = complete_near(gathering, err);
    for (size_t i = 0; rc == 0 && i < gathering->beside.n; i++)
        rc = fusion_add(gathering->near, &gathering->beside.rows[i], err);
    fusion_deinit(&gathering->beside);
    return rc;
}

/* Makes of what vectors found, of as many as `depth`, the k best rows of both sides. */
static int fuse(struct retrieval *retrieval, const struct semantic_query *query,
                struct words_search *words, size_t depth, size_t k, struct top_k *ranked,
                struct error *err)
{
    size_t i = (size_t)(query - retrieval->queries) - retrieval->group, n_asked;
    struct fusion *fused = &retrieval->fused[i];
    struct gathering gathering = {retrieval, query, words, depth, fused, {0}, 0};
    struct fusion_formula formula = {query->fusion, fusion_weight(query->weight, query->known),
                                     words->bound, depth};
    const struct retrieve_bounds *bounds = retrieval->limits.bounds;
    int passes = depth < SIZE_MAX || !candidates_are_filtered(retrieval);
    int is_mixed = retrieval->limits.is_mixed;
    fusion_deinit(fused);
    int rc = gather(&gathering, ranked, err);
    if (rc == 0 && !passes && query->fusion == FUSION_RRF) { /* its ranks are of those that pass */
        rc = drop_others(retrieval, fused, err);
        passes = 1;
    }
    top_k_deinit(ranked);
    top_k_init(ranked, passes && !is_mixed ? k : SIZE_MAX);
    if (rc == 0)
        rc = fusion_rank(fused, &formula, bounds == NULL ? NULL : &bounds->score, ranked, err);
    if (rc == 0 && is_mixed) rc = fusion_mix(fused, passes ? k : SIZE_MAX, ranked, err);
    if (rc == 0 && !passes && k < SIZE_MAX)
        rc = candidates_sift(retrieval, ranked, k, &n_asked, err);
    return rc;
}

/* How many rows each side is asked for. Below a bound of the score the best rows may be such as no
 * side has near its top; and where there are fewer rows above one than a hint says, there are to be
 * no others: then all are ranked. A hint counts one row more than SQLite shows, which asks neither
 * side for more: LIMIT 10 OFFSET 90 are the last ten of k = 100. */
static size_t depth_of(const struct retrieval *retrieval, size_t k)
{
    const struct retrieve_bounds *bounds = retrieval->limits.bounds;
    if (bounds != NULL && (bounds->score.max_score < INFINITY ||
                           (bounds->score.min_score > -INFINITY && k < retrieval->limits.k)))
        return SIZE_MAX;
    size_t shown = k < retrieval->limits.k && k > 0 ? k - 1 : k;
    return shown < LEAST_DEPTH ? LEAST_DEPTH : shown;
}

static int find_alone(struct retrieval *retrieval, const struct semantic_query *query, size_t k,
                      struct top_k *ranked, struct error *err)
{
    struct words_search words;
    struct restriction restriction = {
        retrieval->only, retrieval->n_only, retrieval->bits, retrieval->listed != NULL, {0}};
    int is_fused = semantic_query_is_fused(query);
    size_t depth = is_fused ? depth_of(retrieval, k) : k;
    top_k_init(ranked, 0);
    int rc = open_words(retrieval, query, &words, err);
    if (rc == 0) rc = weigh_vector(retrieval, query, &words, err);
    if (rc == 0) rc = begin_restriction(retrieval, query, &words, &restriction, err);
    if (rc == 0 && query->vector.data != NULL)
        rc = candidates_find(retrieval, query, 1, depth, ranked, err);
    if (rc == 0 && is_fused) rc = fuse(retrieval, query, &words, depth, k, ranked, err);
    end_restriction(retrieval, &restriction);
    words_search_deinit(&words);
    return rc;
}

int sides_find(struct retrieval *retrieval, const struct semantic_query *queries, size_t n,
               size_t k, struct top_k *ranked, struct error *err)
{
    struct words_search words;
    int is_fused = semantic_query_is_fused(queries);
    int is_alone = n == 1 && (is_fused || queries->restricts);
    if (is_alone) return find_alone(retrieval, queries, k, ranked, err);
    size_t depth = is_fused ? depth_of(retrieval, k) : k;
    int rc = weigh_vectors(retrieval, queries, n, err);
    if (rc == 0) rc = candidates_find(retrieval, queries, n, depth, ranked, err);
    for (size_t i = 0; rc == 0 && is_fused && i < n; i++) {
        rc = open_words(retrieval, &queries[i], &words, err);
        if (rc == 0) rc = fuse(retrieval, &queries[i], &words, depth, k, &ranked[i], err);
        words_search_deinit(&words);
    }
    return rc;
}
