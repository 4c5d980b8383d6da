#include "lexical/rerank.h"

#include <math.h>

#include "base/memory.h"
#include "lexical/query.h"

#define WEIGHT_BM25 0.65
#define WEIGHT_COVERAGE 0.2
#define WEIGHT_PROXIMITY 0.15

struct reranker {
    struct lexical_query query;
    double average_length;
};

static double score(const struct reranker *reranker, double length)
{
    double bm25 = 0, coverage = 0, proximity = 0, pairs = 0;
    double norm = lexical_saturation(length, reranker->average_length);
    for (size_t i = 0; i < reranker->query.n_terms; i++) {
        const struct lexical_term *term = &reranker->query.terms[i];
        bm25 += term->share * term->count / (term->count + norm);
        coverage += term->share * term->likeness;
        if (i == 0) continue;
        double weight = term->share + reranker->query.terms[i - 1].share;
        proximity += weight * term->nearness;
        pairs += weight;
    }
    if (pairs > 0) proximity /= pairs;
    else proximity = coverage;
    return WEIGHT_BM25 * bm25 + WEIGHT_COVERAGE * coverage + WEIGHT_PROXIMITY * proximity;
}

/* Document frequencies of the candidates, which all have something to do with the query: smoothed
 * as if there were as many documents again, and ten more, that do not. */
static int count_candidates(struct reranker *reranker, const struct model_candidates *candidates,
                            struct error *err)
{
    double frequencies[LEXICAL_QUERY_TERMS] = {0}, length, words = 0;
    for (size_t d = 0; d < candidates->n_documents; d++) {
        int rc = lexical_query_meet(&reranker->query, candidates->documents[d], &length, err);
        if (rc == 0 && d % 64 == 63) rc = cancel_check(candidates->cancel, err);
        if (rc != 0) return rc;
        words += length;
        for (size_t i = 0; i < reranker->query.n_terms; i++)
            if (reranker->query.terms[i].likeness >= 1.0) frequencies[i] += 1;
    }
    double n = (double)candidates->n_documents;
    for (size_t i = 0; i < reranker->query.n_terms; i++)
        reranker->query.terms[i].idf = lexical_idf(2 * n + 10, frequencies[i]);
    reranker->average_length = words / n;
    return 0;
}

static int score_all(struct reranker *reranker, const struct model_candidates *candidates,
                     double *scores, struct error *err)
{
    for (size_t d = 0; d < candidates->n_documents; d++) {
        double length;
        int rc = lexical_query_meet(&reranker->query, candidates->documents[d], &length, err);
        if (rc == 0 && d % 64 == 63) rc = cancel_check(candidates->cancel, err);
        if (rc != 0) return rc;
        double evidence = length > 0 || reranker->query.words.n > 0 ? score(reranker, length) : 0;
        if (candidates->similarities != NULL) {
            double similarity = fmin(fmax(candidates->similarities[d], 0), 1);
            evidence =
                RERANK_SIMILARITY_WEIGHT * similarity + (1.0 - RERANK_SIMILARITY_WEIGHT) * evidence;
        }
        scores[d] = (double)(float)evidence;
    }
    return 0;
}

int lexical_rerank(const struct lexical_statistics *statistics, enum words_rules rules,
                   const struct model_candidates *candidates, double *scores, struct error *err)
{
    struct reranker *reranker = memory_zalloc(1, sizeof *reranker);
    if (reranker == NULL) return error_nomem(err);
    lexical_query_init(&reranker->query, rules, candidates->cancel);
    int rc = lexical_query_read(&reranker->query, candidates->query, err);
    if (rc == 0 && statistics == NULL) rc = count_candidates(reranker, candidates, err);
    for (size_t i = 0; rc == 0 && statistics != NULL && i < reranker->query.n_terms; i++)
        reranker->query.terms[i].idf =
            lexical_statistics_idf(statistics, reranker->query.terms[i].hash);
    if (statistics != NULL) reranker->average_length = statistics->average_length;
    if (reranker->average_length < 1) reranker->average_length = 1;
    if (rc == 0) {
        lexical_query_share(&reranker->query);
        rc = score_all(reranker, candidates, scores, err);
    }
    lexical_query_deinit(&reranker->query);
    memory_free(reranker);
    return rc;
}
