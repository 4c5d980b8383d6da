/*
 * aliases.c: what the user registers.
 */
#include <string.h>

#include "api/remote.h"
#include "base/memory.h"
#include "catalog/entry.h"

static int check_name(const char *name, struct error *err)
{
    if (name == NULL) return error_set(err, ERROR_INVALID, "expected a name");
    struct span text = {name, strlen(name)};
    int rc = model_check_text(text, 1, err);
    if (rc != 0) return error_context(err, "name");
    if (text.size > CATALOG_MAX_NAME)
        return error_set(err, ERROR_INVALID, "expected a name of at most %d bytes, not %zu",
                         CATALOG_MAX_NAME, text.size);
    return 0;
}

static int no_provider(const char *provider, struct error *err)
{
    char names[300] = "builtin";
    size_t n;
    const struct api_provider *all = api_providers(&n);
    for (size_t i = 0; i < n; i++) entry_list_name(all[i].name, names, sizeof names);
    return error_set(err, ERROR_INVALID, "no provider is called '%.100s' (there are: %s)", provider,
                     names);
}

/* "provider:model", or what alias->model says, into full_name. */
static int join_name(const struct catalog_alias *alias, char *full_name, size_t size,
                     struct error *err)
{
    if (alias->model == NULL)
        return error_set(err, ERROR_INVALID, "expected a model that '%.100s' stands for",
                         alias->name);
    size_t length = alias->provider != NULL ? strlen(alias->provider) + 1 : 0,
           model_length = strlen(alias->model);
    if (length > 0 && strcmp(alias->provider, "builtin") != 0 &&
        api_provider_find(alias->provider, length - 1) == NULL)
        return no_provider(alias->provider, err);
    if (length + model_length >= size || model_length > CATALOG_MAX_NAME)
        return error_set(err, ERROR_INVALID, "no model is called '%.100s'", alias->model);
    if (length > 0) {
        memcpy(full_name, alias->provider, length - 1);
        full_name[length - 1] = ':';
    }
    memcpy(full_name + length, alias->model, model_length + 1);
    return 0;
}

static int check_prefix(const char *prefix, enum model_task task, struct error *err)
{
    if (prefix == NULL) return 0;
    if (task == MODEL_RERANK)
        return error_set(err, ERROR_INVALID, "a model that reranks takes no prefix");
    int rc = model_check_text((struct span){prefix, strlen(prefix)}, 0, err);
    return rc == 0 ? 0 : error_context(err, "prefix");
}

static int check_alias(const struct catalog_alias *alias, enum model_task task, struct error *err)
{
    int rc = check_name(alias->name, err);
    if (rc == 0) rc = check_prefix(alias->query_prefix, task, err);
    if (rc == 0) rc = check_prefix(alias->document_prefix, task, err);
    if (rc == 0 && task == MODEL_RERANK && alias->given & CATALOG_DIMENSIONS &&
        alias->dimensions != 0)
        rc = error_set(err, ERROR_INVALID, "a model that reranks has no dimensions");
    return rc;
}

/* What only a remote model has. */
static int check_given(const struct catalog_alias *alias, const struct catalog_entry *base,
                       struct error *err)
{
    const char *what = NULL;
    if (base->provider != NULL && alias->given != 0)
        return error_set(err, ERROR_INVALID,
                         "'%.100s' would only be a name of %s: give provider and model with a url, "
                         "api_key, dimensions or batch_size",
                         alias->name, base->name);
    if (base->provider != NULL) return 0;
    if (alias->given & CATALOG_URL && alias->url != NULL) what = "url";
    if (alias->given & CATALOG_API_KEY && alias->api_key != NULL) what = "api_key";
    if (what != NULL)
        return error_set(err, ERROR_INVALID, "%s does not apply: %s runs without a network", what,
                         base->name);
    if (alias->given & CATALOG_DIMENSIONS && alias->dimensions != base->model->dimensions &&
        alias->dimensions != 0)
        what = "dimensions";
    if (alias->given & CATALOG_BATCH_SIZE && alias->batch_size != base->model->batch_size &&
        alias->batch_size != 0)
        what = "batch_size";
    if (what != NULL)
        return error_set(err, ERROR_INVALID, "%s: the model's own cannot be changed", what);
    return 0;
}

static int check_free(const struct catalog *catalog, const char *name, enum model_task task,
                      struct error *err)
{
    const struct api_provider *provider;
    const char *model;
    entry_split(name, &provider, &model);
    if (entry_find(catalog, name, task) != NULL)
        return error_set(err, ERROR_INVALID, "there is a model called '%.100s' already", name);
    if (provider != NULL)
        return error_set(err, ERROR_INVALID,
                         "'%.100s' is the name of a model of %s: call yours without ':' and '/'",
                         name, provider->name);
    return 0;
}

static int add_prefixes(struct catalog_entry *entry, const struct catalog_alias *alias,
                        struct error *err)
{
    if (entry->task == MODEL_RERANK) return 0;
    int rc = 0;
    if (alias->query_prefix != NULL || entry->base != entry)
        rc = entry_replace_text(&entry->query_prefix, alias->query_prefix, err);
    if (rc == 0 && (alias->document_prefix != NULL || entry->base != entry))
        rc = entry_replace_text(&entry->document_prefix, alias->document_prefix, err);
    return rc;
}

/* Gives a remote base what the alias says of where and how; its model is made anew. */
static int configure(struct catalog *catalog, struct catalog_entry *entry,
                     const struct catalog_alias *alias, struct error *err)
{
    const char *url = alias->given & CATALOG_URL ? alias->url : entry->url;
    const char *key = alias->given & CATALOG_API_KEY ? alias->api_key : entry->key;
    struct catalog_entry tried = *entry;
    tried.url = tried.key = tried.key_origin = tried.base_url = tried.store_name = NULL;
    tried.remote = NULL;
    if (alias->given & CATALOG_DIMENSIONS) tried.dimensions = alias->dimensions;
    if (alias->given & CATALOG_BATCH_SIZE) tried.batch_size = alias->batch_size;
    int rc = entry_replace_text(&tried.url, url, err);
    if (rc == 0) rc = entry_replace_secret(&tried.key, key, err);
    if (rc == 0 && !(alias->given & CATALOG_API_KEY))
        rc = entry_replace_text(&tried.key_origin, entry->key_origin, err);
    if (rc == 0) rc = entry_make_model(catalog, &tried, 1, err);
    entry_free_remote(rc == 0 ? entry : &tried);
    if (rc == 0) *entry = tried;
    return rc;
}

/* A model of the user's: a remote one under a name of its own. */
static int add_own(struct catalog *catalog, const struct catalog_alias *alias, enum model_task task,
                   const struct api_provider *provider, const char *model, struct error *err)
{
    if (!entry_provider_does(provider, task))
        return error_set(err, ERROR_INVALID, "%s does not %s", provider->name,
                         entry_task_verbs[entry_task_index(task)]);
    int rc = entry_add(catalog, alias->name, task, NULL, NULL, err);
    if (rc != 0) return rc;
    struct catalog_entry *entry = catalog->entries[catalog->n_entries - 1];
    entry->provider = provider;
    rc = entry_replace_text(&entry->model_name, model, err);
    if (rc == 0) rc = entry_add_known_prefixes(entry, err);
    if (rc == 0) rc = add_prefixes(entry, alias, err);
    return rc == 0 ? configure(catalog, entry, alias, err) : rc;
}

/* One task of an alias. */
static int add_alias(struct catalog *catalog, const struct catalog_alias *alias,
                     enum model_task task, struct error *err)
{
    char full_name[2 * CATALOG_MAX_NAME + 2];
    const struct api_provider *provider;
    const char *model;
    struct catalog_entry *base;
    int rc = join_name(alias, full_name, sizeof full_name, err);
    if (rc == 0) rc = check_free(catalog, alias->name, task, err);
    if (rc != 0) return rc;
    entry_split(full_name, &provider, &model);
    if (alias->given != 0 && provider != NULL)
        return add_own(catalog, alias, task, provider, model, err);
    rc = entry_find_or_add(catalog, full_name, task, 1, &base, err);
    if (rc == 0) rc = check_given(alias, base->base, err);
    if (rc == 0) rc = entry_add(catalog, alias->name, task, base->base, NULL, err);
    if (rc != 0) return rc;
    /* The name of a name has its prefixes. */
    struct catalog_alias whole = *alias;
    if (base->base != base && whole.query_prefix == NULL) whole.query_prefix = base->query_prefix;
    if (base->base != base && whole.document_prefix == NULL)
        whole.document_prefix = base->document_prefix;
    return add_prefixes(catalog->entries[catalog->n_entries - 1], &whole, err);
}

/* Whether an alias that names no task is to have this one: those that its provider does. */
static int is_meant(const struct catalog *catalog, const struct catalog_alias *alias,
                    enum model_task task)
{
    const struct api_provider *provider;
    const char *model;
    if (alias->task != 0) return alias->task == task;
    if (alias->provider != NULL)
        provider = api_provider_find(alias->provider, strlen(alias->provider));
    else entry_split(alias->model != NULL ? alias->model : "", &provider, &model);
    if (provider == NULL && alias->provider == NULL && alias->model != NULL) {
        enum model_task other = task == MODEL_EMBED ? MODEL_RERANK : MODEL_EMBED;
        return entry_find(catalog, alias->model, task) != NULL ||
               entry_find(catalog, alias->model, other) == NULL;
    }
    return provider == NULL || entry_provider_does(provider, task);
}

int catalog_add(struct catalog *catalog, const struct catalog_alias *alias, size_t *number,
                struct error *err)
{
    size_t n_before = catalog->n_entries;
    int rc = check_alias(alias, alias->task != 0 ? alias->task : MODEL_EMBED, err);
    for (int i = 0; rc == 0 && i < 2; i++)
        if (is_meant(catalog, alias, entry_tasks[i]))
            rc = add_alias(catalog, alias, entry_tasks[i], err);
    /* Nobody has seen the new entries yet. */
    while (rc != 0 && catalog->n_entries > n_before)
        entry_free(catalog->entries[--catalog->n_entries]);
    *number = n_before;
    while (rc == 0 && strcmp(catalog->entries[*number]->name, alias->name) != 0) ++*number;
    return rc;
}

/* A base keeps its name and its model. */
static int check_same(const struct catalog_entry *entry, const struct catalog_alias *alias,
                      const char *full_name, struct error *err)
{
    if (alias->task != entry->task)
        return error_set(err, ERROR_INVALID, "the task of '%.100s' cannot change", entry->name);
    if (entry->base != entry) return 0;
    const char *provider = entry_provider_name(entry);
    size_t length = strlen(provider);
    if (strcmp(alias->name, entry->name) == 0 && strncmp(full_name, provider, length) == 0 &&
        full_name[length] == ':' && strcmp(full_name + length + 1, entry_model_name(entry)) == 0)
        return 0;
    return error_set(err, ERROR_INVALID, "%s cannot become another model: INSERT an alias",
                     entry->name);
}

/* All copies are made before anything changes, so that a failure leaves the entry as it was. */
static int apply_alias(struct catalog *catalog, struct catalog_entry *entry,
                       const struct catalog_alias *alias, struct catalog_entry *base,
                       struct error *err)
{
    char **slots[4] = {&entry->name, &entry->query_prefix, &entry->document_prefix, NULL};
    const char *texts[4] = {alias->name, alias->query_prefix, alias->document_prefix, NULL};
    char *copies[4] = {0};
    struct catalog_description now;
    catalog_describe(catalog, entry, &now);
    if (now.is_default && catalog->defaults[entry_task_index(entry->task)] != NULL) {
        slots[3] = &catalog->defaults[entry_task_index(entry->task)];
        texts[3] = alias->name;
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < 4; i++) rc = entry_replace_text(&copies[i], texts[i], err);
    for (int i = 0; i < 4; i++) {
        if (rc == 0 && slots[i] != NULL) {
            char *old = *slots[i];
            *slots[i] = copies[i];
            copies[i] = old;
        }
        memory_free(copies[i]);
    }
    if (rc == 0 && entry->base != entry) entry->base = base;
    return rc;
}

int catalog_change(struct catalog *catalog, struct catalog_entry *entry,
                   const struct catalog_alias *alias, struct error *err)
{
    char full_name[2 * CATALOG_MAX_NAME + 2];
    struct catalog_entry *base = entry;
    int rc = check_alias(alias, entry->task, err);
    if (rc == 0) rc = join_name(alias, full_name, sizeof full_name, err);
    if (rc == 0) rc = check_same(entry, alias, full_name, err);
    if (rc == 0 && strcmp(alias->name, entry->name) != 0)
        rc = check_free(catalog, alias->name, entry->task, err);
    if (rc == 0 && entry->base != entry) {
        rc = entry_find_or_add(catalog, full_name, entry->task, 1, &base, err);
        if (rc == 0) base = base->base;
        if (rc == 0) rc = check_given(alias, base, err);
    }
    if (rc == 0 && entry->base == entry && entry->provider == NULL)
        rc = check_given(alias, base, err);
    if (rc == 0 && entry->base == entry && entry->provider != NULL && alias->given != 0)
        rc = configure(catalog, entry, alias, err);
    return rc == 0 ? apply_alias(catalog, entry, alias, base, err) : rc;
}

int catalog_remove(struct catalog *catalog, struct catalog_entry *entry, struct error *err)
{
    struct catalog_description now;
    catalog_describe(catalog, entry, &now);
    if (entry->base == entry && entry->provider == NULL)
        return error_set(err, ERROR_INVALID, "%s is built in and cannot be removed", entry->name);
    for (size_t i = 0; i < catalog->n_entries; i++)
        if (catalog->entries[i] != entry && !catalog->entries[i]->removed &&
            catalog->entries[i]->base == entry)
            return error_set(err, ERROR_INVALID, "'%.100s' stands for it: remove that first",
                             catalog->entries[i]->name);
    if (now.is_default)
        entry_replace_text(&catalog->defaults[entry_task_index(entry->task)], NULL, NULL);
    entry_replace_secret(&entry->key, NULL, NULL);
    /* A statement that is open may still use the model, so it stays; but not its key. */
    if (entry->remote != NULL) remote_forget_key(entry->remote);
    entry->removed = 1;
    return 0;
}
