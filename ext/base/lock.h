/*
 * lock.h: a lock for what a process shares, held for a few pointer changes at a time.
 *
 * Taking it gives up after some milliseconds: a child of fork() may have inherited it taken, by a
 * thread that the child does not have, and must not wait for ever. Whoever does not get it goes on
 * without what it protects. So nothing has to be told of fork(), and no handler outlives a library
 * that is unloaded.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdatomic.h>

struct lock {
    atomic_flag taken; /* LOCK_FREE to begin with */
};

#define LOCK_FREE                                                                                  \
    {                                                                                              \
        ATOMIC_FLAG_INIT                                                                           \
    }

/* 1 when the lock is ours, 0 when it could not be had. */
int lock_take(struct lock *lock);
void lock_release(struct lock *lock);

#endif
