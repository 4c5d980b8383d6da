/*
 * words_walk.h: the documents of each phrase of a query, walked in the FTS5 table X_fts by its C
 * interface, and what BM25 makes of them.
 *
 * A walk costs some 100 ns for each document that has the word, a row of SQL many times that. FTS5
 * does not say beforehand how many have it. In an index of more than WORDS_LARGE documents the
 * first ones tell: a word that WORDS_SAMPLE of the first 4 * WORDS_SAMPLE have is frequent and that
 * of the first 2 * WORDS_SAMPLE have is in most, as far as can be told, and its walk ends there. To
 * FTS5's BM25 a word that is in most is worth 1e-6, and one that is frequent at most a fourth of
 * one that is in one of 100 documents. Here they are worth nothing, but where the other words are
 * in less than WORDS_ENOUGH documents frequent ones are walked whole, and where no other word is in
 * any those that are in most. So whatever fewer than a fourth of WORDS_LARGE documents have is
 * counted exactly. Of a query of more than WORDS_OF_A_TEXT words, which is a text, those are
 * frequent that WORDS_SAMPLE of the first 16 * WORDS_SAMPLE have: its rarer ones tell what it is
 * about.
 */
#ifndef STORE_WORDS_WALK_H
#define STORE_WORDS_WALK_H

#include <stdint.h>

#include "store/store.h"
#include "store/words_terms.h"

#define WORDS_LARGE 80000
#define WORDS_SAMPLE 5000
#define WORDS_ENOUGH 100
#define WORDS_OF_A_TEXT 64

/* What a document has of a phrase. */
struct words_posting {
    int64_t document;
    uint32_t count; /* how often, at least once */
    uint32_t last;  /* where last: so many tokens are before it */
};

struct words_list {
    struct words_posting *items; /* [n] owned, ascending by document */
    size_t n, capacity;
    double idf; /* of a term, times its weight */
    /* Whether its walk has ended early, and it is empty. */
    enum { WORDS_WHOLE, WORDS_FREQUENT, WORDS_IN_MOST } extent;
};

struct words_walk {
    struct words_list *lists; /* [n_lists] owned; of the phrases of words_terms, in their order */
    size_t n_lists, n_terms;
    double average; /* tokens of a document; 0: no document has any of the phrases */
    double slope;   /* of words_walk_saturation() */
};

/* Walks all phrases. ERROR_CORRUPT: what is wrong with X_fts. deinit also after a failure. */
int words_walk_init(struct words_walk *walk, struct store *store, const struct words_terms *terms,
                    struct error *err);
void words_walk_deinit(struct words_walk *walk);

/* The parameters of FTS5's bm25(). */
#define WORDS_K1 1.2
#define WORDS_B 0.75

/* What a term adds to the BM25 of a document, as FTS5 computes it; falls with the document's
 * length, which words_walk_saturation() turns into how slowly more of a word counts more. */
static inline double words_walk_saturation(const struct words_walk *walk, double length)
{
    return WORDS_K1 * (1 - WORDS_B) + walk->slope * length;
}
static inline double words_list_bm25(const struct words_list *list,
                                     const struct words_posting *posting, double saturation)
{
    double count = (double)posting->count;
    return list->idf * (count * (WORDS_K1 + 1.0)) / (count + saturation);
}

/* What a document has of a phrase; NULL: nothing. */
const struct words_posting *words_list_find(const struct words_list *list, int64_t document);

#endif
