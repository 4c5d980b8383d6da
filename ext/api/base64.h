/*
 * base64.h: vectors as base64 (RFC 4648, section 4) of little-endian float32.
 */
#ifndef API_BASE64_H
#define API_BASE64_H

#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

/* Reads the floats of a text into `floats` (NULL: only counts them); *n: how many. Strict: no white
 * space, padding complete, no stray bits, a whole number of floats, 1 or more. The numbers may be
 * infinite or NaN. ERROR_INVALID. */
int api_base64_floats(struct span text, float *floats, size_t *n, struct error *err);

#endif
