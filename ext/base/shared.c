#include "base/shared.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/memory.h"

enum state { MAKING, READY, FAILED };

struct shared {
    struct shared *next; /* of the list; both guarded by its lock */
    size_t references;
    int is_listed;
    long maker; /* process that makes it */
    _Atomic(int) state;
    void *thing;
    void (*free)(void *thing);
    struct span key; /* the bytes lie behind the structure */
};

static struct lock list_lock = LOCK_FREE;
static struct shared *list;

/* One that somebody has, or makes, with a reference more; NULL: none. Under the lock. */
static struct shared *find(struct span key)
{
    for (struct shared *entry = list; entry != NULL; entry = entry->next) {
        int state = atomic_load_explicit(&entry->state, memory_order_acquire);
        if (state == FAILED || (state == MAKING && entry->maker != (long)getpid()) ||
            entry->key.size != key.size || memcmp(entry->key.data, key.data, key.size) != 0)
            continue;
        entry->references++;
        return entry;
    }
    return NULL;
}

static struct shared *new_entry(struct span key, const struct shared_maker *maker)
{
    struct shared *entry = memory_zalloc(1, sizeof *entry + key.size);
    if (entry == NULL) return NULL;
    memcpy(entry + 1, key.data, key.size);
    entry->key = (struct span){(const char *)(entry + 1), key.size};
    entry->references = 1;
    entry->free = maker->free;
    entry->maker = (long)getpid();
    return entry;
}

/* Waits for another who makes it. */
static int wait_for(struct shared *entry, const struct cancel *cancel, struct error *err)
{
    int rc = 0;
    while (rc == 0 && atomic_load_explicit(&entry->state, memory_order_acquire) == MAKING) {
        clock_sleep(2000);
        rc = cancel_check(cancel, err);
    }
    return rc;
}

/* Makes the thing of an entry that is ours to make. */
static int make(struct shared *entry, const struct shared_maker *maker, struct error *err)
{
    int rc = maker->make(maker->context, &entry->thing, err);
    atomic_store_explicit(&entry->state, rc == 0 ? READY : FAILED, memory_order_release);
    return rc;
}

int shared_take(struct span key, const struct shared_maker *maker, const struct cancel *cancel,
                struct shared **taken, struct error *err)
{
    for (*taken = NULL;;) {
        struct shared *made = new_entry(key, maker), *entry = NULL;
        if (made == NULL) return error_nomem(err);
        /* Without the lock (lock.h) it becomes a thing of our own. */
        if (lock_take(&list_lock)) {
            entry = find(key);
            if (entry == NULL) {
                made->is_listed = 1;
                made->next = list;
                list = made;
            }
            lock_release(&list_lock);
        }
        int rc = 0;
        if (entry == NULL) {
            entry = made;
            rc = make(entry, maker, err);
        } else {
            memory_free(made);
            rc = wait_for(entry, cancel, err);
            if (rc == 0 && atomic_load_explicit(&entry->state, memory_order_acquire) == FAILED) {
                shared_give(entry);
                continue;
            }
        }
        if (rc == 0) *taken = entry;
        else shared_give(entry);
        return rc;
    }
}

void *shared_thing(const struct shared *taken)
{
    return taken->thing;
}

/* Takes it off the list if this was the last reference. What the lock could not be had for stays,
 * and serves whoever asks next. */
void shared_give(struct shared *taken)
{
    int is_last = 0;
    if (taken == NULL) return;
    if (!taken->is_listed) {
        is_last = 1;
    } else if (lock_take(&list_lock)) {
        is_last = --taken->references == 0;
        for (struct shared **at = &list; is_last && *at != NULL; at = &(*at)->next) {
            if (*at != taken) continue;
            *at = taken->next;
            break;
        }
        lock_release(&list_lock);
    }
    if (!is_last) return;
    if (taken->thing != NULL) taken->free(taken->thing);
    memory_free(taken);
}
