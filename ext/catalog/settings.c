/*
 * settings.c: the settings, in one table.
 */
#include <inttypes.h>
#include <string.h>

#include "base/environment.h"
#include "base/workers.h"
#include "catalog/entry.h"

#define CACHE_SHARE 8 /* of the budget: one part in so many is for vectors already computed */

static const struct {
    const char *name, *variable;
    uint64_t min, max, initial;
    const char *words[2]; /* for 0 and 1; NULL: numbers are written as such */
} settings[N_CATALOG_SETTINGS] = {
    [CATALOG_MEMORY_BUDGET] =
        {"memory_budget", "RERANK_MEMORY_BUDGET", 0, INT64_MAX, (uint64_t)2 << 30, {NULL}},
    [CATALOG_THREADS] = {"threads", "RERANK_THREADS", 1, WORKERS_MAX, 0, {NULL}},
    [CATALOG_TIMEOUT_MS] = {"timeout_ms", "RERANK_TIMEOUT_MS", 1, 86400000, 60000, {NULL}},
    [CATALOG_MAX_RETRIES] = {"max_retries", "RERANK_MAX_RETRIES", 0, 100, 2, {NULL}},
    [CATALOG_CONCURRENCY] = {"concurrency", "RERANK_CONCURRENCY", 1, 256, 8, {NULL}},
    [CATALOG_MAX_REQUESTS] =
        {"max_requests", "RERANK_MAX_REQUESTS", 0, INT64_MAX, INT64_MAX, {NULL}},
    [CATALOG_PROGRESS] = {"progress", "RERANK_PROGRESS", 0, 1, 0, {"", "stderr"}},
    [CATALOG_ON_OVERLONG] = {"on_overlong", "RERANK_ON_OVERLONG", 0, 1, 0, {"truncate", "error"}},
    [CATALOG_NETWORK] = {"network", "RERANK_NETWORK", 0, 1, 0, {"always", "reads"}},
    [CATALOG_LOCKED] = {"locked", "RERANK_LOCKED", 0, 1, 0, {NULL}},
};

int catalog_setting_find(const char *name, enum catalog_setting *setting)
{
    for (int i = 0; i < N_CATALOG_SETTINGS; i++) {
        if (strcmp(settings[i].name, name) != 0) continue;
        *setting = (enum catalog_setting)i;
        return 1;
    }
    return 0;
}

static void set_refuse_overlong(struct catalog *catalog, int refuse)
{
    /* Vectors of texts that were cut are in the cache: they are not to be found again. */
    for (size_t i = 0; i < catalog->n_entries; i++)
        if (catalog->local.refuse_overlong != refuse && catalog->entries[i]->kind == ENTRY_LOCAL)
            catalog->entries[i]->serial = ++catalog->n_models;
    catalog->local.refuse_overlong = refuse;
}

static void apply(struct catalog *catalog, enum catalog_setting setting, uint64_t value)
{
    struct api_settings *remote = &catalog->session.settings;
    catalog->settings[setting] = value;
    catalog->local.n_threads = (size_t)catalog->settings[CATALOG_THREADS];
    set_refuse_overlong(catalog, catalog->settings[CATALOG_ON_OVERLONG] != 0);
    cache_set_budget(&catalog->cache, catalog->settings[CATALOG_MEMORY_BUDGET] / CACHE_SHARE);
    remote->timeout = (double)catalog->settings[CATALOG_TIMEOUT_MS] / 1000.0;
    remote->max_retries = (unsigned)catalog->settings[CATALOG_MAX_RETRIES];
    remote->concurrency = (unsigned)catalog->settings[CATALOG_CONCURRENCY];
    remote->max_requests = catalog->settings[CATALOG_MAX_REQUESTS];
}

/* who: the setting or its variable, as the user knows it. */
static int parse(enum catalog_setting setting, const char *who, const char *text, uint64_t *value,
                 struct error *err)
{
    const char *const *words = settings[setting].words, *p = text;
    *value = 0;
    if (words[0] != NULL) {
        *value = strcmp(text, words[1]) == 0;
        if (*value == 1 || strcmp(text, words[0]) == 0) return 0;
        return error_set(err, ERROR_INVALID, "%s must be '%s' or '%s', not '%.100s'", who, words[0],
                         words[1], text);
    }
    for (; *p >= '0' && *p <= '9' && *value <= ((uint64_t)INT64_MAX - 9) / 10 + 1; p++)
        *value = *value * 10 + (uint64_t)(*p - '0');
    if (p == text || *p != '\0' || *value < settings[setting].min || *value > settings[setting].max)
        return error_set(err, ERROR_INVALID,
                         "%s must be an integer from %" PRIu64 " to %" PRIu64 ", not '%.100s'", who,
                         settings[setting].min, settings[setting].max, text);
    return 0;
}

int entry_check_unlocked(const struct catalog *catalog, const char *what, struct error *err)
{
    if (catalog->settings[CATALOG_LOCKED] == 0) return 0;
    return error_set(err, ERROR_INVALID,
                     "%s cannot change: this connection is locked (by RERANK_LOCKED, or by "
                     "rerank_config('locked', 1), which cannot be undone)",
                     what);
}

int catalog_set(struct catalog *catalog, enum catalog_setting setting, const char *text,
                struct error *err)
{
    const char *name = settings[setting].name;
    uint64_t value;
    int rc = parse(setting, name, text, &value, err);
    if (rc == 0 && !(setting == CATALOG_LOCKED && value == 1))
        rc = entry_check_unlocked(catalog, name, err);
    if (rc == 0) apply(catalog, setting, value);
    return rc;
}

uint64_t catalog_get(const struct catalog *catalog, enum catalog_setting setting)
{
    return catalog->settings[setting];
}

const char *catalog_get_word(const struct catalog *catalog, enum catalog_setting setting)
{
    return settings[setting].words[0] == NULL ? NULL
                                              : settings[setting].words[catalog->settings[setting]];
}

void catalog_set_is_writing(struct catalog *catalog, catalog_is_writing is_writing, void *context)
{
    catalog->is_writing = is_writing;
    catalog->is_writing_context = context;
}

int entry_check_network(const struct catalog *catalog, const struct catalog_entry *base,
                        struct error *err)
{
    if (base->kind != ENTRY_REMOTE || catalog->settings[CATALOG_NETWORK] == 0 ||
        catalog->is_writing == NULL || !catalog->is_writing(catalog->is_writing_context))
        return 0;
    return error_set(err, ERROR_UNAVAILABLE,
                     "%s is not asked inside a write transaction (network = 'reads'): ask it "
                     "before, and write what came (of an index, the rows of semantic_pending)",
                     base->name);
}

int catalog_settings_init(struct catalog *catalog, struct error *err)
{
    int rc = 0;
    for (int i = 0; i < N_CATALOG_SETTINGS; i++) catalog->settings[i] = settings[i].initial;
    catalog->settings[CATALOG_THREADS] = workers_processors();
    apply(catalog, CATALOG_MEMORY_BUDGET, settings[CATALOG_MEMORY_BUDGET].initial);
    for (int i = 0; rc == 0 && i < N_CATALOG_SETTINGS; i++) {
        const char *text = environment_value(settings[i].variable);
        uint64_t value;
        if (text == NULL) continue;
        rc = parse((enum catalog_setting)i, settings[i].variable, text, &value, err);
        if (rc == 0) apply(catalog, (enum catalog_setting)i, value);
    }
    return rc;
}
