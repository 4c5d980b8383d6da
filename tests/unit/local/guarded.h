/*
 * guarded.h: memory of just the size that was asked for, before a page that faults.
 */
#ifndef TESTS_LOCAL_GUARDED_H
#define TESTS_LOCAL_GUARDED_H

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guarded {
    unsigned char *map;
    size_t size;
    unsigned char *bytes;
    float *floats; /* the same */
};

/* Bytes, all ones (floats: NaN), right before a page that must not be touched. */
static struct guarded guard_bytes(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (n + page - 1) / page * page;
    struct guarded guarded = {.size = bytes + page};
    guarded.map =
        mmap(NULL, guarded.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(guarded.map != MAP_FAILED);
    assert_int_equal(mprotect(guarded.map + bytes, page, PROT_NONE), 0);
    memset(guarded.map, 0xFF, bytes);
    guarded.bytes = guarded.map + bytes - n;
    guarded.floats = (float *)(void *)guarded.bytes;
    return guarded;
}

static struct guarded guard(size_t n_floats)
{
    return guard_bytes(n_floats * sizeof(float));
}

static void unguard(struct guarded *guarded)
{
    assert_int_equal(munmap(guarded->map, guarded->size), 0);
}

#endif
