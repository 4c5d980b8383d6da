#include "local/precision.h"

#include <string.h>

static const char *const precision_names[] = {
    [LOCAL_FLOAT32] = "float32", [LOCAL_BFLOAT16] = "bf16", [LOCAL_INT8] = "int8"};

int local_precision_parse(const char *text, enum local_precision *precision)
{
    for (size_t i = 0; i < sizeof precision_names / sizeof *precision_names; i++) {
        if (strcmp(text, precision_names[i]) != 0) continue;
        *precision = (enum local_precision)i;
        return 1;
    }
    return 0;
}

const char *local_precision_name(enum local_precision precision)
{
    return precision_names[precision];
}
