/*
 * chunk_each.c: chunk_each(text [, max_tokens [, overlap [, model]]]), a long text in pieces
 * (text/chunk.h).
 *
 * Pieces are made one at a time, as they are asked for. The tokens of the prefix that the model
 * gets before a document count against what it reads, so that no piece is cut when it is embedded.
 */
#include <string.h>

#include "base/memory.h"
#include "functions/functions.h"
#include "functions/tokens.h"
#include "sqlite/argument.h"
#include "sqlite/table_function.h"
#include "text/chunk.h"

/* Where the model reads texts of any length. */
#define USUAL_MAX_TOKENS 256

enum { NUMBER, START, TEXT, DOCUMENT, MAX_TOKENS, OVERLAP, MODEL };
#define N_ARGUMENTS 4

struct chunk_cursor {
    struct table_cursor base;
    struct catalog_entry *entry;
    struct chunker *chunker;
    struct chunk chunk;
};

static void chunk_cursor_free(struct table_cursor *base)
{
    chunk_free(((struct chunk_cursor *)base)->chunker);
}

/* A chunk_count. The model is looked up each time: an UPDATE of rerank_models may have made it
 * anew. */
static int count_tokens(void *context, struct span text, size_t *n_tokens, struct error *err)
{
    const struct chunk_cursor *cursor = context;
    struct model_tokens tokens;
    int rc = model_tokenize(catalog_entry_model(cursor->entry), text,
                            &table_cursor_connection(&cursor->base)->cancel, 0, &tokens, err);
    *n_tokens = rc == 0 ? tokens.n : 0;
    return rc;
}

/* How many tokens a piece may have, of those that the model reads. */
static int choose_max_tokens(struct chunk_cursor *cursor, size_t *max_tokens, struct error *err)
{
    const char *prefix = catalog_entry_prefix(cursor->entry, MODEL_DOCUMENT);
    const struct model *model = catalog_entry_model(cursor->entry);
    size_t wanted = 0, n_prefix, n_special;
    int rc = argument_optional_count(cursor->base.arguments[MAX_TOKENS - DOCUMENT], "max_tokens", 1,
                                     SIZE_MAX, &wanted, err);
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

/* Rows come in order, n and start both rising. */
static int chunk_step(struct table_cursor *base, struct error *err)
{
    struct chunk_cursor *cursor = (struct chunk_cursor *)base;
    return chunk_next(cursor->chunker, &cursor->chunk, &base->is_done, err);
}

static int chunk_start(struct table_cursor *base, struct error *err)
{
    struct chunk_cursor *cursor = (struct chunk_cursor *)base;
    struct chunk_options options = {.count = count_tokens,
                                    .context = cursor,
                                    .cancel = &table_cursor_connection(&cursor->base)->cancel};
    struct span text;
    int rc = argument_text(cursor->base.arguments[0], &text, err);
    if (rc == 0) rc = model_check_text(text, 0, err);
    if (rc == 0)
        rc = tokens_find_model(table_cursor_connection(&cursor->base),
                               cursor->base.arguments[MODEL - DOCUMENT], &cursor->entry, err);
    if (rc == 0) rc = choose_max_tokens(cursor, &options.max_tokens, err);
    if (rc == 0)
        rc = argument_optional_count(cursor->base.arguments[OVERLAP - DOCUMENT], "overlap", 0,
                                     SIZE_MAX, &options.overlap, err);
    if (rc == 0) rc = chunk_new(text, &options, &cursor->chunker, err);
    return rc == 0 ? chunk_step(base, err) : rc;
}

static void chunk_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    const struct chunk *chunk = &((struct chunk_cursor *)base)->chunk;
    if (column == NUMBER) sqlite3_result_int64(context, base->n_rows);
    else if (column == START) sqlite3_result_int64(context, (sqlite3_int64)chunk->start);
    else
        sqlite3_result_text64(context, chunk->text.data, chunk->text.size, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
}

static const struct table_function chunk_each = {
    .name = "chunk_each",
    .usage = "a text: chunk_each(text)",
    .declaration =
        "CREATE TABLE x(n, start, text, document HIDDEN, max_tokens HIDDEN, overlap HIDDEN, "
        "model HIDDEN)",
    .first_argument = DOCUMENT,
    .n_arguments = N_ARGUMENTS,
    .n_needed = 1,
    .rising = 1u << NUMBER | 1u << START,
    .cursor_size = sizeof(struct chunk_cursor),
    .start = chunk_start,
    .next = chunk_step,
    .column = chunk_column,
    .free = chunk_cursor_free,
};

int chunk_each_register(struct connection *connection)
{
    return table_function_register(connection, &chunk_each, NULL);
}
