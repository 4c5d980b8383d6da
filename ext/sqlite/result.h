/*
 * result.h: what SQL gets back: errors of ours, and what several functions answer with.
 */
#ifndef SQLITE_RESULT_H
#define SQLITE_RESULT_H

#include "base/span.h"
#include "catalog/catalog.h"
#include "sqlite/api.h"

/* An error as a function's result, or as a virtual table's message and return code; "who: " comes
 * first, unless the text begins with it. Codes: ERROR_NOMEM SQLITE_NOMEM, ERROR_INTERRUPTED
 * SQLITE_INTERRUPT, ERROR_CORRUPT SQLITE_CORRUPT_VTAB, ERROR_STORAGE its storage_code, all others
 * SQLITE_ERROR. */
void result_error(sqlite3_context *context, const char *who, const struct error *err);
int result_table_error(sqlite3_vtab *table, const char *who, const struct error *err);

/* Where an error is of a text (ERROR_INVALID, ERROR_REFUSED) that no row or key names: puts how the
 * text begins, and its length, behind the error's. `what`: "text", "document". */
void result_name_text(struct error *err, const char *what, struct span text);

/* A number; NAN is NULL. */
void result_number(sqlite3_context *context, double number);

/* {"texts": n, "requests": n, "tokens": n} */
void result_estimate(sqlite3_context *context, const struct catalog_estimate *estimate);

#endif
