/*
 * query.h: the terms of a query, and how a document meets them, for the rerankers.
 *
 * A query term that the document lacks may be met in part by a word like it: one begins with the
 * other ("bat", "batman"), or they share character trigrams (Dice's coefficient), at a discount.
 * What stands beside a word of the document (text/words.h), the whole of a compound for instance,
 * meets a term too, and that beside a word of the query is met for the word.
 */
#ifndef LEXICAL_QUERY_H
#define LEXICAL_QUERY_H

#include "base/error.h"
#include "base/span.h"
#include "text/words.h"

/* What a word that is only alike counts at most. */
#define LEXICAL_FUZZY_WEIGHT 0.6

/* Of a longer query the first are read. */
#define LEXICAL_QUERY_TERMS 64

/* One term and how the document that was read last meets it. */
struct lexical_term {
    uint64_t hash;
    uint64_t whole; /* the compound that it is a part of; 0: none */
    char word[WORD_MAX_BYTES];
    size_t size;
    uint64_t trigrams;      /* see trigram_bits */
    double idf, share;      /* share: idf over the sum of all; both are the reranker's to say */
    double count;           /* occurrences in the document; a fuzzy one counts a part */
    double likeness;        /* 1 exact, less fuzzy, 0 absent */
    size_t last;            /* word position of the last occurrence */
    double nearness;        /* to the term before it in the query, [0, 1] */
    double weight;          /* in a window, the reranker's to say before it reads */
    size_t window_last;     /* position of the most alike occurrence of late */
    double window_likeness; /* and how alike it is; 0: none yet */
};

/* Of BM25 (k1 1.2, b 0.75): in a document of that length a term counts count / (count + this). */
static inline double lexical_saturation(double length, double average_length)
{
    const double k1 = 1.2, b = 0.75;
    return k1 * (1 - b + b * length / average_length);
}

/* Words of a document that count as one place. */
#define LEXICAL_WINDOW 40

/* Words whose relation to the query is remembered, at the place that their hash says. */
#define LEXICAL_KNOWN_WORDS 2048

struct lexical_known {
    uint64_t hash;         /* of the letters */
    size_t size;           /* bytes; 0: nothing is remembered here */
    uint64_t stem;         /* hash of the stem */
    int is_stop, is_exact; /* is_exact: it is a term or the whole of some */
    size_t term;           /* the most alike; n_terms: none */
    double alike;
};

struct lexical_query {
    struct lexical_term terms[LEXICAL_QUERY_TERMS];
    size_t n_terms;
    int stop_words; /* the query has nothing else */
    double window; /* of the document: the most that one window has, the sum of weight * likeness */
    struct words words;
    struct lexical_known known[LEXICAL_KNOWN_WORDS];
};

/* Empty. `cancel` (or NULL) is polled within a long text. */
void lexical_query_init(struct lexical_query *query, enum words_rules rules,
                        const struct cancel *cancel);
void lexical_query_deinit(struct lexical_query *query);

/* Once: the query's words, each stem once, stop words only if there is nothing else. ERROR_NOMEM,
 * ERROR_INTERRUPTED. */
int lexical_query_read(struct lexical_query *query, struct span text, struct error *err);

/* Reads a document into the terms: count, likeness, last, nearness, and `window`. *length: its
 * words, stop words left out. ERROR_NOMEM, ERROR_INTERRUPTED. */
int lexical_query_meet(struct lexical_query *query, struct span document, double *length,
                       struct error *err);

/* The shares of the terms, once their idf is known. */
void lexical_query_share(struct lexical_query *query);

#endif
