/*
 * failing_memory.h: an allocator for tests that fails on command and counts what is not yet freed.
 *
 * For one test program: include it in one file, call failing_memory_bind() first thing in main. Set
 * failing_memory_after to n to let n allocations succeed and all later ones fail, or with
 * failing_memory_once the next one only; -1 for none to fail.
 */
#ifndef TESTS_BASE_FAILING_MEMORY_H
#define TESTS_BASE_FAILING_MEMORY_H

#include <stdlib.h>

#include "base/memory.h"

static long failing_memory_after = -1;
static int failing_memory_once;
static long failing_memory_failed; /* allocations refused */
static long failing_memory_blocks; /* allocated and not freed */

static int failing_memory_refuses(void)
{
    if (failing_memory_after < 0) return 0;
    if (failing_memory_after > 0) {
        failing_memory_after--;
        return 0;
    }
    failing_memory_failed++;
    if (failing_memory_once) failing_memory_after = -1;
    return 1;
}

static void *failing_memory_alloc(uint64_t size)
{
    if (failing_memory_refuses()) return NULL;
    void *block = malloc((size_t)size);
    if (block != NULL) failing_memory_blocks++;
    return block;
}

static void *failing_memory_realloc(void *old, uint64_t size)
{
    if (failing_memory_refuses()) return NULL;
    void *block = realloc(old, (size_t)size);
    if (old == NULL && block != NULL) failing_memory_blocks++;
    return block;
}

static void failing_memory_free(void *block)
{
    failing_memory_blocks--;
    free(block);
}

static void failing_memory_bind(void)
{
    static const struct memory_methods methods = {failing_memory_alloc, failing_memory_realloc,
                                                  failing_memory_free};
    memory_bind(&methods);
}

#endif
