/*
 * fit.h: the model of an index fitted on its content.
 */
#ifndef SEMANTIC_FIT_H
#define SEMANTIC_FIT_H

#include "semantic/table.h"

/* Fits the model of an entry, which can be fitted, on the n_texts texts of the content that can be
 * read; *fitted is the caller's. */
int semantic_fit(struct semantic_table *table, struct catalog_entry *entry, uint64_t n_texts,
                 struct model **fitted, struct error *err);

#endif
