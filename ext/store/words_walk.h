/*
 * words_walk.h: the documents of each phrase of a query, and what BM25 makes of them.
 *
 * Those of a word are read off FTS5's own pages (words_pages.h), some 10 ns each. What cannot be,
 * phrases of several words among it, is walked by FTS5's C interface, some 200 ns each; a row of
 * SQL takes many times that.
 *
 * Nobody says beforehand how many documents have a word. In an index of more than WORDS_LARGE
 * documents the first ones tell: a word that WORDS_SAMPLE of the first 4 * WORDS_SAMPLE have is
 * frequent and that of the first 2 * WORDS_SAMPLE have is in most, as far as can be told, and its
 * walk ends there. To FTS5's BM25 a word that is in most is worth 1e-6, and one that is frequent at
 * most a fourth of one that is in one of 100 documents. Here they are worth nothing, but where the
 * other words are in less than WORDS_ENOUGH documents frequent ones are walked whole, and where no
 * other word is in any those that are in most. So whatever fewer than a fourth of WORDS_LARGE
 * documents have is counted exactly. Of a query of more than WORDS_OF_A_TEXT words, which is a
 * text, those are frequent that WORDS_SAMPLE of the first 16 * WORDS_SAMPLE have: its rarer ones
 * tell what it is about.
 */
#ifndef STORE_WORDS_WALK_H
#define STORE_WORDS_WALK_H

#include "store/store.h"
#include "store/words_lengths.h"
#include "store/words_list.h"
#include "store/words_terms.h"

#define WORDS_LARGE 80000
#define WORDS_SAMPLE 5000
#define WORDS_ENOUGH 100
#define WORDS_OF_A_TEXT 64

struct words_walk {
    struct words_list *lists; /* [n_lists] owned; of the phrases of words_terms, in their order */
    size_t n_lists, n_terms;
    double n_documents;            /* 0: as average */
    double average;                /* tokens of a document; 0: no document has any of the phrases */
    double slope;                  /* of words_walk_saturation() */
    struct words_lengths *lengths; /* of its documents; borrowed */
};

/* Walks all phrases. ERROR_CORRUPT: what is wrong with X_fts. deinit also after a failure. */
int words_walk_init(struct words_walk *walk, struct store *store, const struct words_terms *terms,
                    struct error *err);
void words_walk_deinit(struct words_walk *walk);

/* What words_list_bm25() takes of a document's length. */
static inline double words_walk_saturation(const struct words_walk *walk, double length)
{
    return WORDS_K1 * (1 - WORDS_B) + walk->slope * length;
}

#endif
