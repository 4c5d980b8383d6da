#include "base/environment.h"

#include <stdlib.h>

const char *environment_value(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}
