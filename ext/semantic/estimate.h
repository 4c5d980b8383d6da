/*
 * estimate.h: what work would take, before it is paid for.
 *
 *   semantic_estimate(index [, schema])            a semantic_sync of that index
 *   embed_estimate(texts [, model [, role]])       an embed_each of these texts
 *
 * Both give JSON: {"texts": n, "requests": n, "tokens": n}. Texts that are known already, or come
 * twice, do not count; requests and tokens are estimates. Nothing is sent.
 */
#ifndef SEMANTIC_ESTIMATE_H
#define SEMANTIC_ESTIMATE_H

#include "semantic/table.h"

int semantic_estimate_register(sqlite3 *db, struct semantic_module *module);

/* Makes the JSON the result. */
void estimate_result(sqlite3_context *context, const struct catalog_estimate *estimate);

#endif
