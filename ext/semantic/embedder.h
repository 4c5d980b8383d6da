/*
 * embedder.h: the model of a semantic_index, and the vectors that it takes.
 */
#ifndef SEMANTIC_EMBEDDER_H
#define SEMANTIC_EMBEDDER_H

#include "model/model.h"
#include "semantic/table.h"

/* True if models are built in, as X_config and the options name them, and reading the content opens
 * no virtual table: then a schema can do no harm by the index that it could not do without, and
 * SQLite lets its triggers and views use it whatever trusted_schema says. An index that was told to
 * be so never takes another model after that: ERROR_INVALID, in all that follows. */
int semantic_is_innocuous(struct semantic_table *table, int *innocuous, struct error *err);

/* Finds the model of that name for the index, as catalog_find does. */
int semantic_find_model(const struct semantic_table *table, const char *name, enum model_task task,
                        struct catalog_entry **entry, struct error *err);

/* The model of this index by its name: its catalog entry, and the fitted model if state->fit says
 * so (else *fitted = NULL; borrowed from the table until the next call). ERROR_INVALID, with the
 * cure, when the option names another model now than the one the index was made by. */
int semantic_named_model(struct semantic_table *table, const struct store_state *state,
                         struct catalog_entry **entry, struct model **fitted, struct error *err);

/* 0 if that model makes the vectors that it made when the index was made, so far as is known;
 * ERROR_INVALID, with the cure, when its weights, vocabulary, configuration or prefix for documents
 * are others now; where no fingerprint is stored, a row tells (likeness.h). Reads the weights of a
 * local model, unless they are in memory. */
int semantic_check_fingerprint(struct semantic_table *table, const struct store_state *state,
                               struct catalog_entry *entry, struct error *err);

/* Both: for whoever is to embed a text now. */
int semantic_embedder(struct semantic_table *table, const struct store_state *state,
                      struct catalog_entry **entry, struct model **fitted, struct error *err);

/* Stores what the model of that name stands for, for semantic_named_model to compare with; and for
 * semantic_check_fingerprint that what it was made of is not known, or, where a name says all, the
 * prefix. */
int semantic_store_identity(struct semantic_table *table, const char *name, struct error *err);

/* Stores what the model is made of, whose weights are in memory. */
int semantic_store_fingerprint(struct semantic_table *table, struct catalog_entry *entry,
                               struct error *err);

/* Stores what the reranker's name stands for, if it is a name of the user's: for the error where it
 * is not registered. */
int semantic_store_reranker(struct semantic_table *table, struct error *err);

/* The reranker, and the fitted model that stands in for it when the embedder is of its kind (else
 * NULL). */
int semantic_reranker(struct semantic_table *table, const struct store_state *state,
                      struct catalog_entry **entry, struct model **fitted, struct error *err);

/* Embeds row->text of all rows, as documents, and hands each its row->vector and dimensions. A row
 * whose text cannot be embedded for a reason of its own keeps what it had, and has row->refused
 * then: why. */
int semantic_try_rows(struct semantic_table *table, struct catalog_entry *entry,
                      struct model *fitted, struct pending_row *const *rows, size_t n_rows,
                      struct error *err);

/* Hands the row the vector of row->text if that was embedded lately and is still in memory; else it
 * stays without. */
int semantic_lookup_row(struct semantic_table *table, struct catalog_entry *entry,
                        struct pending_row *row, struct error *err);

/* Cosine has no answer for the zero vector, storage = 'int8' and 'float16' take only what is within
 * their limits (vector/compact.h, vector/half.h): ERROR_INVALID then. */
int semantic_check_direction(const struct semantic_table *table, const float *vector,
                             size_t dimensions, struct error *err);

/* Reads the fitted model anew, if there is one: ERROR_CORRUPT. */
int semantic_check_fitted(struct semantic_table *table, struct error *err);

#endif
