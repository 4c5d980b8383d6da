/*
 * view.h: an index opened by its name, as the table functions on it read it.
 */
#ifndef SEMANTIC_VIEW_H
#define SEMANTIC_VIEW_H

#include "semantic/registry.h"
#include "store/reader.h"

struct semantic_view {
    struct semantic_table *table; /* connected as long as the view is open */
    struct store_state state;
    struct store_reader reader; /* begun */
    struct index_storage storage;
    sqlite3_stmt *pin;
};

/* `name`, and `schema` (NULL or SQL's NULL: the first that has such an index). Rows that wait are
 * written first. After an error nothing is open. */
int view_open(struct semantic_registry *registry, sqlite3_value *name, sqlite3_value *schema,
              struct semantic_view *view, struct error *err);
void view_close(struct semantic_view *view);

#endif
