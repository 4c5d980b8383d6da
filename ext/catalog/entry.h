/*
 * entry.h: what the files of this room share: catalog.c (what there is), entry.c (one entry and its
 * model), aliases.c (what the user registers), dispatch.c (embedding), rerank.c (reranking),
 * settings.c and store.c (where vectors are kept beyond the process).
 */
#ifndef CATALOG_ENTRY_H
#define CATALOG_ENTRY_H

#include "api/provider.h"
#include "api/session.h"
#include "local/local.h"
#include "catalog/cache.h"
#include "catalog/catalog.h"

enum entry_kind { ENTRY_BUILTIN, ENTRY_LOCAL, ENTRY_REMOTE };

/* The kind of what is in the cache (cache.h) under a key: an enum model_role for a vector of
 * float, or this for the scores of a whole call. */
#define ENTRY_SCORES 2

/* What a name of the kind has for its provider. */
#define ENTRY_BUILTIN_PROVIDER "builtin"
#define ENTRY_LOCAL_PROVIDER "local"

#define ENTRY_FULL_NAME_SIZE (2 * CATALOG_MAX_NAME + 2) /* "provider:model" and a NUL */
#define ENTRY_LIST_SIZE 300                             /* names in a message */

struct catalog_entry {
    char *name; /* owned; the model's full name, or the alias */
    enum model_task task;
    struct catalog_entry *base;           /* the entry of the model itself; of that one: itself */
    char *query_prefix, *document_prefix; /* owned; NULL: the base's, and there: none */
    int has_prefixes; /* of a base: the user gave them, or what is usual has been looked for */
    int removed;
    /* Of a base alone. */
    enum entry_kind kind;
    struct model *model; /* the catalog's, or `own` */
    struct catalog_statistics statistics;
    /* Of a base that is a local or a remote model. */
    struct model *own; /* owned */
    char *model_name;  /* owned; owner/name of a local one, else as the provider calls it */
    size_t dimensions, batch_size; /* asked for; 0: not */
    size_t max_tokens;             /* of a remote one, given; 0: not */
    uint64_t serial;               /* another one for each model that was made */
    /* Of a local one. */
    enum local_precision precision;
    /* Of a remote one. */
    const struct api_provider *provider; /* NULL: a model of this process */
    char *url, *key;                     /* owned; as given; NULL: see endpoint.h */
    char *prompt;                        /* owned; of a chat model; NULL: the usual one */
    char *base_url;                      /* owned; where the model is */
    char *key_origin;                    /* owned; the host that `key` was given for */
    int is_trusted;                      /* an application has named it: see endpoint.h */
    char *store_name;                    /* owned; the model and where it is, for store.h */
};

struct catalog {
    struct model *lexical;          /* owned */
    struct model *embedded;         /* owned */
    struct model *lsa;              /* owned */
    struct catalog_entry **entries; /* [n_entries], owned; removed ones stay */
    size_t n_entries, capacity;
    char *defaults[2]; /* owned; names for embedding, reranking; NULL: the first that does it */
    struct cache cache;
    struct api_session session; /* what remote models share */
    struct local_session local; /* and local ones */
    uint64_t n_models;          /* made so far */
    uint64_t settings[N_CATALOG_SETTINGS];
    catalog_is_writing is_writing; /* NULL: it never is */
    void *is_writing_context;
    catalog_store_opener open_store; /* NULL: there are no stores */
    char *store_path;                /* owned; NULL: none */
    struct catalog_store store;      /* all zero: not open */
};

/* The store, opened now if need be; *store NULL: there is none. */
int entry_store(struct catalog *catalog, struct catalog_store **store, struct error *err);
void entry_close_store(struct catalog *catalog); /* if there is one, and forgets its path */

/* The usual values, or those of the environment. */
int catalog_settings_init(struct catalog *catalog, struct error *err);

/* 0; once the catalog is locked, ERROR_INVALID: `what` cannot change. */
int entry_check_unlocked(const struct catalog *catalog, const char *what, struct error *err);

/* 0; for a remote model that is not to be asked now (the setting `network`), ERROR_UNAVAILABLE. */
int entry_check_network(const struct catalog *catalog, const struct catalog_entry *base,
                        struct error *err);

/* 0 for embedding, 1 for reranking; and back, with a word for it. */
int entry_task_index(enum model_task task);
extern const enum model_task entry_tasks[2];
extern const char *const entry_task_verbs[2];
extern const char *const entry_default_variables[2];

/* Replaces *owned by a copy of text, or by NULL. ERROR_NOMEM leaves it as it was. */
int entry_replace_text(char **owned, const char *text, struct error *err);

void entry_clear_text(char **owned);

/* The same, and what was there is wiped. */
int entry_replace_secret(char **owned, const char *text, struct error *err);

/* Adds an entry; base NULL: it is a base, of `model` (NULL: to be made). */
int entry_add(struct catalog *catalog, const char *name, enum model_task task,
              struct catalog_entry *base, struct model *model, struct error *err);
void entry_free(struct catalog_entry *entry); /* accepts NULL */

/* Gives back a base's own model and what a remote one has of where and how; the pointers are then
 * of no use. */
void entry_free_own(struct catalog_entry *entry);

/* Wipes the key of a remote base and of its model. */
void entry_forget_key(struct catalog_entry *entry);

int entry_provider_does(const struct api_provider *provider, enum model_task task);

/* Appends to a list of names in a message, after ", "; behind the last that has room ", ...". */
void entry_list_name(const char *name, char *list, size_t size);

/* The entry of that name for that task; NULL: there is none. */
struct catalog_entry *entry_find(const struct catalog *catalog, const char *name,
                                 enum model_task task);

/* The entry of that name: one that is there, or a local or remote model's, added now. `trusted`:
 * see endpoint.h. ERROR_INVALID names what there is, or says that the catalog is locked; errors of
 * local_new. */
int entry_find_or_add(struct catalog *catalog, const char *name, enum model_task task, int trusted,
                      struct catalog_entry **entry, struct error *err);

/* A name cut in provider and model: "provider:model", or the bare "owner/model", which is
 * together's unless the user has registered it. */
struct entry_target {
    enum entry_kind kind;                /* ENTRY_BUILTIN: it is neither, or no such provider */
    const struct api_provider *provider; /* of ENTRY_REMOTE */
    const char *model;                   /* points into the name */
};
struct entry_target entry_split(const struct catalog *catalog, const char *name);

/* 0 if there is a local model of that name (local:owner/name) and it does the task; else the error
 * of local_new. */
int entry_check_local(const struct catalog *catalog, const char *name, enum model_task task,
                      struct error *err);

/* Makes a new entry the base of such a model, which is not made yet. */
int entry_set_target(struct catalog_entry *entry, const struct entry_target *target,
                     struct error *err);

/* Makes the model of a local or remote base from what the entry says; it has none yet. The first
 * time the entry gets the prefixes that the model wants, where the user gave none: those of its own
 * files, else those that are known of its name. */
int entry_make_model(struct catalog *catalog, struct catalog_entry *entry, int trusted,
                     struct error *err);

/* The prefix that a base is known to want, as entry_make_model gives it; borrowed, NULL: none. */
const char *entry_usual_prefix(const struct catalog_entry *entry, const struct model *model,
                               enum model_role role);

/* Of a base; borrowed. */
const char *entry_provider_name(const struct catalog_entry *base);
const char *entry_model_name(const struct catalog_entry *base);

#endif
