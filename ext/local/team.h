/*
 * team.h: threads that go through the same steps together.
 *
 * A step is a number of items that may be computed in any order; the next step begins when all of
 * them are done. Members take items by a counter, so a member that comes late, or never (a thread
 * that could not be started), is missed by nobody. Waiting is spinning for some microseconds, then
 * giving up the processor: steps are short.
 *
 * A halt is shared by all teams of a call. The thread that made the call polls the user's cancel
 * token through it, every few milliseconds; all others look at its flag. Items after that are left
 * out, and what was computed is of no use.
 */
#ifndef LOCAL_TEAM_H
#define LOCAL_TEAM_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/cancel.h"

struct halt {
    atomic_int is_halted;
    const struct cancel *cancel; /* or NULL */
    double next_poll;            /* on the clock of base/clock.h; the caller's alone */
};

struct team_step {
    atomic_size_t next, done; /* items */
};

struct team {
    size_t n_members;
    struct team_step *steps; /* as many as the work has, all zero; unused by a team of one */
    struct halt *halt;
};

/* One member's way through the steps. */
struct team_member {
    struct team *team;
    size_t number; /* 0 .. n_members - 1: of what only this member uses */
    int is_caller; /* the thread that made the call */
    size_t step;   /* steps gone through */
};

void halt_init(struct halt *halt, const struct cancel *cancel);

/* Whether to stop; and as a member of a team sees it. */
int halt_is_set(struct halt *halt, int is_caller);
int team_is_halted(const struct team_member *member);

/* Takes part in the next step: calls item(context, member, i) for its share of 0 .. n_items - 1,
 * and returns when all are done. */
void team_step(struct team_member *member, size_t n_items,
               void (*item)(void *context, struct team_member *member, size_t i), void *context);

#endif
