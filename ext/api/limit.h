/*
 * limit.h: how many texts a server takes in one request, where its refusal tells.
 *
 * There are as many wordings as servers ("batch size 60 > maximum allowed batch size 32", "at most
 * 96 items", "should not be larger than 10", {"max_batch_size": 32}), so no wording is known here,
 * but what they have in common: a word for what is counted, a word for a bound, and a number that
 * is smaller than what was sent. Numbers of tokens, characters or bytes are none of these, nor are
 * positions ("input 3 is too long"), versions and parts of names.
 */
#ifndef API_LIMIT_H
#define API_LIMIT_H

#include <stddef.h>

#include "base/span.h"

/* The largest such number below n_sent, in a refusal of so many texts; 0: it tells none. The body
 * may be JSON, text, anything; its first 4 kB are read. A server that says more than it takes says
 * so again. `is_about_size`: its status says so, no word is needed. */
size_t api_told_limit(struct span body, size_t n_sent, int is_about_size);

#endif
