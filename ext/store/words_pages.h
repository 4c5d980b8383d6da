/*
 * words_pages.h: the documents of a token, read off the pages that FTS5 keeps in its own tables,
 * X_fts_data and X_fts_idx: some 10 ns a document, where its C interface takes some 200.
 *
 * The format is the one that the head of SQLite's ext/fts5/fts5_index.c describes, version 4, as
 * X_fts has it: one column, detail = full, no document deleted or changed. All else (another
 * version, a page that is damaged, no transaction that holds the tables still) is not known here,
 * which is no failure: then FTS5 is to be asked, which says what is wrong. What this connection has
 * written and FTS5 has in memory is made to be written first.
 *
 * A segment is a run of pages with terms in order, each with its documents in order: those of a
 * token are those of each segment that has it.
 */
#ifndef STORE_WORDS_PAGES_H
#define STORE_WORDS_PAGES_H

#include "base/span.h"
#include "store/store.h"
#include "store/words_list.h"

struct words_segment {
    int64_t id, first, last; /* its pages */
};

/* Uses kept statements: no other may be open meanwhile. */
struct words_pages {
    struct store *store;
    int is_known; /* 0: FTS5 is to be asked; of the token that was begun last, once there is one */
    double n_documents, n_tokens;   /* of all, at least 1 */
    uint64_t version;               /* a hash of what the tables are, never 0 */
    int64_t generation;             /* of the index, see history.h */
    int is_committed;               /* the transaction has written nothing */
    uint64_t n_written;             /* pages of segments that FTS5 has written, but by merging */
    struct words_segment *segments; /* [n_segments] owned, the oldest first */
    size_t n_segments;

    struct span token;             /* that is being read; borrowed */
    size_t n_begun;                /* segments of it that were begun */
    sqlite3_stmt *run;             /* the pages of the current one; NULL: it is at its end */
    int64_t number;                /* of the page that comes next */
    const unsigned char *at, *end; /* what is left to be read of the page that is there */
    int has_more;                  /* the next page goes on with the token */
    int is_absolute;               /* the next document is not counted from the one before */
    int64_t document;              /* the latest */
    size_t n_left;                 /* bytes of its positions that are still to come */
    uint64_t cut;                  /* what a page has of a position that the next one ends */
};

/* Looks at what there is. close also after a failure, and of what is not known. */
int words_pages_open(struct words_pages *pages, struct store *store, struct error *err);
void words_pages_close(struct words_pages *pages);

/* Begins with a token, as the tokenizer gives it; only if all is known. From that segment on. */
void words_pages_begin(struct words_pages *pages, struct span token, size_t segment);

/* Appends the documents of a page more to the list, which owns them; *more = 0: all are there, in
 * order. Not known: there is no more, and the list is of no use. */
int words_pages_next(struct words_pages *pages, struct words_list *list, int *more,
                     struct error *err);

#endif
