/*
 * chunk_each.c: chunk_each(text [, max_tokens [, overlap [, model]]]), a long text in pieces (text/chunk.h).
 *
 * Pieces are made one at a time, as they are asked for. The tokens of the prefix that the model gets
 * before a document count against what it reads, so that no piece is cut when it is embedded.
 */
#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "sqlite/functions.h"
#include "sqlite/table_function.h"
#include "sqlite/tokens.h"
#include "text/chunk.h"

/* Where the model reads texts of any length. */
#define USUAL_MAX_TOKENS 256

enum { NUMBER, START, TEXT, DOCUMENT, MAX_TOKENS, OVERLAP, MODEL };
#define N_ARGUMENTS 4

struct chunk_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_value *arguments[N_ARGUMENTS];
    struct catalog_entry *entry;
    struct chunker *chunker; /* NULL: there is nothing to cut */
    struct chunk chunk;
    sqlite3_int64 number;
    int done;
};

static struct connection *connection_of(const struct chunk_cursor *cursor)
{
    return ((struct table_function *)cursor->base.pVtab)->connection;
}

static int chunk_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **opened, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    return table_function_connect(db, aux,
                                  "CREATE TABLE x(n, start, text, document HIDDEN, max_tokens "
                                  "HIDDEN, overlap HIDDEN, model HIDDEN)",
                                  opened);
}

/* Rows come in order, n and start both rising. */
static int chunk_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    (void)base;
    int rc = table_function_plan(info, DOCUMENT, N_ARGUMENTS);
    if (rc == SQLITE_OK && info->nOrderBy == 1 && !info->aOrderBy[0].desc)
        info->orderByConsumed =
            info->aOrderBy[0].iColumn == NUMBER || info->aOrderBy[0].iColumn == START;
    return rc;
}

static int chunk_open(sqlite3_vtab *base, sqlite3_vtab_cursor **opened)
{
    (void)base;
    struct chunk_cursor *cursor = memory_zalloc(1, sizeof *cursor);
    if (cursor == NULL) return SQLITE_NOMEM;
    *opened = &cursor->base;
    return SQLITE_OK;
}

static void chunk_reset(struct chunk_cursor *cursor)
{
    chunk_free(cursor->chunker);
    table_function_release(cursor->arguments, N_ARGUMENTS);
    *cursor = (struct chunk_cursor){.base = cursor->base, .done = 1};
}

static int chunk_close(sqlite3_vtab_cursor *base)
{
    chunk_reset((struct chunk_cursor *)base);
    memory_free(base);
    return SQLITE_OK;
}

/* A chunk_count. The model is looked up each time: an UPDATE of rerank_models may have made it anew. */
static int count_tokens(void *context, struct span text, size_t *n_tokens, struct error *err)
{
    const struct chunk_cursor *cursor = context;
    struct model_tokens tokens;
    int rc = model_tokenize(catalog_entry_model(cursor->entry), text,
                            &connection_of(cursor)->cancel, 0, &tokens, err);
    *n_tokens = rc == 0 ? tokens.n : 0;
    return rc;
}

/* An optional argument that is a number of tokens, `least` or more; *n stays where there is none. */
static int read_count(sqlite3_value *value, const char *name, sqlite3_int64 least, size_t *n,
                      struct error *err)
{
    if (value == NULL || sqlite3_value_type(value) == SQLITE_NULL) return 0;
    if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER || sqlite3_value_int64(value) < least) {
        int is_blob = sqlite3_value_type(value) == SQLITE_BLOB;
        const char *text = is_blob ? "a blob" : (const char *)sqlite3_value_text(value);
        if (text == NULL) return error_nomem(err);
        return error_set(err, ERROR_INVALID, "%s must be an integer of %d or more, not %.40s", name,
                         (int)least, text);
    }
    *n = (size_t)sqlite3_value_int64(value);
    return 0;
}

/* How many tokens a piece may have, of those that the model reads. */
static int choose_max_tokens(struct chunk_cursor *cursor, size_t *max_tokens, struct error *err)
{
    const char *prefix = catalog_entry_prefix(cursor->entry, MODEL_DOCUMENT);
    const struct model *model = catalog_entry_model(cursor->entry);
    size_t wanted = 0, n_prefix, n_special;
    int rc = read_count(cursor->arguments[MAX_TOKENS - DOCUMENT], "max_tokens", 1, &wanted, err);
    if (rc == 0 && model->max_tokens > 0 && wanted > model->max_tokens)
        rc = error_set(err, ERROR_INVALID,
                       "max_tokens must be %zu or less, not %zu: %s reads no more",
                       model->max_tokens, wanted, model->name);
    if (rc == 0) rc = count_tokens(cursor, (struct span){"", 0}, &n_special, err);
    if (rc == 0) rc = count_tokens(cursor, (struct span){prefix, strlen(prefix)}, &n_prefix, err);
    if (rc != 0) return rc;
    *max_tokens = model->max_tokens > 0 ? model->max_tokens : USUAL_MAX_TOKENS;
    if (model->max_tokens > 0 && n_prefix > n_special)
        *max_tokens -= n_prefix - n_special < *max_tokens ? n_prefix - n_special : *max_tokens;
    if (wanted > 0 && (wanted < *max_tokens || model->max_tokens == 0)) *max_tokens = wanted;
    return 0;
}

static int next_chunk(struct chunk_cursor *cursor)
{
    struct error err;
    if (chunk_next(cursor->chunker, &cursor->chunk, &cursor->done, &err) == 0) return SQLITE_OK;
    cursor->done = 1;
    return argument_table_error(cursor->base.pVtab, "chunk_each", &err);
}

static int start(struct chunk_cursor *cursor, struct error *err)
{
    struct chunk_options options = {
        .count = count_tokens, .context = cursor, .cancel = &connection_of(cursor)->cancel};
    struct span text;
    int rc = argument_text(cursor->arguments[0], &text, err);
    if (rc == 0) rc = model_check_text(text, 0, err);
    if (rc == 0)
        rc = tokens_find_model(connection_of(cursor), cursor->arguments[MODEL - DOCUMENT],
                               &cursor->entry, err);
    if (rc == 0) rc = choose_max_tokens(cursor, &options.max_tokens, err);
    if (rc == 0)
        rc = read_count(cursor->arguments[OVERLAP - DOCUMENT], "overlap", 0, &options.overlap, err);
    return rc == 0 ? chunk_new(text, &options, &cursor->chunker, err) : rc;
}

static int chunk_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                        sqlite3_value **argv)
{
    (void)unused;
    (void)argc;
    struct chunk_cursor *cursor = (struct chunk_cursor *)base;
    sqlite3_value *arguments[TABLE_FUNCTION_MAX_ARGUMENTS];
    struct error err;
    int rc = 0;
    chunk_reset(cursor);
    table_function_arguments(plan, argv, arguments);
    if (arguments[0] == NULL)
        rc = error_set(&err, ERROR_INVALID, "expected a text: chunk_each(text)");
    else if (table_function_keep(arguments, cursor->arguments, N_ARGUMENTS) != SQLITE_OK)
        rc = error_nomem(&err);
    else if (sqlite3_value_type(arguments[0]) == SQLITE_NULL) return SQLITE_OK;
    if (rc == 0) rc = start(cursor, &err);
    return rc == 0 ? next_chunk(cursor) : argument_table_error(base->pVtab, "chunk_each", &err);
}

static int chunk_step(sqlite3_vtab_cursor *base)
{
    ((struct chunk_cursor *)base)->number++;
    return next_chunk((struct chunk_cursor *)base);
}

static int chunk_eof(sqlite3_vtab_cursor *base)
{
    return ((struct chunk_cursor *)base)->done;
}

static int chunk_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct chunk_cursor *cursor = (struct chunk_cursor *)base;
    const struct chunk *chunk = &cursor->chunk;
    if (column == NUMBER) sqlite3_result_int64(context, cursor->number);
    else if (column == START) sqlite3_result_int64(context, (sqlite3_int64)chunk->start);
    else if (column == TEXT)
        sqlite3_result_text64(context, chunk->text.data, chunk->text.size, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
    else if (cursor->arguments[column - DOCUMENT] != NULL)
        sqlite3_result_value(context, cursor->arguments[column - DOCUMENT]);
    return SQLITE_OK;
}

static int chunk_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = ((struct chunk_cursor *)base)->number;
    return SQLITE_OK;
}

static const sqlite3_module chunk_each = {
    .xConnect = chunk_connect,
    .xBestIndex = chunk_best_index,
    .xDisconnect = table_function_disconnect,
    .xOpen = chunk_open,
    .xClose = chunk_close,
    .xFilter = chunk_filter,
    .xNext = chunk_step,
    .xEof = chunk_eof,
    .xColumn = chunk_column,
    .xRowid = chunk_rowid,
};

int chunk_each_register(struct connection *connection)
{
    return connection_module(connection, "chunk_each", &chunk_each);
}
