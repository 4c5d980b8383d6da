#include "semantic/flush.h"

#include <stdlib.h>

#include "base/memory.h"
#include "semantic/embedder.h"
#include "semantic/pending.h"
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

/* What all that was written of one id comes to, as if each had been a transaction of its own: a
 * vector that the user gave stays while the text is the same. NULL: what the index holds. */
static struct pending_row *fold(struct pending_row *const *rows, size_t n_rows,
                                const struct store_row *stored)
{
    struct pending_row *last = NULL;
    for (size_t i = 0; i < n_rows; i++) {
        int is_same = last == NULL ? stored != NULL && stored->hash == rows[i]->hash
                                   : last->kind == PENDING_VECTOR && last->hash == rows[i]->hash;
        if (rows[i]->kind != PENDING_TEXT || !is_same) last = rows[i];
    }
    return last;
}

/* Takes all rows of one id: *row is what to write, NULL for nothing. A text row needs embedding
 * unless the index holds, or the row already got, a vector of that text by that model. */
static int settle(struct semantic_table *table, const struct store_state *state,
                  struct pending_row *const *rows, size_t n_rows, struct pending_row **row,
                  int *needed, struct error *err)
{
    struct store_row stored;
    int found;
    *row = rows[n_rows - 1];
    *needed = 0;
    if ((*row)->kind != PENDING_TEXT) return 0;
    int rc = store_get_row(&table->store, (*row)->id, &stored, &found, err);
    if (rc != 0) return rc;
    *row = fold(rows, n_rows, found ? &stored : NULL);
    if (*row == NULL || (*row)->kind != PENDING_TEXT) return 0;
    if (found && !stored.own && stored.hash == (*row)->hash) *row = NULL;
    else *needed = (*row)->vector == NULL || (*row)->fit != state->fit;
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
    if (rc == 0) rc = store_write_begin(store, state, store_hash_changes(changes, n_rows, 0), err);
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
    if (rc == 0) list_rows(pending, rows);
    for (size_t begin = 0, end; rc == 0 && begin < n; begin = end) {
        struct pending_row *row;
        int needed;
        for (end = begin + 1; end < n && rows[end]->id == rows[begin]->id;) end++;
        rc = settle(table, &state, rows + begin, end - begin, &row, &needed, err);
        if (rc == 0 && row != NULL) rows[n_rows++] = row;
        if (rc == 0 && needed) texts[n_texts++] = row;
    }
    if (rc == 0 && n_texts > 0) rc = semantic_embedder(table, &state, &entry, &fitted, err);
    if (rc == 0 && n_texts > 0)
        rc = semantic_embed_rows(table, entry, fitted, texts, n_texts, NULL, err);
    for (size_t i = 0; rc == 0 && i < n_texts; i++) texts[i]->fit = state.fit;
    if (rc == 0) rc = write_rows(table, &state, rows, n_rows, err);
    memory_free(rows);
    memory_free(texts);
    if (rc == 0) pending_flushed(pending);
    sqlite3_set_last_insert_rowid(table->store.db,
                                  last_rowid); /* the user's row, not one of ours */
    return rc;
}
