/* Rows of signs counted together come to what they come to one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "embedded/tally.h"
#include "embedded/unknown.h"
#include "vector/distance.h"

static void check(struct tally *tally, unsigned n, uint64_t first)
{
    int32_t sums[TABLE_DIMENSIONS] = {7}, expected[TABLE_DIMENSIONS] = {7};
    uint64_t row[TALLY_WORDS];
    for (unsigned i = 0; i < n; i++) {
        /* One row all set now and then: the most that a component comes to. */
        if (i % 3 == 0) memset(row, 0xFF, sizeof row);
        else unknown_signs(first + i, (uint8_t *)row);
        tally_add(tally, row);
        vector_add_where(expected, (const uint8_t *)row, 50332, TABLE_DIMENSIONS);
    }
    assert_int_equal(tally->n, n);
    tally_take(tally, 50332, sums);
    assert_memory_equal(sums, expected, sizeof sums);
    assert_int_equal(tally->n, 0);
}

static void test_any_number_of_rows(void **state)
{
    (void)state;
    struct tally tally = {.n = 0};
    for (unsigned n = 0; n <= TALLY_MOST; n++) check(&tally, n, n * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_number_of_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
