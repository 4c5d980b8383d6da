/*
 * semantic_command.h: INSERT INTO movie_index(movie_index) VALUES ('...').
 *
 *   'sync'             embeds what is new or changed, deletes what is gone, in this one statement
 *   'rebuild'          fits the model anew, if it can be fitted, and embeds everything
 *   'optimize'         writes the codes anew from the vectors, where the index is quantised
 *   'integrity-check'  reads every shadow row and fails with the first that is wrong
 *   'store-batch'      writes the batch that semantic_sync has collected; of no use to others
 */
#ifndef SQLITE_SEMANTIC_COMMAND_H
#define SQLITE_SEMANTIC_COMMAND_H

#include "base/span.h"
#include "sqlite/semantic_table.h"

int semantic_command(struct semantic_table *table, const char *command, struct error *err);

/* Every shadow row checked; ERROR_CORRUPT names the first that is wrong. */
int semantic_integrity_check(struct semantic_table *table, struct error *err);

#endif
