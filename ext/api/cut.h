/*
 * cut.h: texts that are longer than the user says that a remote model reads.
 *
 * What a server's tokenizer makes of a text is not known here. The count is one that it hardly
 * exceeds: of a word one token for each 4 bytes begun, with the blank before it, so never fewer
 * than words nor than a quarter of the bytes; of a number one for 2 digits; one for each sign and
 * for each character of a script without spaces. A text is cut behind a word.
 */
#ifndef API_CUT_H
#define API_CUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/* Tokens, by that count. */
size_t api_count_tokens(struct span text);

/* What is left of a text in so many tokens, 1 or more: all of it, or its beginning, which is never
 * empty. */
struct span api_cut(struct span text, size_t max_tokens);

/* The same of all texts [n], each behind its first `kept` bytes, which stay, into *cut [n], the
 * caller's to free. *n_cut is raised by those that were longer. ERROR_NOMEM. */
int api_cut_all(const struct span *texts, size_t n, size_t kept, size_t max_tokens,
                struct span **cut, uint64_t *n_cut, struct error *err);

#endif
