/*
 * unit.h: a vector made of length 1.
 */
#ifndef LOCAL_UNIT_H
#define LOCAL_UNIT_H

#include <stddef.h>

#include "base/rounding.h"

/* What is all zero stays so. */
void unit_make(float *values, size_t n);

#endif
