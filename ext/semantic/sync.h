/*
 * sync.h: bringing an index in step with its content, batch by batch.
 *
 * sync_open compares content and index in one pass over both, in the order of their ids, and lists
 * what is new, changed or gone. sync_collect reads and embeds the next batch and writes nothing, so
 * no lock is held while a model works; sync_store writes it. Both 'sync' (all batches in one
 * statement) and semantic_sync (a statement a batch) are made of these.
 *
 * The first sync of an index whose model can be fitted fits it, and embeds again what was embedded
 * before.
 */
#ifndef SEMANTIC_SYNC_H
#define SEMANTIC_SYNC_H

#include "semantic/table.h"

/* Rows in a batch: what the model is best given at once, but so many at most; and bytes of text
 * after which it is full. */
#define SYNC_MAX_ROWS 2048
#define SYNC_BATCH_BYTES ((size_t)8 << 20)

struct semantic_sync {
    struct semantic_table *table;
    struct catalog_entry *entry; /* borrowed; the embedder */
    int64_t *ids;                /* [n_ids] to embed, ascending */
    size_t n_ids, ids_capacity, n_collected;
    int64_t *gone; /* [n_gone] to delete, ascending */
    size_t n_gone, gone_capacity;
    int64_t n_total;          /* content rows that have a text */
    int fit;                  /* a fitted model is to be made and stored with the first batch */
    int clear;                /* all vectors made by a model are to go with the first batch */
    struct model *fitted;     /* owned; what the fit made */
    int64_t fit_id;           /* of the fit that the batches belong to; 0: none */
    struct pending_row *rows; /* [n_rows] the batch; owned, with its vectors */
    size_t n_rows;
    int started;                  /* the first batch was stored */
    struct error failure;         /* of a batch of which a part could be kept; code 0: none */
    size_t n_embedded, n_deleted; /* stored so far */
    size_t n_requests;            /* calls to the model so far */
};

int sync_open(struct semantic_table *table, int rebuild, struct semantic_sync **sync,
              struct error *err);
void sync_close(struct semantic_sync *sync); /* accepts NULL */

/* True while a batch is to be collected: also once if there is nothing but rows to delete. */
int sync_pending(const struct semantic_sync *sync);
int sync_collect(struct semantic_sync *sync, struct error *err);

/* What a sync has to do, found out without its model. */
struct sync_difference {
    size_t n_changed, n_gone; /* rows to embed, with `everything` all but the user's; to delete */
    int64_t n_total;          /* content rows that have a text */
};
int sync_compare(struct semantic_table *table, int everything, struct sync_difference *difference,
                 struct error *err);

/* Passes over the next batch and raises *estimate by what it would take. */
int sync_estimate(struct semantic_sync *sync, struct catalog_estimate *estimate, struct error *err);

/* Writes the collected batch; after a failure that left the database as it was, it may be called
 * again. */
int sync_store(struct semantic_sync *sync, struct error *err);

/* To be called once the batch is safe: counts it and lets it go. */
void sync_stored(struct semantic_sync *sync);

/* When a model fails for a part of a batch, the rest is collected and stored all the same, and the
 * error comes after that: 0, or it. */
int sync_failure(const struct semantic_sync *sync, struct error *err);

#endif
