/*
 * semantic.h: registration of the virtual table semantic_index and the table function
 * semantic_sync.
 */
#ifndef SEMANTIC_SEMANTIC_H
#define SEMANTIC_SEMANTIC_H

#include "sqlite/connection.h"

/* Both modules on connection->db. A SQLite result code. */
int semantic_register(struct connection *connection);

#endif
