#include "local/wide.h"

#include <math.h>

#define SHARE .4 /* of what is added, in the square */
#define INPUTS_A_WIDE 16

/* Puts an index where it belongs among those that are there, which ascend. */
static void insert(struct local_wide *wide, size_t index)
{
    size_t at = wide->n++;
    for (; at > 0 && wide->inputs[at - 1] > index; at--) wide->inputs[at] = wide->inputs[at - 1];
    wide->inputs[at] = index;
}

static int has(const struct local_wide *wide, size_t index)
{
    for (size_t k = 0; k < wide->n; k++)
        if (wide->inputs[k] == index) return 1;
    return 0;
}

struct local_wide wide_largest(const float *sizes, size_t n)
{
    struct local_wide wide = {0};
    while (wide.n < LOCAL_WIDE && wide.n < n / INPUTS_A_WIDE) {
        size_t largest = n;
        for (size_t i = 0; i < n; i++)
            if (!has(&wide, i) && (largest == n || sizes[i] > sizes[largest])) largest = i;
        insert(&wide, largest);
    }
    return wide;
}

static double mean_square(const float *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)values[i] * (double)values[i];
    return sum > 0 ? sum / (double)n : 1;
}

void wide_pass_norm(float *sizes, size_t n, const float *added, const float *weight,
                    const float *bias)
{
    double before = mean_square(sizes, n), beside = added == NULL ? 1 : mean_square(added, n);
    for (size_t i = 0; i < n; i++) {
        double more = added == NULL ? 1 : (double)added[i];
        double size = (1 - SHARE) * (double)sizes[i] * (double)sizes[i] / before +
                      SHARE * more * more / beside;
        double w = (double)weight[i], b = (double)bias[i];
        sizes[i] = (float)sqrt(w * w * size + b * b);
    }
}
