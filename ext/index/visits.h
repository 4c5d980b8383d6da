/*
 * visits.h: blocks that are to be compared: one thread lists them, several take them, perhaps while
 * others are still to be listed. Internal to the room.
 */
#ifndef INDEX_VISITS_H
#define INDEX_VISITS_H

#include <stdatomic.h>

#include "index/query.h"

struct visit {
    struct index_block *block;
    size_t place;             /* of its partition */
    const void *bytes;        /* NULL: to be read, */
    struct index_place where; /* as it was found here */
    int is_left;              /* it could not be: to be loaded by the thread that lists them */
};

struct visits {
    struct visit *items; /* [n] owned, with room for all */
    atomic_size_t n, next;
    atomic_int is_whole; /* no more come */
};

/* ERROR_NOMEM; deinit also after a failure. */
int visits_init(struct visits *visits, size_t most, struct error *err);
void visits_deinit(struct visits *visits);

/* Of the thread that lists them. */
void visits_add(struct visits *visits, const struct visit *visit);
void visits_end(struct visits *visits);

/* How many nobody has taken. */
size_t visits_ahead(const struct visits *visits);

/* The next one that nobody has taken; NULL: there is none yet, or with *done no more at all. */
struct visit *visits_take(struct visits *visits, int *done);

/* The n-th after that one; NULL: it is not listed yet, or will never be. */
const struct visit *visits_after(struct visits *visits, const struct visit *visit, size_t n);

#endif
