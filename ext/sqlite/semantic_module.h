/*
 * semantic_module.h: the tables connected now.
 */
#ifndef SQLITE_SEMANTIC_MODULE_H
#define SQLITE_SEMANTIC_MODULE_H

#include "sqlite/semantic_table.h"

/* The semantic_index of that name in that schema, if it is connected now; else NULL. Lives as long
 * as a statement that names it. */
struct semantic_table *semantic_module_find(struct semantic_module *module, const char *schema,
                                            const char *name);

#endif
