/*
 * passages.h: the passage of a text that comes nearest to a query, by the table's rows.
 *
 * The one vector of a long text is of all that it says; a passage may be all that a query asks for.
 * Passages are of some 40 pieces, each half in the next one, and their nearness is the cosine of
 * the sums of rows. Words that the table does not know have no part in it.
 */
#ifndef EMBEDDED_PASSAGES_H
#define EMBEDDED_PASSAGES_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/span.h"

struct passages;

/* Reads the query. `cancel` (or NULL) is polled within a long text. passages_close releases it.
 * ERROR_NOMEM, ERROR_INTERRUPTED. */
int passages_open(struct span query, const struct cancel *cancel, struct passages **passages,
                  struct error *err);
void passages_close(struct passages *passages); /* accepts NULL */

/* The greatest cosine of a passage of the text with the query; 0 where either has no piece.
 * ERROR_NOMEM, ERROR_INTERRUPTED. */
int passages_best(struct passages *passages, struct span text, double *cosine, struct error *err);

#endif
