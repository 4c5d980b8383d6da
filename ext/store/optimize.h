/*
 * optimize.h: all blocks of an index written anew, and what is damaged in it found.
 */
#ifndef STORE_OPTIMIZE_H
#define STORE_OPTIMIZE_H

#include "semantic/table.h"

/* 'optimize': full blocks; codes from the vectors; and with partitions each centroid moved to the
 * mean of its rows (a step of Lloyd's algorithm), parts that have become small given up, each row
 * put to what is nearest now. What lay in deleted rows' place goes back to SQLite. Without quantize
 * it needs room for the new blocks beside the old ones. */
int semantic_optimize(struct semantic_table *table, struct semantic_state *state,
                      struct error *err);

/* 'integrity-check': ERROR_CORRUPT with the first thing that contradicts another. */
int semantic_integrity_check(struct semantic_table *table, struct error *err);

#endif
