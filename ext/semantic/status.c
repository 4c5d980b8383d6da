/*
 * status.c: SELECT * FROM semantic_status('movie_index' [, schema]).
 *
 * How an index is, in one row. Reads its shadow tables and its content once and nothing else: no
 * model is asked, nothing is written, rows that wait in the transaction are left waiting. What can
 * not be told is NULL, and `problem` says why, a line for each thing that is broken; `advice` has a
 * line for each thing that is to be done, whose first word is a command where one does it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "semantic/columns.h"
#include "semantic/embedded.h"
#include "semantic/embedder.h"
#include "semantic/fit.h"
#include "semantic/pending.h"
#include "semantic/registry.h"
#include "semantic/semantic.h"
#include "semantic/sync.h"
#include "semantic/upkeep.h"
#include "semantic/wording.h"
#include "sqlite/table_function.h"
#include "store/failures.h"
#include "store/write.h"

#define MAX_LINES ((size_t)1 << 16)

/* So many dead documents of words, or fewer, are not worth anybody's time. */
#define FEW_DEAD 10

enum {
    STATUS_ROWS,
    STATUS_PENDING,
    STATUS_GONE,
    STATUS_FAILED,
    STATUS_BYTES,
    STATUS_VECTOR_BYTES,
    STATUS_CODE_BYTES,
    STATUS_TEXT_BYTES,
    STATUS_MODEL_BYTES,
    STATUS_DIMENSIONS,
    STATUS_FITTED_ON,
    STATUS_WORD_BYTES, /* shown as the last column, hidden */
    STATUS_N_NUMBERS,
    STATUS_MODEL = STATUS_WORD_BYTES,
    STATUS_FINGERPRINT,
    STATUS_PROBLEM,
    STATUS_ADVICE,
    STATUS_INDEX, /* the first argument; the other is the schema */
    STATUS_LAST = STATUS_INDEX + 2
};

struct status_cursor {
    struct table_cursor base;
    struct semantic_table *index; /* while start runs */
    struct store_state state;
    int has_state;
    int is_of_old_rules; /* its fitted model */
    int64_t numbers[STATUS_N_NUMBERS];
    unsigned known;                /* numbers, as bits */
    int64_t n_texts;               /* content rows that have one */
    int64_t n_unusable;            /* content rows without a usable key */
    int is_misfit;                 /* its model makes vectors of other dimensions */
    int refits;                    /* the next sync fits its model again */
    int64_t n_retry;               /* rows that failed, and that a sync leaves out */
    int64_t n_dead;                /* documents of words, where they are too many */
    struct buffer problem, advice; /* lines; NUL terminated where there are any */
};

static void status_free(struct table_cursor *base)
{
    struct status_cursor *cursor = (struct status_cursor *)base;
    buffer_deinit(&cursor->problem);
    buffer_deinit(&cursor->advice);
}

static void set_number(struct status_cursor *cursor, int column, int64_t number)
{
    cursor->numbers[column] = number;
    cursor->known |= 1u << column;
}

static int is_known(const struct status_cursor *cursor, int column)
{
    return (int)(cursor->known >> column & 1);
}

static int add_line(struct buffer *lines, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int add_line(struct buffer *lines, struct error *err, const char *format, ...)
{
    char line[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (lines->size > 0) lines->data[lines->size - 1] = '\n';
    return buffer_append(lines, line, strlen(line) + 1, err);
}

/* A failure to find something out is a line of `problem`, once, and no error: unless it tells
 * nothing of the index. */
static int excuse(struct status_cursor *cursor, int rc, const struct error *why, struct error *err)
{
    if (rc == 0) return 0;
    int code = why->code == ERROR_STORAGE ? why->storage_code & 0xff : 0;
    if (rc == ERROR_NOMEM || rc == ERROR_INTERRUPTED || code == SQLITE_BUSY ||
        code == SQLITE_LOCKED || code == SQLITE_IOERR) {
        *err = *why;
        return rc;
    }
    if (cursor->problem.size > 0 && strstr(cursor->problem.data, why->text) != NULL) return 0;
    return add_line(&cursor->problem, err, "%s", why->text);
}

static int ask(struct status_cursor *cursor, int column, enum store_question which,
               struct error *err)
{
    struct error why;
    int64_t answer;
    int rc = store_ask(&cursor->index->store, which, 0, 0, &answer, &why);
    if (rc == 0) set_number(cursor, column, answer);
    else cursor->known &= ~(1u << column);
    return excuse(cursor, rc, &why, err);
}

/* Blocks hold codes, or else the vectors. */
static int count_bytes(struct status_cursor *cursor, struct error *err)
{
    const struct store *store = &cursor->index->store;
    int has_codes = store_keeps_vectors(store), rc;
    for (int i = STATUS_VECTOR_BYTES; i <= STATUS_MODEL_BYTES; i++) set_number(cursor, i, 0);
    set_number(cursor, STATUS_WORD_BYTES, 0);
    rc = ask(cursor, has_codes ? STATUS_CODE_BYTES : STATUS_VECTOR_BYTES, STORE_DATA_BYTES, err);
    if (rc == 0 && has_codes) rc = ask(cursor, STATUS_VECTOR_BYTES, STORE_VECTOR_BYTES, err);
    if (rc == 0 && store->options.keeps_texts)
        rc = ask(cursor, STATUS_TEXT_BYTES, STORE_TEXT_BYTES, err);
    if (rc == 0 && store->tokenizer != NULL)
        rc = ask(cursor, STATUS_WORD_BYTES, STORE_WORD_BYTES, err);
    return rc == 0 ? ask(cursor, STATUS_MODEL_BYTES, STORE_MODEL_BYTES, err) : rc;
}

static void sum_bytes(struct status_cursor *cursor)
{
    int64_t sum = cursor->numbers[STATUS_WORD_BYTES];
    int all_known = is_known(cursor, STATUS_WORD_BYTES);
    for (int i = STATUS_VECTOR_BYTES; i <= STATUS_MODEL_BYTES; i++) {
        sum += cursor->numbers[i];
        all_known &= is_known(cursor, i);
    }
    if (all_known) set_number(cursor, STATUS_BYTES, sum);
}

/* An index that was made for vectors of the user's own may have a model of other dimensions. */
static int find_misfit(struct status_cursor *cursor, const struct catalog_entry *entry,
                       struct error *err)
{
    const struct semantic_table *index = cursor->index;
    size_t made = catalog_entry_model(entry)->dimensions, wanted = index->config.dimensions;
    int64_t any_own;
    int rc = store_ask(&cursor->index->store, STORE_ANY_OWN, 0, 0, &any_own, err);
    if (rc == 0 && wanted == 0 && any_own) wanted = cursor->state.dimensions;
    cursor->is_misfit =
        rc == 0 && cursor->state.fit == 0 && wanted != 0 && made != 0 && made != wanted;
    return rc;
}

/* What X_config says, and whether the model is there as it was. *model: its entry; NULL: not. */
static int read_model(struct status_cursor *cursor, struct catalog_entry **model, struct error *err)
{
    struct semantic_table *index = cursor->index;
    struct catalog_entry *entry = NULL;
    struct model *fitted;
    struct error why;
    *model = NULL;
    int rc = store_read_state(&index->store, &cursor->state, &why);
    if (rc != 0) return excuse(cursor, rc, &why, err);
    cursor->has_state = 1;
    set_number(cursor, STATUS_DIMENSIONS, (int64_t)cursor->state.dimensions);
    rc = semantic_named_model(index, &cursor->state, &entry, &fitted, &why);
    if (rc == 0) *model = entry;
    /* A look at an index asks no server. */
    if (rc == 0 &&
        (cursor->state.has_fingerprint || catalog_entry_model(entry)->methods->fingerprint != NULL))
        rc = semantic_check_fingerprint(index, &cursor->state, entry, &why);
    if (rc == 0) rc = find_misfit(cursor, entry, &why);
    cursor->is_of_old_rules = rc == 0 && fitted != NULL && fitted->is_of_old_rules;
    rc = excuse(cursor, rc, &why, err);
    if (rc == 0 && cursor->state.fit != 0) rc = ask(cursor, STATUS_FITTED_ON, STORE_FITTED_ON, err);
    if (cursor->numbers[STATUS_FITTED_ON] <= 0) cursor->known &= ~(1u << STATUS_FITTED_ON);
    return rc;
}

/* Texts that wait in this transaction, where the index keeps them itself. */
static size_t count_waiting(const struct semantic_table *index)
{
    const struct semantic_pending *pending = index->pending;
    size_t n = 0;
    if (index->config.content != NULL) return 0;
    for (size_t i = pending->n_flushed; i < pending->n_rows; i++) {
        const struct pending_row *row = &pending->rows[i];
        n += row->kind == PENDING_TEXT && pending_find(pending, row->id) == row;
    }
    return n;
}

static int compare(struct status_cursor *cursor, const struct catalog_entry *model,
                   struct error *err)
{
    struct sync_difference difference;
    struct error why;
    int fits = 0;
    int rc = sync_compare(cursor->index, SYNC_CHANGES, &difference, &why);
    int64_t n_failed = (int64_t)difference.n_failed;
    if (rc == 0 && model != NULL)
        rc = semantic_fit_is_due(cursor->index, &cursor->state, model, difference.n_readable, &fits,
                                 &why);
    /* A sync that fits embeds all. */
    if (rc == 0 && fits) rc = sync_compare(cursor->index, SYNC_REBUILD, &difference, &why);
    if (rc != 0) return excuse(cursor, rc, &why, err);
    cursor->refits = fits && cursor->state.fit != 0;
    cursor->n_retry = (int64_t)difference.n_failed;
    cursor->n_unusable = difference.n_unusable;
    set_number(cursor, STATUS_FAILED, n_failed + cursor->n_unusable);
    set_number(
        cursor, STATUS_PENDING,
        (int64_t)(difference.n_changed + difference.n_wordless + count_waiting(cursor->index)));
    set_number(cursor, STATUS_GONE, (int64_t)difference.n_gone);
    cursor->n_texts = difference.n_total;
    return 0;
}

/* Where they cannot be compared with the content. */
static int count_failures(struct status_cursor *cursor, struct error *err)
{
    struct error why;
    int64_t n;
    if (!cursor->has_state || is_known(cursor, STATUS_FAILED)) return 0;
    int rc = failures_count(&cursor->index->store, &cursor->state, &n, &why);
    if (rc == 0) set_number(cursor, STATUS_FAILED, n);
    return excuse(cursor, rc, &why, err);
}

static int count_dead(struct status_cursor *cursor, struct error *err)
{
    struct semantic_table *index = cursor->index;
    struct error why;
    int many;
    int rc = wording_is_due(index, 0, &many, &why);
    if (rc == 0 && many) rc = store_ask(&index->store, STORE_N_DEAD, 0, 0, &cursor->n_dead, &why);
    return excuse(cursor, rc, &why, err);
}

static int measure(struct status_cursor *cursor, struct error *err)
{
    struct error why;
    struct catalog_entry *model;
    int rc = excuse(cursor, store_write_check(&cursor->index->store, &why), &why, err);
    if (rc == 0) rc = read_model(cursor, &model, err);
    if (rc == 0) rc = ask(cursor, STATUS_ROWS, STORE_N_ROWS, err);
    if (rc == 0) rc = compare(cursor, model, err);
    if (rc == 0) rc = count_failures(cursor, err);
    if (rc == 0) rc = count_bytes(cursor, err);
    if (rc == 0) rc = count_dead(cursor, err);
    sum_bytes(cursor);
    return rc;
}

static int advise_unusable(struct status_cursor *cursor, struct error *err)
{
    const struct semantic_table *index = cursor->index;
    long long n = cursor->n_unusable;
    if (n == 0) return 0;
    return add_line(&cursor->advice, err, "%lld row%s of %.100s %s left out: %s %.100s is %s", n,
                    n == 1 ? "" : "s", index->config.content, n == 1 ? "is" : "are",
                    n == 1 ? "its" : "their", index->config.content_rowid,
                    index->store.keeps_keys ? "NULL" : "no integer");
}

static int advise_words(struct status_cursor *cursor, struct error *err)
{
    if (cursor->index == NULL || !cursor->index->store.lacks_words) return 0;
    return add_line(&cursor->advice, err,
                    "it has no words, as it was made by an SQLite without FTS5: DROP it, and make "
                    "it anew by another");
}

static int advise(struct status_cursor *cursor, struct error *err)
{
    struct buffer *advice = &cursor->advice;
    const int64_t *numbers = cursor->numbers;
    long long pending = numbers[STATUS_PENDING], gone = numbers[STATUS_GONE],
              failed = cursor->n_retry, fitted_on = numbers[STATUS_FITTED_ON];
    int rc = 0;
    if (pending > 0 && cursor->is_misfit)
        rc = add_line(advice, err,
                      "%lld row%s no vector: write %s, as the model makes other dimensions",
                      pending, pending == 1 ? " has" : "s have", pending == 1 ? "it" : "them");
    else if (pending > 0)
        rc = add_line(advice, err, "sync: %lld row%s pending", pending,
                      pending == 1 ? " is" : "s are");
    if (rc == 0 && gone > 0)
        rc = add_line(advice, err, "sync: %lld row%s gone", gone, gone == 1 ? " is" : "s are");
    if (rc == 0 && failed > 0)
        rc = add_line(advice, err, "retry: %lld row%s failed", failed, failed == 1 ? "" : "s");
    if (rc == 0) rc = advise_unusable(cursor, err);
    if (rc == 0 && cursor->refits)
        rc = add_line(advice, err, "sync: fitted on %lld of %lld rows, it fits again", fitted_on,
                      (long long)cursor->n_texts);
    else if (rc == 0 && is_known(cursor, STATUS_FITTED_ON) && cursor->n_texts / 2 > fitted_on)
        rc = add_line(advice, err, "rebuild: fitted on %lld of %lld rows", fitted_on,
                      (long long)cursor->n_texts);
    if (rc == 0 && cursor->n_dead > FEW_DEAD)
        rc = add_line(advice, err, "optimize: words of %lld texts that are gone are kept",
                      (long long)cursor->n_dead);
    if (rc == 0 && cursor->is_of_old_rules)
        rc = add_line(advice, err,
                      "rebuild: fitted by an earlier version, whose rules of words it "
                      "keeps");
    return rc;
}

/* What cannot be told because the content cannot be read is a problem already; else it is one. */
static int advise_upkeep(struct status_cursor *cursor, struct error *err)
{
    const char *suffix = NULL;
    int rc = cursor->index == NULL ? 0 : upkeep_find_stale(cursor->index, &suffix, err);
    if (rc != 0 && rc != ERROR_NOMEM && rc != ERROR_INTERRUPTED && cursor->problem.size == 0)
        return add_line(&cursor->problem, err, "%s", err->text);
    if (rc != 0) return rc == ERROR_NOMEM || rc == ERROR_INTERRUPTED ? rc : 0;
    return suffix == NULL
               ? 0
               : add_line(&cursor->advice, err, "upkeep: trigger %s_upkeep_%s is missing or stale",
                          cursor->index->store.name, suffix);
}

/* The same: VACUUM gives other numbers to rows whose number is no INTEGER PRIMARY KEY. */
static int advise_key(struct status_cursor *cursor, struct error *err)
{
    const struct semantic_table *index = cursor->index;
    int keeps = 1;
    if (index == NULL || index->config.content == NULL || index->store.keeps_keys) return 0;
    int rc = columns_keep_rowids(index, &keeps, err);
    if (rc != 0) return rc == ERROR_NOMEM || rc == ERROR_INTERRUPTED ? rc : 0;
    return keeps ? 0
                 : add_line(&cursor->advice, err,
                            "%.100s has no INTEGER PRIMARY KEY: VACUUM may renumber its rows",
                            index->config.content);
}

/* A broken index is found all the same: *index is set then. */
static int open_index(struct status_cursor *cursor, sqlite3_stmt **pin, struct error *err)
{
    struct error why;
    int rc = registry_open(table_cursor_context(&cursor->base), cursor->base.arguments[0],
                           cursor->base.arguments[1], pin, &cursor->index, &why);
    if (rc == 0) return 0;
    if (cursor->index == NULL || cursor->index->broken.code == 0) {
        *err = why;
        return rc;
    }
    cursor->index = NULL;
    return excuse(cursor, rc, &why, err);
}

static int status_start(struct table_cursor *base, struct error *err)
{
    struct status_cursor *cursor = (struct status_cursor *)base;
    sqlite3_stmt *pin = NULL;
    buffer_init(&cursor->problem, MAX_LINES);
    buffer_init(&cursor->advice, MAX_LINES);
    int rc = open_index(cursor, &pin, err);
    if (rc == 0 && cursor->index != NULL) rc = measure(cursor, err);
    if (rc == 0) rc = advise_upkeep(cursor, err);
    if (rc == 0) rc = advise(cursor, err);
    if (rc == 0) rc = advise_key(cursor, err);
    if (rc == 0) rc = advise_words(cursor, err);
    sqlite3_finalize(pin);
    return rc;
}

static int status_next(struct table_cursor *base, struct error *err)
{
    (void)err;
    base->is_done = 1;
    return 0;
}

static void result_lines(sqlite3_context *context, const struct buffer *lines)
{
    if (lines->size > 0) sqlite3_result_text(context, lines->data, -1, SQLITE_TRANSIENT);
}

static void status_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    const struct status_cursor *cursor = (struct status_cursor *)base;
    char fingerprint[EMBEDDED_FINGERPRINT_SIZE];
    if (column == STATUS_PROBLEM) {
        result_lines(context, &cursor->problem);
    } else if (column == STATUS_ADVICE) {
        result_lines(context, &cursor->advice);
    } else if (column < STATUS_MODEL || column == STATUS_LAST) {
        if (column == STATUS_LAST) column = STATUS_WORD_BYTES;
        if (is_known(cursor, column)) sqlite3_result_int64(context, cursor->numbers[column]);
    } else if (cursor->has_state && column == STATUS_MODEL) {
        sqlite3_result_text(context, cursor->state.model, -1, SQLITE_TRANSIENT);
    } else if (cursor->has_state && column == STATUS_FINGERPRINT) {
        embedded_fingerprint(&cursor->state, fingerprint);
        sqlite3_result_text(context, fingerprint, -1, SQLITE_TRANSIENT);
    }
}

static const struct table_function status_function = {
    .name = "semantic_status",
    .usage = "the name of a semantic_index: semantic_status('movie_index')",
    .declaration = "CREATE TABLE x(rows, pending, gone, failed, bytes, vector_bytes, code_bytes, "
                   "text_bytes, model_bytes, dimensions, fitted_on, model, fingerprint, problem, "
                   "advice, \"index\" HIDDEN, schema HIDDEN, word_bytes HIDDEN)",
    .first_argument = STATUS_INDEX,
    .n_arguments = 2,
    .n_needed = 1,
    .cursor_size = sizeof(struct status_cursor),
    .start = status_start,
    .next = status_next,
    .column = status_column,
    .free = status_free,
};

int status_register(struct connection *connection, struct semantic_registry *registry)
{
    return table_function_register(connection, &status_function, registry);
}
