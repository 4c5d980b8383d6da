#include "catalog/entry.h"

#include <stdio.h>
#include <string.h>

#include "api/remote.h"
#include "base/memory.h"
#include "catalog/endpoint.h"
#include "catalog/known.h"
#include "http/http.h"

/* SQL of a database file may name so many: each stays until the connection closes. */
#define MAX_ENTRIES 1000

const enum model_task entry_tasks[2] = {MODEL_EMBED, MODEL_RERANK};
const char *const entry_task_verbs[2] = {"embed", "rerank"};

int entry_task_index(enum model_task task)
{
    return task == MODEL_RERANK;
}

int entry_replace_text(char **owned, const char *text, struct error *err)
{
    char *copy = NULL;
    if (text != NULL) {
        copy = memory_copy(text, strlen(text));
        if (copy == NULL) return error_nomem(err);
    }
    memory_free(*owned);
    *owned = copy;
    return 0;
}

int entry_replace_secret(char **owned, const char *text, struct error *err)
{
    char *before = *owned;
    *owned = NULL;
    if (entry_replace_text(owned, text, err) != 0) {
        *owned = before;
        return ERROR_NOMEM;
    }
    memory_free_secret(before);
    return 0;
}

void entry_free_remote(struct catalog_entry *entry)
{
    model_free(entry->remote);
    memory_free_secret(entry->key);
    memory_free(entry->key_origin);
    memory_free(entry->url);
    memory_free(entry->base_url);
    memory_free(entry->store_name);
}

void entry_free(struct catalog_entry *entry)
{
    if (entry == NULL) return;
    entry_free_remote(entry);
    memory_free(entry->name);
    memory_free(entry->query_prefix);
    memory_free(entry->document_prefix);
    memory_free(entry->model_name);
    memory_free(entry);
}

int entry_add(struct catalog *catalog, const char *name, enum model_task task,
              struct catalog_entry *base, struct model *model, struct error *err)
{
    if (catalog->n_entries == catalog->capacity) {
        size_t capacity = catalog->capacity == 0 ? 4 : catalog->capacity * 2;
        struct catalog_entry **entries =
            memory_realloc(catalog->entries, capacity, sizeof *entries);
        if (entries == NULL) return error_nomem(err);
        catalog->entries = entries;
        catalog->capacity = capacity;
    }
    struct catalog_entry *entry = memory_zalloc(1, sizeof *entry);
    if (entry == NULL) return error_nomem(err);
    int rc = entry_replace_text(&entry->name, name, err);
    if (rc != 0) {
        entry_free(entry);
        return rc;
    }
    entry->task = task;
    entry->model = model;
    entry->serial = ++catalog->n_models;
    entry->base = base != NULL ? base : entry;
    catalog->entries[catalog->n_entries++] = entry;
    return 0;
}

struct catalog_entry *entry_find(const struct catalog *catalog, const char *name,
                                 enum model_task task)
{
    for (size_t i = 0; i < catalog->n_entries; i++) {
        struct catalog_entry *entry = catalog->entries[i];
        if (!entry->removed && entry->task == task && strcmp(entry->name, name) == 0) return entry;
    }
    return NULL;
}

void entry_split(const char *name, const struct api_provider **provider, const char **model)
{
    const char *colon = strchr(name, ':'), *slash = strchr(name, '/');
    *provider = NULL;
    *model = name;
    if (colon != NULL && (slash == NULL || colon < slash)) {
        *provider = api_provider_find(name, (size_t)(colon - name));
        *model = colon + 1;
    } else if (slash != NULL && slash > name && slash[1] != '\0') {
        *provider = api_provider_find("together", 8);
    }
}

int entry_add_known_prefixes(struct catalog_entry *entry, struct error *err)
{
    const struct known_prefixes *known = known_prefixes_find(entry->model_name);
    if (known == NULL || entry->task != MODEL_EMBED || entry->provider->embed.role.field != NULL)
        return 0;
    int rc = 0;
    if (known->query[0] != '\0') rc = entry_replace_text(&entry->query_prefix, known->query, err);
    if (rc == 0 && known->document[0] != '\0')
        rc = entry_replace_text(&entry->document_prefix, known->document, err);
    return rc;
}

/* "provider:model URL": one server may have many models, each with a path of its own. */
static int make_store_name(struct catalog_entry *entry, struct error *err)
{
    size_t size =
        strlen(entry->provider->name) + strlen(entry->model_name) + strlen(entry->base_url) + 3;
    entry->store_name = memory_alloc(size, 1);
    if (entry->store_name == NULL) return error_nomem(err);
    snprintf(entry->store_name, size, "%s:%s %s", entry->provider->name, entry->model_name,
             entry->base_url);
    return 0;
}

/* A key that was given goes to the host it was given for, whatever has changed since: the URL, or
 * the variable that stands in for it. */
static int check_key(struct catalog_entry *entry, const char *base_url, struct error *err)
{
    char origin[300];
    int rc = http_origin(base_url, origin, sizeof origin, err);
    if (rc != 0 || entry->key == NULL) return rc;
    if (entry->key_origin == NULL) return entry_replace_text(&entry->key_origin, origin, err);
    return strcmp(entry->key_origin, origin) == 0 ? 0
                                                  : entry_replace_secret(&entry->key, NULL, err);
}

int entry_make_model(struct catalog *catalog, struct catalog_entry *entry, int trusted,
                     struct error *err)
{
    struct endpoint endpoint;
    struct model *model;
    int rc = endpoint_resolve(entry->provider, entry->url, entry->key, trusted, &endpoint, err);
    if (rc == 0) rc = check_key(entry, endpoint.base_url, err);
    if (rc == 0)
        rc = endpoint_resolve(entry->provider, entry->url, entry->key, trusted, &endpoint, err);
    if (rc != 0) return rc;
    struct remote_options options = {.provider = entry->provider,
                                     .name = entry->name,
                                     .model = entry->model_name,
                                     .base_url = endpoint.base_url,
                                     .key = endpoint.key,
                                     .plain = endpoint.plain,
                                     .is_registered = entry->url != NULL || entry->key != NULL,
                                     .dimensions = entry->dimensions,
                                     .batch_size = entry->batch_size};
    rc = entry_replace_text(&entry->base_url, endpoint.base_url, err);
    if (rc == 0) rc = make_store_name(entry, err);
    if (rc == 0) rc = remote_new(&catalog->session, &options, &model, err);
    if (rc != 0) return rc;
    entry->model = entry->remote = model;
    entry->serial = ++catalog->n_models;
    return 0;
}

const char *entry_provider_name(const struct catalog_entry *base)
{
    return base->provider != NULL ? base->provider->name : "builtin";
}

const char *entry_model_name(const struct catalog_entry *base)
{
    return base->provider != NULL ? base->model_name : strchr(base->name, ':') + 1;
}

/* The base of a remote model that is named for the first time. */
static int add_remote(struct catalog *catalog, const char *name, enum model_task task, int trusted,
                      struct catalog_entry **added, struct error *err)
{
    const struct api_provider *provider;
    const char *model;
    char full_name[2 * CATALOG_MAX_NAME + 2];
    entry_split(name, &provider, &model);
    size_t length = strlen(provider->name), model_length = strlen(model);
    if (model_length == 0 || model_length > CATALOG_MAX_NAME ||
        model_check_text((struct span){model, model_length}, 1, NULL) != 0)
        return error_set(err, ERROR_INVALID, "expected provider:model, not '%.100s'", name);
    memcpy(full_name, provider->name, length);
    full_name[length] = ':';
    memcpy(full_name + length + 1, model, model_length + 1);
    *added = entry_find(catalog, full_name, task);
    if (*added != NULL) return 0;
    if (!trusted && catalog->n_entries >= MAX_ENTRIES)
        return error_set(err, ERROR_INVALID, "%d models were named by this connection: no more",
                         MAX_ENTRIES);
    int rc = entry_add(catalog, full_name, task, NULL, NULL, err);
    if (rc != 0) return rc;
    struct catalog_entry *entry = catalog->entries[catalog->n_entries - 1];
    entry->provider = provider;
    rc = entry_replace_text(&entry->model_name, model, err);
    if (rc == 0) rc = entry_add_known_prefixes(entry, err);
    if (rc == 0) rc = entry_make_model(catalog, entry, trusted, err);
    if (rc == 0) *added = entry;
    else entry_free(catalog->entries[--catalog->n_entries]);
    return rc;
}

void entry_list_name(const char *name, char *list, size_t size)
{
    size_t used = strlen(list), length = strlen(name);
    if (length + 3 > size - used) return;
    snprintf(list + used, size - used, "%s%s", used > 0 ? ", " : "", name);
}

/* The names that do a task, as many as a message has room for. */
static void list_names(const struct catalog *catalog, enum model_task task, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < catalog->n_entries; i++) {
        const struct catalog_entry *entry = catalog->entries[i];
        if (!entry->removed && entry->task == task) entry_list_name(entry->name, out, size);
    }
}

int entry_provider_does(const struct api_provider *provider, enum model_task task)
{
    return (task == MODEL_EMBED ? provider->embed.path : provider->rerank.path) != NULL;
}

int entry_find_or_add(struct catalog *catalog, const char *name, enum model_task task, int trusted,
                      struct catalog_entry **entry, struct error *err)
{
    *entry = entry_find(catalog, name, task);
    if (*entry != NULL) return 0;
    const struct api_provider *provider;
    const char *model, *verb = entry_task_verbs[entry_task_index(task)];
    entry_split(name, &provider, &model);
    if (provider != NULL && entry_provider_does(provider, task))
        return add_remote(catalog, name, task, trusted, entry, err);
    if (provider != NULL)
        return error_set(err, ERROR_INVALID, "%s does not %s", provider->name, verb);
    char names[300];
    list_names(catalog, task, names, sizeof names);
    enum model_task other = task == MODEL_EMBED ? MODEL_RERANK : MODEL_EMBED;
    if (entry_find(catalog, name, other) != NULL)
        return error_set(err, ERROR_INVALID, "the model %.100s does not %s (these do: %s)", name,
                         verb, names);
    return error_set(err, ERROR_INVALID,
                     "no model is called '%.100s' (these %s: %s, and provider:model of a remote "
                     "provider)",
                     name, verb, names);
}
