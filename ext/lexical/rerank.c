#include "lexical/rerank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "lexical/features.h"
#include "text/words.h"

#define MAX_QUERY_TERMS 64
#define K1 1.2
#define B 0.75
#define FUZZY_WEIGHT 0.6 /* what a word that is only alike counts at most */
#define FUZZY_LEAST 0.45 /* less alike counts nothing */
#define WORDS_PER_POLL 256
#define NEAR 8 /* words apart at which proximity has faded to nothing */
#define WEIGHT_BM25 0.65
#define WEIGHT_COVERAGE 0.2
#define WEIGHT_PROXIMITY 0.15

/* One term of the query and how the current document meets it. */
struct term {
    uint64_t hash;
    char word[WORD_MAX_BYTES];
    size_t size;
    uint64_t trigrams; /* see trigram_bits */
    double idf, share; /* share: idf over the sum of all */
    double count;      /* occurrences in the document; a fuzzy one counts a part */
    double likeness;   /* 1 exact, less fuzzy, 0 absent */
    size_t last;       /* word position of the last occurrence */
    double nearness;   /* to the term before it in the query, [0, 1] */
};

struct reranker {
    struct term terms[MAX_QUERY_TERMS];
    size_t n_terms;
    double average_length;
    int stop_words; /* the query has nothing else */
    struct words words;
};

/* One bit of 64 for each trigram of a word: words without a common bit have no common trigram. */
static uint64_t trigram_bits(const char *word, size_t size)
{
    uint64_t bits = 0;
    for (size_t i = 0; i + 3 <= size; i++) {
        uint32_t letters = (uint32_t)(unsigned char)word[i] << 16 |
                           (uint32_t)(unsigned char)word[i + 1] << 8 | (unsigned char)word[i + 2];
        bits |= (uint64_t)1 << (letters * 2654435761u >> 26);
    }
    return bits;
}

static void add_term(struct reranker *reranker, struct span word)
{
    uint64_t hash = feature_of_word(word);
    for (size_t i = 0; i < reranker->n_terms; i++)
        if (reranker->terms[i].hash == hash) return;
    struct term *term = &reranker->terms[reranker->n_terms++];
    *term = (struct term){
        .hash = hash, .size = word.size, .trigrams = trigram_bits(word.data, word.size)};
    memcpy(term->word, word.data, word.size);
}

/* The query's words, each stem once, stop words only if there is nothing else; of a long query the
 * first. */
static int read_query(struct reranker *reranker, struct span query, struct error *err)
{
    int rc = words_split(&reranker->words, query, err);
    for (int stop_words = 0; rc == 0 && stop_words < 2 && reranker->n_terms == 0; stop_words++) {
        reranker->stop_words = stop_words;
        for (size_t i = 0; i < reranker->words.n && reranker->n_terms < MAX_QUERY_TERMS; i++) {
            struct span word = words_get(&reranker->words, i);
            if (stop_words || !word_is_stop(word)) add_term(reranker, word);
        }
    }
    return rc;
}

/* Dice's coefficient of the trigrams of two words, [0, 1]; each trigram is shared once. */
static double dice(const char *a, size_t n, const char *b, size_t m)
{
    _Static_assert(WORD_MAX_BYTES <= 64, "one bit for each trigram of a word");
    if (n < 3 || m < 3) return 0;
    size_t shared = 0;
    uint64_t taken = 0;
    for (size_t i = 0; i + 3 <= n; i++)
        for (size_t j = 0; j + 3 <= m; j++)
            if (!(taken >> j & 1) && memcmp(a + i, b + j, 3) == 0) {
                taken |= (uint64_t)1 << j;
                shared++;
                break;
            }
    return 2.0 * (double)shared / (double)(n + m - 4);
}

static int is_affix(const char *longer, size_t n, const char *shorter, size_t m)
{
    return memcmp(longer, shorter, m) == 0 || memcmp(longer + n - m, shorter, m) == 0;
}

/* Plural and possessive endings are no part of what words have in common. */
static size_t without_plural(const char *word, size_t size)
{
    return size > 3 && word[size - 1] == 's' && word[size - 2] != 's' ? size - 1 : size;
}

/* How alike two words are, [0, 1]: one begins or ends with the other, or they share trigrams. */
static double likeness(const struct term *term, struct span word)
{
    size_t n = without_plural(term->word, term->size), m = without_plural(word.data, word.size);
    const char *longer = n >= m ? term->word : word.data,
               *shorter = n >= m ? word.data : term->word;
    size_t most = n >= m ? n : m, least = n >= m ? m : n;
    if (least < 3) return 0;
    double alike = dice(term->word, n, word.data, m);
    if (is_affix(longer, most, shorter, least))
        alike = fmax(alike, 0.5 + 0.5 * (double)least / (double)most);
    return alike;
}

static void meet(struct reranker *reranker, size_t i, size_t position, double alike)
{
    struct term *term = &reranker->terms[i];
    if (alike > term->likeness) term->likeness = alike;
    term->count += alike;
    term->last = position;
    for (int side = -1; side <= 1; side += 2) {
        if ((side < 0 && i == 0) || (side > 0 && i + 1 == reranker->n_terms)) continue;
        struct term *other = &reranker->terms[side < 0 ? i - 1 : i + 1];
        if (other->count <= 0 || other->last == position) continue;
        double near = 1.0 - (double)(position - other->last - 1) / NEAR;
        struct term *later = side < 0 ? term : other;
        if (near > later->nearness) later->nearness = near;
    }
}

/* One word of the document against all terms: the exact one, else the most alike. */
static void read_word(struct reranker *reranker, struct span word, size_t position)
{
    uint64_t hash = feature_of_word(word);
    for (size_t i = 0; i < reranker->n_terms; i++)
        if (reranker->terms[i].hash == hash) {
            meet(reranker, i, position, 1.0);
            return;
        }
    size_t best = reranker->n_terms;
    double most = FUZZY_LEAST;
    uint64_t trigrams = trigram_bits(word.data, word.size);
    for (size_t i = 0; i < reranker->n_terms; i++) {
        if ((trigrams & reranker->terms[i].trigrams) == 0) continue;
        double alike = likeness(&reranker->terms[i], word);
        if (alike <= most) continue;
        most = alike;
        best = i;
    }
    if (best < reranker->n_terms) meet(reranker, best, position, most * FUZZY_WEIGHT);
}

/* Reads a document into the terms. *length: its words, stop words left out. */
static int read_document(struct reranker *reranker, struct span document, double *length,
                         struct error *err)
{
    for (size_t i = 0; i < reranker->n_terms; i++) {
        struct term *term = &reranker->terms[i];
        term->count = term->likeness = term->nearness = 0;
    }
    *length = 0;
    int rc = words_split(&reranker->words, document, err);
    for (size_t i = 0; rc == 0 && i < reranker->words.n; i++) {
        struct span word = words_get(&reranker->words, i);
        int stop = word_is_stop(word);
        if (!stop) ++*length;
        if (!stop || reranker->stop_words) read_word(reranker, word, i);
        if (i % WORDS_PER_POLL == WORDS_PER_POLL - 1)
            rc = cancel_check(reranker->words.cancel, err);
    }
    return rc;
}

static double score(const struct reranker *reranker, double length)
{
    double bm25 = 0, coverage = 0, proximity = 0, pairs = 0;
    double norm = K1 * (1.0 - B + B * length / reranker->average_length);
    for (size_t i = 0; i < reranker->n_terms; i++) {
        const struct term *term = &reranker->terms[i];
        bm25 += term->share * term->count / (term->count + norm);
        coverage += term->share * term->likeness;
        if (i == 0) continue;
        double weight = term->share + reranker->terms[i - 1].share;
        proximity += weight * term->nearness;
        pairs += weight;
    }
    if (pairs > 0) proximity /= pairs;
    else proximity = coverage;
    return WEIGHT_BM25 * bm25 + WEIGHT_COVERAGE * coverage + WEIGHT_PROXIMITY * proximity;
}

static void share_out(struct reranker *reranker)
{
    double sum = 0;
    for (size_t i = 0; i < reranker->n_terms; i++) sum += reranker->terms[i].idf;
    for (size_t i = 0; i < reranker->n_terms; i++)
        reranker->terms[i].share = reranker->terms[i].idf / sum;
}

/* Document frequencies of the candidates, which all have something to do with the query: smoothed
 * as if there were as many documents again, and ten more, that do not. */
static int count_candidates(struct reranker *reranker, const struct model_candidates *candidates,
                            struct error *err)
{
    double frequencies[MAX_QUERY_TERMS] = {0}, length, words = 0;
    for (size_t d = 0; d < candidates->n_documents; d++) {
        int rc = read_document(reranker, candidates->documents[d], &length, err);
        if (rc == 0 && d % 64 == 63) rc = cancel_check(candidates->cancel, err);
        if (rc != 0) return rc;
        words += length;
        for (size_t i = 0; i < reranker->n_terms; i++)
            if (reranker->terms[i].likeness >= 1.0) frequencies[i] += 1;
    }
    double n = (double)candidates->n_documents;
    for (size_t i = 0; i < reranker->n_terms; i++)
        reranker->terms[i].idf = lexical_idf(2 * n + 10, frequencies[i]);
    reranker->average_length = words / n;
    return 0;
}

static int score_all(struct reranker *reranker, const struct model_candidates *candidates,
                     double *scores, struct error *err)
{
    for (size_t d = 0; d < candidates->n_documents; d++) {
        double length;
        int rc = read_document(reranker, candidates->documents[d], &length, err);
        if (rc == 0 && d % 64 == 63) rc = cancel_check(candidates->cancel, err);
        if (rc != 0) return rc;
        double evidence = length > 0 || reranker->words.n > 0 ? score(reranker, length) : 0;
        if (candidates->similarities != NULL) {
            double similarity = fmin(fmax(candidates->similarities[d], 0), 1);
            evidence =
                RERANK_SIMILARITY_WEIGHT * similarity + (1.0 - RERANK_SIMILARITY_WEIGHT) * evidence;
        }
        scores[d] = (double)(float)evidence;
    }
    return 0;
}

int lexical_rerank(const struct lexical_statistics *statistics,
                   const struct model_candidates *candidates, double *scores, struct error *err)
{
    struct reranker *reranker = memory_zalloc(1, sizeof *reranker);
    if (reranker == NULL) return error_nomem(err);
    words_init(&reranker->words, candidates->cancel);
    int rc = read_query(reranker, candidates->query, err);
    if (rc == 0 && statistics == NULL) rc = count_candidates(reranker, candidates, err);
    for (size_t i = 0; rc == 0 && statistics != NULL && i < reranker->n_terms; i++)
        reranker->terms[i].idf = lexical_statistics_idf(statistics, reranker->terms[i].hash);
    if (statistics != NULL) reranker->average_length = statistics->average_length;
    if (reranker->average_length < 1) reranker->average_length = 1;
    if (rc == 0) {
        share_out(reranker);
        rc = score_all(reranker, candidates, scores, err);
    }
    words_deinit(&reranker->words);
    memory_free(reranker);
    return rc;
}
