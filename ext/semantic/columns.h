/*
 * columns.h: the content columns of a semantic_index as X_config keeps them: JSON, a list of
 * [name, affinity].
 */
#ifndef SEMANTIC_COLUMNS_H
#define SEMANTIC_COLUMNS_H

#include "semantic/table.h"

/* Those of the table, as JSON that the caller frees. */
int columns_format(const struct semantic_table *table, char **json, struct error *err);

/* Makes those of the JSON the table's, which has none; ERROR_CORRUPT. */
int columns_parse(struct semantic_table *table, const char *json, struct error *err);

#endif
