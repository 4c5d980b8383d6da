#include "catalog/entry.h"

#include <stdio.h>
#include <string.h>

#include "api/chat.h"
#include "api/remote.h"
#include "base/memory.h"
#include "catalog/endpoint.h"
#include "catalog/prefixes.h"
#include "http/http.h"

/* SQL of a database file may name so many: each stays until the connection closes. */
#define MAX_ENTRIES 1000

const enum model_task entry_tasks[2] = {MODEL_EMBED, MODEL_RERANK};
const char *const entry_task_verbs[2] = {"embed", "rerank"};
const char *const entry_default_variables[2] = {"RERANK_EMBED_MODEL", "RERANK_RERANK_MODEL"};

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
    entry_clear_text(owned);
    *owned = copy;
    return 0;
}

void entry_clear_text(char **owned)
{
    memory_free(*owned);
    *owned = NULL;
}

static void clear_secret(char **owned)
{
    memory_free_secret(*owned);
    *owned = NULL;
}

int entry_replace_secret(char **owned, const char *text, struct error *err)
{
    char *copy = NULL;
    int rc = entry_replace_text(&copy, text, err);
    if (rc != 0) return rc;
    clear_secret(owned);
    *owned = copy;
    return 0;
}

void entry_free_own(struct catalog_entry *entry)
{
    model_free(entry->own);
    memory_free_secret(entry->key);
    memory_free(entry->key_origin);
    memory_free(entry->url);
    memory_free(entry->prompt);
    memory_free(entry->base_url);
    memory_free(entry->store_name);
}

void entry_free(struct catalog_entry *entry)
{
    if (entry == NULL) return;
    entry_free_own(entry);
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

struct entry_target entry_split(const struct catalog *catalog, const char *name)
{
    const char *colon = strchr(name, ':'), *slash = strchr(name, '/');
    struct entry_target target = {ENTRY_BUILTIN, NULL, name};
    if (colon != NULL && (slash == NULL || colon < slash)) {
        size_t length = (size_t)(colon - name);
        target.model = colon + 1;
        target.provider = api_provider_find(name, length);
        if (length == strlen(ENTRY_LOCAL_PROVIDER) &&
            memcmp(name, ENTRY_LOCAL_PROVIDER, length) == 0)
            target.kind = ENTRY_LOCAL;
    } else if (slash != NULL && slash > name && slash[1] != '\0' &&
               entry_find(catalog, name, MODEL_EMBED) == NULL &&
               entry_find(catalog, name, MODEL_RERANK) == NULL) {
        target.provider = api_provider_find("together", 8);
    }
    if (target.provider != NULL) target.kind = ENTRY_REMOTE;
    return target;
}

int entry_set_target(struct catalog_entry *entry, const struct entry_target *target,
                     struct error *err)
{
    entry->kind = target->kind;
    entry->provider = target->provider;
    return entry_replace_text(&entry->model_name, target->model, err);
}

/* What the model's own files say, else what is known of its name. Providers that take the role as
 * a field get nothing. */
const char *entry_usual_prefix(const struct catalog_entry *entry, const struct model *model,
                               enum model_role role)
{
    if (entry->kind == ENTRY_BUILTIN || entry->task != MODEL_EMBED) return NULL;
    const struct prefixes *known = prefixes_find(entry->model_name);
    if (model->prompts[role] != NULL) return model->prompts[role];
    if (known == NULL || (entry->provider != NULL && entry->provider->embed.role.field != NULL))
        return NULL;
    const char *prefix = role == MODEL_QUERY ? known->query : known->document;
    return prefix[0] == '\0' ? NULL : prefix;
}

/* Where the user gave none. */
static int add_usual_prefixes(struct catalog_entry *entry, const struct model *model,
                              struct error *err)
{
    char **slots[2] = {
        [MODEL_DOCUMENT] = &entry->document_prefix, [MODEL_QUERY] = &entry->query_prefix};
    char *made[2] = {NULL, NULL};
    int rc = 0;
    if (entry->task != MODEL_EMBED) return 0;
    for (int role = MODEL_DOCUMENT; rc == 0 && role <= MODEL_QUERY; role++)
        if (*slots[role] == NULL)
            rc = entry_replace_text(&made[role],
                                    entry_usual_prefix(entry, model, (enum model_role)role), err);
    for (int role = MODEL_DOCUMENT; role <= MODEL_QUERY; role++) {
        if (rc == 0 && made[role] != NULL) *slots[role] = made[role];
        else memory_free(made[role]);
    }
    return rc;
}

/* "provider:model URL": one server may have many models, each with a path of its own; and where
 * texts are cut, to how many tokens. */
static int make_store_name(struct catalog_entry *entry, struct error *err)
{
    char tokens[32] = "";
    if (entry->max_tokens != 0) snprintf(tokens, sizeof tokens, " %zu tokens", entry->max_tokens);
    size_t size = strlen(entry->provider->name) + strlen(entry->model_name) +
                  strlen(entry->base_url) + strlen(tokens) + 3;
    entry->store_name = memory_alloc(size, 1);
    if (entry->store_name == NULL) return error_nomem(err);
    snprintf(entry->store_name, size, "%s:%s %s%s", entry->provider->name, entry->model_name,
             entry->base_url, tokens);
    return 0;
}

static int is_chat(const struct catalog_entry *entry)
{
    return entry->provider->chat.path != NULL;
}

void entry_forget_key(struct catalog_entry *entry)
{
    clear_secret(&entry->key);
    if (is_chat(entry)) chat_forget_key(entry->own);
    else remote_forget_key(entry->own);
}

/* A key that was given goes to the host it was given for, whatever has changed since: the URL, or
 * the variable that stands in for it. */
static int check_key(struct catalog_entry *entry, const char *base_url, struct error *err)
{
    char origin[HTTP_ORIGIN_SIZE];
    int rc = http_origin(base_url, origin, sizeof origin, err);
    if (rc != 0 || entry->key == NULL) return rc;
    if (entry->key_origin == NULL) return entry_replace_text(&entry->key_origin, origin, err);
    if (strcmp(entry->key_origin, origin) != 0) clear_secret(&entry->key);
    return 0;
}

static int make_local(const struct catalog *catalog, const struct catalog_entry *entry,
                      struct model **model, struct error *err)
{
    struct local_options options = {.name = entry->name,
                                    .model = entry->model_name,
                                    .task = entry->task,
                                    .precision = entry->precision,
                                    .dimensions = entry->dimensions,
                                    .batch_size = entry->batch_size};
    return local_new(&catalog->local, &options, model, err);
}

int entry_check_local(const struct catalog *catalog, const char *name, enum model_task task,
                      struct error *err)
{
    struct local_options options = {
        .name = name, .model = entry_split(catalog, name).model, .task = task};
    struct model *made = NULL;
    int rc = local_new(&catalog->local, &options, &made, err);
    if (rc == 0) model_free(made);
    return rc;
}

static int make_remote(struct catalog *catalog, struct catalog_entry *entry, int trusted,
                       struct model **model, struct error *err)
{
    struct endpoint endpoint;
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
                                     .is_registered = !endpoint.key_is_usual &&
                                                      (entry->url != NULL || entry->key != NULL),
                                     .dimensions = entry->dimensions,
                                     .batch_size = entry->batch_size,
                                     .max_tokens = entry->max_tokens};
    rc = entry_replace_text(&entry->base_url, endpoint.base_url, err);
    if (rc == 0) rc = make_store_name(entry, err);
    if (rc != 0) return rc;
    return is_chat(entry) ? chat_new(&catalog->session, &options, entry->prompt, model, err)
                          : remote_new(&catalog->session, &options, model, err);
}

int entry_make_model(struct catalog *catalog, struct catalog_entry *entry, int trusted,
                     struct error *err)
{
    struct model *model;
    int rc = entry->kind == ENTRY_LOCAL ? make_local(catalog, entry, &model, err)
                                        : make_remote(catalog, entry, trusted, &model, err);
    if (rc != 0) return rc;
    rc = entry->has_prefixes ? 0 : add_usual_prefixes(entry, model, err);
    if (rc != 0) {
        model_free(model);
        return rc;
    }
    entry->has_prefixes = 1;
    entry->model = entry->own = model;
    entry->serial = ++catalog->n_models;
    return 0;
}

const char *entry_provider_name(const struct catalog_entry *base)
{
    if (base->kind == ENTRY_LOCAL) return ENTRY_LOCAL_PROVIDER;
    return base->kind == ENTRY_REMOTE ? base->provider->name : ENTRY_BUILTIN_PROVIDER;
}

const char *entry_model_name(const struct catalog_entry *base)
{
    return base->model_name != NULL ? base->model_name : strchr(base->name, ':') + 1;
}

/* Once the catalog is locked, SQL reaches the remote models that the application has named. */
static int check_lock(const struct catalog *catalog, const char *name, enum model_task task,
                      struct error *err)
{
    if (catalog->settings[CATALOG_LOCKED] == 0) return 0;
    return error_set(err, ERROR_INVALID,
                     "%.100s was not registered before this connection was locked: it is not asked "
                     "(INSERT INTO rerank_models before rerank_config('locked', 1), or set %s)",
                     name, entry_default_variables[entry_task_index(task)]);
}

/* The base of a local or remote model that is named for the first time. */
static int add_base(struct catalog *catalog, const char *name, enum model_task task, int trusted,
                    struct catalog_entry **added, struct error *err)
{
    char full_name[ENTRY_FULL_NAME_SIZE];
    struct entry_target target = entry_split(catalog, name);
    const char *provider =
        target.kind == ENTRY_LOCAL ? ENTRY_LOCAL_PROVIDER : target.provider->name;
    size_t model_length = strlen(target.model);
    if (model_length == 0 || model_length > CATALOG_MAX_NAME ||
        model_check_text((struct span){target.model, model_length}, 1, err) != 0)
        return error_set(err, ERROR_INVALID, "expected provider:model, not '%.100s'", name);
    snprintf(full_name, sizeof full_name, "%s:%s", provider, target.model);
    *added = entry_find(catalog, full_name, task);
    if (*added != NULL) return 0;
    if (!trusted && target.kind == ENTRY_REMOTE && check_lock(catalog, full_name, task, err) != 0)
        return ERROR_INVALID;
    if (!trusted && catalog->n_entries >= MAX_ENTRIES)
        return error_set(err, ERROR_INVALID, "%d models were named by this connection: no more",
                         MAX_ENTRIES);
    int rc = entry_add(catalog, full_name, task, NULL, NULL, err);
    if (rc != 0) return rc;
    struct catalog_entry *entry = catalog->entries[catalog->n_entries - 1];
    rc = entry_set_target(entry, &target, err);
    if (rc == 0) rc = entry_make_model(catalog, entry, trusted, err);
    if (rc == 0) *added = entry;
    else entry_free(catalog->entries[--catalog->n_entries]);
    return rc;
}

void entry_list_name(const char *name, char *list, size_t size)
{
    static const char more[] = ", ...";
    size_t used = strlen(list), length = strlen(name);
    int is_cut = used >= sizeof more && strcmp(list + used - strlen(more), more) == 0;
    if (is_cut || size - used < sizeof more) return;
    if (length + 2 + sizeof more > size - used) memcpy(list + used, more, sizeof more);
    else snprintf(list + used, size - used, "%s%s", used > 0 ? ", " : "", name);
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
    if (task == MODEL_EMBED) return provider->embed.path != NULL;
    return provider->rerank.path != NULL || provider->chat.path != NULL;
}

static int find_or_add(struct catalog *catalog, const char *name, enum model_task task, int trusted,
                       struct catalog_entry **entry, struct error *err)
{
    *entry = entry_find(catalog, name, task);
    if (*entry != NULL) return 0;
    const char *verb = entry_task_verbs[entry_task_index(task)];
    struct entry_target target = entry_split(catalog, name);
    if (target.kind == ENTRY_REMOTE && !entry_provider_does(target.provider, task))
        return error_set(err, ERROR_INVALID, "%s does not %s", target.provider->name, verb);
    if (target.kind != ENTRY_BUILTIN) return add_base(catalog, name, task, trusted, entry, err);
    char names[ENTRY_LIST_SIZE];
    list_names(catalog, task, names, sizeof names);
    enum model_task other = task == MODEL_EMBED ? MODEL_RERANK : MODEL_EMBED;
    if (entry_find(catalog, name, other) != NULL)
        return error_set(err, ERROR_INVALID, "the model %.100s does not %s (these do: %s)", name,
                         verb, names);
    return error_set(
        err, ERROR_INVALID,
        "no model is called '%.100s' (these %s: %s, local:owner/name of a model folder, "
        "and provider:model of a remote provider)",
        name, verb, names);
}

int entry_find_or_add(struct catalog *catalog, const char *name, enum model_task task, int trusted,
                      struct catalog_entry **entry, struct error *err)
{
    int rc = find_or_add(catalog, name, task, trusted, entry, err);
    if (rc != 0) return rc;
    struct catalog_entry *base = (*entry)->base;
    if (trusted) base->is_trusted = 1;
    return base->kind != ENTRY_REMOTE || base->is_trusted
               ? 0
               : check_lock(catalog, base->name, task, err);
}
