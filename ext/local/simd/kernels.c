#include "local/simd/kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "local/simd/layers.h"
#include "local/simd/gemm.h"

#define TABLE(family, columns, products, conversions, layers, rounded)                             \
    static const struct local_kernels family = {.name = #family,                                   \
                                                .width = (columns),                                \
                                                .convert = conversions##_convert,                  \
                                                .pack = layers##_pack,                             \
                                                .gemm = products##_gemm,                           \
                                                .activate = layers##_activate,                     \
                                                .layer_norm = layers##_layer_norm,                 \
                                                .attention_scratch = layers##_attention_scratch,   \
                                                .attention = layers##_attention,                   \
                                                .attention_rounded = rounded}

TABLE(scalar, 16, scalar, scalar, scalar, scalar_attention);
#ifdef PROCESSOR_HAS_X86
TABLE(avx2, 16, avx2, avx2, avx2, avx2_attention);
TABLE(avx512, 32, avx512, avx512, avx512, avx512_attention);
TABLE(avx512vnni, 32, avx512vnni, avx512, avx512, avx512_attention);
TABLE(avx512bf16, 32, avx512bf16, avx512, avx512, avx512_attention_in_pairs);
#endif
#ifdef PROCESSOR_MAY_HAVE_AMX
TABLE(amx, 32, amx, avx512, avx512, avx512_attention_in_pairs);
#endif
#ifdef __aarch64__
TABLE(neon, 16, neon, neon, neon, neon_attention);
TABLE(neondot, 16, neondot, neon, neon, neon_attention);
#endif

/* Best first. */
static const struct local_kernels *const families[] = {
#ifdef PROCESSOR_MAY_HAVE_AMX
    &amx,
#endif
#ifdef PROCESSOR_HAS_X86
    &avx512bf16, &avx512vnni, &avx512, &avx2,
#endif
#ifdef __aarch64__
    &neondot,    &neon,
#endif
    &scalar,
};
#define FAMILIES (sizeof families / sizeof families[0])

const struct local_kernels *local_kernels_at(size_t n)
{
    return n < FAMILIES ? families[n] : NULL;
}

int local_kernels_runs(const struct local_kernels *kernels)
{
#ifdef PROCESSOR_HAS_X86
    __builtin_cpu_init();
    if (kernels == &avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int runs = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (kernels == &avx512) return runs;
    runs = runs && __builtin_cpu_supports("avx512vnni");
    if (kernels == &avx512vnni) return runs;
    runs = runs && __builtin_cpu_supports("avx512bf16");
    if (kernels == &avx512bf16) return runs;
#endif
#ifdef PROCESSOR_MAY_HAVE_AMX
    if (kernels == &amx) return local_kernels_runs(&avx512bf16) && processor_has_amx();
#endif
#ifdef __aarch64__
    if (kernels == &neondot) return processor_has_dot_product();
#endif
    return kernels != NULL;
}

/* The best that runs here, or only the one of that name. */
static const struct local_kernels *first_that_runs(const char *name)
{
    for (size_t i = 0; i < FAMILIES; i++)
        if ((name == NULL || strcmp(name, families[i]->name) == 0) &&
            local_kernels_runs(families[i]))
            return families[i];
    return NULL;
}

const struct local_kernels *local_kernels_chosen(void)
{
    static _Atomic(const struct local_kernels *) chosen;
    const struct local_kernels *kernels = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (kernels != NULL) return kernels;
    const char *name = getenv("RERANK_SIMD");
    const struct local_kernels *found = name == NULL ? NULL : first_that_runs(name);
    if (found == NULL) found = first_that_runs(NULL);
    /* The tables are constants: the pointer is all that threads share, and the first to store it
     * wins. */
    return atomic_compare_exchange_strong(&chosen, &kernels, found) ? found : kernels;
}
