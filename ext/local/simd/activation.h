/*
 * activation.h: what goes through values one by one.
 */
#ifndef LOCAL_SIMD_ACTIVATION_H
#define LOCAL_SIMD_ACTIVATION_H

enum local_activation {
    LOCAL_IDENTITY,
    LOCAL_GELU,       /* x (1 + erf(x / sqrt 2)) / 2: Hendrycks and Gimpel 2016 */
    LOCAL_ROUGH_GELU, /* nearly the same: what becomes codes of 8 bits needs no more */
    LOCAL_GELU_TANH,  /* x (1 + tanh(sqrt(2/pi) (x + .044715 x^3))) / 2: ibidem */
    LOCAL_RELU,
    LOCAL_TANH,
    LOCAL_SIGMOID
};

#endif
