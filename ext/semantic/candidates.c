#include "semantic/candidates.h"

#include <math.h>

#include "store/vectors.h"

/* Beyond one row in so many of a ranking it costs less to list those that pass. */
#define LIST_SHARE 8

/* Beyond one in so many where an index has codes, and rows are asked about before they are read. */
#define SIEVE_SHARE 2

/* Where fewer than one in so many pass, it is no use to ask about a few rows by their bounds. */
#define FEW_PASS 64

/* So many that an index of the content gives are searched at once. */
#define FEW 1024

_Static_assert(INDEX_SIEVE_GROUP <= FILTER_GROUP, "a filter takes a group of a sieve");

/* ---- candidates ------------------------------------------------------------------------------ */

static struct index_query ask(const struct retrieval *retrieval, const struct semantic_query *query,
                              size_t k)
{
    return (struct index_query){.vector = query->vector.data,
                                .k = k,
                                .min_similarity = retrieval->limits.min_similarity,
                                .ring = retrieval->limits.ring,
                                .only = retrieval->only,
                                .n_only = retrieval->n_only,
                                .bits = retrieval->bits};
}

/* The k best rows of each of n queries that have a vector, into `ranked`, which is initialised. */
static int rank(struct retrieval *retrieval, const struct semantic_query *queries, size_t n,
                size_t k, struct index_sieve *sieve, struct top_k *ranked, struct error *err)
{
    struct index_search search = reader_search(&retrieval->reader, &retrieval->storage);
    struct index_query asked[RETRIEVE_GROUP];
    for (size_t i = 0; i < n; i++) {
        asked[i] = ask(retrieval, &queries[i], k);
        asked[i].sieve = sieve;
    }
    if (retrieval->limits.exactly) {
        search.exactly = 1;
        search.near_partitions_only = 0;
    }
    int rc = index_search(&search, asked, n, ranked, err);
    retrieval->n_scanned += search.n_scanned;
    retrieval->n_rescored += search.n_rescored;
    return rc;
}

int candidates_measure(struct retrieval *retrieval, const struct semantic_query *query,
                       const int64_t *ids, size_t n, struct top_k *measured, struct error *err)
{
    struct index_search search = reader_search(&retrieval->reader, &retrieval->storage);
    struct index_query asked = ask(retrieval, query, SIZE_MAX);
    asked.only = ids;
    asked.n_only = n;
    asked.bits = NULL;
    top_k_init(measured, SIZE_MAX);
    return index_search(&search, &asked, 1, measured, err);
}

/* ---- those that pass ------------------------------------------------------------------------- */

static struct filter *filter_of(struct retrieval *retrieval)
{
    if (retrieval->limits.filter != NULL) return retrieval->limits.filter;
    if (retrieval->exists.table == NULL) filter_begin(&retrieval->exists, retrieval->table);
    return &retrieval->exists;
}

static int has_conditions(const struct retrieval *retrieval)
{
    return retrieval->excluded != NULL ||
           (retrieval->limits.filter != NULL && retrieval->limits.filter->n_conditions > 0);
}

static int is_excluded(const struct retrieval *retrieval, int64_t id)
{
    const struct ids *excluded = retrieval->excluded;
    return excluded != NULL && ids_has(excluded->items, excluded->n, id);
}

int candidates_pass(struct retrieval *retrieval, const int64_t *ids, size_t n, unsigned char *pass,
                    struct error *err)
{
    int rc = filter_pass(filter_of(retrieval), ids, n, pass, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (is_excluded(retrieval, ids[i])) pass[i] = 0;
    return rc;
}

int candidates_are_filtered(const struct retrieval *retrieval)
{
    return retrieval->listed == NULL &&
           (retrieval->table->config.content != NULL || has_conditions(retrieval));
}

int candidates_are_unchecked(const struct retrieval *retrieval, size_t k)
{
    const struct retrieve_limits *limits = &retrieval->limits;
    int is_begun = k < limits->k && limits->exactly && !has_conditions(retrieval);
    return candidates_are_filtered(retrieval) && (k == SIZE_MAX || is_begun);
}

int candidates_next(struct retrieval *retrieval, struct top_k *ranked, struct top_k_hit *passed,
                    size_t *n, size_t *n_asked, struct error *err)
{
    int64_t ids[FILTER_GROUP];
    struct top_k_hit hits[FILTER_GROUP];
    unsigned char pass[FILTER_GROUP];
    *n = *n_asked = 0;
    while (*n_asked < FILTER_GROUP && top_k_pop(ranked, &hits[*n_asked])) {
        ids[*n_asked] = hits[*n_asked].id;
        ++*n_asked;
    }
    if (*n_asked == 0) return 0;
    int rc = candidates_pass(retrieval, ids, *n_asked, pass, err);
    for (size_t i = 0; rc == 0 && i < *n_asked; i++)
        if (pass[i]) passed[(*n)++] = hits[i];
    return rc;
}

int candidates_sift(struct retrieval *retrieval, struct top_k *ranked, size_t k, size_t *n_asked,
                    struct error *err)
{
    struct top_k_hit passed[FILTER_GROUP];
    struct top_k there;
    size_t n, asked = 1;
    int rc = 0;
    *n_asked = 0;
    top_k_init(&there, k);
    while (rc == 0 && there.n < k && asked > 0) {
        rc = candidates_next(retrieval, ranked, passed, &n, &asked, err);
        for (size_t i = 0; rc == 0 && i < n; i++)
            rc = top_k_offer(&there, passed[i].id, passed[i].score, err);
        *n_asked += asked;
        if (rc == 0) rc = cancel_check(&retrieval->table->connection->cancel, err);
    }
    top_k_deinit(ranked);
    *ranked = there;
    return rc;
}

/* Of rows that pass those that were looked at before, which *passing then is. */
static int narrow(const struct retrieval *retrieval, struct passing **passing, struct error *err)
{
    const struct ids *all = &(*passing)->ids, *excluded = retrieval->excluded;
    struct ids ids;
    if (retrieval->only == NULL && excluded == NULL) return 0;
    int rc = ids_init(&ids, err);
    for (size_t i = 0; rc == 0 && i < all->n; i++) rc = ids_add(&ids, all->items[i], err);
    passing_release(*passing);
    *passing = NULL;
    if (rc != 0) {
        ids_deinit(&ids);
        return rc;
    }
    if (retrieval->only != NULL) ids_keep(&ids, retrieval->only, retrieval->n_only);
    if (excluded != NULL) ids_drop(&ids, excluded->items, excluded->n);
    return passing_new(&ids, passing, err);
}

/* From now on only these rows are looked at, of those that were. Takes the reference. */
static int use_list(struct retrieval *retrieval, struct passing *passing, struct error *err)
{
    int rc = narrow(retrieval, &passing, err);
    if (rc != 0) return rc;
    retrieval->listed = passing;
    retrieval->only = passing->ids.items;
    retrieval->n_only = passing->ids.n;
    retrieval->bits = &passing->bits;
    return 0;
}

/* The rows that the filter lists, if they are not more than `most`. */
static int list_passing(struct retrieval *retrieval, size_t most, struct error *err)
{
    struct passing *passing;
    int rc = filter_list(filter_of(retrieval), most, &passing, err);
    return rc == 0 && passing != NULL ? use_list(retrieval, passing, err) : rc;
}

/* So many times k rows are asked for at most without knowing that they will be needed: enough where
 * one in a hundred passes. */
#define MOST_AT_FIRST 128

/* How many rows to look at first for n_wanted that pass, as a share of them does, two standard
 * deviations more than are expected to do. It is not many where most do. */
static size_t first_asked(double share, double n_wanted, size_t most)
{
    double n_expected = n_wanted + 2.0 * sqrt(n_wanted * (1.0 - share)) + 1.0;
    return n_expected < (double)most * share ? (size_t)(n_expected / share) + 1 : most;
}

/* Whether the vectors that codes stand for are in memory. */
static int has_vectors(const struct retrieval *retrieval)
{
    return index_snapshot_vectors(retrieval->reader.snapshot) != NULL;
}

/* The same of rows in the order of their nearness. A longer ranking of vectors costs little. */
static int first_ranked(struct retrieval *retrieval, size_t k, size_t *asked, struct error *err)
{
    const struct semantic_table *table = retrieval->table;
    int is_plain = table->config.quantize == INDEX_EXACT && !store_is_partitioned(&table->store);
    int is_cheap = is_plain || retrieval->limits.exactly || has_vectors(retrieval);
    size_t factor = is_cheap ? MOST_AT_FIRST : 4, n_rows = retrieval->reader.snapshot->n_rows;
    *asked = n_rows + 1;
    if (k > n_rows / factor) return 0;
    size_t most = k * factor + (is_cheap ? 8 * FILTER_GROUP : FILTER_GROUP);
    double share;
    int rc = filter_estimate(filter_of(retrieval), &share, err);
    if (rc == 0) *asked = first_asked(share, (double)k, most);
    return rc;
}

/* How many to ask for when k of n_asked did not pass, but n_passed; 0: the rows that pass are to be
 * listed instead. That costs a scan of the content where no index of it finds them. */
static int next_asked(struct retrieval *retrieval, size_t k, size_t n_asked, size_t n_passed,
                      size_t *asked, struct error *err)
{
    int served = 0;
    size_t n_rows = retrieval->reader.snapshot->n_rows;
    double share = (double)(n_passed + 1) / (double)(n_asked + 1);
    double wanted = 1.5 * (double)(k + 1) / share, listed = (double)n_rows;
    *asked = k + 2 * (n_asked - n_passed);
    if (!has_conditions(retrieval)) return 0;
    int rc = filter_is_served(filter_of(retrieval), &served, err);
    if (served) listed *= share;
    *asked = wanted > listed / LIST_SHARE ? 0 : (size_t)wanted + FILTER_GROUP;
    return rc;
}

/* The k best rows that pass, of a ranking of as many as were asked for. */
static int keep_passing(struct retrieval *retrieval, const struct semantic_query *query, size_t k,
                        size_t asked, struct top_k *ranked, struct error *err)
{
    size_t n_asked;
    for (;;) {
        int is_all = ranked->n < asked;
        int rc = candidates_sift(retrieval, ranked, k, &n_asked, err);
        if (rc != 0 || is_all || ranked->n == k) return rc;
        rc = next_asked(retrieval, k, n_asked, ranked->n, &asked, err);
        int lists = asked == 0;
        if (rc == 0 && lists) rc = list_passing(retrieval, SIZE_MAX, err);
        if (rc != 0) return rc;
        if (lists) asked = k;
        top_k_deinit(ranked);
        top_k_init(ranked, asked);
        rc = rank(retrieval, query, 1, asked, NULL, ranked, err);
        if (rc != 0 || lists) return rc;
    }
}

/* The same of the rows of the highest bounds, where an index has codes; more than `limit`: the rows
 * that pass are to be listed, as a few are at once that an index of the content finds. */
static int first_sieved(struct retrieval *retrieval, size_t k, double enough, size_t limit,
                        size_t *asked, struct error *err)
{
    size_t most = k * MOST_AT_FIRST + 8 * FILTER_GROUP;
    double share;
    int served;
    *asked = SIZE_MAX;
    if (k > retrieval->reader.snapshot->n_rows / MOST_AT_FIRST) return 0;
    int rc = filter_is_served(filter_of(retrieval), &served, err);
    if (rc == 0) rc = filter_estimate(filter_of(retrieval), &share, err);
    if (rc != 0) return rc;
    int are_few = share > 0.0 && share < 1.0 / FEW_PASS;
    if (!are_few || !served) *asked = first_asked(share, enough, are_few ? limit + 1 : most);
    return 0;
}

/* Where few pass, those of the highest bounds are asked about in vain: a long ranking of vectors
 * costs less, if they are in memory. */
static int choose_sieve(struct retrieval *retrieval, int *sieves, struct error *err)
{
    double share = 1.0;
    int rc = has_vectors(retrieval) ? filter_estimate(filter_of(retrieval), &share, err) : 0;
    *sieves = share >= 1.0 / FEW_PASS;
    return rc;
}

static int pass_sieve(void *context, const int64_t *ids, size_t n, unsigned char *pass,
                      struct error *err)
{
    return candidates_pass(context, ids, n, pass, err);
}

/* The same of an index with codes, which asks before it reads vectors. `ranked` is initialised. */
static int rank_sieved(struct retrieval *retrieval, const struct semantic_query *query, size_t k,
                       struct top_k *ranked, struct error *err)
{
    struct index_sieve sieve = {.pass = pass_sieve, .context = retrieval};
    int served, is_bit = retrieval->table->config.quantize == INDEX_BIT;
    double enough = is_bit ? 8.0 * (double)k + 128.0 : 2.0 * (double)k + 8.0;
    size_t limit = retrieval->reader.snapshot->n_rows / SIEVE_SHARE;
    int rc = first_sieved(retrieval, k, enough, limit, &sieve.most, err);
    while (rc == 0 && sieve.most <= limit) {
        sieve.n_asked = sieve.n_passed = 0;
        rc = rank(retrieval, query, 1, k, &sieve, ranked, err);
        /* Vectors in memory would have made that needless: so many are worth reading. */
        if (rc == 0 && sieve.n_passed < sieve.n_asked / FEW_PASS)
            rc = vectors_note(&retrieval->reader, sieve.n_asked, err);
        if (rc != 0 || sieve.is_whole) return rc;
        rc = filter_is_served(filter_of(retrieval), &served, err);
        if (rc != 0) return rc;
        top_k_deinit(ranked);
        top_k_init(ranked, k);
        double wanted = enough * (double)(sieve.n_asked + 1) / (double)(sieve.n_passed + 1);
        if (served || wanted > (double)limit) break;
        sieve.most = (size_t)wanted > 4 * sieve.most ? (size_t)wanted : 4 * sieve.most;
    }
    if (rc == 0) rc = list_passing(retrieval, SIZE_MAX, err);
    return rc == 0 ? rank(retrieval, query, 1, k, NULL, ranked, err) : rc;
}

int candidates_list(struct retrieval *retrieval, size_t most, int is_wanted, struct error *err)
{
    struct passing *passing;
    int served = 0, rc = 0;
    if (retrieval->listed != NULL || !has_conditions(retrieval)) return 0;
    if (!is_wanted)
        rc = filter_recall(filter_of(retrieval), retrieval->reader.snapshot->n_rows, &passing, err);
    if (rc == 0 && !is_wanted && passing != NULL) return use_list(retrieval, passing, err);
    if (rc == 0 && !is_wanted) rc = filter_is_served(filter_of(retrieval), &served, err);
    return rc == 0 && (is_wanted || served) ? list_passing(retrieval, most, err) : rc;
}

/* Of a ranking of all. */
static int drop_excluded(struct retrieval *retrieval, struct top_k *ranked, struct error *err)
{
    struct top_k left;
    int rc = 0;
    top_k_init(&left, SIZE_MAX);
    for (size_t i = 0; rc == 0 && i < ranked->n; i++)
        if (!is_excluded(retrieval, ranked->hits[i].id))
            rc = top_k_offer(&left, ranked->hits[i].id, ranked->hits[i].score, err);
    top_k_deinit(ranked);
    *ranked = left;
    return rc;
}

int candidates_find(struct retrieval *retrieval, const struct semantic_query *queries, size_t n,
                    size_t k, struct top_k *ranked, struct error *err)
{
    int rc = candidates_list(retrieval, k == SIZE_MAX ? SIZE_MAX : FEW, 0, err);
    int sifts = candidates_are_filtered(retrieval) && !candidates_are_unchecked(retrieval, k);
    /* By codes all rows are scanned, which a list of ids may make needless. */
    int by_codes = retrieval->table->config.quantize != INDEX_EXACT && !retrieval->limits.exactly &&
                   retrieval->only == NULL;
    int sieves = sifts && by_codes && has_conditions(retrieval);
    size_t asked = k;
    if (rc == 0 && sieves) rc = choose_sieve(retrieval, &sieves, err);
    if (rc == 0 && sifts && !sieves && has_conditions(retrieval))
        rc = first_ranked(retrieval, k, &asked, err);
    for (size_t i = 0; i < n; i++) top_k_init(&ranked[i], asked);
    for (size_t i = 0; rc == 0 && sieves && i < n; i++)
        rc = rank_sieved(retrieval, &queries[i], k, &ranked[i], err);
    if (rc != 0 || sieves) return rc;
    rc = rank(retrieval, queries, n, asked, NULL, ranked, err);
    if (rc == 0 && k == SIZE_MAX && retrieval->excluded != NULL)
        rc = drop_excluded(retrieval, ranked, err);
    for (size_t i = 0; rc == 0 && sifts && i < n; i++)
        rc = keep_passing(retrieval, &queries[i], k, asked, &ranked[i], err);
    return rc;
}

int candidates_rank(struct retrieval *retrieval, const struct semantic_query *query, size_t k,
                    struct top_k *ranked, struct error *err)
{
    return rank(retrieval, query, 1, k, NULL, ranked, err);
}
