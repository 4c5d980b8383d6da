/*
 * words_list.h: the documents that have a word or a phrase, and what BM25 makes of them.
 */
#ifndef STORE_WORDS_LIST_H
#define STORE_WORDS_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The parameters of FTS5's bm25(). */
#define WORDS_K1 1.2
#define WORDS_B 0.75

/* What a document has of a phrase. */
struct words_posting {
    int64_t document;
    uint32_t count; /* how often, at least once */
    uint32_t last;  /* where last: so many tokens are before it */
};

/* Postings that several lists may have; by one thread at a time. */
struct words_shared {
    size_t references, n;
    struct words_posting *items; /* [n] owned */
};

/* All zero: none. */
struct words_list {
    struct words_posting *items; /* [n] ascending by document; owned, if they are not shared: */
    size_t n, capacity;
    struct words_shared *shared; /* a reference; NULL: they are not */
    double idf;                  /* of a term, times its weight */
    /* Whether its walk has ended early, and it is empty. */
    enum { WORDS_WHOLE, WORDS_FREQUENT, WORDS_IN_MOST } extent;
};

/* Makes room for more postings: n was capacity. */
int words_list_grow(struct words_list *list, struct error *err);
void words_list_empty(struct words_list *list);

/* Shares the postings of a list that owns them, which stay as they are; gives an empty list those
 * that are shared. */
int words_list_share(struct words_list *list, struct error *err);
void words_list_borrow(struct words_list *list, struct words_shared *shared);
int words_list_own(struct words_list *list, struct error *err); /* has copies then */
void words_shared_release(struct words_shared *shared);         /* one reference; accepts NULL */

/* Into the order of documents; false: one is there twice. */
int words_list_sort(struct words_list *list);

/* What a document has of a phrase; NULL: nothing. */
const struct words_posting *words_list_find(const struct words_list *list, int64_t document);

/* The first posting of a document from that one on, from place `from` on; n: there is none. Costs
 * the logarithm of how far it is. */
size_t words_list_seek(const struct words_list *list, size_t from, int64_t document);

/* What a term adds to the BM25 of a document, as FTS5 computes it; falls with the document's
 * length, of which words_walk_saturation() makes how slowly more of a word counts more. */
static inline double words_list_bm25(const struct words_list *list,
                                     const struct words_posting *posting, double saturation)
{
    double count = (double)posting->count;
    return list->idf * (count * (WORDS_K1 + 1.0)) / (count + saturation);
}

#endif
