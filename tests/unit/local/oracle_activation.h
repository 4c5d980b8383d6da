/*
 * oracle_activation.h: activations in double, as their papers have them.
 */
#ifndef TESTS_LOCAL_ORACLE_ACTIVATION_H
#define TESTS_LOCAL_ORACLE_ACTIVATION_H

#include <math.h>

#include "base/oracle.h"
#include "local/simd/activation.h"

ORACLE static double exact_activation(enum local_activation activation, double x)
{
    switch (activation) {
    case LOCAL_GELU:
    case LOCAL_ROUGH_GELU:
        return x / 2 * erfc(-x / sqrt(2.0));
    case LOCAL_GELU_TANH:
        return x / (1 + exp(-2 * sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case LOCAL_RELU:
        return x > 0 ? x : 0;
    case LOCAL_TANH:
        return tanh(x);
    case LOCAL_SIGMOID:
        return 1 / (1 + exp(-x));
    default:
        return x;
    }
}

#endif
