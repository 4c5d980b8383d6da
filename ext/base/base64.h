/*
 * base64.h: bytes as text (RFC 4648, section 4).
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

/* How many bytes a text is that base64_decode takes: by its length and its padding alone. */
size_t base64_size(struct span text);

/* Reads the text's bytes into `bytes` (NULL: only checks it) [base64_size]. Strict: no white space,
 * padding complete, no stray bits. ERROR_INVALID. */
int base64_decode(struct span text, void *bytes, struct error *err);

#endif
