/*
 * module.h: the tables connected now.
 */
#ifndef SEMANTIC_MODULE_H
#define SEMANTIC_MODULE_H

#include "semantic/table.h"

/* The semantic_index of that name in that schema, if it is connected now; else NULL. Lives as long
 * as a statement that names it. */
struct semantic_table *semantic_module_find(struct semantic_module *module, const char *schema,
                                            const char *name);

/* Which table is meant: the name in the schema given, or (NULL) in the first schema that has it.
 * What is found is owned by the caller, also after an error. */
int semantic_module_resolve(struct semantic_module *module, const char *name, const char *schema,
                            char **found_schema, char **found_name, struct error *err);

/* Connects the index and keeps it so while *pin, which the caller finalizes, is open. */
int semantic_module_pin(struct semantic_module *module, const char *schema, const char *name,
                        sqlite3_stmt **pin, struct semantic_table **index, struct error *err);

#endif
