/*
 * words_documents.h: which row a document of X_fts is of.
 *
 * X_docs has the exceptions: a document that is not there is of the row of its own number.
 */
#ifndef STORE_WORDS_DOCUMENTS_H
#define STORE_WORDS_DOCUMENTS_H

#include "store/store.h"

/* Holds statements: nobody may write while it is open. */
struct words_documents {
    struct store *store;
    int is_asked, has_any;    /* it was asked whether there is an exception */
    sqlite3_stmt *exceptions; /* NULL: not yet prepared */
    /* The exceptions are read in order, from a document on: the first that is not yet passed. */
    int has_next;
    int64_t from, next;
};

void words_documents_open(struct words_documents *documents, struct store *store);
void words_documents_close(struct words_documents *documents);

/* The row of a document; *live = 0: none has it any more. Fast when documents ascend. */
int words_documents_row(struct words_documents *documents, int64_t document, int64_t *id, int *live,
                        struct error *err);

/* The document of a row, if it has one, that may not be in X_fts. */
int words_documents_of_row(struct words_documents *documents, int64_t id, int64_t *document,
                           int *found, struct error *err);

#endif
