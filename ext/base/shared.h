/*
 * shared.h: things that a process makes once, however many connections ask for them.
 *
 * A thing is known by a key, made by the first who takes it while others wait, and freed when the
 * last gives it back. Weights of a model and its vocabulary are such things: hundreds of megabytes
 * that are constant once they are there.
 *
 * In a child of fork() what was there before is shared with the parent's copy of memory, and what a
 * thread of the parent was still making is made again.
 */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/span.h"

struct shared; /* a thing, with a reference to it */

struct shared_maker {
    /* Makes the thing; called outside any lock. Its errors are those of the one who asked: another
     * who waits tries for himself. */
    int (*make)(void *context, void **thing, struct error *err);
    void (*free)(void *thing);
    void *context;
};

/* The thing of that key, made if nobody has it. ERROR_NOMEM, ERROR_INTERRUPTED while waiting, and
 * the maker's errors. */
int shared_take(struct span key, const struct shared_maker *maker, const struct cancel *cancel,
                struct shared **taken, struct error *err);
void *shared_thing(const struct shared *taken);
void shared_give(struct shared *taken); /* accepts NULL */

#endif
