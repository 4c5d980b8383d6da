#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "base/shared.h"

static int make_block(void *context, void **thing, struct error *err)
{
    (void)context;
    *thing = memory_alloc(1, 8);
    return *thing == NULL ? error_nomem(err) : 0;
}

static int take_and_give(void *context, struct error *err)
{
    struct shared_maker maker = {make_block, memory_free, NULL};
    struct shared *taken;
    (void)context;
    int rc = shared_take((struct span){"key", 3}, &maker, NULL, &taken, err);
    shared_give(taken);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(each_allocation(take_and_give, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_may_fail)};
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
