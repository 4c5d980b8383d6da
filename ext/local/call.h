/*
 * call.h: the texts of a call, a slice at a time: tokenized, computed, handed over.
 */
#ifndef LOCAL_CALL_H
#define LOCAL_CALL_H

#include "local/instance.h"

/* Some texts of a call, computed together. */
struct local_slice {
    size_t first, n_read; /* texts of the call: the first one, and how many were looked at */
    size_t n;             /* of these, that were not refused */
    size_t *numbers;      /* [n] which of the call they are */
    struct tokens tokens;
    size_t *starts;           /* [n + 1] of the texts' tokens */
    struct local_text *texts; /* [n] */
    float *results;           /* [n, size] in the order of the texts */
    size_t size;
};

/* Hands each slice to `done` as it is computed. Loads what is not there yet. A text that the model
 * does not take goes to call->refuse; a query that it does not take is the error of the call. */
int local_call_run(const struct local_call *call,
                   int (*done)(void *context, const struct local_slice *slice, struct error *err),
                   void *context, struct error *err);

#endif
