#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/failing_memory.h"

static void test_sizes_that_overflow_give_null(void **state)
{
    (void)state;
    assert_null(memory_alloc(SIZE_MAX, 2));
    assert_null(memory_alloc(SIZE_MAX / 2, 4));
    assert_null(memory_zalloc(SIZE_MAX / 8 + 1, 8));
    assert_null(memory_copy("", SIZE_MAX));
    void *block = memory_alloc(4, 4);
    assert_null(memory_realloc(block, SIZE_MAX / 2, 4));
    memory_free(block);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_nothing_is_a_block(void **state)
{
    (void)state;
    void *none = memory_alloc(0, 8), *zero = memory_zalloc(8, 0);
    assert_non_null(none);
    assert_non_null(zero);
    none = memory_realloc(none, 0, 0);
    assert_non_null(none);
    memory_free(none);
    memory_free(zero);
    memory_free(NULL);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_contents(void **state)
{
    (void)state;
    unsigned char *zeros = memory_zalloc(100, 3);
    for (int i = 0; i < 300; i++) assert_int_equal(zeros[i], 0);
    zeros[299] = 7;
    zeros = memory_realloc(zeros, 1000, 3);
    assert_int_equal(zeros[299], 7);
    memory_free(zeros);
    char *copy = memory_copy("a\0b", 3);
    assert_memory_equal(copy, "a\0b\0", 4);
    memory_free(copy);
    copy = memory_copy(NULL, 0);
    assert_string_equal(copy, "");
    memory_free(copy);
    assert_true(memory_copy_text("text", &copy));
    assert_string_equal(copy, "text");
    memory_free(copy);
    assert_true(memory_copy_text(NULL, &copy));
    assert_null(copy);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    void *block = memory_alloc(1, 1);
    failing_memory_after = 0;
    assert_null(memory_alloc(1, 1));
    assert_null(memory_zalloc(1, 1));
    assert_null(memory_realloc(block, 100, 1));
    assert_null(memory_copy("x", 1));
    char *text = "before";
    assert_false(memory_copy_text("x", &text));
    assert_null(text);
    failing_memory_after = -1;
    memory_free(block);
    assert_int_equal(failing_memory_blocks, 0);
}

/* ---- secrets --------------------------------------------------------------------------------- */

static char freed[32];

static void keep_and_free(void *block)
{
    memcpy(freed, block, sizeof freed);
    failing_memory_free(block);
}

static void test_secrets_are_wiped(void **state)
{
    (void)state;
    static const struct memory_methods keeping = {failing_memory_alloc, failing_memory_realloc,
                                                  keep_and_free};
    static const char zeros[32] = {0};
    char *block = memory_alloc(sizeof freed, 1);
    memset(block, 'k', sizeof freed);
    block[20] = '\0';
    memory_bind(&keeping);
    memory_free_secret(block);
    failing_memory_bind();
    assert_memory_equal(freed, zeros, 20);
    memory_free_secret(NULL);
    memset(freed, 'k', sizeof freed);
    memory_wipe(freed + 1, 30);
    assert_memory_equal(freed + 1, zeros, 30);
    assert_int_equal(freed[0], 'k');
    assert_int_equal(freed[31], 'k');
    memory_wipe(NULL, 0);
    assert_int_equal(failing_memory_blocks, 0);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_that_overflow_give_null),
        cmocka_unit_test(test_nothing_is_a_block),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_secrets_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
