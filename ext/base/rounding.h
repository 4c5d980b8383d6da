/*
 * rounding.h: a product is rounded before it is added, on every processor, whatever the flags are.
 *
 * Compilers may make one fused instruction of a * b + c where the processor has it, which rounds
 * once: builtin:static promises the same bytes everywhere, and so do stored sums. Where a fused
 * one is wanted, an intrinsic asks for it. GCC does not know the pragma of the standard.
 */
#ifndef BASE_ROUNDING_H
#define BASE_ROUNDING_H

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

#endif
