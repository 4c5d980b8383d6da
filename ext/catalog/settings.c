/*
 * settings.c: the settings: those that are numbers in one table.
 */
#include <inttypes.h>
#include <string.h>

#include "base/environment.h"
#include "base/workers.h"
#include "catalog/entry.h"

#define OVERLONG_VARIABLE "RERANK_ON_OVERLONG"

#define CACHE_SHARE 8 /* of the budget: one part in so many is for vectors already computed */

static const struct {
    const char *name, *variable;
    uint64_t min, max, initial;
} settings[N_CATALOG_SETTINGS] = {
    [CATALOG_MEMORY_BUDGET] = {"memory_budget", "RERANK_MEMORY_BUDGET", 0, INT64_MAX,
                               (uint64_t)2 << 30},
    [CATALOG_THREADS] = {"threads", "RERANK_THREADS", 1, WORKERS_MAX, 0},
    [CATALOG_TIMEOUT_MS] = {"timeout_ms", "RERANK_TIMEOUT_MS", 1, 86400000, 60000},
    [CATALOG_MAX_RETRIES] = {"max_retries", "RERANK_MAX_RETRIES", 0, 100, 2},
    [CATALOG_CONCURRENCY] = {"concurrency", "RERANK_CONCURRENCY", 1, 256, 8},
    [CATALOG_MAX_REQUESTS] = {"max_requests", "RERANK_MAX_REQUESTS", 0, INT64_MAX, INT64_MAX},
    [CATALOG_PROGRESS] = {"progress", "RERANK_PROGRESS", 0, 1, 0},
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

static void apply(struct catalog *catalog, enum catalog_setting setting, uint64_t value)
{
    struct api_settings *remote = &catalog->session.settings;
    catalog->settings[setting] = value;
    catalog->local.n_threads = (size_t)catalog->settings[CATALOG_THREADS];
    cache_set_budget(&catalog->cache, catalog->settings[CATALOG_MEMORY_BUDGET] / CACHE_SHARE);
    remote->timeout = (double)catalog->settings[CATALOG_TIMEOUT_MS] / 1000.0;
    remote->max_retries = (unsigned)catalog->settings[CATALOG_MAX_RETRIES];
    remote->concurrency = (unsigned)catalog->settings[CATALOG_CONCURRENCY];
    remote->max_requests = catalog->settings[CATALOG_MAX_REQUESTS];
}

/* who: the setting or its variable, as the user knows it. */
static int set(struct catalog *catalog, enum catalog_setting setting, const char *who,
               const char *text, struct error *err)
{
    uint64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9' && value <= ((uint64_t)INT64_MAX - 9) / 10 + 1; p++)
        value = value * 10 + (uint64_t)(*p - '0');
    if (p == text || *p != '\0' || value < settings[setting].min || value > settings[setting].max)
        return error_set(err, ERROR_INVALID,
                         "%s must be an integer from %" PRIu64 " to %" PRIu64 ", not '%.100s'", who,
                         settings[setting].min, settings[setting].max, text);
    apply(catalog, setting, value);
    return 0;
}

int catalog_set(struct catalog *catalog, enum catalog_setting setting, const char *text,
                struct error *err)
{
    return set(catalog, setting, settings[setting].name, text, err);
}

uint64_t catalog_get(const struct catalog *catalog, enum catalog_setting setting)
{
    return catalog->settings[setting];
}

static int set_on_overlong(struct catalog *catalog, const char *who, const char *text,
                           struct error *err)
{
    int refuse = strcmp(text, "error") == 0;
    if (!refuse && strcmp(text, "truncate") != 0)
        return error_set(err, ERROR_INVALID, "%s must be 'truncate' or 'error', not '%.100s'", who,
                         text);
    /* Vectors of texts that were cut are in the cache: they are not to be found again. */
    for (size_t i = 0; i < catalog->n_entries; i++)
        if (catalog->local.refuse_overlong != refuse && catalog->entries[i]->kind == ENTRY_LOCAL)
            catalog->entries[i]->serial = ++catalog->n_models;
    catalog->local.refuse_overlong = refuse;
    return 0;
}

int catalog_set_on_overlong(struct catalog *catalog, const char *text, struct error *err)
{
    return set_on_overlong(catalog, "on_overlong", text, err);
}

const char *catalog_on_overlong(const struct catalog *catalog)
{
    return catalog->local.refuse_overlong ? "error" : "truncate";
}

int catalog_settings_init(struct catalog *catalog, struct error *err)
{
    int rc = 0;
    for (int i = 0; i < N_CATALOG_SETTINGS; i++) catalog->settings[i] = settings[i].initial;
    catalog->settings[CATALOG_THREADS] = workers_processors();
    apply(catalog, CATALOG_MEMORY_BUDGET, settings[CATALOG_MEMORY_BUDGET].initial);
    for (int i = 0; rc == 0 && i < N_CATALOG_SETTINGS; i++) {
        const char *text = environment_value(settings[i].variable);
        if (text != NULL)
            rc = set(catalog, (enum catalog_setting)i, settings[i].variable, text, err);
    }
    const char *overlong = environment_value(OVERLONG_VARIABLE);
    if (rc == 0 && overlong != NULL)
        rc = set_on_overlong(catalog, OVERLONG_VARIABLE, overlong, err);
    return rc;
}
