#define _GNU_SOURCE /* syscall: beyond POSIX */
#include "base/processor.h"

#ifdef PROCESSOR_HAS_X86
#include <cpuid.h>
#endif
#ifdef PROCESSOR_MAY_HAVE_AMX
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#define HWCAP_DOT_PRODUCT (1ul << 20) /* HWCAP_ASIMDDP of the kernel's asm/hwcap.h */
#endif

int processor_has_amx(void)
{
#ifdef PROCESSOR_MAY_HAVE_AMX
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    const unsigned wanted = 1u << 22 | 1u << 24 | 1u << 25; /* AMX-BF16, AMX-TILE, AMX-INT8 */
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & wanted) == wanted &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return 0;
#endif
}

int processor_has_f16c(void)
{
#ifdef PROCESSOR_HAS_X86
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 29) != 0;
#else
    return 0;
#endif
}

int processor_has_dot_product(void)
{
#if defined(__ARM_FEATURE_DOTPROD)
    return 1; /* the whole build needs it, as on every Mac */
#elif defined(__aarch64__) && defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_DOT_PRODUCT) != 0;
#else
    return 0;
#endif
}
