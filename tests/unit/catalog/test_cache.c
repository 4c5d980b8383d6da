#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/failing_memory.h"
#include "catalog/cache.h"

static struct cache_key key_of(const char *text)
{
    return cache_key(1, 0, (struct span){text, strlen(text)});
}

static void put(struct cache *cache, const char *text, float value)
{
    struct cache_key key = key_of(text);
    float vector[4] = {value, value, value, value};
    cache_put(cache, &key, vector, sizeof vector);
}

/* The first component of what is known; -1: nothing. */
static float get(struct cache *cache, const char *text)
{
    struct cache_key key = key_of(text);
    const float *vector = cache_get(cache, &key);
    return vector == NULL ? -1 : vector[0];
}

static void test_keeps_what_it_is_given(void **state)
{
    (void)state;
    struct cache cache;
    char text[20];
    cache_init(&cache, 1 << 20);
    assert_true(get(&cache, "nothing yet") == -1);
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "text %d", i);
        put(&cache, text, (float)i);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "text %d", i);
        assert_true(get(&cache, text) == (float)i);
    }
    assert_int_equal(cache.n_items, 500);
    cache_deinit(&cache);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_model_and_role_are_of_the_key(void **state)
{
    (void)state;
    struct cache cache;
    struct span text = {"same", 4};
    struct cache_key keys[3] = {cache_key(1, 0, text), cache_key(1, 1, text),
                                cache_key(2, 0, text)};
    cache_init(&cache, 1 << 20);
    put(&cache, "same", 1);
    assert_non_null(cache_get(&cache, &keys[0]));
    assert_null(cache_get(&cache, &keys[1]));
    assert_null(cache_get(&cache, &keys[2]));
    cache_deinit(&cache);
}

/* Two texts of one hash are two texts. */
static void test_equal_hashes(void **state)
{
    (void)state;
    struct cache cache;
    struct cache_key a = key_of("one"), b = key_of("two");
    float vectors[2] = {1, 2};
    b.hash = a.hash;
    cache_init(&cache, 1 << 20);
    cache_put(&cache, &a, &vectors[0], sizeof *vectors);
    assert_null(cache_get(&cache, &b));
    cache_put(&cache, &b, &vectors[1], sizeof *vectors);
    assert_memory_equal(cache_get(&cache, &a), &vectors[0], sizeof *vectors);
    assert_memory_equal(cache_get(&cache, &b), &vectors[1], sizeof *vectors);
    cache_deinit(&cache);
}

static void test_the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct cache cache;
    cache_init(&cache, 1 << 20);
    put(&cache, "a", 1);
    uint64_t bytes = cache.bytes;
    cache_set_budget(&cache, bytes * 3);
    put(&cache, "b", 2);
    put(&cache, "c", 3);
    assert_true(get(&cache, "a") == 1);
    put(&cache, "d", 4);
    assert_true(get(&cache, "b") == -1);
    assert_true(get(&cache, "a") == 1 && get(&cache, "c") == 3 && get(&cache, "d") == 4);
    assert_true(cache.bytes <= cache.budget);
    cache_set_budget(&cache, bytes);
    assert_int_equal(cache.n_items, 1);
    assert_true(get(&cache, "d") == 4);
    cache_set_budget(&cache, 0);
    put(&cache, "e", 5);
    assert_int_equal(cache.n_items, 0);
    cache_deinit(&cache);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_larger_than_the_budget(void **state)
{
    (void)state;
    struct cache cache;
    char large[2000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    cache_init(&cache, 1000);
    put(&cache, "small", 1);
    put(&cache, large, 2);
    assert_true(get(&cache, large) == -1);
    assert_true(get(&cache, "small") == 1);
    cache_deinit(&cache);
}

/* Without memory it forgets, and what it has stays right. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct cache cache;
    char text[20];
    cache_init(&cache, 1 << 20);
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "text %d", i);
        failing_memory_after = i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : -1;
        put(&cache, text, (float)i);
        failing_memory_after = -1;
    }
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "text %d", i);
        float value = get(&cache, text);
        assert_true(value == (float)i || (value == -1 && i % 3 != 2));
    }
    cache_deinit(&cache);
    assert_int_equal(failing_memory_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_what_it_is_given),
        cmocka_unit_test(test_model_and_role_are_of_the_key),
        cmocka_unit_test(test_equal_hashes),
        cmocka_unit_test(test_the_least_recently_used_goes_first),
        cmocka_unit_test(test_larger_than_the_budget),
        cmocka_unit_test(test_out_of_memory),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
