#include "lexical/fused_rerank.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "lexical/query.h"
#include "lexical/statistics.h"

#define DOCUMENTS_PER_POLL 64

enum { PROXIMITY, TITLE, PARTS };

static const double weights[PARTS] = {FUSED_PROXIMITY, FUSED_TITLE};

/* How a document met a term of the query, see struct lexical_term. */
struct meeting {
    float nearness, in_title; /* in_title: 1 or 0 */
};

struct fused_reranker {
    struct lexical_query query;
    struct meeting *meetings;              /* [n_documents, n_terms]; owned */
    double *parts[PARTS];                  /* [n_documents] each; owned */
    double with_term[LEXICAL_QUERY_TERMS]; /* how many documents have it */
};

static int meet(struct fused_reranker *reranker, const struct model_candidates *candidates,
                size_t document, struct error *err)
{
    struct lexical_query *query = &reranker->query;
    struct meeting *meetings = reranker->meetings + document * query->n_terms;
    struct span text = candidates->documents[document], title = {text.data, 0};
    double length;
    if (candidates->title_sizes != NULL) title.size = candidates->title_sizes[document];
    int rc = lexical_query_meet(query, title, &length, err);
    for (size_t i = 0; rc == 0 && i < query->n_terms; i++)
        meetings[i].in_title = query->terms[i].likeness >= 1;
    if (rc == 0) rc = lexical_query_meet(query, text, &length, err);
    for (size_t i = 0; rc == 0 && i < query->n_terms; i++) {
        meetings[i].nearness = (float)query->terms[i].nearness;
        reranker->with_term[i] += query->terms[i].likeness >= 1;
    }
    return rc;
}

/* The candidates all have something to do with the query: their frequencies are smoothed as if
 * there were as many documents again, and ten more, that do not. */
static void weigh_terms(struct fused_reranker *reranker, double n_documents)
{
    for (size_t i = 0; i < reranker->query.n_terms; i++)
        reranker->query.terms[i].idf = lexical_idf(2 * n_documents + 10, reranker->with_term[i]);
    lexical_query_share(&reranker->query);
}

static void make_parts(struct fused_reranker *reranker, size_t document)
{
    size_t n_terms = reranker->query.n_terms;
    const struct meeting *meetings = reranker->meetings + document * n_terms;
    const struct lexical_term *terms = reranker->query.terms;
    double sums[PARTS] = {0}, pairs = 0;
    for (size_t i = 0; i < n_terms; i++) {
        sums[TITLE] += terms[i].share * (double)meetings[i].in_title;
        if (i == 0) continue;
        double weight = terms[i - 1].share + terms[i].share;
        sums[PROXIMITY] += weight * (double)meetings[i].nearness;
        pairs += weight;
    }
    if (pairs > 0) sums[PROXIMITY] /= pairs;
    for (int part = 0; part < PARTS; part++) reranker->parts[part][document] = sums[part];
}

static double mean(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += values[i] / (double)n;
    return sum;
}

/* Below what a sum in double tells from 0 it is 0. */
static double deviation(const double *values, size_t n, double average)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (values[i] - average) * (values[i] - average);
    double root = sqrt(sum / (double)n);
    return root > 1e-12 * fabs(average) ? root : 0;
}

/* Where all fused scores are equal, the parts order the documents. */
static void add_parts(struct fused_reranker *reranker, const struct model_candidates *candidates,
                      double *scores)
{
    size_t n = candidates->n_documents;
    double spread = deviation(candidates->fused, n, mean(candidates->fused, n));
    if (spread <= 0) spread = 1;
    memcpy(scores, candidates->fused, n * sizeof *scores);
    for (int part = 0; part < PARTS; part++) {
        const double *values = reranker->parts[part];
        double average = mean(values, n), own = deviation(values, n, average);
        for (size_t i = 0; own > 0 && i < n; i++)
            scores[i] += weights[part] * spread * (values[i] - average) / own;
    }
}

static int read_all(struct fused_reranker *reranker, const struct model_candidates *candidates,
                    struct error *err)
{
    size_t n = candidates->n_documents, n_terms;
    int rc = lexical_query_read(&reranker->query, candidates->query, err);
    if (rc != 0) return rc;
    n_terms = reranker->query.n_terms;
    reranker->meetings = memory_alloc(n, n_terms * sizeof *reranker->meetings + 1);
    if (reranker->meetings == NULL) return error_nomem(err);
    for (int part = 0; part < PARTS; part++) {
        reranker->parts[part] = memory_alloc(n, sizeof *reranker->parts[part]);
        if (reranker->parts[part] == NULL) return error_nomem(err);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = meet(reranker, candidates, i, err);
        if (rc == 0 && i % DOCUMENTS_PER_POLL == DOCUMENTS_PER_POLL - 1)
            rc = cancel_check(candidates->cancel, err);
    }
    return rc;
}

int lexical_fused_rerank(enum words_rules rules, const struct model_candidates *candidates,
                         double *scores, struct error *err)
{
    struct fused_reranker *reranker = memory_zalloc(1, sizeof *reranker);
    if (reranker == NULL) return error_nomem(err);
    lexical_query_init(&reranker->query, rules, candidates->cancel);
    int rc = read_all(reranker, candidates, err);
    if (rc == 0) weigh_terms(reranker, (double)candidates->n_documents);
    for (size_t i = 0; rc == 0 && i < candidates->n_documents; i++) make_parts(reranker, i);
    if (rc == 0) add_parts(reranker, candidates, scores);
    for (int part = 0; part < PARTS; part++) memory_free(reranker->parts[part]);
    memory_free(reranker->meetings);
    lexical_query_deinit(&reranker->query);
    memory_free(reranker);
    return rc;
}
