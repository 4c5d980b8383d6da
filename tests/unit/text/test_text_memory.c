#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/each_allocation.h"
#include "text/words.h"

/* More words than the first allocation holds, and more letters. */
enum { N_WORDS = 200 };
static char text[N_WORDS * 6];

static void check_words(const struct words *words)
{
    assert_int_equal(words->n, N_WORDS);
    for (size_t i = 0; i < words->n; i++) {
        struct span word = words_get(words, i);
        assert_int_equal(word.size, 5);
        assert_memory_equal(word.data, text + 6 * i, 5);
    }
}

static int split(void *context, struct error *err)
{
    (void)context;
    struct words words;
    words_init(&words, WORDS_NOW, NULL);
    int rc = words_split(&words, (struct span){text, sizeof text}, err);
    if (rc == 0) check_words(&words);
    words_deinit(&words);
    return rc;
}

static void test_split(void **state)
{
    (void)state;
    assert_true(each_allocation(split, NULL) > 3);
}

/* After a split that failed the next one works, with what the first one has left. */
static void test_split_again(void **state)
{
    (void)state;
    for (long n = 0; n < 6; n++) {
        struct words words;
        words_init(&words, WORDS_NOW, NULL);
        failing_memory_after = n;
        assert_int_equal(words_split(&words, (struct span){text, sizeof text}, NULL), ERROR_NOMEM);
        failing_memory_after = -1;
        assert_int_equal(words_split(&words, (struct span){text, sizeof text}, NULL), 0);
        check_words(&words);
        words_deinit(&words);
    }
    assert_int_equal(failing_memory_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_again),
    };
    failing_memory_bind();
    for (size_t i = 0; i < N_WORDS; i++) {
        memcpy(text + 6 * i, "word0 ", 6);
        text[6 * i + 4] = (char)('0' + i % 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
