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

/* What X_config says of the virtual table at connection time. All owned; NULL: not there. */
struct schema_stored {
    char *reranker, *columns;
    char *content;       /* the name that the content has by now */
    char *content_rowid; /* the key's column, where no option says it */
};
void schema_stored_deinit(struct schema_stored *stored);

/* CREATE, DROP and RENAME of the shadow tables that the store's options ask for. ERROR_INVALID when
 * one of their names is taken, before anything is changed. */
int schema_create(struct store *store, const struct schema_config *config, struct error *err);
int schema_drop(struct store *store, struct error *err);
int schema_rename(struct store *store, const char *name, struct error *err);

/* X_failures for an index that was made without it; part of a write. ERROR_INVALID when its name is
 * taken. */
int schema_create_failures(struct store *store, struct error *err);

/* The same of X_waiting; *there = 0 when its name is taken. */
int schema_create_waiting(struct store *store, int *there, struct error *err);

/* X_config at connection time: its format and options checked against the store's, which learns
 * which index of that name it is, how it keeps vectors, and whether it is keyed and has words.
 * deinit also after an error. */
int schema_read(struct store *store, struct schema_stored *stored, struct error *err);

/* Makes this connection read the schema again when it needs it next, and connect its virtual tables
 * anew; statements that run go on with what they have. 0: it is not the moment, as more statements
 * write than n_ours, which write our table alone. */
int schema_forget(struct store *store, int n_ours);

/* The same for all connections, in a statement of ours that writes: what X_config says of the table
 * has changed. It is part of the transaction. */
int schema_reload(struct store *store, int n_ours, struct error *err);

#endif
