/*
 * decimal.h: one float32 to decimal text and back, with the same bits and in any locale.
 *
 * Reading is correctly rounded (to nearest, ties to even), whatever the number of digits. A double
 * of a few units' error decides nearly always; where it comes too close to the middle of two
 * floats, the text is compared with that middle in whole numbers, as in Clinger, "How to read
 * floating point numbers accurately" (PLDI 1990). Writing tries 6, 7, 8 and 9 significant digits (9
 * suffice for any float32: Matula 1968) and keeps the fewest that read back to the same bits.
 */
#ifndef VECTOR_DECIMAL_H
#define VECTOR_DECIMAL_H

#include <stddef.h>

#include "base/rounding.h"
#include "base/span.h"

#define VECTOR_DECIMAL_SIZE                                                                        \
    24 /* bytes of the longest text that vector_decimal_format writes, and a NUL */

/* Reads the JSON number that `text` begins with. Returns its bytes; 0 if there is none. *value:
 * infinity (with the sign) when it is beyond the largest float32; numbers too small become denormal
 * or zero, as rounding has it. */
size_t vector_decimal_parse(struct span text, float *value);

/* Writes a finite value as a JSON number, NUL terminated; returns its bytes. Minus zero is
 * "-0.0". */
size_t vector_decimal_format(float value, char text[VECTOR_DECIMAL_SIZE]);

#endif
