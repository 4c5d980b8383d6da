#include "extension/unavailable.h"

#include <string.h>

static const char *const functions[] = {
    "cosine_sim",        "dot_product", "embed",       "embed_estimate",   "hamming_distance",
    "l2_distance",       "rank_chart",  "rerank",      "rerank_config",    "rerank_version",
    "semantic_estimate", "token_count", "token_ids",   "vector",           "vector_avg",
    "vector_barcode",    "vector_dims", "vector_norm", "vector_normalize", "vector_to_json",
};

static const char *const modules[] = {
    "chunk_each",       "embed_each",        "rerank",          "rerank_models",
    "rerank_stats",     "semantic_failures", "semantic_index",  "semantic_map",
    "semantic_pending", "semantic_progress", "semantic_recall", "semantic_search_each",
    "semantic_status",  "semantic_sync",
};

/* One for all of them; who has the last reference frees it. */
struct reason {
    int references;
    char text[];
};

static struct reason *new_reason(const char *why)
{
    size_t size = strlen(why) + 1;
    /* Not sqlite3_malloc64, which a SQLite that is too old for the library may lack. */
    struct reason *reason = sqlite3_malloc((int)(sizeof *reason + size));
    if (reason == NULL) return NULL;
    reason->references = 1;
    memcpy(reason->text, why, size);
    api_hold();
    return reason;
}

static struct reason *reference(struct reason *reason)
{
    reason->references++;
    return reason;
}

static void release(void *data)
{
    struct reason *reason = data;
    if (--reason->references > 0) return;
    sqlite3_free(reason);
    api_release();
}

static void answer(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    const struct reason *reason = sqlite3_user_data(context);
    sqlite3_result_error(context, reason->text, -1);
}

static int connect(sqlite3 *db, void *data, int argc, const char *const *argv, sqlite3_vtab **table,
                   char **message)
{
    (void)db;
    (void)argc;
    (void)argv;
    (void)table;
    const struct reason *reason = data;
    *message = sqlite3_mprintf("%s", reason->text);
    return SQLITE_ERROR;
}

/* Never called, as nothing is ever connected; a module without it can create no table. */
static int destroy(sqlite3_vtab *table)
{
    (void)table;
    return SQLITE_OK;
}

/* Both of tables that are made and of those that are functions. */
static const sqlite3_module module = {
    .xCreate = connect, .xConnect = connect, .xDisconnect = destroy, .xDestroy = destroy};

int unavailable_register(sqlite3 *db, const char *why)
{
    /* As pure as any that they stand for: wherever one of those may be called, it answers. */
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    struct reason *reason = new_reason(why);
    int rc = reason == NULL ? SQLITE_NOMEM : SQLITE_OK;
    /* SQLite calls the destructor also when it refuses one. */
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof *functions; i++)
        rc = sqlite3_create_function_v2(db, functions[i], -1, flags, reference(reason), answer,
                                        NULL, NULL, release);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof modules / sizeof *modules; i++)
        rc = sqlite3_create_module_v2(db, modules[i], &module, reference(reason), release);
    if (reason != NULL) release(reason);
    return rc;
}
