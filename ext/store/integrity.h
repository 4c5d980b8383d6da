/*
 * integrity.h: what is damaged in the shadow tables, found.
 */
#ifndef STORE_INTEGRITY_H
#define STORE_INTEGRITY_H

#include "store/store.h"

/* Reads every row: ERROR_CORRUPT with the first thing that contradicts another. */
int store_integrity_check(struct store *store, struct error *err);

#endif
