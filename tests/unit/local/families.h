/*
 * families.h: tests of each family of kernels, a cmocka test of its own for each: "test_x_avx2".
 * Where the processor lacks the family it is skipped, by that name. So are all but the one that
 * would be chosen under the thread sanitizer, as the others have no other threads, and with
 * TESTS_CHOSEN_FAMILY, for an emulator, which is slow.
 *
 * For one program: include it in one file.
 */
#ifndef TESTS_LOCAL_FAMILIES_H
#define TESTS_LOCAL_FAMILIES_H

#include <stdio.h>
#include <stdlib.h>

#include "local/simd/kernels.h"

typedef void (*family_function)(const struct local_kernels *kernels);

struct family_test {
    char name[120];
    const struct local_kernels *kernels;
    family_function test;
};

enum { FAMILY_TESTS = 200 };
static struct family_test family_tests[FAMILY_TESTS];
static struct CMUnitTest family_units[FAMILY_TESTS];
static size_t n_family_tests;

static int is_left_out(const struct local_kernels *kernels)
{
#if defined(__SANITIZE_THREAD__) || defined(TESTS_CHOSEN_FAMILY)
    /* The first that runs is chosen; asking for it would choose it for this process. */
    for (size_t i = 0; local_kernels_at(i) != kernels; i++)
        if (local_kernels_runs(local_kernels_at(i))) return 1;
#endif
    (void)kernels;
    return 0;
}

/* Whether a family that needs less of the processor has the same layers. */
static inline int has_others_layers(size_t number)
{
    const struct local_kernels *kernels = local_kernels_at(number), *next;
    while ((next = local_kernels_at(++number)) != NULL)
        if (next->attention == kernels->attention) return 1;
    return 0;
}

static void run_family_test(void **state)
{
    const struct family_test *test = *state;
    if (!local_kernels_runs(test->kernels) || is_left_out(test->kernels)) skip();
    test->test(test->kernels);
}

static void add_family_test(const char *name, const struct local_kernels *kernels,
                            family_function test)
{
    if (n_family_tests == FAMILY_TESTS) abort();
    struct family_test *added = &family_tests[n_family_tests];
    *added = (struct family_test){.kernels = kernels, .test = test};
    snprintf(added->name, sizeof added->name, "%s_%s", name, kernels->name);
    family_units[n_family_tests++] = (struct CMUnitTest){
        .name = added->name, .test_func = run_family_test, .initial_state = added};
}

/* Those added since the last call; gives how many failed. */
static int run_family_tests(void)
{
    size_t n = n_family_tests;
    n_family_tests = 0;
    return _cmocka_run_group_tests("tests", family_units, n, NULL, NULL);
}

#endif
