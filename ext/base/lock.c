#include "base/lock.h"

#include "base/clock.h"

#define SPINS 200
#define NAP 50 /* microseconds, at least */
#define NAPS 200

int lock_take(struct lock *lock)
{
    for (int i = 0; i < SPINS; i++)
        if (!atomic_flag_test_and_set_explicit(&lock->taken, memory_order_acquire)) return 1;
    for (int i = 0; i < NAPS; i++) {
        clock_sleep(NAP);
        if (!atomic_flag_test_and_set_explicit(&lock->taken, memory_order_acquire)) return 1;
    }
    return 0;
}

void lock_release(struct lock *lock)
{
    atomic_flag_clear_explicit(&lock->taken, memory_order_release);
}
