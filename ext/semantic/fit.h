/*
 * fit.h: the model of an index fitted on its content.
 */
#ifndef SEMANTIC_FIT_H
#define SEMANTIC_FIT_H

#include "semantic/table.h"

/* Whether a sync that finds n_texts texts to embed has to fit the model of that entry first: it was
 * not fitted yet, or it refits and they are twice as many as its fit saw. The latter not where its
 * dimensions are given, by vectors of the user's own or the option: those of a fit are its own. */
int semantic_fit_is_due(struct semantic_table *table, const struct store_state *state,
                        const struct catalog_entry *entry, int64_t n_texts, int *due,
                        struct error *err);

/* Fits the model of an entry, which can be fitted, on the n_texts texts of the content that can be
 * read; *fitted is the caller's. */
int semantic_fit(struct semantic_table *table, struct catalog_entry *entry, uint64_t n_texts,
                 struct model **fitted, struct error *err);

#endif
