/*
 * fts5.h: SQLite's full-text search by its C interface: tokenizers, and what only a function that
 * FTS5 calls may ask.
 *
 * https://www.sqlite.org/fts5.html, chapter 7. FTS5 may not be compiled in, and an application may
 * register tokenizers of its own at any time: both are looked up each time (a few microseconds).
 */
#ifndef SQLITE_FTS5_H
#define SQLITE_FTS5_H

#include <stddef.h>

#include "base/span.h"
#include "sqlite/connection.h"

/* The interface of FTS5 on this connection; NULL: this SQLite was compiled without it. */
int fts5_find(struct connection *connection, fts5_api **api, struct error *err);

/* ---- tokenizers ------------------------------------------------------------------------------ */

/* A tokenizer with its arguments. All zero: none. */
struct fts5_splitter {
    fts5_tokenizer methods;
    Fts5Tokenizer *tokenizer; /* owned */
};

/* One as the option tokenize of an FTS5 table says it: a name and arguments, words or texts in
 * single quotes. ERROR_INVALID: what is wrong with the text; ERROR_UNAVAILABLE: no FTS5. */
int fts5_splitter_open(struct fts5_splitter *splitter, struct connection *connection,
                       const char *text, struct error *err);
void fts5_splitter_close(struct fts5_splitter *splitter);

/* What a ranked search wants of a tokenizer: the tokens of a query, and the pieces that the
 * tokenizer `rerank` adds to words (subword_tokenizer.h). To others it is a query like any. */
#define FTS5_TOKENIZE_TERMS (FTS5_TOKENIZE_QUERY | FTS5_TOKENIZE_AUX)

/* A token of a text, valid during the call. */
struct fts5_token {
    struct span token; /* as it is indexed */
    size_t start, end; /* what it was made of: bytes of the text, start <= end */
    size_t position;   /* among the tokens of the text */
    int colocated;     /* another token at the position of the one before: a synonym */
};
typedef int (*fts5_sink)(void *context, const struct fts5_token *token, struct error *err);

/* What a sink returns that has enough: no failure. */
#define FTS5_ENOUGH (-1)

/* Hands the tokens of a text to `sink` until it fails, whose error is then given back. `reason`: as
 * those of what (FTS5_TOKENIZE_DOCUMENT, FTS5_TOKENIZE_QUERY as in MATCH, FTS5_TOKENIZE_TERMS). */
int fts5_splitter_run(struct fts5_splitter *splitter, int reason, struct span text, fts5_sink sink,
                      void *context, struct error *err);

/* ---- what only a function of FTS5 may ask ---------------------------------------------------- */

/* Called on the first row that a MATCH finds. What it returns is what fts5_visit returns; an
 * SQLite code of the interface becomes an error by fts5_error(). */
typedef int (*fts5_visitor)(void *context, const Fts5ExtensionApi *api, Fts5Context *row,
                            struct error *err);

/* Lets `visitor` look at the FTS5 table "schema"."table" with the phrases of `match`; no row: it
 * is not called. The errors of FTS5, as of a table that is damaged, begin with the table's name. */
int fts5_visit(struct connection *connection, const char *schema, const char *table,
               const char *match, fts5_visitor visitor, void *context, struct error *err);

/* ERROR_NOMEM, ERROR_INTERRUPTED, or ERROR_STORAGE with what the code means. */
int fts5_error(int code, struct error *err);

#endif
