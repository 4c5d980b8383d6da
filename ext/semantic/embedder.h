/*
 * embedder.h: the model of a semantic_index, and the vectors that it takes.
 */
#ifndef SEMANTIC_EMBEDDER_H
#define SEMANTIC_EMBEDDER_H

#include "model/model.h"
#include "semantic/table.h"

/* The embedder of this index: its catalog entry, and the fitted model if state->fit says so (else
 * *fitted = NULL; borrowed from the table until the next call). ERROR_INVALID, with the cure, when
 * the option names another model now than the one the index was made by. */
int semantic_embedder(struct semantic_table *table, const struct semantic_state *state,
                      struct catalog_entry **entry, struct model **fitted, struct error *err);

/* Stores what the model of that name stands for, for semantic_embedder to compare with. */
int semantic_store_identity(struct semantic_table *table, const char *name, struct error *err);

/* The reranker, and the fitted model that stands in for it when it is the embedder too (else NULL).
 */
int semantic_reranker(struct semantic_table *table, const struct semantic_state *state,
                      struct catalog_entry **entry, struct model **fitted, struct error *err);

/* Embeds row->text of all rows, as documents, and hands each its row->vector and dimensions. */
int semantic_embed_rows(struct semantic_table *table, struct catalog_entry *entry,
                        struct model *fitted, struct pending_row *const *rows, size_t n_rows,
                        struct error *err);

/* Hands the row the vector of row->text if that was embedded lately and is still in memory; else it
 * stays without. */
int semantic_recall_row(struct semantic_table *table, struct catalog_entry *entry,
                        struct pending_row *row, struct error *err);

/* 0 if a vector of that many dimensions, made by `who`, may be stored or searched with: the index
 * has as many, or none yet. */
int semantic_check_dimensions(const struct semantic_state *state, const char *who,
                              size_t dimensions, struct error *err);

/* Cosine has no answer for the zero vector: ERROR_INVALID then. */
int semantic_check_direction(const struct semantic_table *table, const float *vector,
                             size_t dimensions, struct error *err);

/* Whether all rows' vectors have the index's dimensions, or, where it has none yet, those of the
 * first. Writes nothing. */
int semantic_check_rows(const struct semantic_state *state, struct pending_row *const *rows,
                        size_t n_rows, struct error *err);

/* Checks the rows' vectors against the index, which takes its dimensions from the first vector it
 * gets. */
int semantic_learn_dimensions(struct semantic_table *table, struct semantic_state *state,
                              const struct pending_row *rows, size_t n_rows, struct error *err);

#endif
