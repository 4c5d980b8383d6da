/*
 * families.h: tests of each family of kernels that is built, by itself: "test_dots_avx2". Where the
 * processor lacks the family the test is skipped, by that name.
 *
 * For one test program, which includes cmocka.h before.
 */
#ifndef TESTS_VECTOR_FAMILIES_H
#define TESTS_VECTOR_FAMILIES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vector/simd/kernels.h"

#ifdef PROCESSOR_HAS_X86
static const char *const families[] = {"scalar", "avx2", "avx512", "avx512vnni"};
#elif defined(VECTOR_HAS_NEON)
static const char *const families[] = {"scalar", "neon", "neondot"};
#else
static const char *const families[] = {"scalar"};
#endif
#define FAMILIES (sizeof families / sizeof families[0])

/* ---- tests of kernels: void try_NAME(const struct vector_kernels *) -------------------------- */

struct family_test {
    const char *family;
    void (*run)(const struct vector_kernels *kernels);
};

static inline void run_family_test(void **state)
{
    const struct family_test *test = *state;
    const struct vector_kernels *kernels = vector_kernels_find(test->family);
    if (kernels == NULL) skip();
    assert_string_equal(kernels->name, test->family);
    test->run(kernels);
}

#define FAMILY_TEST(name, family)                                                                  \
    {                                                                                              \
        "test_" #name "_" #family, run_family_test, NULL, NULL, &(struct family_test)              \
        {                                                                                          \
#family, try_##name                                                                    \
        }                                                                                          \
    }

/* The tests of try_NAME of all families that are built, in an array of struct CMUnitTest. */
#ifdef PROCESSOR_HAS_X86
#define FAMILY_TESTS(name)                                                                         \
    FAMILY_TEST(name, scalar), FAMILY_TEST(name, avx2), FAMILY_TEST(name, avx512),                 \
        FAMILY_TEST(name, avx512vnni)
#elif defined(VECTOR_HAS_NEON)
#define FAMILY_TESTS(name)                                                                         \
    FAMILY_TEST(name, scalar), FAMILY_TEST(name, neon), FAMILY_TEST(name, neondot)
#else
#define FAMILY_TESTS(name) FAMILY_TEST(name, scalar)
#endif

/* ---- tests of what is built on them ---------------------------------------------------------- */

enum { MOST_TESTS = 30 };

static inline void skip_test(void **state)
{
    (void)state;
    skip();
}

static inline int run_tests_of(const char *family, const struct CMUnitTest *tests, size_t n)
{
    struct CMUnitTest of_family[MOST_TESTS];
    char names[MOST_TESTS][100];
    int is_here = vector_kernels_find(family) != NULL;
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "%s_%s", tests[i].name, family);
        of_family[i] = tests[i];
        of_family[i].name = names[i];
        if (!is_here) of_family[i].test_func = skip_test;
    }
    if (is_here && strcmp(vector_kernels_chosen()->name, family) != 0) abort();
    return _cmocka_run_group_tests(family, of_family, n, NULL, NULL);
}

/* Runs all tests once for each family, in a process each, as the choice is made once in it. Returns
 * main's result. */
static inline int run_for_each_family(const struct CMUnitTest *tests, size_t n)
{
    int failed = n > MOST_TESTS;
    for (size_t i = 0; n <= MOST_TESTS && i < FAMILIES; i++) {
        int status = 0;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            setenv("RERANK_SIMD", families[i], 1);
            exit(run_tests_of(families[i], tests, n) != 0);
        }
        failed |= child < 0 || waitpid(child, &status, 0) != child || status != 0;
    }
    return failed;
}

#endif
