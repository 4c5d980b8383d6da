/*
 * schema.h: the shadow tables made, dropped, renamed and recognised.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "store/store.h"

/* True for the end of a shadow table's name. */
int schema_is_shadow(const char *suffix);

/* What X_config keeps for the virtual table, and what the index begins with. */
struct schema_config {
    const char *model, *reranker; /* full names */
    const char *columns;          /* JSON [[name, affinity], ...] */
    size_t dimensions;            /* 0: none yet */
};

/* CREATE, DROP and RENAME of the shadow tables that the store's options ask for. ERROR_INVALID when
 * one of their names is taken, before anything is changed. */
int schema_create(struct store *store, const struct schema_config *config, struct error *err);
int schema_drop(struct store *store, struct error *err);
int schema_rename(struct store *store, const char *name, struct error *err);

/* X_failures for an index that was made without it; part of a write. ERROR_INVALID when its name is
 * taken. */
int schema_create_failures(struct store *store, struct error *err);

/* X_config at connection time: its format and options checked against the store's, which learns
 * which index of that name it is; reranker and columns, owned by the caller, also after an error
 * (NULL before). */
int schema_read(struct store *store, char **reranker, char **columns, struct error *err);

#endif
