/*
 * terms.h: a bag of terms, counted.
 *
 * Terms are 64-bit hashes already, so the table takes their low bits as they are. Each term has a
 * place, from 0 on in the order of first occurrence, which stays until the bag is cleared: results
 * that are summed in that order are the same on every platform.
 */
#ifndef LEXICAL_TERMS_H
#define LEXICAL_TERMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"

/* Terms handled between two looks at a cancel token. */
#define TERMS_PER_POLL 65536

enum term_kind {
    TERM_GRAM, /* an n-gram */
    TERM_WORD,
    TERM_PART, /* words that stand beside those of the text only, see text/words.h */
    TERM_WHOLE
};

struct term_count {
    uint64_t term;
    uint32_t count; /* 1 or more */
    enum term_kind kind;
};

struct terms {
    struct term_count *items; /* [n], each term once */
    size_t n, capacity;
    uint32_t *slots; /* [n_slots] hash table of items: the place + 1, 0 where empty; a power of 2 */
    size_t n_slots, slots_capacity;
    size_t n_added; /* the sum of all counts */
    const struct cancel *cancel;
};

/* Empty. `cancel` (or NULL) is polled by terms_add. */
void terms_init(struct terms *terms, const struct cancel *cancel);
void terms_deinit(struct terms *terms);

/* Empties the bag and keeps its memory. ERROR_NOMEM. */
int terms_clear(struct terms *terms, struct error *err);

/* Counts one occurrence; *place (may be NULL) is the term's. ERROR_NOMEM, ERROR_INTERRUPTED. */
int terms_add(struct terms *terms, uint64_t term, enum term_kind kind, size_t *place,
              struct error *err);

/* Whether the bag holds it. */
int terms_has(const struct terms *terms, uint64_t term);

#endif
