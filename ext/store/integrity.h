/*
 * integrity.h: what is damaged in the shadow tables, found.
 */
#ifndef STORE_INTEGRITY_H
#define STORE_INTEGRITY_H

#include "store/store.h"

/* Reads every row: ERROR_CORRUPT with the first thing that contradicts another. */
int store_integrity_check(struct store *store, struct error *err);

/* Whether stored bytes are a vector that the index can use: of its size, finite, and with a
 * direction where that counts. ERROR_CORRUPT names the row. */
int integrity_check_vector(const struct store *store, int64_t id, const void *bytes, size_t size,
                           size_t dimensions, struct error *err);

#endif
