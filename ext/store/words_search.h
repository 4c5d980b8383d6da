/*
 * words_search.h: what the words of a query find in an index that has words (X_config has
 * 'lexical': the tokenizer; X_fts; X_docs).
 *
 * A row's BM25 is FTS5's, of all words of the query joined by OR, with its sign turned: higher is
 * better, and a word that stands there twice counts twice. Documents that no row has any more count
 * in its statistics, but are not found. Of words that many rows of a large index have see
 * words_walk.h.
 */
#ifndef STORE_WORDS_SEARCH_H
#define STORE_WORDS_SEARCH_H

#include "store/words_ranking.h"
#include "store/words_terms.h"

struct words_match {
    int64_t id;
    double bm25; /* > 0 */
};

/* Nobody writes the index while a search is open, which stays where it was opened. */
struct words_search {
    /* The sum of the idf of the query's words, those that no row has included, and of the pieces of
     * words that rows have: half of it and more is a good match. 0: no row has any of the words. */
    double bound;
    int has_must;           /* there are phrases that must match: only rows in `must` count, for */
    struct ids must;        /* other sources, too; ascending */
    struct ids excluded;    /* rows that do not count; ascending */
    struct words_walk walk; /* the rest is of this room alone */
    struct words_terms terms;
    struct ids must_documents, excluded_documents;
    struct words_documents documents;
    struct words_ranking ranking;
};

/* Looks up the words of a text that a person typed, as text/asked.h reads it: any text is taken.
 * ERROR_UNAVAILABLE: this SQLite has no FTS5; ERROR_INVALID: it does not have the tokenizer;
 * ERROR_CORRUPT: which table is damaged. deinit also after a failure. */
int words_search_open(struct words_search *search, struct store *store, struct span query,
                      struct error *err);
void words_search_deinit(struct words_search *search);

/* From now on words_search_next() gives only these n rows, which ascend, and are borrowed. Before
 * its first call. */
void words_search_keep(struct words_search *search, const int64_t *ids, size_t n);

/* That so many rows will be asked for: these cost less then, and any beyond them more. Before the
 * first call, too. */
void words_search_expect(struct words_search *search, size_t n);

/* The next row with a word of the query, that has what must match and nothing that is excluded: by
 * falling BM25, then by id. *found = 0: there is none. The first ones cost the most; each is
 * exact. */
int words_search_next(struct words_search *search, struct words_match *match, int *found,
                      struct error *err);

/* How rare a word of the query is, in small letters: ln(1 + (N - n + .5) / (n + .5)) of its rarest
 * token, which n of N documents have; 0: the query has no such word. Words that the walk left out
 * as too many documents have them (words_walk.h) count as in a fourth of them, or in half. */
int words_search_rarity(struct words_search *search, struct span word, double *idf,
                        struct error *err);

/* The BM25 of any row; NAN: it has no word of the query, or is not there. */
int words_search_bm25(struct words_search *search, int64_t id, double *bm25, struct error *err);

#endif
