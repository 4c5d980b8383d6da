/*
 * words_terms.h: a query as an index of words understands it: its words, and what must or must not
 * be there.
 *
 * A term is a token of the index's own tokenizer, asked for by the piece of the query
 * that it was made of, in quotes: FTS5 makes the same token of it, with its synonyms. A
 * piece of a word (text/subwords.h) is a term, too, asked for as it is.
 */
#ifndef STORE_WORDS_TERMS_H
#define STORE_WORDS_TERMS_H

#include "base/buffer.h"
#include "base/span.h"
#include "sqlite/fts5.h"

/* More different words than these, the first of a text, say nothing more of what it is about. */
#define WORDS_MAX_TERMS 128

struct words_terms {
    struct buffer match; /* phrases in quotes with OR between, NUL terminated: */
    size_t n_terms;      /* the terms first, */
    size_t n_must;       /* then the phrases that must match, whose words are terms, too, */
    size_t n_excluded;   /* then those that are excluded */
    unsigned char are_pieces[WORDS_MAX_TERMS]; /* [n_terms] */
    double weights[WORDS_MAX_TERMS]; /* [n_terms] subwords_weight(), as often as it stands there */
    struct buffer tokens;            /* of the terms, one behind the other: */
    struct {
        size_t at, size;           /* 0: it has synonyms */
    } places[WORDS_MAX_TERMS];     /* [n_terms] */
    struct fts5_splitter splitter; /* that read it */
};

/* Reads a text that a person typed (text/asked.h), by a tokenizer as FTS5's option tokenize says
 * it. Phrases that must match and have no two tokens are left out, as are
 * excluded ones without one. deinit also after a failure. */
int words_terms_init(struct words_terms *terms, struct connection *connection,
                     const char *tokenizer, struct span text, struct error *err);
void words_terms_deinit(struct words_terms *terms);

/* The token that a term is, as it is indexed; empty: there are several, which FTS5 knows. */
struct span words_terms_token(const struct words_terms *terms, size_t i);

#endif
