#include "base/cancel.h"

#include <stddef.h>

int cancel_is_requested(const struct cancel *cancel)
{
    return cancel != NULL && cancel->requested(cancel->context);
}

int cancel_check(const struct cancel *cancel, struct error *err)
{
    return cancel_is_requested(cancel) ? error_set(err, ERROR_INTERRUPTED, "interrupted") : 0;
}

int cancel_poll(const struct cancel *cancel, size_t *left, size_t done, size_t every,
                struct error *err)
{
    if (*left > done) {
        *left -= done;
        return 0;
    }
    *left = every;
    return cancel_check(cancel, err);
}
