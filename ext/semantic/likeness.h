/*
 * likeness.h: whether a model makes the vectors that an index holds, where nothing stored says
 * what they were made of: in indexes of earlier versions, which have no fingerprint.
 */
#ifndef SEMANTIC_LIKENESS_H
#define SEMANTIC_LIKENESS_H

#include "semantic/table.h"

/* Embeds the text of a row that is as it was when the model embedded it, and compares that with the
 * row's vector: ERROR_INVALID, with the cure, if they differ. 0 without such a row among the first,
 * and for a model of which the name says all. `now`: the entry's fingerprint. */
int likeness_check(struct semantic_table *table, const struct store_state *state,
                   struct catalog_entry *entry, uint64_t now, struct error *err);

#endif
