/*
 * semantic.h: what this room registers: the virtual table semantic_index, and the functions on an
 * index. SQLite result codes.
 */
#ifndef SEMANTIC_SEMANTIC_H
#define SEMANTIC_SEMANTIC_H

#include "sqlite/connection.h"

/* All of them. */
int semantic_register(struct connection *connection);

/* One each, for semantic_register. The registry is borrowed: the virtual table owns it. */
struct semantic_registry;
int sync_register(struct connection *connection, struct semantic_registry *registry);
int failures_register(struct connection *connection, struct semantic_registry *registry);
int progress_register(struct connection *connection, struct semantic_registry *registry);
int estimate_register(struct connection *connection, struct semantic_registry *registry);
int status_register(struct connection *connection, struct semantic_registry *registry);
int pending_function_register(struct connection *connection, struct semantic_registry *registry);
int search_each_register(struct connection *connection, struct semantic_registry *registry);
int recall_register(struct connection *connection, struct semantic_registry *registry);
int map_register(struct connection *connection, struct semantic_registry *registry);

#endif
