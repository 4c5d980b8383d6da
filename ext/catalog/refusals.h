/*
 * refusals.h: texts of a call that cannot be embedded, each for a reason of its own (model.h).
 */
#ifndef CATALOG_REFUSALS_H
#define CATALOG_REFUSALS_H

#include <stddef.h>

#include "base/error.h"

struct catalog_refusal {
    size_t text; /* its number in the call */
    struct error why;
};

/* All zero: none. */
struct catalog_refusals {
    struct catalog_refusal *items; /* [n]; owned */
    size_t n, capacity;
};

/* Both accept NULL. */
void catalog_refusals_deinit(struct catalog_refusals *refusals);
void catalog_refusals_sort(struct catalog_refusals *refusals); /* by text */

int catalog_refusals_add(struct catalog_refusals *refusals, size_t text, const struct error *why,
                         struct error *err);

/* That of a text among the first n, which are sorted; NULL: it is none of them. */
const struct catalog_refusal *catalog_refusals_find(const struct catalog_refusals *refusals,
                                                    size_t n, size_t text);

#endif
