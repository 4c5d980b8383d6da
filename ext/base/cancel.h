/*
 * cancel.h: how long work learns that the user has had enough.
 *
 * Work that can last longer than 100 ms polls the token it was handed, from the thread that
 * received it.
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <stddef.h>

#include "base/error.h"

struct cancel {
    int (*requested)(void *context); /* true once the work should stop */
    void *context;
};

/* Whether the work should stop; as an error: 0, or ERROR_INTERRUPTED with the text "interrupted". A
 * NULL token never cancels. */
int cancel_is_requested(const struct cancel *cancel);
int cancel_check(const struct cancel *cancel, struct error *err);

/* cancel_check once in about `every` units of work, of which `done` more are done: *left are to be
 * done before it looks again; 0 at first. */
int cancel_poll(const struct cancel *cancel, size_t *left, size_t done, size_t every,
                struct error *err);

#endif
