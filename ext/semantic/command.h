/*
 * command.h: INSERT INTO movie_index(movie_index) VALUES ('...').
 *
 *   'sync'             embeds what is new or changed, deletes what is gone, in this one statement
 *   'sync 10000'       the same for so many rows at most; the rest is left to the next one
 *   'retry'            the same as 'sync', and rows that could not be embedded are tried again
 *   'rebuild'          fits the model anew, if it can be fitted, and embeds everything
 *   'optimize'         writes all blocks anew, see store/optimize.h, and words, see wording.h
 *   'upkeep'           makes the triggers of upkeep = 'triggers' anew
 *   'integrity-check'  reads every shadow row and fails with the first that is wrong
 *   'content NAME'     reads a table or view of that name from now on: the content was renamed
 *   'changed', 'changing'  with a rowid: notes a row of the content, see upkeep.h
 *   'embedded HASH'    with a rowid and an embedding: a row of semantic_pending, see update.c
 *   'store-batch'      writes the batch that semantic_sync has collected; of no use to others
 */
#ifndef SEMANTIC_COMMAND_H
#define SEMANTIC_COMMAND_H

#include "semantic/table.h"

int semantic_command(struct semantic_table *table, const char *command, struct error *err);

/* ERROR_CORRUPT with the first thing in the index that contradicts another. */
int semantic_integrity_check(struct semantic_table *table, struct error *err);

#endif
