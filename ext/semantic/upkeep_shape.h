/*
 * upkeep_shape.h: what the triggers of upkeep.h depend on, read from the schema of the content.
 */
#ifndef SEMANTIC_UPKEEP_SHAPE_H
#define SEMANTIC_UPKEEP_SHAPE_H

#include "semantic/table.h"

/* All owned. */
struct upkeep_shape {
    int has_rowid;
    char *alias;                 /* the INTEGER PRIMARY KEY; NULL: there is none */
    char *columns;               /* of text and key, as UPDATE OF has them; NULL: any may be */
    char *unique_columns;        /* of unique indexes, the same */
    char *sources;               /* what generated ones of these are made of, as new."a", new."b";
                                    NULL: none is */
    struct name_list conditions; /* when a row `c` is in the way of `new`, one for each index */
};

/* ERROR_INVALID: no triggers can follow that content. deinit also after an error. */
int upkeep_shape_read(struct semantic_table *table, struct upkeep_shape *shape, struct error *err);
void upkeep_shape_deinit(struct upkeep_shape *shape);

/* The key, as SQLite writes it too when it renames the column. */
const char *upkeep_shape_key(const struct semantic_table *table, const struct upkeep_shape *shape);

/* The key is the rowid, so that each row has one, an integer. */
int upkeep_shape_key_is_rowid(const struct semantic_table *table, const struct upkeep_shape *shape);

#endif
