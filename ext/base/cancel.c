#include "base/cancel.h"

#include <stddef.h>

int cancel_check(const struct cancel *cancel, struct error *err)
{
    if (cancel == NULL || !cancel->requested(cancel->context)) return 0;
    return error_set(err, ERROR_INTERRUPTED, "interrupted");
}
