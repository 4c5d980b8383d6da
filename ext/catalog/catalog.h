/*
 * catalog.h: from a name to a model.
 *
 * One catalog a connection. It owns the models, the defaults, the aliases that the user registered, the settings, the
 * cache of vectors already computed (LRU by bytes) and the statistics. All embedding and reranking of the SQL face goes through
 * catalog_embed and catalog_rerank, so that every call to a model is cached where that is right, and counted.
 *
 * Nothing here is stored in a database. Not thread-safe: SQLite's connection mutex serialises us.
 */
#ifndef CATALOG_CATALOG_H
#define CATALOG_CATALOG_H

#include "model/model.h"

struct catalog;
struct catalog_entry; /* borrowed; valid until the catalog is freed, also after it was deleted or changed */

int catalog_new(struct catalog **catalog, struct error *err);
void catalog_free(struct catalog *catalog); /* accepts NULL */

/* The model called `name` (a provider:name or an alias, NUL terminated), or, if NULL, the default for the task.
 * ERROR_INVALID names what is unknown and what there is; also when the model does not do the task. */
int catalog_find(struct catalog *catalog, const char *name, enum model_task task, struct catalog_entry **entry,
                 struct error *err);

/* The full name (never an alias) to store in an index; the model itself. Borrowed. */
const char *catalog_entry_name(const struct catalog_entry *entry);
struct model *catalog_entry_model(const struct catalog_entry *entry);

/* Calls made to the model so far, failed ones included. */
uint64_t catalog_entry_requests(const struct catalog_entry *entry);

/* model_embed / model_rerank through cache and statistics. `fitted`: what catalog_entry_model(entry) became after
 * learning from a collection, used in its place and never cached; or NULL. */
int catalog_embed(struct catalog *catalog, struct catalog_entry *entry, struct model *fitted,
                  const struct model_texts *texts, float *embeddings, struct error *err);
int catalog_rerank(struct catalog *catalog, struct catalog_entry *entry, struct model *fitted,
                   const struct model_candidates *candidates, float *scores, struct error *err);

#endif
