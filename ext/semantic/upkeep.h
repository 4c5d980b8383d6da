/*
 * upkeep.h: upkeep = 'triggers', the triggers that keep an index X in step with its content T.
 *
 * In the schema of both, with key, text columns a, b and T also UNIQUE in u:
 *
 *   CREATE TRIGGER X_upkeep_insert AFTER INSERT ON T BEGIN
 *     INSERT INTO X(X, rowid) VALUES ('changed', new.key); END
 *   CREATE TRIGGER X_upkeep_update AFTER UPDATE OF a, b, key, rowid... ON T BEGIN
 *     INSERT INTO X(X, rowid) SELECT 'changed', old.key WHERE old.key IS NOT new.key;
 *     INSERT INTO X(X, rowid) VALUES ('changed', new.key); END
 *   CREATE TRIGGER X_upkeep_delete AFTER DELETE ON T BEGIN
 *     INSERT INTO X(X, rowid) VALUES ('changed', old.key); END
 *   CREATE TRIGGER X_upkeep_before_insert BEFORE INSERT ON T BEGIN
 *     INSERT INTO X(X, rowid) SELECT 'changing', c.key FROM T AS c WHERE c.u = new.u; END
 *   CREATE TRIGGER X_upkeep_before_update BEFORE UPDATE OF u ON T BEGIN
 *     INSERT INTO X(X, rowid) SELECT 'changing', c.key FROM T AS c WHERE c.u = new.u
 *       AND c.key IS NOT old.key; END
 *
 * A keyed index is told the key: INSERT INTO X(X, query). The column of X that is called like the
 * key would be called otherwise when the key is renamed, which SQLite does not know of. A row whose
 * key is NULL, or no integer where the index is of integers, is left out: nothing may fail for it.
 *
 * None says what became of a row, only that it is to be looked at: what is there when the rows of
 * the transaction are written is right, in whatever order triggers came, and also when the
 * statement failed or did nothing. The last two are for REPLACE: it removes each row that is in the
 * way of the new one, and no DELETE trigger fires unless recursive_triggers is on. A row of the
 * same key needs none of that, it is looked at anyway.
 *
 * SQLite itself renames what a trigger names when T, X or a column is renamed, and drops triggers
 * with T. So they tell what T and the columns that the options name are called now. Which triggers
 * are ours is told by their names and by a comment in them.
 */
#ifndef SEMANTIC_UPKEEP_H
#define SEMANTIC_UPKEEP_H

#include "semantic/table.h"

/* Makes them; nothing without the option. ERROR_INVALID, before anything is changed: T is no
 * ordinary table, has a unique index that no trigger can follow, or a name is taken. */
int upkeep_create(struct semantic_table *table, struct error *err);

/* Drops those that are there, and are ours; drops and makes them. */
int upkeep_drop(struct semantic_table *table, struct error *err);
int upkeep_restore(struct semantic_table *table, struct error *err);

/* Takes them to another content; nothing without the option. */
int upkeep_move(struct semantic_table *table, char *content, struct error *err);

/* The index is being renamed: so are they. */
int upkeep_rename(struct semantic_table *table, const char *name, struct error *err);

/* Puts what they say in place of what the options say: the content, the key and the columns of text
 * by the names that they have now. *changed: there was something to put. */
int upkeep_follow(struct semantic_table *table, int *changed, struct error *err);

/* The end of the name of one that is missing or is not as upkeep_create would make it, static;
 * NULL: there is none. The same as ERROR_INVALID, with the cure. */
int upkeep_find_stale(struct semantic_table *table, const char **suffix, struct error *err);
int upkeep_check(struct semantic_table *table, struct error *err);

#endif
