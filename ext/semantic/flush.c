#include "semantic/flush.h"

#include <stdlib.h>

#include "base/memory.h"
#include "semantic/embedder.h"
#include "semantic/pending.h"
#include "store/write.h"

/* Rows of the buffer by id, the latest first. */
static int compare_rows(const void *a, const void *b)
{
    const struct pending_row *x = *(struct pending_row *const *)a,
                             *y = *(struct pending_row *const *)b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x > y ? -1 : x < y;
}

/* The rows that wait, by id: of several with the same id only the last one counts. Returns how many
 * are left. */
static size_t list_rows(struct semantic_pending *pending, struct pending_row **rows)
{
    size_t n = 0, kept = 0;
    for (size_t i = pending->n_flushed; i < pending->n_rows; i++) rows[n++] = &pending->rows[i];
    qsort(rows, n, sizeof *rows, compare_rows);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || rows[kept - 1]->id != rows[i]->id) rows[kept++] = rows[i];
    return kept;
}

/* A text row needs embedding unless the index holds, or the row already got, a vector of that text
 * by that model. */
static int needs_embedding(struct semantic_table *table, const struct store_state *state,
                           struct pending_row *row, int *unchanged, int *needed, struct error *err)
{
    struct store_row stored;
    int found;
    *unchanged = *needed = 0;
    if (row->kind != PENDING_TEXT) return 0;
    int rc = store_get_row(&table->store, row->id, &stored, &found, err);
    if (rc != 0) return rc;
    *unchanged = found && stored.hash == row->hash;
    *needed = !*unchanged && (row->vector == NULL || row->fit != state->fit);
    return 0;
}

static int write_rows(struct semantic_table *table, struct store_state *state,
                      struct pending_row *const *rows, size_t n_rows, struct error *err)
{
    struct store *store = &table->store;
    if (n_rows == 0) return 0;
    struct store_change *changes = memory_alloc(n_rows, sizeof *changes);
    if (changes == NULL) return error_nomem(err);
    for (size_t i = 0; i < n_rows; i++) changes[i] = pending_change(rows[i]);
    int rc = store_check_changes(state, changes, n_rows, err);
    if (rc == 0) rc = store_write_begin(store, state, err);
    if (rc == 0) rc = store_write_end(store, store_write_rows(store, state, changes, n_rows, err));
    memory_free(changes);
    return rc;
}

int flush_pending(struct semantic_table *table, struct error *err)
{
    struct semantic_pending *pending = table->pending;
    size_t n = pending->n_rows - pending->n_flushed, n_rows = 0, n_texts = 0;
    struct store_state state;
    struct catalog_entry *entry;
    struct model *fitted;
    int64_t last_rowid = sqlite3_last_insert_rowid(table->store.db);
    int rc = store_write_check(&table->store, err);
    if (rc != 0 || n == 0) return rc;
    struct pending_row **rows = memory_alloc(n, sizeof *rows);
    struct pending_row **texts = memory_alloc(n, sizeof *texts);
    rc = rows == NULL || texts == NULL ? error_nomem(err)
                                       : store_read_state(&table->store, &state, err);
    if (rc == 0) n = list_rows(pending, rows);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        int unchanged, needed;
        rc = needs_embedding(table, &state, rows[i], &unchanged, &needed, err);
        if (!unchanged) rows[n_rows++] = rows[i];
        if (needed) texts[n_texts++] = rows[i];
    }
    if (rc == 0 && n_texts > 0) rc = semantic_embedder(table, &state, &entry, &fitted, err);
    if (rc == 0 && n_texts > 0) rc = semantic_embed_rows(table, entry, fitted, texts, n_texts, err);
    for (size_t i = 0; rc == 0 && i < n_texts; i++) texts[i]->fit = state.fit;
    if (rc == 0) rc = write_rows(table, &state, rows, n_rows, err);
    memory_free(rows);
    memory_free(texts);
    if (rc == 0) pending_flushed(pending);
    sqlite3_set_last_insert_rowid(table->store.db,
                                  last_rowid); /* the user's row, not one of ours */
    return rc;
}
