/*
 * words_memory.h: what a connection keeps of X_fts from one search to the next, until a write: the
 * documents of common words, which most queries have some of. They are a 64th of memory_budget at
 * most; what was asked for the longest ago goes first.
 */
#ifndef STORE_WORDS_MEMORY_H
#define STORE_WORDS_MEMORY_H

#include "base/span.h"
#include "store/store.h"
#include "store/words_list.h"

/* Lists of fewer documents are read as fast. */
#define WORDS_MEMORY_LEAST 512
#define WORDS_MEMORY_LISTS 64

struct words_memory {
    uint64_t version; /* of the tables, as words_pages.h has it; 0: not known, nothing is kept */
    uint64_t n_asked; /* how often anything was asked for or kept */
    size_t bytes;
    struct words_memory_sample { /* which documents are the first ones, see words_walk.h */
        int is_known;
        int64_t first, second;
    } of_questions, of_texts;
    struct words_memory_list {
        uint64_t asked; /* the latest */
        char *token;    /* [size] owned; NULL: nothing is here */
        size_t size;
        struct words_shared *documents; /* a reference */
    } lists[WORDS_MEMORY_LISTS];
};

/* From now on it is of tables of that version. */
int words_memory_begin(struct store *store, uint64_t version, struct error *err);
void words_memory_free(struct words_memory *memory); /* accepts NULL */

/* Gives an empty list the documents of a token, if they are kept. */
int words_memory_find(struct words_memory *memory, struct span token, struct words_list *list);

/* Keeps all documents of a token, if they are worth it. */
int words_memory_keep(struct store *store, struct span token, struct words_list *list,
                      struct error *err);

#endif
