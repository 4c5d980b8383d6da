/*
 * codec.h: what a vector looks like outside: a BLOB, or JSON text.
 *
 * A vector is float32, IEEE 754, little-endian, one component after the other: 4 x dimensions
 * bytes, the layout of numpy's tobytes(), sqlite-vec and libSQL. It has 1 to VECTOR_MAX_DIMENSIONS
 * components, each finite. As text it is a JSON array of numbers.
 *
 * A BLOB may begin at any address: wherever this room takes `const void *` for a vector it need not
 * be aligned.
 */
#ifndef VECTOR_CODEC_H
#define VECTOR_CODEC_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"

#define VECTOR_MAX_DIMENSIONS 65536

/* Whether the bytes are a vector; *dimensions is its length then. ERROR_INVALID names what came:
 * "expected a length that is a multiple of 4 bytes, not 7", "component 3 is NaN" (components count
 * from 0). */
int vector_check(const void *bytes, size_t size, size_t *dimensions, struct error *err);

/* Reads a JSON array of numbers, each rounded to the nearest float32, white space as JSON allows
 * it. *vector: [*dimensions], for memory_free; NULL after an error. ERROR_INVALID: not such an
 * array (the text names the component or the byte, both from 0), empty, too long, a number beyond
 * float32. ERROR_NOMEM. */
int vector_parse_json(struct span json, float **vector, size_t *dimensions, struct error *err);

/* Appends the JSON array of a vector (checked, [dimensions]). Reading it back gives the same bits,
 * -0.0 and denormals included. Errors of buffer_append; what was appended until then stays. */
int vector_format_json(const void *vector, size_t dimensions, struct buffer *out,
                       struct error *err);

#endif
