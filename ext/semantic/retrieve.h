/*
 * retrieve.h: from queries to ranked rows. All searches of an index come through here: the virtual
 * table's, semantic_search_each and semantic_recall.
 *
 * A query is a text, which the index's model embeds, or a vector. Each has a ranking of its own:
 * the k rows of the highest scores (index/metric.h), of equal ones the lower id first. Rows that
 * the content has no more, as nobody told the index, do not count.
 *
 * Texts are embedded in one call. Queries go through the index in groups, each when a row of it is
 * asked for. Rows come one by one, out of heaps: nobody sorts a million for LIMIT 5. And where a
 * hint says how many rows of a query are likely to be read, only those are looked for; the others
 * when they are asked for after all.
 */
#ifndef SEMANTIC_RETRIEVE_H
#define SEMANTIC_RETRIEVE_H

#include "semantic/registry.h"
#include "semantic/retrieval.h"

/* Opens the index as it is in this transaction, nothing of which waits any more (flush.h). After an
 * error nothing is open. */
int retrieve_open(struct retrieval *retrieval, struct semantic_table *table, struct error *err);

/* The same by its name, as registry_open has it, after writing what waits. */
int retrieve_open_named(struct retrieval *retrieval, struct semantic_registry *registry,
                        sqlite3_value *name, sqlite3_value *schema, struct error *err);
void retrieve_close(struct retrieval *retrieval); /* accepts what was never opened: all zero */

/* Embeds and checks the queries, which must stay until the next search or the close, and begins
 * anew with the first one's rows. */
int retrieve_search(struct retrieval *retrieval, struct semantic_query *queries, size_t n_queries,
                    const struct retrieve_limits *limits, struct error *err);

/* The next row, of the current query or of the next one that has any; *found = 0 after the last. */
int retrieve_next(struct retrieval *retrieval, struct retrieve_row *row, int *found,
                  struct error *err);

/* The vector stored for a row, [state.dimensions] float32 at any address, until the next call: see
 * reader_vector. */
int retrieve_vector(struct retrieval *retrieval, int64_t id, const void **bytes, size_t *size,
                    int *found, struct error *err);

/* The same of a row of the index, into vector [state.dimensions]. ERROR_CORRUPT: it is not there,
 * or cannot be used. */
int retrieve_copy_vector(struct retrieval *retrieval, int64_t id, float *vector, struct error *err);

#endif
