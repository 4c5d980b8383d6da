#include "catalog/catalog.h"

#include <stdio.h>
#include <string.h>

#include "base/environment.h"
#include "base/hash.h"
#include "base/memory.h"
#include "catalog/entry.h"
#include "embedded/embedded.h"
#include "lexical/lexical.h"

/* The first entry that does the task: builtin:static embeds, builtin:lexical reranks. */
static struct catalog_entry *first_entry(const struct catalog *catalog, enum model_task task)
{
    size_t i = 0;
    while (catalog->entries[i]->task != task) i++;
    return catalog->entries[i];
}

static int set_default(struct catalog *catalog, enum model_task task, const char *name,
                       struct error *err)
{
    int which = entry_task_index(task);
    if (name == NULL) name = environment_value(entry_default_variables[which]);
    return entry_replace_text(&catalog->defaults[which], name, err);
}

int catalog_new(struct catalog **made, struct error *err)
{
    struct catalog *catalog = memory_zalloc(1, sizeof *catalog);
    *made = NULL;
    if (catalog == NULL) return error_nomem(err);
    cache_init(&catalog->cache, 0);
    api_session_init(&catalog->session);
    int rc = catalog_settings_init(catalog, err);
    if (rc == 0) rc = embedded_new(&catalog->embedded, err);
    if (rc == 0) embedded_use_threads(catalog->embedded, &catalog->local.n_threads);
    if (rc == 0)
        rc = entry_add(catalog, catalog->embedded->name, MODEL_EMBED, NULL, catalog->embedded, err);
    if (rc == 0) rc = lexical_new(&catalog->lexical, err);
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc =
            entry_add(catalog, catalog->lexical->name, entry_tasks[i], NULL, catalog->lexical, err);
        if (rc == 0) rc = set_default(catalog, entry_tasks[i], NULL, err);
    }
    if (rc == 0) rc = lexical_new_lsa(&catalog->lsa, err);
    if (rc == 0) rc = entry_add(catalog, catalog->lsa->name, MODEL_EMBED, NULL, catalog->lsa, err);
    if (rc == 0) *made = catalog;
    else catalog_free(catalog);
    return rc;
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL) return;
    for (size_t i = 0; i < catalog->n_entries; i++) entry_free(catalog->entries[i]);
    memory_free(catalog->entries);
    for (int i = 0; i < 2; i++) memory_free(catalog->defaults[i]);
    cache_deinit(&catalog->cache);
    model_free(catalog->lexical);
    model_free(catalog->embedded);
    model_free(catalog->lsa);
    api_session_deinit(&catalog->session);
    entry_close_store(catalog);
    memory_free(catalog);
}

/* ---- finding --------------------------------------------------------------------------------- */

int catalog_find(struct catalog *catalog, const char *name, enum model_task task,
                 struct catalog_entry **entry, struct error *err)
{
    const char *default_name = catalog->defaults[entry_task_index(task)];
    if (name != NULL) {
        int is_locked = catalog->settings[CATALOG_LOCKED] != 0;
        /* The default of the environment is the application's, by whichever name it is called. */
        if (is_locked && default_name != NULL &&
            entry_find_or_add(catalog, default_name, task, 1, entry, NULL) == ERROR_NOMEM)
            return error_nomem(err);
        return entry_find_or_add(catalog, name, task, 0, entry, err);
    }
    if (default_name == NULL) {
        *entry = first_entry(catalog, task);
        return 0;
    }
    /* Names that were set were known: only the environment's can fail. */
    int rc = entry_find_or_add(catalog, default_name, task, 1, entry, err);
    if (rc != 0) error_context(err, "%s", entry_default_variables[entry_task_index(task)]);
    return rc;
}

const char *catalog_entry_name(const struct catalog_entry *entry)
{
    int is_own = entry->query_prefix != NULL || entry->document_prefix != NULL;
    return is_own ? entry->name : entry->base->name;
}

void catalog_entry_identity(const struct catalog_entry *entry, char *out, size_t size)
{
    snprintf(out, size, "%s:%s", entry_provider_name(entry->base), entry_model_name(entry->base));
}

int catalog_entry_fingerprint(struct catalog_entry *entry, const struct cancel *cancel,
                              uint64_t *fingerprint, struct error *err)
{
    const char *prefix = catalog_entry_prefix(entry, MODEL_DOCUMENT);
    int rc = model_fingerprint(entry->base->model, cancel, fingerprint, err);
    if (rc == 0 && prefix[0] != '\0')
        *fingerprint = hash_bytes(prefix, strlen(prefix), *fingerprint);
    return rc;
}

int catalog_is_embedded(const struct catalog *catalog, const struct catalog_entry *entry)
{
    return entry->base->model == catalog->embedded;
}

struct model *catalog_entry_model(const struct catalog_entry *entry)
{
    return entry->base->model;
}

uint64_t catalog_entry_requests(const struct catalog_entry *entry)
{
    return entry->base->statistics.usage.requests;
}

void catalog_entry_statistics(const struct catalog_entry *entry,
                              struct catalog_statistics *statistics)
{
    *statistics = entry->base->statistics;
}

struct catalog_entry *catalog_entry_at(const struct catalog *catalog, size_t number, int *end)
{
    *end = number >= catalog->n_entries;
    return *end || catalog->entries[number]->removed ? NULL : catalog->entries[number];
}

void catalog_describe(const struct catalog *catalog, const struct catalog_entry *entry,
                      struct catalog_description *description)
{
    const struct catalog_entry *base = entry->base;
    int embeds = entry->task == MODEL_EMBED;
    *description = (struct catalog_description){
        .name = entry->name,
        .task = entry->task,
        .full_name = catalog_entry_name(entry),
        .is_alias = entry->base != entry,
        .is_default = strcmp(entry->name, catalog_default(catalog, entry->task)) == 0,
        .provider = entry_provider_name(base),
        .model = entry_model_name(base),
        .url = base->base_url,
        .precision = base->kind == ENTRY_LOCAL ? local_precision_name(base->precision) : NULL,
        .prompt = base->prompt,
        .is_remote = base->kind == ENTRY_REMOTE,
        .dimensions = embeds ? base->model->dimensions : 0,
        .batch_size = embeds ? base->model->batch_size : 0,
        .max_tokens = base->model->max_tokens,
        .query_prefix = entry->query_prefix,
        .document_prefix = entry->document_prefix,
    };
}

/* ---- settings -------------------------------------------------------------------------------- */

const char *catalog_default(const struct catalog *catalog, enum model_task task)
{
    const char *name = catalog->defaults[entry_task_index(task)];
    return name != NULL ? name : first_entry(catalog, task)->name;
}

int catalog_set_default(struct catalog *catalog, enum model_task task, const char *name,
                        struct error *err)
{
    struct catalog_entry *entry;
    const char *what = task == MODEL_EMBED ? "embed_model" : "rerank_model";
    int rc = entry_check_unlocked(catalog, what, err);
    if (rc == 0 && name != NULL) rc = entry_find_or_add(catalog, name, task, 1, &entry, err);
    return rc == 0 ? set_default(catalog, task, name, err) : rc;
}

size_t catalog_call_size(const struct catalog *catalog, const struct catalog_entry *entry)
{
    size_t batch_size = entry->base->model->batch_size;
    return entry->base->provider == NULL ? batch_size
                                         : batch_size * catalog->session.settings.concurrency;
}
