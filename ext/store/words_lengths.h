/*
 * words_lengths.h: how many tokens each document of X_fts has.
 *
 * A look into the table costs a microsecond, and a ranked search takes thousands. What is looked
 * up is kept, four bytes a document, where their numbers lie close together, as rowids do; once so
 * many were looked up as reading all costs, all are read. A write adds documents, whose lengths
 * are looked up then. One for each connection of an index.
 */
#ifndef STORE_WORDS_LENGTHS_H
#define STORE_WORDS_LENGTHS_H

#include "store/store.h"

struct words_lengths {
    uint64_t version; /* of the tables, as words_pages.h has it; 0: not known, nothing is kept */
    size_t n_documents;
    size_t n_asked;    /* how many were looked up */
    int is_placed;     /* there is room, or can be none */
    int is_read;       /* all were */
    uint32_t *lengths; /* [n] owned, of the documents from `first` on; 0: not known; NULL: none */
    int64_t first;
    size_t n;
};

/* From now on they are those of tables of that version, with so many documents; to which some were
 * added since (history.h), if it goes on. */
int words_lengths_begin(struct store *store, uint64_t version, size_t n_documents, int goes_on,
                        struct error *err);
void words_lengths_free(struct words_lengths *lengths); /* accepts NULL */

/* What FTS5 has in its table of lengths for one, as all its numbers: seven bits a byte, the highest
 * first; false: it is none. */
int words_lengths_read(const unsigned char *bytes, size_t size, int64_t *length);

/* The length of a document that is kept; 0: it is not. */
static inline uint32_t words_lengths_kept(const struct words_lengths *lengths, int64_t document)
{
    uint64_t place = (uint64_t)document - (uint64_t)lengths->first;
    return place < lengths->n ? lengths->lengths[place] : 0;
}

/* That of any. ERROR_CORRUPT: it is not there. */
int words_lengths_find(struct store *store, int64_t document, int64_t *length, struct error *err);

#endif
