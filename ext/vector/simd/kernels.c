#include "vector/simd/kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static int runs_here(const struct vector_kernels *kernels)
{
#ifdef PROCESSOR_HAS_X86
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("popcnt") && processor_has_f16c();
    if (kernels == &vector_kernels_avx2) return avx2;
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    if (kernels == &vector_kernels_avx512) return avx512;
    if (kernels == &vector_kernels_avx512vnni)
        return avx512 && __builtin_cpu_supports("avx512vnni") &&
               __builtin_cpu_supports("avx512vpopcntdq");
#endif
#ifdef VECTOR_HAS_NEON
    if (kernels == &vector_kernels_neondot) return processor_has_dot_product();
#endif
    return kernels != NULL;
}

/* Best first. */
static const struct vector_kernels *const families[] = {
#ifdef PROCESSOR_HAS_X86
    &vector_kernels_avx512vnni, &vector_kernels_avx512, &vector_kernels_avx2,
#endif
#ifdef VECTOR_HAS_NEON
    &vector_kernels_neondot,    &vector_kernels_neon,
#endif
    &vector_kernels_scalar,
};

/* The best that runs here, or only the one of that name. */
static const struct vector_kernels *first_that_runs(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if ((name == NULL || strcmp(name, families[i]->name) == 0) && runs_here(families[i]))
            return families[i];
    return NULL;
}

const struct vector_kernels *vector_kernels_find(const char *name)
{
    return name == NULL ? NULL : first_that_runs(name);
}

const struct vector_kernels *vector_kernels_chosen(void)
{
    static _Atomic(const struct vector_kernels *) chosen;
    const struct vector_kernels *kernels = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (kernels != NULL) return kernels;
    const struct vector_kernels *found = vector_kernels_find(getenv("RERANK_SIMD"));
    if (found == NULL) found = first_that_runs(NULL);
    /* The tables are constants: the pointer is all that threads share, and the first to store it
     * wins. */
    return atomic_compare_exchange_strong(&chosen, &kernels, found) ? found : kernels;
}
