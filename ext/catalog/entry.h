/*
 * entry.h: what the files of this room share: catalog.c (names and settings) and calls.c (embedding
 * and reranking).
 */
#ifndef CATALOG_ENTRY_H
#define CATALOG_ENTRY_H

#include "catalog/cache.h"
#include "catalog/catalog.h"

struct catalog_entry {
    char *name; /* owned; the model's full name, or the alias */
    enum model_task task;
    struct catalog_entry *base;           /* the entry of the model itself; of that one: itself */
    struct model *model;                  /* borrowed from the catalog; of the base */
    char *query_prefix, *document_prefix; /* owned; NULL: the base's, and there: none */
    struct catalog_statistics statistics; /* of the base */
    int removed;
};

struct catalog {
    struct model *lexical;          /* owned */
    struct catalog_entry **entries; /* [n_entries], owned; removed ones stay */
    size_t n_entries, capacity;
    char *defaults[2]; /* owned; names for embedding, reranking; NULL: the first that does it */
    struct cache cache;
};

/* What goes before a text of that role; "" for nothing. */
const char *entry_prefix(const struct catalog_entry *entry, enum model_role role);

#endif
