/*
 * aliases.c: what the user registers.
 */
#include <string.h>

#include "base/memory.h"
#include "catalog/entry.h"

#define MODELS "models" /* what a lock keeps as it is */

static int check_name(const char *name, struct error *err)
{
    if (name == NULL) return error_set(err, ERROR_INVALID, "expected a name");
    struct span text = {name, strlen(name)};
    int rc = model_check_text(text, 1, err);
    if (rc != 0) {
        error_context(err, "name");
        return rc;
    }
    if (text.size > CATALOG_MAX_NAME)
        return error_set(err, ERROR_INVALID, "expected a name of at most %d bytes, not %zu",
                         CATALOG_MAX_NAME, text.size);
    return 0;
}

static int no_provider(const char *provider, struct error *err)
{
    char names[ENTRY_LIST_SIZE] = ENTRY_BUILTIN_PROVIDER ", " ENTRY_LOCAL_PROVIDER;
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
    if (length > 0 && strcmp(alias->provider, ENTRY_BUILTIN_PROVIDER) != 0 &&
        strcmp(alias->provider, ENTRY_LOCAL_PROVIDER) != 0 &&
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
    if (rc != 0) error_context(err, "prefix");
    return rc;
}

static int check_prompt(const char *prompt, struct error *err)
{
    if (prompt == NULL) return 0;
    struct span text = {prompt, strlen(prompt)};
    int rc = model_check_text(text, 1, err);
    if (rc != 0) error_context(err, "prompt");
    if (rc == 0 && text.size > CATALOG_MAX_PROMPT)
        rc = error_set(err, ERROR_INVALID, "expected a prompt of at most %d bytes, not %zu",
                       CATALOG_MAX_PROMPT, text.size);
    return rc;
}

static int check_alias(const struct catalog_alias *alias, enum model_task task, struct error *err)
{
    int rc = check_name(alias->name, err);
    if (rc == 0) rc = check_prefix(alias->query_prefix, task, err);
    if (rc == 0) rc = check_prefix(alias->document_prefix, task, err);
    if (rc == 0) rc = check_prompt(alias->prompt, err);
    if (rc == 0 && task == MODEL_RERANK && alias->given & CATALOG_DIMENSIONS &&
        alias->dimensions != 0)
        rc = error_set(err, ERROR_INVALID, "a model that reranks has no dimensions");
    return rc;
}

static int is_chat(const struct catalog_entry *entry)
{
    return entry->kind == ENTRY_REMOTE && entry->provider->chat.path != NULL;
}

/* What models of one kind alone have. */
static int check_kind(const struct catalog_alias *alias, const struct catalog_entry *entry,
                      struct error *err)
{
    enum entry_kind kind = entry->kind;
    const char *what = NULL, *name = entry->name;
    if (kind != ENTRY_REMOTE && alias->given & CATALOG_URL && alias->url != NULL) what = "url";
    if (kind != ENTRY_REMOTE && alias->given & CATALOG_API_KEY && alias->api_key != NULL)
        what = "api_key";
    if (what != NULL)
        return error_set(err, ERROR_INVALID, "%s does not apply: %s runs without a network", what,
                         name);
    if (kind != ENTRY_REMOTE && alias->given & CATALOG_MAX_TOKENS && alias->max_tokens != 0)
        return error_set(err, ERROR_INVALID, "max_tokens cannot be set: they are the model's own");
    if (kind != ENTRY_LOCAL && alias->given & CATALOG_PRECISION && alias->precision != NULL)
        return error_set(err, ERROR_INVALID, "precision does not apply: %s is not a local model",
                         name);
    if (!is_chat(entry) && alias->given & CATALOG_PROMPT && alias->prompt != NULL)
        return error_set(err, ERROR_INVALID,
                         "prompt does not apply: %s is not a chat model, as openai-chat:... is",
                         name);
    return 0;
}

/* What an alias that is only another name can have. */
static int check_given(const struct catalog_alias *alias, const struct catalog_entry *base,
                       struct error *err)
{
    const char *what = NULL;
    int rc = check_kind(alias, base, err);
    if (rc != 0) return rc;
    if (base->kind != ENTRY_BUILTIN && alias->given != 0)
        return error_set(err, ERROR_INVALID,
                         "'%.100s' would only be a name of %s: give provider and model with %s",
                         alias->name, base->name,
                         base->kind == ENTRY_LOCAL ? "precision, dimensions or batch_size"
                         : is_chat(base) ? "a url, api_key, prompt, batch_size or max_tokens"
                                         : "a url, api_key, dimensions, batch_size or max_tokens");
    if (base->kind != ENTRY_BUILTIN) return 0;
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

/* A model of this machine may take the bare owner/name that would else be a remote one's: `kind` is
 * what the name is to stand for. */
static int check_free(const struct catalog *catalog, const char *name, enum model_task task,
                      enum entry_kind kind, struct error *err)
{
    struct entry_target target = entry_split(catalog, name);
    if (entry_find(catalog, name, task) != NULL)
        return error_set(err, ERROR_INVALID, "there is a model called '%.100s' already", name);
    if (target.kind == ENTRY_BUILTIN || (kind == ENTRY_LOCAL && target.model == name)) return 0;
    return error_set(err, ERROR_INVALID,
                     "'%.100s' is the name of a model of %s: call yours without ':' and '/'", name,
                     target.kind == ENTRY_LOCAL ? "this machine" : target.provider->name);
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

static int parse_precision(const char *text, enum local_precision *precision, struct error *err)
{
    if (text == NULL) text = local_precision_name(LOCAL_FLOAT32);
    if (local_precision_parse(text, precision)) return 0;
    return error_set(err, ERROR_INVALID,
                     "precision must be 'float32', 'bf16' or 'int8', not '%.100s'", text);
}

/* Gives a local or remote base what the alias says of where and how; its model is made anew. */
static int configure(struct catalog *catalog, struct catalog_entry *entry,
                     const struct catalog_alias *alias, struct error *err)
{
    const char *url = alias->given & CATALOG_URL ? alias->url : entry->url;
    const char *key = alias->given & CATALOG_API_KEY ? alias->api_key : entry->key;
    const char *prompt = alias->given & CATALOG_PROMPT ? alias->prompt : entry->prompt;
    struct catalog_entry tried = *entry;
    tried.url = tried.key = tried.key_origin = tried.base_url = tried.store_name = NULL;
    tried.prompt = NULL;
    tried.own = NULL;
    if (alias->given & CATALOG_DIMENSIONS) tried.dimensions = alias->dimensions;
    if (alias->given & CATALOG_BATCH_SIZE) tried.batch_size = alias->batch_size;
    if (alias->given & CATALOG_MAX_TOKENS) tried.max_tokens = alias->max_tokens;
    int rc = check_kind(alias, entry, err);
    if (rc == 0 && alias->given & CATALOG_PRECISION)
        rc = parse_precision(alias->precision, &tried.precision, err);
    if (rc == 0) rc = entry_replace_text(&tried.url, url, err);
    if (rc == 0) rc = entry_replace_text(&tried.prompt, prompt, err);
    if (rc == 0) rc = entry_replace_secret(&tried.key, key, err);
    if (rc == 0 && !(alias->given & CATALOG_API_KEY))
        rc = entry_replace_text(&tried.key_origin, entry->key_origin, err);
    if (rc == 0) rc = entry_make_model(catalog, &tried, 1, err);
    entry_free_own(rc == 0 ? entry : &tried);
    if (rc == 0) *entry = tried;
    return rc;
}

/* A model of the user's: a local or remote one under a name of its own. */
static int add_own(struct catalog *catalog, const struct catalog_alias *alias, enum model_task task,
                   const struct entry_target *target, struct error *err)
{
    if (target->kind == ENTRY_REMOTE && !entry_provider_does(target->provider, task))
        return error_set(err, ERROR_INVALID, "%s does not %s", target->provider->name,
                         entry_task_verbs[entry_task_index(task)]);
    int rc = entry_add(catalog, alias->name, task, NULL, NULL, err);
    if (rc != 0) return rc;
    struct catalog_entry *entry = catalog->entries[catalog->n_entries - 1];
    rc = entry_set_target(entry, target, err);
    if (rc == 0) rc = add_prefixes(entry, alias, err);
    return rc == 0 ? configure(catalog, entry, alias, err) : rc;
}

/* One task of an alias. */
static int add_alias(struct catalog *catalog, const struct catalog_alias *alias,
                     enum model_task task, struct error *err)
{
    char full_name[ENTRY_FULL_NAME_SIZE];
    struct catalog_entry *base;
    int rc = join_name(alias, full_name, sizeof full_name, err);
    if (rc != 0) return rc;
    struct entry_target target = entry_split(catalog, full_name);
    base = entry_find(catalog, full_name, task);
    rc = check_free(catalog, alias->name, task, base != NULL ? base->base->kind : target.kind, err);
    if (rc != 0) return rc;
    if (alias->given != 0 && target.kind != ENTRY_BUILTIN)
        return add_own(catalog, alias, task, &target, err);
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
    if (alias->task != 0) return alias->task == task;
    if (alias->provider != NULL)
        provider = api_provider_find(alias->provider, strlen(alias->provider));
    else provider = entry_split(catalog, alias->model != NULL ? alias->model : "").provider;
    return provider == NULL || entry_provider_does(provider, task);
}

/* The task of an alias that names none, if the model does but one: which, a local one's folder
 * says. Of two that fail the first tells why. Of an alias, or of what is built in, the entries. */
static int find_task(const struct catalog *catalog, struct catalog_alias *alias, struct error *err)
{
    char full_name[ENTRY_FULL_NAME_SIZE];
    struct error problem;
    int rc = join_name(alias, full_name, sizeof full_name, err);
    if (rc != 0) return rc;
    enum entry_kind kind = entry_split(catalog, full_name).kind;
    if (kind == ENTRY_BUILTIN) {
        int embeds = entry_find(catalog, full_name, MODEL_EMBED) != NULL;
        int reranks = entry_find(catalog, full_name, MODEL_RERANK) != NULL;
        if (embeds != reranks) alias->task = embeds ? MODEL_EMBED : MODEL_RERANK;
    }
    if (kind != ENTRY_LOCAL) return 0;
    alias->task = MODEL_EMBED;
    rc = entry_check_local(catalog, full_name, MODEL_EMBED, &problem);
    if (rc == ERROR_INVALID) {
        alias->task = MODEL_RERANK;
        int rerank_rc = entry_check_local(catalog, full_name, MODEL_RERANK, NULL);
        if (rerank_rc == ERROR_NOMEM) return error_nomem(err);
        if (rerank_rc == 0) return check_alias(alias, MODEL_RERANK, err);
    }
    return rc == 0 ? 0 : error_set(err, rc, "%s", problem.text);
}

int catalog_add(struct catalog *catalog, const struct catalog_alias *alias, size_t *number,
                struct error *err)
{
    size_t n_before = catalog->n_entries;
    struct catalog_alias whole = *alias;
    int rc = entry_check_unlocked(catalog, MODELS, err);
    if (rc == 0) rc = check_alias(alias, alias->task != 0 ? alias->task : MODEL_EMBED, err);
    if (rc == 0 && alias->task == 0) rc = find_task(catalog, &whole, err);
    for (int i = 0; rc == 0 && i < 2; i++)
        if (is_meant(catalog, &whole, entry_tasks[i]))
            rc = add_alias(catalog, &whole, entry_tasks[i], err);
    /* Nobody has seen the new entries yet. */
    while (rc != 0 && catalog->n_entries > n_before)
        entry_free(catalog->entries[--catalog->n_entries]);
    for (size_t i = n_before; rc == 0 && i < catalog->n_entries; i++)
        catalog->entries[i]->base->is_trusted = 1;
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
    for (int i = 1; i < 3 && entry->base == entry; i++)
        if (texts[i] == NULL)
            texts[i] =
                entry_usual_prefix(entry, entry->model, i == 1 ? MODEL_QUERY : MODEL_DOCUMENT);
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

/* Makes the alias of a local model a model of its own. */
static int become_own(struct catalog *catalog, struct catalog_entry *entry,
                      const struct catalog_entry *base, const struct catalog_alias *alias,
                      struct error *err)
{
    int rc = entry_replace_text(&entry->model_name, base->model_name, err);
    if (rc != 0) return rc;
    entry->kind = base->kind;
    entry->precision = base->precision;
    entry->dimensions = base->dimensions;
    entry->batch_size = base->batch_size;
    rc = configure(catalog, entry, alias, err);
    if (rc == 0) {
        entry->base = entry;
    } else {
        entry->kind = ENTRY_BUILTIN;
        entry_clear_text(&entry->model_name);
    }
    return rc;
}

/* Does it give more than NULL, which is what the model has anyway? */
static int gives_something(const struct catalog_alias *alias)
{
    return (alias->given & CATALOG_URL && alias->url != NULL) ||
           (alias->given & CATALOG_API_KEY && alias->api_key != NULL) ||
           (alias->given & CATALOG_DIMENSIONS && alias->dimensions != 0) ||
           (alias->given & CATALOG_BATCH_SIZE && alias->batch_size != 0) ||
           (alias->given & CATALOG_MAX_TOKENS && alias->max_tokens != 0) ||
           (alias->given & CATALOG_PRECISION && alias->precision != NULL) ||
           (alias->given & CATALOG_PROMPT && alias->prompt != NULL);
}

/* What the entry is of itself: where and how. *base: the entry that it is to stand for. The alias
 * gets the prefixes that the entry had from the model it was a name of. */
static int change_model(struct catalog *catalog, struct catalog_entry *entry, const char *full_name,
                        struct catalog_alias *alias, struct catalog_entry **base, struct error *err)
{
    int rc = 0;
    *base = entry;
    if (entry->base != entry) {
        rc = entry_find_or_add(catalog, full_name, entry->task, 1, base, err);
        if (rc == 0) *base = (*base)->base;
        if (rc != 0) return rc;
        if ((*base)->kind != ENTRY_LOCAL) return check_given(alias, *base, err);
        if (!gives_something(alias)) return 0;
        if (alias->query_prefix == NULL) alias->query_prefix = (*base)->query_prefix;
        if (alias->document_prefix == NULL) alias->document_prefix = (*base)->document_prefix;
        return become_own(catalog, entry, *base, alias, err);
    }
    if (entry->kind == ENTRY_BUILTIN) return check_given(alias, entry, err);
    return alias->given != 0 ? configure(catalog, entry, alias, err) : 0;
}

int catalog_change(struct catalog *catalog, struct catalog_entry *entry,
                   const struct catalog_alias *alias, struct error *err)
{
    char full_name[ENTRY_FULL_NAME_SIZE];
    struct catalog_alias whole = *alias;
    struct catalog_entry *base;
    int rc = entry_check_unlocked(catalog, MODELS, err);
    if (rc == 0) rc = check_alias(alias, entry->task, err);
    if (rc == 0) rc = join_name(alias, full_name, sizeof full_name, err);
    if (rc == 0) rc = check_same(entry, alias, full_name, err);
    if (rc == 0 && strcmp(alias->name, entry->name) != 0)
        rc = check_free(catalog, alias->name, entry->task, entry->base->kind, err);
    if (rc == 0) rc = change_model(catalog, entry, full_name, &whole, &base, err);
    if (rc == 0) rc = apply_alias(catalog, entry, &whole, base, err);
    if (rc == 0) entry->base->is_trusted = 1;
    return rc;
}

int catalog_remove(struct catalog *catalog, struct catalog_entry *entry, struct error *err)
{
    struct catalog_description now;
    int rc = entry_check_unlocked(catalog, MODELS, err);
    if (rc != 0) return rc;
    catalog_describe(catalog, entry, &now);
    if (entry->base == entry && entry->kind == ENTRY_BUILTIN)
        return error_set(err, ERROR_INVALID, "%s is built in and cannot be removed", entry->name);
    for (size_t i = 0; i < catalog->n_entries; i++)
        if (catalog->entries[i] != entry && !catalog->entries[i]->removed &&
            catalog->entries[i]->base == entry)
            return error_set(err, ERROR_INVALID, "'%.100s' stands for it: remove that first",
                             catalog->entries[i]->name);
    if (now.is_default) entry_clear_text(&catalog->defaults[entry_task_index(entry->task)]);
    /* A statement that is open may still use the model, so it stays; but not its key. */
    if (entry->base == entry && entry->kind == ENTRY_REMOTE) entry_forget_key(entry);
    entry->removed = 1;
    return 0;
}
