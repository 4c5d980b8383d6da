/*
 * processor.h: what processor and system have, as far as the compiler's own checks do not tell.
 */
#ifndef BASE_PROCESSOR_H
#define BASE_PROCESSOR_H

#if defined(__x86_64__)
#define PROCESSOR_HAS_X86 1 /* the families of x86-64 are built */
#endif
#if defined(__x86_64__) && defined(__linux__) &&                                                   \
    ((defined(__clang__) && __clang_major__ >= 12) || (!defined(__clang__) && __GNUC__ >= 11))
#define PROCESSOR_MAY_HAVE_AMX 1 /* compiler and system know it */
#endif

/* AMX-TILE, AMX-INT8 and AMX-BF16. Asks the system for this process' permission to use tiles, which
 * it keeps (Linux: Documentation/arch/x86/xstate.rst). */
int processor_has_amx(void);

/* F16C: conversions of binary16, which not all compilers' checks know. */
int processor_has_f16c(void);

/* SDOT and UDOT: FEAT_DotProd of ARMv8.2. */
int processor_has_dot_product(void);

#endif
