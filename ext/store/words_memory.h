/*
 * words_memory.h: what a connection keeps of X_fts from one search to the next: the documents of
 * common words, which most queries have some of; what was asked for the longest ago goes first.
 *
 * After writes that only added documents (history.h) lists stay, with those of the segments that
 * are new, as long as FTS5 has merged none: its segments are the same as before, and behind them
 * those that come to all pages that it has written since. (It uses a segment's number again after
 * a merge, but a merge leaves fewer segments.)
 */
#ifndef STORE_WORDS_MEMORY_H
#define STORE_WORDS_MEMORY_H

#include "base/span.h"
#include "store/words_pages.h"

/* Lists of fewer documents are read as fast. */
#define WORDS_MEMORY_LEAST 512
#define WORDS_MEMORY_LISTS 64

struct words_memory {
    uint64_t version;   /* of the tables, as words_pages.h has it; 0: not known, nothing is kept */
    int64_t generation; /* of the index, if it was committed; else 0 */
    struct words_segment *segments; /* [n_segments] owned */
    size_t n_segments;
    uint64_t n_written; /* as words_pages.h has it */
    uint64_t n_asked;   /* how often anything was asked for or kept */
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
        size_t n_segments;              /* which they are of, the first ones */
    } lists[WORDS_MEMORY_LISTS];
};

/* From now on it is of these tables, if they are known; made if it is NULL. They go on from those
 * before by documents that were added, or not. */
int words_memory_begin(struct words_memory **memory, const struct words_pages *pages, int goes_on,
                       struct error *err);
void words_memory_free(struct words_memory *memory); /* accepts NULL */

/* Gives an empty list the documents of a token, if they are kept: those of so many segments. */
int words_memory_find(struct words_memory *memory, struct span token, struct words_list *list,
                      size_t *n_segments);

/* Keeps all documents of a token, instead of those that were kept, if they are worth it, and so
 * many bytes of all at most. */
int words_memory_keep(struct words_memory *memory, uint64_t most, struct span token,
                      struct words_list *list, struct error *err);

#endif
