/*
 * optimize.h: all blocks of an index written anew.
 */
#ifndef STORE_OPTIMIZE_H
#define STORE_OPTIMIZE_H

#include "store/store.h"

/* 'optimize': full blocks; codes from the vectors; and with partitions each centroid moved to the
 * mean of its rows (some steps of Lloyd's algorithm), partitions that have become small given up,
 * each row put to what is nearest now. What lay in deleted rows' place goes back to SQLite. Without
 * quantize it needs room for the new blocks beside the old ones. Part of a write (write.h). */
int store_optimize(struct store *store, struct store_state *state, struct error *err);

#endif
