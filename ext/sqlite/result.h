/*
 * result.h: what several functions answer with.
 */
#ifndef SQLITE_RESULT_H
#define SQLITE_RESULT_H

#include "catalog/catalog.h"
#include "sqlite/api.h"

/* {"texts": n, "requests": n, "tokens": n} */
void result_estimate(sqlite3_context *context, const struct catalog_estimate *estimate);

#endif
