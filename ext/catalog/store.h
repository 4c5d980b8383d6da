/*
 * store.h: where vectors that were paid for outlive the process.
 *
 * The catalog calls, the SQL face gives (sqlite/cache_file.h), so that this room knows no file. A
 * store is asked after the cache in memory and before the model, and told what the model gave:
 *
 *     find   for each text that the cache in memory does not know
 *     keep   for each vector of a batch, as soon as the model has given the batch
 *     flush  after the last `keep` of a batch, and once at the end of a call that only did `find`
 *     close  once, when the catalog goes or gets another store; flushes first
 *
 * Between `keep` and `flush` the store may hold a lock that other processes wait for: no request to
 * a model, and nothing of the user's database, comes between the two. What was flushed is there
 * after a crash of the process and after a ROLLBACK of the user's transaction.
 *
 * No error of `keep` or `flush` is a reason for embedding to fail: the vectors are still the
 * caller's own, which counts one failure a flush. Nor is one of `find`, but for ERROR_NOMEM: what
 * cannot be read is asked of the model. The store remains usable after any error; the next call
 * tries again. Not thread-safe.
 */
#ifndef CATALOG_STORE_H
#define CATALOG_STORE_H

#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

/* What decides a vector. Every part counts; borrowed for the call. */
struct store_key {
    const char *model; /* "provider:name", with what else makes the vectors (the origin of the URL);
                           NUL terminated */
    size_t dimensions; /* that were asked for; 0: not asked */
    int role;          /* enum model_role */
    struct span text;  /* as sent, prefix included */
};

struct catalog_store {
    /* *vector: [*dimensions], finite, for memory_free; NULL: not known. What is stored in a shape
     * that cannot be a vector, or has other dimensions than were asked for, is not known.
     * ERROR_NOMEM, ERROR_UNAVAILABLE: the store cannot be read; *vector is NULL then. */
    int (*find)(void *context, const struct store_key *key, float **vector, size_t *dimensions,
                struct error *err);

    /* Keeps a copy of the vector [dimensions], in place of an older one. ERROR_INVALID: not a
     * vector, or not of the dimensions asked for; ERROR_NOMEM, ERROR_UNAVAILABLE: not kept. */
    int (*keep)(void *context, const struct store_key *key, const float *vector, size_t dimensions,
                struct error *err);

    /* Makes what was kept durable. ERROR_NOMEM, ERROR_UNAVAILABLE: some of what was kept since the
     * last flush is not in the store, and the text says how many. */
    int (*flush)(void *context, struct error *err);

    void (*close)(void *context);
    void *context;
};

#endif
