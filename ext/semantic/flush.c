#include "semantic/flush.h"

#include <stdlib.h>

#include "base/memory.h"
#include "semantic/content.h"
#include "semantic/embedder.h"
#include "semantic/pending.h"
#include "semantic/wording.h"
#include "store/failures.h"
#include "store/words.h"
#include "store/write.h"

/* Rows of the buffer by id, those of one id as they were written. */
static int compare_rows(const void *a, const void *b)
{
    const struct pending_row *x = *(struct pending_row *const *)a,
                             *y = *(struct pending_row *const *)b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* The rows that wait, in that order. */
static void list_rows(struct semantic_pending *pending, struct pending_row **rows)
{
    size_t n = 0;
    for (size_t i = pending->n_flushed; i < pending->n_rows; i++) rows[n++] = &pending->rows[i];
    qsort(rows, n, sizeof *rows, compare_rows);
}

static int is_changed(const struct pending_row *row)
{
    return row->kind >= PENDING_CHANGED;
}

/* It has a text, to be embedded or known to be refused. */
static int is_text(const struct pending_row *row)
{
    return row->kind == PENDING_TEXT ||
           (is_changed(row) && (row->text != NULL || row->refused != NULL));
}

/* What the content has now of a row that changed. The vector of an earlier flush stays with its
 * text. */
static int read_changed(struct semantic_table *table, struct pending_row *row, struct error *err)
{
    struct buffer text;
    struct error bad;
    int exists, found;
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = content_text(table, row->id, &text, &bad, &exists, &found, err);
    uint64_t hash = rc == 0 ? content_hash(&text, &bad) : 0;
    if (rc == 0 && (!found || row->hash != hash || !is_text(row))) {
        pending_row_deinit(row);
        row->text = row->refused = NULL;
        row->vector = NULL;
        row->text_size = row->dimensions = 0;
        if (found) rc = pending_take_text(row, &text, &bad, err);
    }
    row->hash = hash;
    row->is_new = !exists;
    buffer_deinit(&text);
    return rc;
}

/* Of all rows of one id the last that changed says what the content has, and replaces the others.
 */
static int read_last_changed(struct semantic_table *table, struct pending_row **rows,
                             size_t *n_rows, struct error *err)
{
    size_t n = 0;
    struct pending_row *last = NULL;
    for (size_t i = 0; i < *n_rows; i++)
        if (is_changed(rows[i])) last = rows[i];
    for (size_t i = 0; i < *n_rows; i++)
        if (!is_changed(rows[i]) || rows[i] == last) rows[n++] = rows[i];
    *n_rows = n;
    return last == NULL ? 0 : read_changed(table, last, err);
}

/* What all that was written of one id comes to, as if each had been a transaction of its own: a
 * vector that was given stays while the text is the same. NULL: what the index holds. */
static struct pending_row *fold(struct pending_row *const *rows, size_t n_rows,
                                const struct store_row *stored)
{
    struct pending_row *last = NULL;
    for (size_t i = 0; i < n_rows; i++) {
        int is_same = last == NULL ? stored != NULL && stored->hash == rows[i]->hash
                                   : last->vector != NULL && last->hash == rows[i]->hash;
        int may_stay = rows[i]->kind == PENDING_TEXT || is_changed(rows[i]);
        if (!may_stay || rows[i]->is_new || !is_same) last = rows[i];
    }
    return last;
}

/* Whether the index knows that text of a row already: by its vector, or that it has none. */
static int is_known(struct semantic_table *table, const struct store_state *state,
                    const struct pending_row *row, const struct store_row *stored, int *known,
                    struct error *err)
{
    uint64_t hash;
    *known = stored != NULL && !stored->own && stored->hash == row->hash;
    if (stored != NULL || row->vector != NULL) return 0;
    int rc = failures_find(&table->store, state, row->id, &hash, known, err);
    if (*known) *known = hash == row->hash;
    return rc;
}

/* A row that changed and has no text now: nothing to write if the index does not know it. */
static int leave_out_unknown(struct semantic_table *table, const struct store_state *state,
                             struct pending_row **row, int is_stored, struct error *err)
{
    uint64_t hash;
    int has_failed;
    if (!is_changed(*row) || is_stored) return 0;
    int rc = failures_find(&table->store, state, (*row)->id, &hash, &has_failed, err);
    if (rc == 0 && !has_failed) *row = NULL;
    return rc;
}

/* Takes all rows of one id: *row is what to write, NULL for nothing. A text row needs embedding
 * unless the index holds, or the row already got, what that model made of that text. */
static int settle(struct semantic_table *table, const struct store_state *state,
                  struct pending_row **rows, size_t n_rows, struct pending_row **row, int *needed,
                  struct error *err)
{
    struct store_row stored;
    int found, known;
    *needed = 0;
    int rc = read_last_changed(table, rows, &n_rows, err);
    *row = rows[n_rows - 1];
    if (rc != 0 || ((*row)->kind != PENDING_TEXT && !is_changed(*row))) return rc;
    rc = store_get_row(&table->store, (*row)->id, &stored, &found, err);
    if (rc != 0) return rc;
    *row = fold(rows, n_rows, found ? &stored : NULL);
    if (*row == NULL) return 0;
    if (!is_text(*row)) return leave_out_unknown(table, state, row, found, err);
    *needed = (*row)->text != NULL &&
              (((*row)->vector == NULL && (*row)->refused == NULL) || (*row)->fit != state->fit);
    rc = is_known(table, state, *row, found ? &stored : NULL, &known, err);
    if (known) {
        *row = NULL;
        *needed = 0;
    }
    return rc;
}

/* What of the rows that wait is to be done, found out before anything of it is written. */
struct plan {
    struct pending_row **rows;  /* [n_rows] to write; at first all that wait */
    struct pending_row **texts; /* [n_texts] of these, to embed first */
    struct wording_fix *fixes;  /* [n_fixes] of words; NULL: the index has none */
    size_t n_rows, n_texts, n_fixes;
    int in_sync; /* in xSync */
};

static int plan_init(struct semantic_table *table, size_t n, struct plan *plan, struct error *err)
{
    int has_words = table->store.tokenizer != NULL;
    plan->rows = memory_alloc(n, sizeof *plan->rows);
    plan->texts = memory_alloc(n, sizeof *plan->texts);
    plan->fixes = has_words ? memory_alloc(n, sizeof *plan->fixes) : NULL;
    int is_whole = plan->rows != NULL && plan->texts != NULL && (plan->fixes != NULL || !has_words);
    return is_whole ? 0 : error_nomem(err);
}

static void plan_deinit(struct plan *plan)
{
    memory_free(plan->rows);
    memory_free(plan->texts);
    memory_free(plan->fixes);
}

/* `embedder` made the vectors; NULL: none did. */
static int write_changes(struct semantic_table *table, struct store_state *state,
                         const struct plan *plan, const struct store_change *changes,
                         struct catalog_entry *embedder, struct error *err)
{
    struct store *store = &table->store;
    int rc = store_check_changes(state, changes, plan->n_rows, err);
    if (rc == 0 && store->tokenizer != NULL)
        rc = words_prepare(store, plan->n_fixes > 0 && !plan->in_sync, err);
    if (rc == 0)
        rc = plan->n_rows > 0 ? store_write_begin(store, state,
                                                  store_hash_changes(changes, plan->n_rows, 0), err)
                              : store_write_open(store, err);
    if (rc != 0) return rc;
    if (embedder != NULL && !state->has_fingerprint)
        rc = semantic_store_fingerprint(table, embedder, err);
    if (rc == 0 && plan->n_rows > 0)
        rc = store_write_rows(store, state, changes, plan->n_rows, err);
    if (rc == 0) rc = wording_mend(table, plan->fixes, plan->n_fixes, plan->in_sync, err);
    return store_write_end(store, state, rc, err);
}

static int write_rows(struct semantic_table *table, struct store_state *state,
                      const struct plan *plan, struct catalog_entry *embedder, struct error *err)
{
    if (plan->n_rows == 0 && plan->n_fixes == 0) return 0;
    struct store_change *changes = memory_alloc(plan->n_rows, sizeof *changes);
    if (changes == NULL) return error_nomem(err);
    for (size_t i = 0; i < plan->n_rows; i++) changes[i] = pending_change(plan->rows[i]);
    int rc = write_changes(table, state, plan, changes, embedder, err);
    memory_free(changes);
    return rc;
}

/* All rows of one id. */
static int plan_id(struct semantic_table *table, const struct store_state *state,
                   struct pending_row **rows, size_t n_rows, struct plan *plan, struct error *err)
{
    struct pending_row *row;
    int needed, mends = 0;
    const struct pending_row *last = wording_last(rows, n_rows);
    int rc = settle(table, state, rows, n_rows, &row, &needed, err);
    if (rc == 0 && plan->fixes != NULL)
        rc = wording_compare(table, rows, n_rows, last, row, &plan->fixes[plan->n_fixes], &mends,
                             err);
    if (rc != 0) return rc;
    plan->n_fixes += mends != 0;
    if (row != NULL) plan->rows[plan->n_rows++] = row;
    if (needed) plan->texts[plan->n_texts++] = row;
    return 0;
}

/* Of the rows that wait, [n]. */
static int settle_all(struct semantic_table *table, struct store_state *state, size_t n,
                      struct plan *plan, struct error *err)
{
    struct pending_row **rows = plan->rows;
    int rc = failures_look(&table->store, state, err);
    list_rows(table->pending, rows);
    for (size_t begin = 0, end; rc == 0 && begin < n; begin = end) {
        for (end = begin + 1; end < n && rows[end]->id == rows[begin]->id;) end++;
        rc = plan_id(table, state, rows + begin, end - begin, plan, err);
    }
    return rc;
}

/* A text that the model refuses is one row without a vector, and no failure of the transaction. */
static int embed(struct semantic_table *table, const struct store_state *state,
                 struct pending_row *const *texts, size_t n_texts, struct catalog_entry **embedder,
                 struct error *err)
{
    struct model *fitted;
    *embedder = NULL;
    if (n_texts == 0) return 0;
    int rc = semantic_embedder(table, state, embedder, &fitted, err);
    if (rc == 0) rc = semantic_try_rows(table, *embedder, fitted, texts, n_texts, err);
    for (size_t i = 0; rc == 0 && i < n_texts; i++) texts[i]->fit = state->fit;
    return rc;
}

/* `state` is what X_config says now. */
static int flush(struct semantic_table *table, struct store_state *state, int in_sync,
                 struct error *err)
{
    struct semantic_pending *pending = table->pending;
    size_t n = pending->n_rows - pending->n_flushed;
    struct plan plan = {.in_sync = in_sync};
    struct catalog_entry *embedder = NULL;
    int rc = plan_init(table, n, &plan, err);
    if (rc == 0) rc = settle_all(table, state, n, &plan, err);
    if (rc == 0) rc = embed(table, state, plan.texts, plan.n_texts, &embedder, err);
    if (rc == 0) rc = write_rows(table, state, &plan, embedder, err);
    plan_deinit(&plan);
    if (rc == 0) pending_flushed(pending);
    return rc;
}

static int is_waiting(const struct semantic_table *table)
{
    return table->pending->n_rows > table->pending->n_flushed;
}

int flush_pending(struct semantic_table *table, struct error *err)
{
    struct store_state state;
    int64_t last_rowid = sqlite3_last_insert_rowid(table->store.db);
    int rc = store_write_check(&table->store, err);
    if (rc != 0 || !is_waiting(table)) return rc;
    rc = store_read_state(&table->store, &state, err);
    if (rc == 0) rc = flush(table, &state, 0, err);
    /* The user's row, not one of ours. */
    sqlite3_set_last_insert_rowid(table->store.db, last_rowid);
    return rc;
}

int flush_at_commit(struct semantic_table *table, struct error *err)
{
    struct store_state state;
    int64_t last_rowid = sqlite3_last_insert_rowid(table->store.db);
    int there = 1, waiting = is_waiting(table), rc = 0;
    if (!waiting && table->store.write->step != STORE_TORN) return 0;
    rc = store_is_there(&table->store, &state, &there, err);
    if (rc == 0 && there) rc = store_write_check(&table->store, err);
    if (rc == 0 && there && waiting) rc = flush(table, &state, 1, err);
    sqlite3_set_last_insert_rowid(table->store.db, last_rowid);
    return rc;
}
