/*
 * each_allocation.h: an operation again and again, each of its allocations failing in turn.
 *
 * For one test program, which includes cmocka.h before and binds failing_memory.h.
 */
#ifndef TESTS_BASE_EACH_ALLOCATION_H
#define TESTS_BASE_EACH_ALLOCATION_H

#include "base/error.h"
#include "base/failing_memory.h"

/* What is tried: 0 or an error code, also without a struct for its text (err NULL). It frees all it
 * made, and looks itself at what it got. */
typedef int (*each_allocation_operation)(void *context, struct error *err);

/* One run with the n-th allocation failing (and those after it, unless `once`): false when the
 * operation had no such allocation. */
static int each_allocation_fails(each_allocation_operation operation, void *context, long n,
                                 int once, struct error *err)
{
    long blocks = failing_memory_blocks;
    failing_memory_failed = 0;
    failing_memory_once = once;
    failing_memory_after = n;
    int rc = operation(context, err);
    failing_memory_after = -1;
    failing_memory_once = 0;
    assert_int_equal(failing_memory_blocks, blocks);
    assert_int_equal(rc, failing_memory_failed > 0 ? ERROR_NOMEM : 0);
    if (err != NULL) assert_int_equal(err->code, rc);
    return failing_memory_failed > 0;
}

/* The 1st, 2nd, 3rd... allocation fails, alone and with all after it, with and without a struct for
 * the text: the operation gives ERROR_NOMEM and no block is left, until it has all it asks for and
 * gives 0. Returns how many allocations that were. */
static long each_allocation(each_allocation_operation operation, void *context)
{
    long n = 0;
    while (each_allocation_fails(operation, context, n, 0, &(struct error){0})) n++;
    for (long i = 0; i < n; i++) {
        assert_true(each_allocation_fails(operation, context, i, 1, &(struct error){0}));
        assert_true(each_allocation_fails(operation, context, i, 1, NULL));
    }
    return n;
}

#endif
