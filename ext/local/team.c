#include "local/team.h"

#include "base/clock.h"
#include "base/workers.h"

#define POLL_SECONDS 0.01
#define SPINS 2000 /* some 20 microseconds */

void halt_init(struct halt *halt, const struct cancel *cancel)
{
    atomic_init(&halt->is_halted, 0);
    halt->cancel = cancel;
    halt->next_poll = clock_seconds() + POLL_SECONDS;
}

int halt_is_set(struct halt *halt, int is_caller)
{
    if (is_caller && halt->cancel != NULL && clock_seconds() >= halt->next_poll) {
        if (cancel_is_requested(halt->cancel)) atomic_store(&halt->is_halted, 1);
        halt->next_poll = clock_seconds() + POLL_SECONDS;
    }
    return atomic_load_explicit(&halt->is_halted, memory_order_relaxed);
}

int team_is_halted(const struct team_member *member)
{
    return halt_is_set(member->team->halt, member->is_caller);
}

static void relax(unsigned *n_spins, struct team_member *member)
{
    if (++*n_spins < SPINS) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
        return;
    }
    team_is_halted(member);
    workers_yield();
}

void team_step(struct team_member *member, size_t n_items,
               void (*item)(void *context, struct team_member *member, size_t i), void *context)
{
    struct team *team = member->team;
    if (team->n_members == 1) {
        for (size_t i = 0; i < n_items && !team_is_halted(member); i++) item(context, member, i);
        return;
    }
    struct team_step *step = &team->steps[member->step++];
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&step->next, 1, memory_order_relaxed);
        if (i >= n_items) break;
        if (!team_is_halted(member)) item(context, member, i);
        atomic_fetch_add_explicit(&step->done, 1, memory_order_release);
    }
    unsigned n_spins = 0;
    while (atomic_load_explicit(&step->done, memory_order_acquire) < n_items)
        relax(&n_spins, member);
}
