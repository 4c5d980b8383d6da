#include "lexical/terms.h"

#include <string.h>

#include "base/memory.h"

/* Slots of an empty bag; they double before they are half full. */
#define LEAST_SLOTS 1024

void terms_init(struct terms *terms, const struct cancel *cancel)
{
    *terms = (struct terms){.cancel = cancel};
}

void terms_deinit(struct terms *terms)
{
    memory_free(terms->items);
    memory_free(terms->slots);
    terms_init(terms, terms->cancel);
}

/* Empty slots; the memory of earlier, more ones is used again. */
static int clear_slots(struct terms *terms, size_t n_slots, struct error *err)
{
    if (n_slots > terms->slots_capacity) {
        memory_free(terms->slots);
        terms->n_slots = terms->slots_capacity = 0;
        terms->slots = memory_alloc(n_slots, sizeof *terms->slots);
        if (terms->slots == NULL) return error_nomem(err);
        terms->slots_capacity = n_slots;
    }
    terms->n_slots = n_slots;
    memset(terms->slots, 0, n_slots * sizeof *terms->slots);
    return 0;
}

int terms_clear(struct terms *terms, struct error *err)
{
    terms->n = terms->n_added = 0;
    return clear_slots(terms, LEAST_SLOTS, err);
}

/* The slot of a term, or the empty one where it belongs. */
static uint32_t *slot_of(const struct terms *terms, uint64_t term)
{
    size_t mask = terms->n_slots - 1, at = (size_t)term & mask;
    while (terms->slots[at] != 0 && terms->items[terms->slots[at] - 1].term != term)
        at = (at + 1) & mask;
    return &terms->slots[at];
}

/* Room for n_slots items in twice as many slots. */
static int grow(struct terms *terms, struct error *err)
{
    size_t n_slots = terms->n_slots == 0 ? LEAST_SLOTS : terms->n_slots;
    if (terms->capacity < n_slots) {
        struct term_count *items = memory_realloc(terms->items, n_slots, sizeof *items);
        if (items == NULL) return error_nomem(err);
        terms->items = items;
        terms->capacity = n_slots;
    }
    int rc = clear_slots(terms, n_slots * 2, err);
    for (size_t i = 0; rc == 0 && i < terms->n; i++) {
        *slot_of(terms, terms->items[i].term) = (uint32_t)i + 1;
        if (i % TERMS_PER_POLL == TERMS_PER_POLL - 1) rc = cancel_check(terms->cancel, err);
    }
    return rc;
}

int terms_add(struct terms *terms, uint64_t term, enum term_kind kind, size_t *place,
              struct error *err)
{
    int rc = 0;
    if (++terms->n_added % TERMS_PER_POLL == 0) rc = cancel_check(terms->cancel, err);
    if (rc == 0 && (terms->n == terms->capacity || terms->n * 2 >= terms->n_slots))
        rc = grow(terms, err);
    if (rc != 0) return rc;
    uint32_t *slot = slot_of(terms, term);
    if (*slot != 0) {
        terms->items[*slot - 1].count++;
        if (kind == TERM_WORD) terms->items[*slot - 1].kind = TERM_WORD;
    } else {
        terms->items[terms->n++] = (struct term_count){term, 1, kind};
        *slot = (uint32_t)terms->n;
    }
    if (place != NULL) *place = *slot - 1;
    return 0;
}

int terms_has(const struct terms *terms, uint64_t term)
{
    return terms->n_slots > 0 && *slot_of(terms, term) != 0;
}
