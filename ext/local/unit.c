#include "local/unit.h"

#include <math.h>

void unit_make(float *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)values[i] * (double)values[i];
    double factor = sum > 0 ? 1 / sqrt(sum) : 0;
    for (size_t i = 0; i < n; i++) values[i] = (float)((double)values[i] * factor);
}
