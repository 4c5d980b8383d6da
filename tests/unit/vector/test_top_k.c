#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failing_memory.h"
#include "vector/random.h"
#include "vector/top_k.h"

#define MOST 3000

static int compare(const void *a, const void *b)
{
    const struct top_k_hit *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* n hits in the stream, and in `sorted` (may be NULL) as they should come out. Few similarities:
 * many ties. */
static void make_stream(uint64_t *seed, size_t n, struct top_k_hit *stream,
                        struct top_k_hit *sorted)
{
    for (size_t i = 0; i < n; i++) {
        float score = (float)(random_bits(seed) % 50) / 25.0f - 1.0f;
        if (i % 2 == 0) score = random_bell(seed);
        if (score == 0.0f) score = random_bits(seed) & 1 ? -0.0f : 0.0f; /* equals */
        stream[i] = (struct top_k_hit){(int64_t)(random_bits(seed) % 1000000), score};
    }
    if (sorted == NULL) return;
    memcpy(sorted, stream, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare);
}

static void offer_all(struct top_k *top, const struct top_k_hit *stream, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(top_k_offer(top, stream[i].id, stream[i].score, NULL), 0);
        assert_int_equal(top_k_offer(top, 1, NAN, NULL), 0);
        assert_true(top->capacity <= 2 * top->n || top->capacity <= 32);
    }
}

static void expect_hit(const struct top_k_hit *hit, const struct top_k_hit *expected)
{
    assert_int_equal(hit->id, expected->id);
    assert_true(hit->score == expected->score);
}

static void test_against_brute_force(void **state)
{
    (void)state;
    static struct top_k_hit stream[MOST], sorted[MOST];
    static const size_t ks[] = {0,       1, 2, 3, 7, 25, 100, 999, MOST, MOST + 1, (size_t)1 << 40,
                                SIZE_MAX};
    static const size_t ns[] = {0, 1, 2, 3, 10, 99, 100, 101, MOST};
    uint64_t seed = 19;
    for (size_t a = 0; a < sizeof ks / sizeof ks[0]; a++) {
        for (size_t b = 0; b < sizeof ns / sizeof ns[0]; b++) {
            size_t n = ns[b], expected = ks[a] < n ? ks[a] : n;
            make_stream(&seed, n, stream, sorted);
            struct top_k top;
            top_k_init(&top, ks[a]);
            offer_all(&top, stream, n);
            assert_int_equal(top.n, expected);
            top_k_sort(&top);
            top_k_sort(&top); /* nothing to do */
            for (size_t i = 0; i < expected; i++) expect_hit(&top.hits[i], &sorted[i]);
            top_k_deinit(&top);

            top_k_init(&top, ks[a]);
            offer_all(&top, stream, n);
            struct top_k_hit hit;
            for (size_t i = 0; i < expected; i++) {
                assert_int_equal(top_k_pop(&top, &hit), 1);
                expect_hit(&hit, &sorted[i]);
            }
            assert_int_equal(top_k_pop(&top, &hit), 0);
            assert_int_equal(top_k_pop(&top, &hit), 0);
            top_k_deinit(&top);
        }
    }
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_sort_after_pops(void **state)
{
    (void)state;
    static struct top_k_hit stream[500], sorted[500];
    uint64_t seed = 20;
    make_stream(&seed, 500, stream, sorted);
    struct top_k top;
    struct top_k_hit hit;
    top_k_init(&top, SIZE_MAX);
    offer_all(&top, stream, 500);
    for (size_t i = 0; i < 5; i++) assert_int_equal(top_k_pop(&top, &hit), 1);
    top_k_sort(&top);
    assert_int_equal(top.n, 495);
    for (size_t i = 0; i < 495; i++) expect_hit(&top.hits[i], &sorted[i + 5]);
    top_k_deinit(&top);
}

static void test_order_of_the_stream_does_not_matter(void **state)
{
    (void)state;
    static struct top_k_hit stream[200], outcome[20];
    uint64_t seed = 21;
    make_stream(&seed, 200, stream, NULL);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 199; i > 0; i--) {
            size_t j = (size_t)(random_bits(&seed) % (i + 1));
            struct top_k_hit other = stream[i];
            stream[i] = stream[j];
            stream[j] = other;
        }
        struct top_k top;
        top_k_init(&top, 20);
        offer_all(&top, stream, 200);
        top_k_sort(&top);
        for (size_t i = 0; i < 20; i++) {
            if (round == 0) outcome[i] = top.hits[i];
            expect_hit(&top.hits[i], &outcome[i]);
        }
        top_k_deinit(&top);
    }
}

static void test_threshold(void **state)
{
    (void)state;
    struct top_k top;
    top_k_init(&top, 2);
    assert_true(top_k_threshold(&top) == -INFINITY);
    top_k_offer(&top, 1, 0.5f, NULL);
    assert_true(top_k_threshold(&top) == -INFINITY);
    top_k_offer(&top, 2, 0.25f, NULL);
    assert_true(top_k_threshold(&top) == 0.25f);
    top_k_offer(&top, 3, 0.75f, NULL);
    assert_true(top_k_threshold(&top) == 0.5f);
    top_k_offer(&top, 0, 0.5f, NULL); /* as similar, and of a lower id */
    assert_int_equal(top.hits[0].id, 0);
    top_k_deinit(&top);
    top_k_init(&top, 0);
    assert_true(top_k_threshold(&top) == INFINITY);
    top_k_init(&top, 3);
    top_k_offer(&top, 1, -INFINITY, NULL);
    top_k_offer(&top, INT64_MIN, INFINITY, NULL);
    top_k_sort(&top);
    assert_int_equal(top.n, 2);
    assert_true(top.hits[0].id == INT64_MIN && top.hits[1].id == 1);
    top_k_deinit(&top);
}

static void test_out_of_memory_keeps_what_is_there(void **state)
{
    (void)state;
    struct top_k top;
    struct error err = {0};
    top_k_init(&top, SIZE_MAX);
    failing_memory_after = 0;
    assert_int_equal(top_k_offer(&top, 1, 1.0f, &err), ERROR_NOMEM);
    assert_int_equal(top.n, 0);
    failing_memory_after = 1;
    int rc = 0;
    int64_t id = 0;
    for (; rc == 0; id++) rc = top_k_offer(&top, id, (float)id, &err);
    failing_memory_after = -1;
    assert_int_equal(rc, ERROR_NOMEM);
    assert_string_equal(err.text, "out of memory");
    assert_int_equal(top.n, id - 1);
    top_k_sort(&top);
    assert_int_equal(top.hits[0].id, id - 2);
    top_k_deinit(&top);
    assert_int_equal(failing_memory_blocks, 0);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_brute_force),
        cmocka_unit_test(test_sort_after_pops),
        cmocka_unit_test(test_order_of_the_stream_does_not_matter),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_out_of_memory_keeps_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
