/*
 * registry.h: the indexes that a connection has open, found by their names.
 */
#ifndef SEMANTIC_REGISTRY_H
#define SEMANTIC_REGISTRY_H

#include "semantic/table.h"

/* One for each connection: semantic_index owns it, as its module data, and all that works on an
 * index by its name borrows it. Tables hold it too: SQLite lets go of a module that was replaced
 * before it disconnects the module's last table. `storing` is the batch that the command
 * 'store-batch' is to write: set by semantic_sync around its nested statement, NULL otherwise. */
struct semantic_registry {
    int references;
    struct connection *connection; /* a reference */
    struct semantic_table *tables; /* connected now, the latest first */
    struct semantic_sync *storing;
    struct error *whole; /* of a command that runs in a statement of its own; see command.c */
};

/* An empty one with one reference; registry_release has the shape of SQLite's destructors, and
 * accepts NULL. ERROR_NOMEM. */
int registry_new(struct connection *connection, struct semantic_registry **registry,
                 struct error *err);
void registry_release(void *registry);

/* Puts a table in, which then holds a reference; and out again: what it held, to be released when
 * the table is freed, or NULL if it is not in. */
void registry_add(struct semantic_registry *registry, struct semantic_table *table);
struct semantic_registry *registry_remove(struct semantic_table *table);

/* Another connection of the same index that is open, in which rows may wait; NULL: there is none. A
 * name is not enough: it may have been another index's, before DROP, RENAME or a rollback. */
struct semantic_table *registry_find_twin(const struct semantic_table *table);

/* ERROR_INVALID while the content of the index is being read, by whichever of its connections: it
 * is asked by its own content then, which would never end. */
int registry_check_content(const struct semantic_table *table, struct error *err);

/* The index of this table is being made. Other tables that have its number were made by the same
 * CREATE, which was rolled back: they are no index's from now on. */
void registry_disown_others(const struct semantic_table *table);

/* Connects the index of that name in that schema, and keeps it so while *pin, which the caller
 * finalizes, is open. ERROR_INVALID when there is none, and whatever makes it unusable. */
int registry_pin(struct semantic_registry *registry, const char *schema, const char *name,
                 sqlite3_stmt **pin, struct semantic_table **index, struct error *err);

/* The same for SQL's arguments: the name in the schema given, or (NULL, also SQL's) in the first
 * schema that has it. Not for its own content (registry_check_content). */
int registry_open(struct semantic_registry *registry, sqlite3_value *name, sqlite3_value *schema,
                  sqlite3_stmt **pin, struct semantic_table **index, struct error *err);

/* Copies of its schema and name, by which registry_pin finds it again; the caller frees, also after
 * an error. ERROR_NOMEM. */
int registry_copy_names(const struct semantic_table *index, char **schema, char **name,
                        struct error *err);

#endif
