#define _POSIX_C_SOURCE 200809L

#include "base/lock.h"

#include <time.h>

#define SPINS 200
#define NAPS 200 /* of 50 microseconds at least: 10 ms in all */

int lock_take(struct lock *lock)
{
    for (int i = 0; i < SPINS; i++)
        if (!atomic_flag_test_and_set_explicit(&lock->taken, memory_order_acquire)) return 1;
    for (int i = 0; i < NAPS; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        if (!atomic_flag_test_and_set_explicit(&lock->taken, memory_order_acquire)) return 1;
    }
    return 0;
}

void lock_release(struct lock *lock)
{
    atomic_flag_clear_explicit(&lock->taken, memory_order_release);
}
