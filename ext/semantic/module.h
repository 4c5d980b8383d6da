/*
 * module.h: the virtual table semantic_index, as SQLite creates, connects and drops it.
 */
#ifndef SEMANTIC_MODULE_H
#define SEMANTIC_MODULE_H

#include "semantic/registry.h"

/* Takes the registry over, also after a failure. A SQLite result code. */
int module_register(struct connection *connection, struct semantic_registry *registry);

#endif
