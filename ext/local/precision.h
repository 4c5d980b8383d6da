/*
 * precision.h: how precisely a model computes its products, by name.
 */
#ifndef LOCAL_PRECISION_H
#define LOCAL_PRECISION_H

#include "local/simd/kernels.h"

/* "float32", "bf16" or "int8", and back; 0 when it is none of these. */
int local_precision_parse(const char *text, enum local_precision *precision);
const char *local_precision_name(enum local_precision precision);

#endif
