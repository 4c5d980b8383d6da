/*
 * overlong.h: a text that is longer than its model reads.
 */
#ifndef LOCAL_OVERLONG_H
#define LOCAL_OVERLONG_H

#include "local/instance.h"

/* Counts it as truncated, or where the session refuses such texts: ERROR_INVALID, which says how
 * long it is. `request`: as its tokens were made, but max_tokens is what the model reads. */
int local_overlong(const struct local_call *call, const struct tokenizer_request *request,
                   struct error *err);

#endif
