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
