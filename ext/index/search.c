#include "index/search.h"

#include <math.h>
#include <string.h>

#include "base/ids.h"
#include "base/memory.h"
#include "index/prepared.h"
#include "index/rescore.h"
#include "index/scan.h"
#include "vector/distance.h"
#include "vector/rotate.h"

/* Rows fetched between two looks at the cancel token. */
#define ROWS_PER_POLL 256

/* Standard errors of a bound where an answer is to be that of all vectors: one row in 300,000 is
 * beyond. */
#define STANDARD_ERRORS_SURE 4.5

/* Where one in so many rows or more would be compared exactly, all are, at once or after the
 * ceiling: to read and compare them side by side takes so much less time. */
#define MOST_BY_CODES 4
#define MOST_AFTER_CODES 24

/* What float32 may cost a bound, relative to its terms: 2^-21 in sums (vector/quantize.h), about as
 * much in rotating vectors of VECTOR_MAX_DIMENSIONS, and room. */
#define ROUNDING 0x1p-16

/* As many partitions again are looked at, until at most one in so many of the nearest is of the
 * last ones. It takes so many to tell, and a quarter more than are wanted. Where one in so many is
 * of the last half, nearness says little. */
#define NEW_SHARE 48
#define FEWEST_TELLING 48
#define MANY_NEW_SHARE 4

/* Of rows that are asked about before they are read, one counts as much as one in so many that are
 * wanted. */
#define ASKED_FOR_ONE 3

/* Of so many components, some 20,000 vectors of 384, all are compared sooner than codes and then
 * the vectors of the best, if they are in memory; until then the same is found by codes. */
#define SMALL_INDEX ((size_t)8 << 20)

/* Lists up to these lengths are fetched row by row: always; of an index with codes, whose scan is
 * short; this share of the rows of another, whose rows are. */
#define SHORT_LIST 256
#define SHORT_LIST_OF_CODES 2048
#define LIST_SHARE 64

/* How many rows of the highest bounds are looked at for k wanted: more than bounds leave of nearly
 * all vectors, as all are scanned again where they leave more. */
static size_t ceiling(enum index_quantize quantize, size_t k)
{
    size_t factor = quantize == INDEX_BIT ? 16 : 2, extra = quantize == INDEX_BIT ? 256 : 32;
    return k > (SIZE_MAX - extra) / factor ? SIZE_MAX : k * factor + extra;
}

static int is_small(const struct index_search *search)
{
    const struct index_snapshot *snapshot = search->snapshot;
    return snapshot->n_rows <= SMALL_INDEX / snapshot->layout.dimensions &&
           (search->keeps_vectors || index_snapshot_vectors(snapshot) != NULL);
}

/* How many rows are compared exactly, at most, before all are. */
static size_t most_by_codes(const struct index_search *search)
{
    return search->snapshot->n_rows / MOST_AFTER_CODES;
}

/* ---- vectors, one by one --------------------------------------------------------------------- */

static int offer_hits(const struct top_k *found, struct top_k *hits, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < found->n; i++)
        rc = top_k_offer(hits, found->hits[i].id, found->hits[i].score, err);
    return rc;
}

/* The rows of a short list; an id without a row is passed over. */
static int fetch_list(const struct index_search *search, const struct index_query *query,
                      struct top_k *hits, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < query->n_only; i++) {
        rc = rescore_fetch(search, query, query->only[i], hits, err);
        if (rc == 0 && i % ROWS_PER_POLL == ROWS_PER_POLL - 1)
            rc = cancel_check(search->cancel, err);
    }
    return rc;
}

/* All vectors of an index with codes. */
static int scan_vectors(struct index_search *search, const struct index_query *queries,
                        size_t n_queries, struct top_k *hits, struct error *err)
{
    const struct index_storage *storage = search->storage;
    struct index_search exact = *search;
    struct index_target *targets = memory_zalloc(n_queries, sizeof *targets);
    if (targets == NULL) return error_nomem(err);
    for (size_t q = 0; q < n_queries; q++)
        targets[q] = (struct index_target){.query = &queries[q], .k = queries[q].k};
    int rc = storage->vectors(storage->context, &exact.snapshot, &exact.storage, err);
    if (rc == 0) rc = index_scan(&exact, targets, n_queries, err);
    for (size_t q = 0; q < n_queries; q++) {
        if (rc == 0) rc = offer_hits(&targets[q].hits, &hits[q], err);
        top_k_deinit(&targets[q].hits);
    }
    search->n_scanned = exact.n_scanned;
    memory_free(targets);
    return rc;
}

/* ---- scans ----------------------------------------------------------------------------------- */

/* What a scan gave becomes hits: at once, or candidates after they are compared exactly. */
static int take_hits(struct index_search *search, struct index_target *target, struct top_k *hits,
                     int *done, struct error *err)
{
    *done = 1;
    return target->codes != NULL
               ? rescore_all(search, target->query, &target->hits, hits, done, err)
               : offer_hits(&target->hits, hits, err);
}

/* Offers those of other hits that are not among these. */
static int add_hits(const struct top_k *others, struct top_k *hits, struct error *err)
{
    struct ids known;
    int rc = ids_init(&known, err);
    for (size_t i = 0; rc == 0 && i < hits->n; i++) rc = ids_add(&known, hits->hits[i].id, err);
    if (rc == 0) ids_sort(&known);
    for (size_t i = 0; rc == 0 && i < others->n; i++)
        if (!ids_has(known.items, known.n, others->hits[i].id))
            rc = top_k_offer(hits, others->hits[i].id, others->hits[i].score, err);
    ids_deinit(&known);
    return rc;
}

/* How many rows of the highest bounds a scan gives. */
static size_t most_candidates(const struct index_search *search, const struct index_query *query,
                              const struct index_prepared *prepared)
{
    size_t most = ceiling(search->snapshot->layout.quantize, query->k);
    return prepared->partitions != NULL ? most / 2 : most; /* there are few rows, or more come */
}

/* How many of the nearest tell whether there are nearer ones elsewhere. */
static size_t n_telling(const struct index_query *query)
{
    size_t n = query->k < SIZE_MAX / 2 ? query->k + query->k / 4 : query->k;
    if (n < FEWEST_TELLING) n = FEWEST_TELLING;
    return query->sieve != NULL && query->sieve->most < n ? query->sieve->most : n;
}

/* Whether rows do not count that are too near or too far. */
static int has_ring(const struct index_query *query)
{
    const struct index_ring *ring = query->ring;
    return ring != NULL &&
           !(isinf(ring->max_similarity) && isinf(ring->min_distance) && isinf(ring->max_distance));
}

/* How many rows leave out all that are certainly behind them; 0: rows count for other reasons. */
static size_t n_sure(const struct index_query *query, const struct index_prepared *prepared)
{
    if (!isinf(query->min_similarity) || has_ring(query) || query->sieve != NULL) return 0;
    return prepared->partitions != NULL ? n_telling(query) : query->k;
}

static struct index_target target_of(const struct index_search *search,
                                     const struct index_query *query,
                                     const struct index_prepared *prepared,
                                     const struct top_k *hits)
{
    struct index_target target = {.query = query,
                                  .k = query->k,
                                  .codes = prepared->codes,
                                  .bounds = prepared->bounds,
                                  .partitions = prepared->partitions};
    if (prepared->codes == NULL) return target;
    target.k = most_candidates(search, query, prepared);
    target.n_sure = n_sure(query, prepared);
    target.min_bound = rescore_least_bound(search, query, hits);
    return target;
}

/* The ceiling came before the bounds did: all rows whose bound reaches the k-th best score of those
 * that were compared; *done = 0 if they are so many that all vectors are to be. */
static int search_wider(struct index_search *search, const struct index_query *query,
                        const struct index_prepared *prepared, struct top_k *hits, int *done,
                        struct error *err)
{
    struct index_target target = target_of(search, query, prepared, hits);
    target.k = most_by_codes(search);
    target.partitions = prepared->chosen;
    int rc = index_scan(search, &target, 1, err);
    *done = target.hits.n < target.k;
    if (rc == 0 && *done) {
        struct top_k before = *hits; /* among them rows whose bounds were too low */
        top_k_init(hits, before.k);
        rc = take_hits(search, &target, hits, done, err);
        if (rc == 0) rc = add_hits(&before, hits, err);
        top_k_deinit(&before);
        *done = 1;
    }
    top_k_deinit(&target.hits);
    return rc;
}

/* Adds to bounds that hold by arithmetic what float32 may cost them: of the rotated vectors, of the
 * codes' numbers, of the sums; for rows whose estimate reaches min_estimate. */
static void widen(const struct index_snapshot *snapshot, struct index_prepared *prepared,
                  double min_estimate)
{
    const struct index_layout *layout = &snapshot->layout;
    const struct index_partitions *partitions = snapshot->partitions;
    double component = layout->quantize == INDEX_BIT ? 1.0 : 127.0, norm = prepared->norm;
    double slack = norm * component * sqrt((double)layout->dimensions);
    for (size_t i = 0; i < index_snapshot_n_partitions(snapshot); i++) {
        struct vector_code_bound *bound = &prepared->bounds[i];
        double centroid = partitions == NULL ? 0.0 : sqrt((double)partitions->squared_norms[i]);
        double base = index_metrics[layout->metric].magnitude(norm, centroid, min_estimate);
        bound->base += (float)(ROUNDING * base) + (float)RESCORE_SMALLEST;
        bound->radius *= (float)(1.0 + ROUNDING);
        bound->slack += (float)(ROUNDING * slack);
    }
}

/* Fewer than k rows were similar enough: all partitions again, each row whose bound, which now
 * holds for certain, says that it may qualify. */
static int search_certainly(struct index_search *search, const struct index_query *query,
                            struct index_prepared *prepared, struct top_k *hits, struct error *err)
{
    const struct index_layout *layout = &search->snapshot->layout;
    struct index_target target = {.query = query, .k = SIZE_MAX, .bounds = prepared->bounds};
    top_k_deinit(hits);
    if (prepared->codes != NULL) {
        index_prepared_measure(search->snapshot, prepared);
        index_prepared_set_errors(search->snapshot, prepared, sqrt((double)layout->dimensions));
        target.codes = prepared->codes;
        target.min_bound = index_search_metric(search)->min_estimate(query->min_similarity);
        widen(search->snapshot, prepared, target.min_bound);
    } else {
        target.k = query->k;
    }
    int done, rc = index_scan(search, &target, 1, err);
    if (rc == 0) rc = take_hits(search, &target, hits, &done, err);
    top_k_deinit(&target.hits);
    return rc;
}

/* A query on its way to its hits. */
struct course {
    struct index_query query;
    struct index_prepared prepared;
    struct top_k found; /* the best of all scans: candidates, or hits */
    int are_candidates; /* codes tell where to stop: nothing is compared exactly before */
    struct top_k hits;
    enum { OPEN, SETTLED, FOUND, NEEDS_VECTORS } state;
    size_t n_scans; /* of partitions */
    int is_cut;     /* the ceiling came before the bounds did */
};

/* How many of those are of the latest scan. */
static int count_new(const struct course *course, const struct top_k *latest, size_t *n_new,
                     struct error *err)
{
    struct top_k nearest;
    size_t n_before = 0;
    *n_new = latest->n;
    if (course->n_scans == 0) return 0;
    top_k_init(&nearest, n_telling(&course->query));
    int rc = offer_hits(&course->found, &nearest, err);
    if (rc == 0) rc = offer_hits(latest, &nearest, err);
    for (size_t i = 0; i < course->found.n; i++)
        n_before += course->found.hits[i].score >= top_k_threshold(&nearest);
    *n_new = nearest.n > n_before ? nearest.n - n_before : 0;
    top_k_deinit(&nearest);
    return rc;
}

/* As many partitions again; all vectors, where nearness says little and they are in memory. */
static void look_further(const struct index_search *search, struct course *course, size_t n_new)
{
    int says_little = course->n_scans > 1 && n_new >= n_telling(&course->query) / MANY_NEW_SHARE;
    int are_near = index_snapshot_vectors(search->snapshot) != NULL;
    if (says_little && are_near && course->query.sieve == NULL) course->state = NEEDS_VECTORS;
    else index_prepared_choose(search->snapshot, &course->prepared, course->prepared.n_chosen);
}

/* What is to be looked at next, unless the last brought next to nothing. */
static void go_on(const struct index_search *search, struct course *course, size_t n_new)
{
    const struct index_query *query = &course->query;
    struct index_prepared *prepared = &course->prepared;
    int has_k = course->found.n >= query->k;
    int brings_more = has_k && n_new > n_telling(query) / NEW_SHARE;
    /* The rows of a list may all be far. */
    int is_short_of = !has_k && query->only != NULL;
    if (!index_prepared_has_rest(search->snapshot, prepared)) course->state = SETTLED;
    else if (brings_more) look_further(search, course, n_new);
    else if (is_short_of) index_prepared_choose(search->snapshot, prepared, prepared->n_chosen);
    else course->state = SETTLED;
}

/* What one scan gave a query is added to what it has. */
static int finish(struct index_search *search, struct course *course, struct index_target *target,
                  struct error *err)
{
    struct top_k compared, *latest = &target->hits;
    size_t n_new;
    int is_full = latest->n == latest->k, done, rc = 0;
    top_k_init(&compared, course->found.k);
    if (target->codes != NULL && !course->are_candidates) {
        rc = rescore_all(search, &course->query, latest, &compared, &done, err);
        if (is_full && !done) course->is_cut = 1;
        latest = &compared;
    }
    if (rc == 0) rc = count_new(course, latest, &n_new, err);
    if (rc == 0 && course->n_scans > 0) {
        rc = offer_hits(latest, &course->found, err);
    } else if (rc == 0) { /* all at once */
        course->found = *latest;
        top_k_init(latest, latest->k);
    }
    top_k_deinit(&compared);
    course->n_scans++;
    if (rc == 0) go_on(search, course, n_new);
    return rc;
}

/* What is looked for next. */
static struct index_target next_target(const struct index_search *search,
                                       const struct course *course)
{
    const struct top_k *found = &course->found;
    struct index_target target = target_of(search, &course->query, &course->prepared,
                                           course->are_candidates ? &course->hits : found);
    if (!course->are_candidates && course->prepared.codes != NULL) return target;
    target.k = found->k;
    if (course->are_candidates) target.min_bound = fmax(target.min_bound, top_k_threshold(found));
    return target;
}

/* Candidates become hits. */
static int rank_found(struct index_search *search, struct course *course, struct error *err)
{
    struct top_k *found = &course->found;
    int is_full = found->n == found->k, done;
    if (!course->are_candidates) return offer_hits(found, &course->hits, err);
    int rc = rescore_all(search, &course->query, found, &course->hits, &done, err);
    course->is_cut = is_full && !done;
    return rc;
}

/* Partitions bring no more. All vectors are needed where codes told too few rows apart. */
static int conclude(struct index_search *search, struct course *course, struct error *err)
{
    const struct index_query *query = &course->query;
    struct index_prepared *prepared = &course->prepared;
    struct top_k *hits = &course->hits;
    int done = 1, rc = rank_found(search, course, err);
    if (rc == 0 && course->is_cut) rc = search_wider(search, query, prepared, hits, &done, err);
    course->state = done ? FOUND : NEEDS_VECTORS;
    if (rc != 0 || !done) return rc;
    int left_out = index_prepared_has_rest(search->snapshot, prepared) ||
                   (prepared->codes != NULL && !isinf(query->min_similarity));
    return hits->n < query->k && left_out && hits->n < search->snapshot->n_rows
               ? search_certainly(search, query, prepared, hits, err)
               : 0;
}

/* The queries that codes said too little of, together. */
static int search_rest(struct index_search *search, const struct index_query *queries,
                       size_t n_queries, const struct course *courses, struct top_k *hits,
                       struct error *err)
{
    size_t n = 0;
    struct index_query *rest = memory_alloc(n_queries, sizeof *rest);
    struct top_k *found = memory_alloc(n_queries, sizeof *found);
    int rc = rest == NULL || found == NULL ? error_nomem(err) : 0;
    for (size_t q = 0; rc == 0 && q < n_queries; q++) {
        if (courses[q].state != NEEDS_VECTORS) continue;
        found[n] = hits[q];
        rest[n++] = queries[q];
    }
    if (n > 0) rc = scan_vectors(search, rest, n, found, err);
    for (size_t q = 0, i = 0; i < n; q++)
        if (courses[q].state == NEEDS_VECTORS) hits[q] = found[i++];
    memory_free(rest);
    memory_free(found);
    return rc;
}

/* One scan for all queries that are open. */
static int scan_open(struct index_search *search, struct course *courses, size_t n_queries,
                     struct index_target *targets, size_t *n_open, struct error *err)
{
    size_t n = 0, i = 0;
    for (struct course *course = courses; course < courses + n_queries; course++)
        if (course->state == OPEN) targets[n++] = next_target(search, course);
    *n_open = n;
    int rc = n > 0 ? index_scan(search, targets, n, err) : 0;
    for (struct course *course = courses; rc == 0 && i < n; course++)
        if (course->state == OPEN) rc = finish(search, course, &targets[i++], err);
    for (i = 0; i < n; i++) top_k_deinit(&targets[i].hits);
    return rc;
}

/* What codes answer of a small index is what its vectors do. Codes do not know what a ring leaves
 * out: that has to be compared. */
static int begin(struct index_search *search, const struct index_query *query,
                 struct course *course, struct error *err)
{
    struct index_prepared *prepared = &course->prepared;
    enum index_quantize quantize = search->snapshot->layout.quantize;
    int is_sure = quantize != INDEX_EXACT && is_small(search) && query->sieve == NULL;
    int rc = index_prepare(search, query, is_sure ? SIZE_MAX : PREPARED_FIRST, prepared, err);
    size_t n_found = query->k;
    course->query = *query;
    course->are_candidates = prepared->codes != NULL && (query->sieve != NULL || !has_ring(query));
    if (query->sieve != NULL) n_found = query->sieve->most;
    else if (course->are_candidates) n_found = most_candidates(search, query, prepared);
    if (prepared->partitions != NULL && n_found < n_telling(query)) n_found = n_telling(query);
    top_k_init(&course->hits, query->k);
    top_k_init(&course->found, n_found);
    if (rc == 0 && prepared->codes != NULL)
        index_prepared_set_errors(search->snapshot, prepared,
                                  is_sure ? STANDARD_ERRORS_SURE
                                          : index_prepared_errors(search, prepared));
    return rc;
}

static void course_deinit(struct course *course)
{
    index_prepared_deinit(&course->prepared);
    top_k_deinit(&course->found);
    top_k_deinit(&course->hits);
}

static int scan_group(struct index_search *search, const struct index_query *queries,
                      size_t n_queries, struct top_k *hits, struct error *err)
{
    struct course *courses = memory_zalloc(n_queries, sizeof *courses);
    struct index_target *targets = memory_zalloc(n_queries, sizeof *targets);
    size_t n_open = n_queries;
    int rc = courses == NULL || targets == NULL ? error_nomem(err) : 0;
    for (size_t q = 0; rc == 0 && q < n_queries; q++) {
        rc = cancel_check(search->cancel, err);
        if (rc == 0) rc = begin(search, &queries[q], &courses[q], err);
    }
    while (rc == 0 && n_open > 0) rc = scan_open(search, courses, n_queries, targets, &n_open, err);
    for (size_t q = 0; rc == 0 && q < n_queries; q++) {
        if (courses[q].state == SETTLED) rc = conclude(search, &courses[q], err);
        if (rc == 0 && courses[q].state == FOUND) rc = offer_hits(&courses[q].hits, &hits[q], err);
    }
    if (rc == 0) rc = search_rest(search, queries, n_queries, courses, hits, err);
    for (size_t q = 0; courses != NULL && q < n_queries; q++) course_deinit(&courses[q]);
    memory_free(courses);
    memory_free(targets);
    return rc;
}

/* As much of a search with a sieve as the codes of sieve->most rows give: partitions are looked at
 * as for a query of whose hits so many are. */
static int search_sieved(struct index_search *search, const struct index_query *query,
                         struct top_k *hits, struct error *err)
{
    struct course course = {0};
    struct index_query like = *query;
    struct index_target target;
    size_t n_open = 1;
    int done = 0;
    like.k = query->sieve->most / ASKED_FOR_ONE;
    int rc = begin(search, &like, &course, err);
    while (rc == 0 && n_open > 0) rc = scan_open(search, &course, 1, &target, &n_open, err);
    int is_full = course.found.n == course.found.k;
    if (rc == 0) rc = rescore_sieved(search, query, &course.found, hits, &done, err);
    int is_short_of =
        hits->n < query->k && index_prepared_has_rest(search->snapshot, &course.prepared);
    query->sieve->is_whole =
        (done || !is_full) && !is_short_of && (hits->n == query->k || isinf(query->min_similarity));
    course_deinit(&course);
    return rc;
}

/* Codes are of no use where most candidates would be compared exactly anyhow, nor where that takes
 * less time. */
static int wants_vectors(const struct index_search *search, const struct index_query *queries,
                         size_t n_queries)
{
    const struct index_snapshot *snapshot = search->snapshot;
    if (snapshot->layout.quantize == INDEX_EXACT) return 0;
    if (is_small(search) && index_snapshot_vectors(snapshot) != NULL) return 1;
    for (size_t q = 0; q < n_queries; q++)
        if (ceiling(snapshot->layout.quantize, queries[q].k) >= snapshot->n_rows / MOST_BY_CODES)
            return 1;
    return search->exactly;
}

static int is_short(const struct index_search *search, const struct index_query *query)
{
    size_t n_rows = search->snapshot->n_rows;
    size_t most = search->snapshot->layout.quantize == INDEX_EXACT ? n_rows / LIST_SHARE
                                                                   : SHORT_LIST_OF_CODES;
    return query->only != NULL && query->n_only <= (most < SHORT_LIST ? SHORT_LIST : most);
}

static int search_as_stored(struct index_search *search, const struct index_query *queries,
                            size_t n_queries, struct top_k *hits, struct error *err)
{
    if (n_queries == 1 && queries->sieve != NULL) return search_sieved(search, queries, hits, err);
    if (n_queries == 1 && is_short(search, queries)) return fetch_list(search, queries, hits, err);
    if (wants_vectors(search, queries, n_queries))
        return scan_vectors(search, queries, n_queries, hits, err);
    return scan_group(search, queries, n_queries, hits, err);
}

/* Compact vectors are stored rotated: so are the queries that they meet. */
static int search_rotated(struct index_search *search, const struct index_query *queries,
                          size_t n_queries, struct top_k *hits, struct error *err)
{
    size_t dimensions = search->snapshot->layout.dimensions;
    struct index_query *asked = memory_alloc(n_queries, sizeof *asked);
    float *vectors = memory_alloc(n_queries, dimensions * sizeof *vectors);
    int rc = asked == NULL || vectors == NULL ? error_nomem(err) : 0;
    for (size_t q = 0; rc == 0 && q < n_queries; q++) {
        float *vector = vectors + q * dimensions;
        memcpy(vector, queries[q].vector, dimensions * sizeof *vector);
        vector_rotate(vector, dimensions);
        asked[q] = queries[q];
        asked[q].vector = vector;
    }
    if (rc == 0) rc = search_as_stored(search, asked, n_queries, hits, err);
    memory_free(asked);
    memory_free(vectors);
    return rc;
}

int index_search(struct index_search *search, const struct index_query *queries, size_t n_queries,
                 struct top_k *hits, struct error *err)
{
    return search->snapshot->layout.vectors == INDEX_COMPACT
               ? search_rotated(search, queries, n_queries, hits, err)
               : search_as_stored(search, queries, n_queries, hits, err);
}
