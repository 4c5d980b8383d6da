/*
 * transformer.h: encoders as a kind of model: weights.h, batch.h and encoder.h put together.
 */
#ifndef LOCAL_TRANSFORMER_H
#define LOCAL_TRANSFORMER_H

#include "local/instance.h"

extern const struct local_methods local_transformer_methods;

#endif
