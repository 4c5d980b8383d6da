/*
 * narrow.h: numbers of 8 and 16 bits to float32, exactly, in place: values: [n], at whose end the
 * narrow numbers lie.
 */
#ifndef LOCAL_NARROW_H
#define LOCAL_NARROW_H

#include <stddef.h>

void narrow_float16(float *values, size_t n);
void narrow_bfloat16(float *values, size_t n);
void narrow_int8(float *values, size_t n);

#endif
