#include "api/base64.h"

#include "base/base64.h"

int api_base64_floats(struct span text, float *floats, size_t *n, struct error *err)
{
    size_t n_bytes = base64_size(text);
    /* Another length is base64_decode's to refuse. */
    if (text.size % 4 == 0 && (n_bytes == 0 || n_bytes % sizeof *floats != 0))
        return error_set(err, ERROR_INVALID, "base64 of %zu bytes, not a multiple of 4", n_bytes);
    *n = n_bytes / sizeof *floats;
    return base64_decode(text, floats, err);
}
