/*
 * sense.h: whether a query says anything to a model that knows words, as builtin:lexical does.
 *
 * A vector it has in any case, and each row some similarity to that, which is noise where the model
 * has learnt nothing of the query and no row has a word or a piece of it: for such a query there
 * are no rows. What the rows have is looked up in the texts of those that would come first, as a
 * row that has a word of the query is more similar than the noise. Most queries have a word that
 * was learnt, and cost nothing here.
 */
#ifndef SEMANTIC_SENSE_H
#define SEMANTIC_SENSE_H

#include "model/model.h"
#include "semantic/table.h"
#include "vector/top_k.h"

/* Rows whose texts are looked at. */
#define SENSE_ROWS ((size_t)64)

/* Whether the model, which has the method has_sense, has learnt something of it. */
int sense_is_learnt(const struct semantic_table *table, struct model *model, struct span query,
                    int *has, struct error *err);

/* Whether one of the rows has something of it; also if a row has no text, as then nobody knows. */
int sense_find(struct semantic_table *table, struct model *model, struct span query,
               const struct top_k *nearest, int *has, struct error *err);

#endif
