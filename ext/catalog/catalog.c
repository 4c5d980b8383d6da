#include "catalog/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "catalog/entry.h"
#include "lexical/lexical.h"

static const enum model_task tasks[2] = {MODEL_EMBED, MODEL_RERANK};
static const char *const task_verbs[2] = {"embed", "rerank"};
static const char *const default_variables[2] = {"RERANK_EMBED_MODEL", "RERANK_RERANK_MODEL"};

static int task_index(enum model_task task)
{
    return task == MODEL_RERANK;
}

/* ---- texts that are owned -------------------------------------------------------------------- */

/* Replaces *owned by a copy of text, or by NULL. ERROR_NOMEM leaves it as it was. */
static int replace_text(char **owned, const char *text, struct error *err)
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

/* The variable's value; NULL if it is not set or empty. */
static const char *environment(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* ---- entries --------------------------------------------------------------------------------- */

static void entry_free(struct catalog_entry *entry)
{
    if (entry == NULL) return;
    memory_free(entry->name);
    memory_free(entry->query_prefix);
    memory_free(entry->document_prefix);
    memory_free(entry);
}

/* Adds an entry for a name; base NULL: the entry of `model` itself. */
static int add_entry(struct catalog *catalog, const char *name, enum model_task task,
                     struct model *model, struct catalog_entry *base, struct error *err)
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
    int rc = replace_text(&entry->name, name, err);
    if (rc != 0) {
        entry_free(entry);
        return rc;
    }
    entry->task = task;
    entry->model = model;
    entry->base = base != NULL ? base : entry;
    catalog->entries[catalog->n_entries++] = entry;
    return 0;
}

static struct catalog_entry *find_entry(const struct catalog *catalog, const char *name,
                                        enum model_task task)
{
    for (size_t i = 0; i < catalog->n_entries; i++) {
        struct catalog_entry *entry = catalog->entries[i];
        if (!entry->removed && entry->task == task && strcmp(entry->name, name) == 0) return entry;
    }
    return NULL;
}

/* The first entry that does the task: the embedded model's. */
static struct catalog_entry *first_entry(const struct catalog *catalog, enum model_task task)
{
    size_t i = 0;
    while (catalog->entries[i]->task != task) i++;
    return catalog->entries[i];
}

int catalog_new(struct catalog **made, struct error *err)
{
    struct catalog *catalog = memory_zalloc(1, sizeof *catalog);
    *made = NULL;
    if (catalog == NULL) return error_nomem(err);
    cache_init(&catalog->cache, CATALOG_MEMORY_BUDGET);
    int rc = catalog_reset_memory_budget(catalog, err);
    if (rc == 0) rc = lexical_new(&catalog->lexical, err);
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = add_entry(catalog, catalog->lexical->name, tasks[i], catalog->lexical, NULL, err);
        if (rc == 0) rc = catalog_set_default(catalog, tasks[i], NULL, err);
    }
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
    memory_free(catalog);
}

/* ---- finding --------------------------------------------------------------------------------- */

/* The names that do a task, as many as a message has room for. */
static void list_names(const struct catalog *catalog, enum model_task task, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < catalog->n_entries; i++) {
        const struct catalog_entry *entry = catalog->entries[i];
        size_t length = strlen(entry->name);
        if (entry->removed || entry->task != task || length + 3 > size - used) continue;
        if (used > 0) {
            memcpy(out + used, ", ", 2);
            used += 2;
        }
        memcpy(out + used, entry->name, length + 1);
        used += length;
    }
}

static int find_named(struct catalog *catalog, const char *name, enum model_task task,
                      struct catalog_entry **entry, struct error *err)
{
    *entry = find_entry(catalog, name, task);
    if (*entry != NULL) return 0;
    char names[300];
    const char *verb = task_verbs[task_index(task)];
    list_names(catalog, task, names, sizeof names);
    enum model_task other = task == MODEL_EMBED ? MODEL_RERANK : MODEL_EMBED;
    if (find_entry(catalog, name, other) != NULL)
        return error_set(err, ERROR_INVALID, "the model %.100s does not %s (these do: %s)", name,
                         verb, names);
    return error_set(err, ERROR_INVALID, "no model is called '%.100s' (these %s: %s)", name, verb,
                     names);
}

int catalog_find(struct catalog *catalog, const char *name, enum model_task task,
                 struct catalog_entry **entry, struct error *err)
{
    if (name != NULL) return find_named(catalog, name, task, entry, err);
    const char *default_name = catalog->defaults[task_index(task)];
    if (default_name == NULL) {
        *entry = first_entry(catalog, task);
        return 0;
    }
    /* Names that were set were known: only the environment's can fail. */
    int rc = find_named(catalog, default_name, task, entry, err);
    return rc == 0 ? 0 : error_context(err, "%s", default_variables[task_index(task)]);
}

const char *catalog_entry_name(const struct catalog_entry *entry)
{
    return entry->base->name;
}

struct model *catalog_entry_model(const struct catalog_entry *entry)
{
    return entry->model;
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
    int embeds = entry->task == MODEL_EMBED;
    *description = (struct catalog_description){
        .name = entry->name,
        .task = entry->task,
        .full_name = catalog_entry_name(entry),
        .is_alias = entry->base != entry,
        .is_default = strcmp(entry->name, catalog_default(catalog, entry->task)) == 0,
        .dimensions = embeds ? entry->model->dimensions : 0,
        .batch_size = embeds ? entry->model->batch_size : 0,
        .query_prefix = entry->query_prefix,
        .document_prefix = entry->document_prefix,
    };
}

/* ---- aliases --------------------------------------------------------------------------------- */

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

/* The provider of a full name is what comes before its colon. */
static int check_provider(const struct catalog *catalog, const char *provider, struct error *err)
{
    size_t length = strlen(provider);
    for (size_t i = 0; i < catalog->n_entries; i++) {
        const char *name = catalog->entries[i]->base->name;
        if (strncmp(name, provider, length) == 0 && name[length] == ':') return 0;
    }
    return error_set(err, ERROR_INVALID, "no provider is called '%.100s' (there is: builtin)",
                     provider);
}

/* The entry of the model that an alias stands for. */
static int find_base(struct catalog *catalog, const struct catalog_alias *alias,
                     enum model_task task, struct catalog_entry **base, struct error *err)
{
    char name[2 * CATALOG_MAX_NAME + 2];
    if (alias->model == NULL)
        return error_set(err, ERROR_INVALID, "expected a model that '%.100s' stands for",
                         alias->name);
    const char *model = alias->model;
    if (alias->provider != NULL) {
        size_t length = strlen(alias->provider), model_length = strlen(model);
        int rc = check_provider(catalog, alias->provider, err);
        if (rc != 0) return rc;
        if (length > CATALOG_MAX_NAME || model_length > CATALOG_MAX_NAME)
            return error_set(err, ERROR_INVALID, "no model is called '%.100s'", model);
        memcpy(name, alias->provider, length);
        name[length] = ':';
        memcpy(name + length + 1, model, model_length + 1);
        model = name;
    }
    struct catalog_entry *entry;
    int rc = find_named(catalog, model, task, &entry, err);
    if (rc == 0) *base = entry->base;
    return rc;
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
    return rc;
}

static int check_free(const struct catalog *catalog, const char *name, enum model_task task,
                      struct error *err)
{
    if (find_entry(catalog, name, task) == NULL) return 0;
    return error_set(err, ERROR_INVALID, "there is a model called '%.100s' already", name);
}

/* One task of an alias. */
static int add_alias(struct catalog *catalog, const struct catalog_alias *alias,
                     enum model_task task, struct error *err)
{
    struct catalog_entry *base;
    int rc = find_base(catalog, alias, task, &base, err);
    if (rc == 0) rc = check_free(catalog, alias->name, task, err);
    if (rc == 0) rc = add_entry(catalog, alias->name, task, base->model, base, err);
    if (rc != 0 || task == MODEL_RERANK) return rc;
    struct catalog_entry *entry = catalog->entries[catalog->n_entries - 1];
    rc = replace_text(&entry->query_prefix, alias->query_prefix, err);
    if (rc == 0) rc = replace_text(&entry->document_prefix, alias->document_prefix, err);
    return rc;
}

int catalog_add(struct catalog *catalog, const struct catalog_alias *alias, size_t *number,
                struct error *err)
{
    size_t n_before = catalog->n_entries;
    int rc = check_alias(alias, alias->task != 0 ? alias->task : MODEL_EMBED, err);
    for (int i = 0; rc == 0 && i < 2; i++) {
        if (alias->task != 0 && alias->task != tasks[i]) continue;
        rc = add_alias(catalog, alias, tasks[i], err);
    }
    /* Nobody has seen the new entries yet. */
    while (rc != 0 && catalog->n_entries > n_before)
        entry_free(catalog->entries[--catalog->n_entries]);
    *number = n_before;
    return rc;
}

/* The entry of a model itself keeps its name and its model. */
static int check_same(const struct catalog_entry *entry, const struct catalog_alias *alias,
                      const struct catalog_entry *base, struct error *err)
{
    if (alias->task != entry->task)
        return error_set(err, ERROR_INVALID, "the task of '%.100s' cannot change", entry->name);
    if (entry->base != entry || (base == entry && strcmp(alias->name, entry->name) == 0)) return 0;
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
    if (now.is_default && catalog->defaults[task_index(entry->task)] != NULL) {
        slots[3] = &catalog->defaults[task_index(entry->task)];
        texts[3] = alias->name;
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < 4; i++) rc = replace_text(&copies[i], texts[i], err);
    for (int i = 0; i < 4; i++) {
        if (rc == 0 && slots[i] != NULL) {
            char *old = *slots[i];
            *slots[i] = copies[i];
            copies[i] = old;
        }
        memory_free(copies[i]);
    }
    if (rc == 0 && entry->base != entry) {
        entry->base = base;
        entry->model = base->model;
    }
    return rc;
}

int catalog_change(struct catalog *catalog, struct catalog_entry *entry,
                   const struct catalog_alias *alias, struct error *err)
{
    struct catalog_entry *base;
    int rc = check_alias(alias, entry->task, err);
    if (rc == 0) rc = find_base(catalog, alias, entry->task, &base, err);
    if (rc == 0) rc = check_same(entry, alias, base, err);
    if (rc == 0 && strcmp(alias->name, entry->name) != 0)
        rc = check_free(catalog, alias->name, entry->task, err);
    return rc == 0 ? apply_alias(catalog, entry, alias, base, err) : rc;
}

int catalog_remove(struct catalog *catalog, struct catalog_entry *entry, struct error *err)
{
    struct catalog_description now;
    catalog_describe(catalog, entry, &now);
    if (!now.is_alias)
        return error_set(err, ERROR_INVALID, "%s is built in and cannot be removed", entry->name);
    if (now.is_default) replace_text(&catalog->defaults[task_index(entry->task)], NULL, NULL);
    entry->removed = 1;
    return 0;
}

/* ---- settings -------------------------------------------------------------------------------- */

const char *catalog_default(const struct catalog *catalog, enum model_task task)
{
    const char *name = catalog->defaults[task_index(task)];
    return name != NULL ? name : first_entry(catalog, task)->name;
}

int catalog_set_default(struct catalog *catalog, enum model_task task, const char *name,
                        struct error *err)
{
    int which = task_index(task);
    struct catalog_entry *entry;
    int rc = name != NULL ? find_named(catalog, name, task, &entry, err) : 0;
    if (rc != 0) return rc;
    if (name == NULL) name = environment(default_variables[which]);
    return replace_text(&catalog->defaults[which], name, err);
}

uint64_t catalog_memory_budget(const struct catalog *catalog)
{
    return catalog->cache.budget;
}

void catalog_set_memory_budget(struct catalog *catalog, uint64_t bytes)
{
    cache_set_budget(&catalog->cache, bytes);
}

int catalog_reset_memory_budget(struct catalog *catalog, struct error *err)
{
    const char *text = environment("RERANK_MEMORY_BUDGET");
    uint64_t bytes = text == NULL ? CATALOG_MEMORY_BUDGET : 0;
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || bytes > (uint64_t)INT64_MAX / 10 - 1)
            return error_set(err, ERROR_INVALID,
                             "RERANK_MEMORY_BUDGET: expected a number of bytes, not '%.100s'",
                             text);
        bytes = bytes * 10 + (uint64_t)(*at - '0');
    }
    cache_set_budget(&catalog->cache, bytes);
    return 0;
}
