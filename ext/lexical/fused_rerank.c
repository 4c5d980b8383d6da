#include "lexical/fused_rerank.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "embedded/passages.h"
#include "embedded/pieces.h"
#include "lexical/query.h"
#include "lexical/statistics.h"

#define DOCUMENTS_PER_POLL 64

enum { PROXIMITY, TITLE, WINDOW, PASSAGE, WORDS, PARTS };

static const double weights[PARTS] = {FUSED_PROXIMITY, FUSED_TITLE, FUSED_WINDOW, FUSED_PASSAGE,
                                      FUSED_WORDS};

/* How a document met a term of the query, see struct lexical_term. */
struct meeting {
    float count, likeness, nearness, in_title; /* in_title: 1 or 0 */
};

struct fused_reranker {
    struct lexical_query query;
    struct passages *passages;             /* owned */
    struct meeting *meetings;              /* [n_documents, n_terms]; owned */
    double *parts[PARTS];                  /* [n_documents] each; owned */
    double *lengths;                       /* [n_documents] words; owned */
    double *given;                         /* [n_documents] owned */
    double with_term[LEXICAL_QUERY_TERMS]; /* how many documents have it */
};

/* ---- documents ------------------------------------------------------------------------------- */

static int read_title(struct fused_reranker *reranker, struct span title, struct meeting *meetings,
                      struct error *err)
{
    struct lexical_query *query = &reranker->query;
    double length;
    int rc = lexical_query_meet(query, title, &length, err);
    for (size_t i = 0; rc == 0 && i < query->n_terms; i++)
        meetings[i].in_title = query->terms[i].likeness >= 1;
    return rc;
}

static int meet(struct fused_reranker *reranker, const struct model_candidates *candidates,
                size_t document, struct error *err)
{
    struct lexical_query *query = &reranker->query;
    struct meeting *meetings = reranker->meetings + document * query->n_terms;
    struct span text = candidates->documents[document], title = {text.data, 0};
    if (candidates->title_sizes != NULL) title.size = candidates->title_sizes[document];
    int rc = read_title(reranker, title, meetings, err);
    if (rc == 0) rc = lexical_query_meet(query, text, &reranker->lengths[document], err);
    if (rc == 0)
        rc = passages_best(reranker->passages, text, &reranker->parts[PASSAGE][document], err);
    reranker->parts[WINDOW][document] = query->window;
    for (size_t i = 0; rc == 0 && i < query->n_terms; i++) {
        const struct lexical_term *term = &query->terms[i];
        meetings[i].count = (float)term->count;
        meetings[i].likeness = (float)term->likeness;
        meetings[i].nearness = (float)term->nearness;
        reranker->with_term[i] += term->likeness >= 1;
    }
    return rc;
}

/* In a window terms count by how rare they are anywhere: how rare they are here is known when all
 * documents are read. */
static int weigh_windows(struct lexical_query *query, struct error *err)
{
    double sum = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < query->n_terms; i++) {
        struct lexical_term *term = &query->terms[i];
        rc = pieces_rarity((struct span){term->word, term->size}, &term->weight, err);
        sum += term->weight;
    }
    for (size_t i = 0; i < query->n_terms; i++) query->terms[i].weight /= sum;
    return rc;
}

static int make_room(struct fused_reranker *reranker, size_t n, struct error *err)
{
    size_t n_terms = reranker->query.n_terms;
    reranker->meetings = memory_alloc(n, n_terms * sizeof *reranker->meetings + 1);
    reranker->lengths = memory_alloc(n, sizeof *reranker->lengths);
    reranker->given = memory_alloc(n, sizeof *reranker->given);
    int has_room =
        reranker->meetings != NULL && reranker->lengths != NULL && reranker->given != NULL;
    for (int part = 0; part < PARTS; part++) {
        reranker->parts[part] = memory_zalloc(n, sizeof *reranker->parts[part]);
        has_room &= reranker->parts[part] != NULL;
    }
    return has_room ? 0 : error_nomem(err);
}

static int read_all(struct fused_reranker *reranker, const struct model_candidates *candidates,
                    struct error *err)
{
    size_t n = candidates->n_documents;
    int rc = lexical_query_read(&reranker->query, candidates->query, err);
    if (rc == 0) rc = weigh_windows(&reranker->query, err);
    if (rc == 0)
        rc = passages_open(candidates->query, candidates->cancel, &reranker->passages, err);
    if (rc == 0) rc = make_room(reranker, n, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        reranker->given[i] =
            candidates->fused != NULL ? candidates->fused[i] : (double)candidates->similarities[i];
        rc = meet(reranker, candidates, i, err);
        if (rc == 0 && i % DOCUMENTS_PER_POLL == DOCUMENTS_PER_POLL - 1)
            rc = cancel_check(candidates->cancel, err);
    }
    return rc;
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* The candidates all have something to do with the query: their frequencies are smoothed as if
 * there were as many documents again, and ten more, that do not. */
static void weigh_terms(struct fused_reranker *reranker, double n_documents)
{
    for (size_t i = 0; i < reranker->query.n_terms; i++)
        reranker->query.terms[i].idf = lexical_idf(2 * n_documents + 10, reranker->with_term[i]);
    lexical_query_share(&reranker->query);
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

static void make_parts(struct fused_reranker *reranker, size_t document, double average_length)
{
    size_t n_terms = reranker->query.n_terms;
    const struct meeting *meetings = reranker->meetings + document * n_terms;
    const struct lexical_term *terms = reranker->query.terms;
    double norm = lexical_saturation(reranker->lengths[document], fmax(average_length, 1));
    double proximity = 0, title = 0, words = 0, pairs = 0;
    for (size_t i = 0; i < n_terms; i++) {
        double count = (double)meetings[i].count;
        title += terms[i].share * (double)meetings[i].in_title;
        words += terms[i].share * count / (count + norm);
        if (i == 0) continue;
        double weight = terms[i - 1].share + terms[i].share;
        proximity += weight * (double)meetings[i].nearness;
        pairs += weight;
    }
    reranker->parts[PROXIMITY][document] = pairs > 0 ? proximity / pairs : 0;
    reranker->parts[TITLE][document] = title;
    reranker->parts[WORDS][document] = words;
}

/* Where all given scores are equal, the parts order the documents. */
static void add_parts(const struct fused_reranker *reranker, size_t n, int n_parts, double *scores)
{
    double spread = deviation(reranker->given, n, mean(reranker->given, n));
    if (spread <= 0) spread = 1;
    for (int part = 0; part < n_parts; part++) {
        const double *values = reranker->parts[part];
        double average = mean(values, n), own = deviation(values, n, average);
        for (size_t i = 0; own > 0 && i < n; i++)
            scores[i] += weights[part] * spread * (values[i] - average) / own;
    }
}

/* What no document has itself is met by words like it. */
static void add_alike(const struct fused_reranker *reranker, size_t n, double *scores)
{
    size_t n_terms = reranker->query.n_terms;
    double best = 0;
    for (size_t i = 0; i < n; i++) best = fmax(best, reranker->given[i]);
    for (size_t t = 0; t < n_terms; t++) {
        if (reranker->with_term[t] > 0) continue;
        double most = best * reranker->query.terms[t].share / LEXICAL_FUZZY_WEIGHT;
        for (size_t i = 0; i < n; i++)
            scores[i] += most * (double)reranker->meetings[i * n_terms + t].likeness;
    }
}

static void deinit(struct fused_reranker *reranker)
{
    for (int part = 0; part < PARTS; part++) memory_free(reranker->parts[part]);
    memory_free(reranker->meetings);
    memory_free(reranker->lengths);
    memory_free(reranker->given);
    passages_close(reranker->passages);
    lexical_query_deinit(&reranker->query);
    memory_free(reranker);
}

int lexical_fused_rerank(enum words_rules rules, const struct model_candidates *candidates,
                         double *scores, struct error *err)
{
    size_t n = candidates->n_documents;
    struct fused_reranker *reranker = memory_zalloc(1, sizeof *reranker);
    if (reranker == NULL) return error_nomem(err);
    lexical_query_init(&reranker->query, rules, candidates->cancel);
    int rc = read_all(reranker, candidates, err);
    if (rc == 0) {
        double average_length = mean(reranker->lengths, n);
        weigh_terms(reranker, (double)n);
        for (size_t i = 0; i < n; i++) make_parts(reranker, i, average_length);
        memcpy(scores, reranker->given, n * sizeof *scores);
        /* BM25 is in the fused scores. */
        add_parts(reranker, n, candidates->fused != NULL ? WORDS : PARTS, scores);
        add_alike(reranker, n, scores);
    }
    deinit(reranker);
    return rc;
}
