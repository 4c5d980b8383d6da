/*
 * catalog.h: from a name to a model.
 *
 * One catalog a connection. It owns the models, the defaults, the aliases that the user registered,
 * the settings, the cache of vectors and scores already computed (LRU by bytes) and the statistics.
 * All embedding and reranking of the SQL face goes through catalog_embed and catalog_rerank, so
 * that every call to a model is cached where that is right, and counted.
 *
 * An entry is one name for one task. The entries of the models themselves come first; an alias is
 * an entry more, with prefixes of its own, that stands for one of those. Nothing here is stored in
 * a database. Not thread-safe: SQLite's connection mutex serialises us.
 *
 * Local models (local/) and remote ones (api/) get an entry when they are first named. SQL of a
 * database file may name any: a local name reaches the model folders of this machine and nothing
 * else, for remote ones see endpoint.h.
 *
 * The environment gives defaults, read when a catalog is made: RERANK_EMBED_MODEL and
 * RERANK_RERANK_MODEL (names, looked up when they are needed), RERANK_CACHE (a path), and a value
 * for each of enum catalog_setting.
 *
 * A catalog can be locked, for good: what the application chose, and the environment, is then all
 * there is, whatever SQL says. Everything here that changes a setting, a default or a model is
 * ERROR_INVALID, and no remote model is found but those that an application has registered, or made
 * a default, before. Local models may still be named: they are files that the environment offers.
 */
#ifndef CATALOG_CATALOG_H
#define CATALOG_CATALOG_H

#include "catalog/refusals.h"
#include "catalog/store.h"
#include "model/model.h"

/* Bytes of the longest name of an alias. */
#define CATALOG_MAX_NAME 200
/* And of the longest prompt. */
#define CATALOG_MAX_PROMPT 4000

struct catalog;
struct catalog_entry; /* borrowed; valid until the catalog is freed, also after it was deleted or
                         changed */

/* ERROR_NOMEM, or ERROR_INVALID when a variable holds no number in its range. */
int catalog_new(struct catalog **catalog, struct error *err);
void catalog_free(struct catalog *catalog); /* accepts NULL */

/* The model called `name` (a provider:name or an alias, NUL terminated), or, if NULL, the default
 * for the task. ERROR_INVALID names what is unknown and what there is; also when the model does not
 * do the task. */
int catalog_find(struct catalog *catalog, const char *name, enum model_task task,
                 struct catalog_entry **entry, struct error *err);

/* The name to store in an index: the model's, or of an alias whose prefixes are its own the alias;
 * the model itself. Borrowed. */
const char *catalog_entry_name(const struct catalog_entry *entry);

/* "provider:model" that the name stands for, into out [size]: what must be the same for vectors to
 * be comparable. */
void catalog_entry_identity(const struct catalog_entry *entry, char *out, size_t size);
struct model *catalog_entry_model(const struct catalog_entry *entry);

/* Whether it is builtin:static, by whichever name. */
int catalog_is_embedded(const struct catalog *catalog, const struct catalog_entry *entry);

/* What goes before a text of that role; "" for nothing. Borrowed until the entry is changed. */
const char *catalog_entry_prefix(const struct catalog_entry *entry, enum model_role role);

/* What vectors of documents follow from beside that name, as a number that may be stored: the
 * model's weights, vocabulary and configuration, which are read if need be, and the prefix. Of a
 * model that cannot tell (model_fingerprint) the prefix alone, 0 without one. Errors of
 * model_fingerprint. */
int catalog_entry_fingerprint(struct catalog_entry *entry, const struct cancel *cancel,
                              uint64_t *fingerprint, struct error *err);

/* Calls made to the model so far, failed ones included. */
uint64_t catalog_entry_requests(const struct catalog_entry *entry);

/* model_embed / model_rerank through cache and statistics. The entry's prefix for the role is put
 * before each text. Equal texts of one call are sent once. *embeddings is written: its vectors
 * [n_texts, dimensions] are the caller's to free, NULL after an error or without a vector; what was
 * embedded before an error is in the caches. *refusals is written too (ascending; all texts that
 * are equal are refused together; their vectors are zero), for the caller to deinit, empty after an
 * error. NULL: the first refusal is the error of the call. `fitted`: what
 * catalog_entry_model(entry) became after learning from a collection, used in its place and never
 * cached; or NULL. */
int catalog_embed(struct catalog *catalog, struct catalog_entry *entry, struct model *fitted,
                  const struct model_texts *texts, struct model_embeddings *embeddings,
                  struct catalog_refusals *refusals, struct error *err);

/* The embedding of one text, if it is known without the model; else vectors is NULL. */
int catalog_lookup(struct catalog *catalog, struct catalog_entry *entry,
                   const struct model_texts *text, struct model_embeddings *embedding,
                   struct error *err);

/* Equal calls ask the model once while the cache has room: not of a built-in model, whose scores
 * come faster, and not where the model itself refused a document. */
int catalog_rerank(struct catalog *catalog, struct catalog_entry *entry, struct model *fitted,
                   const struct model_candidates *candidates, double *scores, struct error *err);

/* What embedding would take: texts that are not known yet, each once, and for those the requests
 * and the tokens, both estimated. Nothing is sent. *estimate is raised. */
struct catalog_estimate {
    uint64_t texts, requests, tokens;
};
int catalog_estimate(struct catalog *catalog, struct catalog_entry *entry,
                     const struct model_texts *texts, struct catalog_estimate *estimate,
                     struct error *err);

/* What a model has done for one task, whatever it was called. */
struct catalog_statistics {
    struct model_usage usage; /* requests, retries, tokens, bytes, truncated */
    uint64_t texts;           /* texts, or documents, that it embedded, or read */
    uint64_t cache_hits;      /* texts answered without it: known, or a second time in one call */
    uint64_t failures;        /* calls that gave an error */
    double seconds;           /* spent in calls */
};

/* An entry as it is listed. All pointers are borrowed until the entry is changed. */
struct catalog_description {
    const char *name;      /* the model's full name, or the alias */
    enum model_task task;  /* exactly one */
    const char *full_name; /* what an index stores: provider:model, or the name of a model of the
                              user's with a URL of its own */
    const char *provider, *model;
    const char *url;       /* of a remote model; else NULL */
    const char *precision; /* of a local model; else NULL */
    const char *prompt;    /* of a chat model that has one of its own; else NULL */
    int is_remote;
    int is_alias, is_default;
    size_t dimensions, batch_size;              /* 0 where they mean nothing: reranking */
    size_t max_tokens;                          /* 0: not known, or no limit */
    const char *query_prefix, *document_prefix; /* NULL: none of its own */
};

/* Entries have numbers from 0 on, for good. NULL: beyond the last one (*end = 1), or removed. */
struct catalog_entry *catalog_entry_at(const struct catalog *catalog, size_t number, int *end);
void catalog_describe(const struct catalog *catalog, const struct catalog_entry *entry,
                      struct catalog_description *description);
void catalog_entry_statistics(const struct catalog_entry *entry,
                              struct catalog_statistics *statistics);

/* What an alias is to be. Texts are borrowed for the call; those that are NULL are not given. */
struct catalog_alias {
    const char *name;            /* required */
    enum model_task task;        /* or 0: each task that the model does */
    const char *provider;        /* NULL: `model` is a full name or another alias */
    const char *model;           /* required */
    const char *query_prefix;    /* before texts that are embedded; NULL: the model's own */
    const char *document_prefix; /* the same for documents */
    /* Of a local or remote model, and each only if its bit is in `given`. An alias with one of them
     * is a model of its own, which indexes store by this name. */
    unsigned given;      /* enum catalog_given */
    const char *url;     /* of a remote one; NULL: the provider's */
    const char *api_key; /* the same; NULL: that of the environment, if the URL is the provider's */
    size_t dimensions;   /* to ask for, or the first so many; 0: the model's own */
    size_t batch_size;   /* texts a request; 0: the provider's, or as is best */
    size_t max_tokens;   /* of a remote one: longer texts are cut; 0: they are not */
    const char *precision; /* of a local one, see local.h; NULL: "float32" */
    const char *prompt; /* of a chat model: what it is told to do; NULL: the usual, chat_body.h */
};

enum catalog_given {
    CATALOG_URL = 1,
    CATALOG_API_KEY = 2,
    CATALOG_DIMENSIONS = 4,
    CATALOG_BATCH_SIZE = 8,
    CATALOG_PRECISION = 16,
    CATALOG_MAX_TOKENS = 32,
    CATALOG_PROMPT = 64
};

/* Adds an alias, one entry a task; *number is that of the first. ERROR_INVALID: the name is taken,
 * is empty or too long; no such provider or model, or it does not do the task; a prefix for a task
 * that has none. Nothing was added then. */
int catalog_add(struct catalog *catalog, const struct catalog_alias *alias, size_t *number,
                struct error *err);

/* Makes the entry what `alias` says. Of the entry of a model itself name and model cannot change. A
 * URL of another host without a key drops the key there was. Errors of catalog_add, and when the
 * task is another one; the entry is unchanged then. */
int catalog_change(struct catalog *catalog, struct catalog_entry *entry,
                   const struct catalog_alias *alias, struct error *err);

/* Removes an alias; if it was the default, the built-in model is it again. ERROR_INVALID for the
 * entry of a model itself. */
int catalog_remove(struct catalog *catalog, struct catalog_entry *entry, struct error *err);

/* The name of the model that does a task when none is named; never NULL, borrowed until the next
 * change. Setting it: NULL is back to what the environment says, or the built-in model. Errors of
 * catalog_find. */
const char *catalog_default(const struct catalog *catalog, enum model_task task);
int catalog_set_default(struct catalog *catalog, enum model_task task, const char *name,
                        struct error *err);

/* Settings, each with a variable of the environment for its first value. They are numbers, also
 * those that have words for 0 and 1. */
enum catalog_setting {
    CATALOG_MEMORY_BUDGET, /* bytes that the SQL face lets the indexes of the process hold; the
                              connection's cache of vectors holds an eighth of it */
    CATALOG_THREADS,       /* that a search, and a local model, computes with */
    CATALOG_TIMEOUT_MS,    /* of each attempt of a request */
    CATALOG_MAX_RETRIES,   /* of each request */
    CATALOG_CONCURRENCY,   /* requests in flight */
    CATALOG_MAX_REQUESTS,  /* of the connection, from its opening on; INT64_MAX: no limit */
    CATALOG_PROGRESS,      /* 1: a sync tells on stderr how far it is */
    CATALOG_ON_OVERLONG,   /* a text longer than a local model reads: "truncate" or "error" */
    CATALOG_NETWORK,       /* "always", or "reads": no remote model is asked while the connection is
                              inside a write transaction */
    CATALOG_LOCKED,        /* 1: see above; it stays so */
    N_CATALOG_SETTINGS
};

/* Whether there is one of that name. */
int catalog_setting_find(const char *name, enum catalog_setting *setting);

/* ERROR_INVALID for what is no number in its range, or not one of its words. */
int catalog_set(struct catalog *catalog, enum catalog_setting setting, const char *text,
                struct error *err);
uint64_t catalog_get(const struct catalog *catalog, enum catalog_setting setting);

/* The word for a setting's value; NULL: it is a number. */
const char *catalog_get_word(const struct catalog *catalog, enum catalog_setting setting);

/* Tells whether the connection is inside a write transaction, which only the SQL face knows.
 * Without it, never. */
typedef int (*catalog_is_writing)(void *context);
void catalog_set_is_writing(struct catalog *catalog, catalog_is_writing is_writing, void *context);

/* The store that keeps vectors of remote models longer than the process (store.h): a path, NULL for
 * none, which the SQL face knows how to open. Set, it is opened at once; that of RERANK_CACHE when
 * it is first needed. Errors of the opener; the store there was is kept then. */
typedef int (*catalog_store_opener)(const char *path, struct catalog_store *store,
                                    struct error *err);
void catalog_set_store_opener(struct catalog *catalog, catalog_store_opener open);
const char *catalog_store_path(const struct catalog *catalog);
int catalog_set_store(struct catalog *catalog, const char *path, struct error *err);

/* Texts that are best handed over at once: as many requests as run side by side. */
size_t catalog_call_size(const struct catalog *catalog, const struct catalog_entry *entry);

#endif
