/*
 * words_walk.h: the documents of each phrase of a query, walked in the FTS5 table X_fts by its C
 * interface, and what BM25 makes of them.
 *
 * A walk costs some 50 ns for each document that has the word; a row of SQL costs many times that.
 * FTS5 does not say beforehand how many documents have a word. A word that the first WORDS_MANY
 * documents have WORDS_COMMON times is in half of all, as far as can be told, and its walk ends
 * there: to FTS5's BM25 it is worth 1e-6, and here nothing, unless no other word is found at all.
 * So an index of no more than WORDS_MANY documents is always walked whole.
 */
#ifndef STORE_WORDS_WALK_H
#define STORE_WORDS_WALK_H

#include <stdint.h>

#include "store/store.h"
#include "store/words_terms.h"

#define WORDS_MANY 40000
#define WORDS_COMMON (WORDS_MANY / 2)

/* What a document has of a phrase. */
struct words_posting {
    int64_t document;
    uint32_t count; /* how often, at least once */
    uint32_t last;  /* where last: so many tokens are before it */
};

struct words_list {
    struct words_posting *items; /* [n] owned, ascending by document */
    size_t n, capacity;
    double idf;    /* of a term */
    int is_common; /* its walk has ended early: it is empty */
};

struct words_walk {
    struct words_list *lists; /* [n_lists] owned; of the phrases of words_terms, in their order */
    size_t n_lists, n_terms;
    double average; /* tokens of a document; 0: no document has any of the phrases */
};

/* Walks all phrases. ERROR_CORRUPT: what is wrong with X_fts. deinit also after a failure. */
int words_walk_init(struct words_walk *walk, struct store *store, const struct words_terms *terms,
                    struct error *err);
void words_walk_deinit(struct words_walk *walk);

/* What a term adds to the BM25 of a document of so many tokens, as FTS5 computes it; falls with the
 * length. */
double words_walk_bm25(const struct words_walk *walk, const struct words_list *list,
                       const struct words_posting *posting, double length);

/* What a document has of a phrase; NULL: nothing. */
const struct words_posting *words_list_find(const struct words_list *list, int64_t document);

#endif
