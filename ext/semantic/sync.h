/*
 * sync.h: bringing an index in step with its content, batch by batch.
 *
 * sync_open compares content and index in one pass over both, in the order of their ids, and lists
 * what is new, changed or gone (comparison.h). sync_collect reads and embeds the next batch and
 * writes nothing, so no lock is held while a model works; sync_store writes it. Both 'sync' (all
 * batches in one statement) and semantic_sync (a statement a batch) are made of these.
 *
 * The first sync of an index whose model can be fitted fits it, and embeds again what was embedded
 * before; so does a later one, when the model is to be fitted again (fit.h). The vectors of the old
 * fit go with the first batch of the new one, and all batches are one write: an index never holds
 * vectors of two, nor of a part of its rows.
 *
 * A row whose text cannot be embedded, because it is no text or the model refuses it, is one row
 * without a vector: it is recorded in X_failures, and left out by the next sync unless its text
 * changed or the kind of sync says otherwise. What fails for all, a server that is down, is an
 * error.
 */
#ifndef SEMANTIC_SYNC_H
#define SEMANTIC_SYNC_H

#include "semantic/comparison.h"
#include "semantic/progress.h"

/* Rows in a batch: what the model is best given at once, but so many at most; and bytes of text
 * after which it is full. */
#define SYNC_MAX_ROWS 2048
#define SYNC_BATCH_BYTES ((size_t)8 << 20)

struct semantic_sync {
    struct semantic_table *table;
    struct catalog_entry *entry; /* borrowed; the embedder */
    struct comparison found;
    size_t n_wanted, n_collected; /* of found.ids, the first: to be done in all, and done */
    int fit;                      /* a fitted model is to be made and stored with the first batch */
    int is_whole;                 /* not to be bounded: rows that are there are embedded again */
    int clear;                    /* all vectors made by a model are to go with the first batch */
    size_t n_wordless;            /* rows that are as they were, but for words that were put off */
    int tidy;                     /* there are words to write beside those of the rows */
    struct model *fitted;         /* owned; what the fit made */
    int64_t fit_id;               /* of the fit that the index has while it goes on; 0: none */
    int64_t fit_stored;           /* the same, once the batch is safe */
    struct pending_row *rows;     /* [n_rows] the batch; owned, with its vectors */
    size_t n_rows;
    int started;                  /* the first batch was stored */
    struct error refusal;         /* of the first row that a server refused; code 0: none */
    struct error failure;         /* of a batch of which a part could be kept; code 0: none */
    size_t n_embedded, n_deleted; /* stored so far */
    size_t n_failed;              /* recorded so far */
    size_t n_requests;            /* calls to the model so far */
    size_t n_stored;              /* batches so far */
    struct progress *progress;    /* borrowed; or NULL */
};

/* Whoever watches is told through `progress`, borrowed; NULL: nobody does. */
int sync_open(struct semantic_table *table, enum sync_kind kind, struct progress *progress,
              struct semantic_sync **sync, struct error *err);
void sync_close(struct semantic_sync *sync); /* accepts NULL */

/* At most so many rows, and the rest is left to the next sync; but a fit of an index that has rows
 * embeds all of them again, or those left would be lost until then. */
void sync_limit(struct semantic_sync *sync, size_t n_rows);

/* True while a batch is to be collected: also once if there is nothing but rows to delete. */
int sync_pending(const struct semantic_sync *sync);
int sync_collect(struct semantic_sync *sync, struct error *err);

/* What a sync has to do, found out without its model, and so without a fit. */
struct sync_difference {
    size_t n_changed, n_gone; /* rows to embed; to delete, from the failures too */
    size_t n_failed;          /* that failed and are not tried */
    size_t n_wordless;        /* that lack their words alone */
    int64_t n_unusable;       /* content rows without a usable key */
    int64_t n_total;          /* content rows that have a text */
    int64_t n_readable;       /* and one that can be embedded, so far as that is seen here */
};
int sync_compare(struct semantic_table *table, enum sync_kind kind,
                 struct sync_difference *difference, struct error *err);

/* Passes over the next batch and raises *estimate by what it would take. */
int sync_estimate(struct semantic_sync *sync, struct catalog_estimate *estimate, struct error *err);

/* Writes the collected batch; after a failure that left the database as it was, it may be called
 * again. */
int sync_store(struct semantic_sync *sync, struct error *err);

/* To be called once the batch is safe: counts it and lets it go; after the last one the next sync
 * is told that there is nothing to do, see agreement.h. */
int sync_stored(struct semantic_sync *sync, struct error *err);

/* What there is to tell of it. */
struct progress_counts sync_counts(const struct semantic_sync *sync);

/* When a model fails for a part of a batch, the rest is collected and stored all the same, and the
 * error comes after that: 0, or it. */
int sync_failure(const struct semantic_sync *sync, struct error *err);

/* What a server said of the first row that it refused since sync_open: 0, or it. Its row is
 * recorded, and all others are stored. */
int sync_refusal(const struct semantic_sync *sync, struct error *err);

#endif
