#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/failing_memory.h"

static void test_append_and_format(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    assert_int_equal(buffer_append(&buffer, "abc", 3, NULL), 0);
    assert_int_equal(buffer_format(&buffer, NULL, "%d-%s", 42, "x"), 0);
    assert_int_equal(buffer.size, 7);
    assert_memory_equal(buffer.data, "abc42-x", 7);
    assert_int_equal(buffer_append(&buffer, NULL, 0, NULL), 0);
    buffer_clear(&buffer);
    assert_int_equal(buffer.size, 0);
    assert_int_equal(buffer_append(&buffer, "z", 1, NULL), 0);
    assert_memory_equal(buffer.data, "z", 1);
    buffer_deinit(&buffer);
    assert_null(buffer.data);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_grows_to_its_ceiling(void **state)
{
    (void)state;
    struct buffer buffer;
    struct error err = {0};
    buffer_init(&buffer, 200);
    for (int i = 0; i < 200; i++) assert_int_equal(buffer_append(&buffer, "x", 1, &err), 0);
    assert_int_equal(buffer_append(&buffer, "x", 1, &err), ERROR_INVALID);
    assert_string_equal(err.text, "more than 200 bytes");
    assert_int_equal(buffer.size, 200);
    assert_int_equal(buffer_reserve(&buffer, SIZE_MAX, &err), ERROR_INVALID);
    buffer_deinit(&buffer);

    buffer_init(&buffer, 0);
    assert_int_equal(buffer_append(&buffer, "", 0, &err), 0);
    assert_int_equal(buffer_append(&buffer, "x", 1, &err), ERROR_INVALID);
    buffer_deinit(&buffer);
}

static void test_out_of_memory_leaves_it_unchanged(void **state)
{
    (void)state;
    struct buffer buffer;
    struct error err = {0};
    buffer_init(&buffer, 100000);
    failing_memory_after = 0;
    assert_int_equal(buffer_append(&buffer, "abc", 3, &err), ERROR_NOMEM);
    assert_string_equal(err.text, "out of memory");
    failing_memory_after = -1;
    assert_int_equal(buffer_append(&buffer, "abc", 3, &err), 0);
    failing_memory_after = 0;
    assert_int_equal(buffer_reserve(&buffer, 5000, &err), ERROR_NOMEM);
    assert_int_equal(buffer_format(&buffer, &err, "%0500d", 1), ERROR_NOMEM);
    failing_memory_after = -1;
    assert_int_equal(buffer.size, 3);
    assert_memory_equal(buffer.data, "abc", 3);
    buffer_deinit(&buffer);
    assert_int_equal(failing_memory_blocks, 0);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_and_format),
        cmocka_unit_test(test_grows_to_its_ceiling),
        cmocka_unit_test(test_out_of_memory_leaves_it_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
