/*
 * scan.h: all chosen blocks of a snapshot against a group of queries, by threads. Internal to the
 * room.
 */
#ifndef INDEX_SCAN_H
#define INDEX_SCAN_H

#include "index/lane.h"

/* Fills targets[i].hits; the caller deinits them, also after a failure. search->n_scanned rises. */
int index_scan(struct index_search *search, struct index_target *targets, size_t n_targets,
               struct error *err);

#endif
