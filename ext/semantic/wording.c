#include "semantic/wording.h"

#include "base/ids.h"
#include "base/memory.h"
#include "semantic/content.h"
#include "semantic/pending.h"
#include "store/words.h"
#include "store/words_proof.h"
#include "store/write.h"
#include "text/blank.h"

/* Rows that were put off and are looked after beside others, at most. */
#define FEW_ROWS 64

/* Bytes of texts between two looks at the cancel token. */
#define POLL_BYTES ((size_t)1 << 16)

static struct span text_of(const struct pending_row *row)
{
    return (struct span){row->text, row->text_size};
}

static int has_words(const struct pending_row *row)
{
    int may_have =
        row->kind == PENDING_TEXT || row->kind == PENDING_VECTOR || row->kind == PENDING_CHANGED;
    return may_have && row->text != NULL && row->refused == NULL && !text_is_blank(text_of(row));
}

/* ---- rows that were put off ------------------------------------------------------------------ */

/* The text of a row, if it is the one that its vector is of. *found = 0: it is not. An index
 * without content is the only one to change its texts. */
static int read_text(struct semantic_table *table, int64_t id, struct buffer *text, int *found,
                     struct error *err)
{
    struct store_row stored;
    struct error bad, unread;
    int exists, has_text = 0, is_stored;
    *found = 0;
    int rc = store_get_row(&table->store, id, &stored, &is_stored, err);
    if (rc != 0 || !is_stored) return rc;
    buffer_clear(text);
    rc = content_text(table, id, text, &bad, &exists, &has_text, &unread);
    if (rc == ERROR_NOMEM || rc == ERROR_INTERRUPTED) {
        *err = unread;
        return rc;
    }
    *found = rc == 0 && has_text && bad.code == 0 &&
             (table->config.content == NULL || content_hash(text, &bad) == stored.hash);
    return 0;
}

static int list_postponed(struct semantic_table *table, struct ids *ids, struct error *err)
{
    sqlite3_stmt *scan = NULL;
    int row = 0;
    int rc = store_query(&table->store, STORE_WORDLESS, &scan, err);
    while (rc == 0 && (rc = statement_step(table->store.db, scan, &row, err)) == 0 && row)
        rc = ids_add(ids, sqlite3_column_int64(scan, 0), err);
    sqlite3_finalize(scan);
    return rc;
}

/* Writes the words of rows that were put off. Those whose text is another by now wait for the next
 * sync. */
static int write_postponed(struct semantic_table *table, struct error *err)
{
    struct ids ids = {0};
    struct buffer text;
    int found;
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = list_postponed(table, &ids, err);
    for (size_t i = 0; rc == 0 && i < ids.n; i++) {
        if (pending_find(table->pending, ids.items[i]) != NULL) continue;
        rc = read_text(table, ids.items[i], &text, &found, err);
        if (rc == 0 && found)
            rc = words_put(&table->store, ids.items[i], (struct span){text.data, text.size}, err);
        if (rc == 0) rc = cancel_check(table->store.cancel, err);
    }
    buffer_deinit(&text);
    ids_deinit(&ids);
    return rc;
}

/* ---- rows that are noted --------------------------------------------------------------------- */

/* Whether those are the words that the row has by now. */
static int is_known(struct semantic_table *table, const struct pending_row *row, int *known,
                    struct error *err)
{
    const struct pending_row *waiting = pending_find(table->pending, row->id);
    struct store_row stored;
    int64_t is_postponed = 0;
    if (waiting != NULL) {
        *known = waiting->words == WORDS_WRITTEN && waiting->worded == row->hash;
        return 0;
    }
    int rc = store_get_row(&table->store, row->id, &stored, known, err);
    if (rc != 0 || !*known) return rc;
    rc = store_ask(&table->store, STORE_IS_WORDLESS, row->id, 0, &is_postponed, err);
    *known = stored.hash == row->hash && !is_postponed;
    return rc;
}

static int look_for_postponed(struct semantic_table *table, struct error *err)
{
    int64_t n;
    if (table->pending->looked_for_words) return 0;
    table->pending->looked_for_words = 1;
    int rc = store_ask(&table->store, STORE_N_WORDLESS, 0, 0, &n, err);
    if (rc != 0 || n == 0 || n > FEW_ROWS) return rc;
    rc = store_write_open(&table->store, err);
    return rc == 0 ? store_write_close(&table->store, write_postponed(table, err)) : rc;
}

int wording_begin(struct semantic_table *table, struct pending_row *row, int *wanted,
                  struct error *err)
{
    int64_t last_rowid = sqlite3_last_insert_rowid(table->store.db);
    int known = 0;
    *wanted = 0;
    row->words = WORDS_STAY;
    if (table->store.tokenizer == NULL || (!has_words(row) && row->kind != PENDING_VECTOR))
        return 0;
    row->words = has_words(row) ? WORDS_WRITTEN : WORDS_NONE;
    row->worded = row->hash;
    int rc = words_prepare(&table->store, 1, err);
    if (rc == 0) rc = look_for_postponed(table, err);
    if (rc == 0 && row->words == WORDS_WRITTEN) rc = is_known(table, row, &known, err);
    *wanted = !known;
    sqlite3_set_last_insert_rowid(table->store.db, last_rowid); /* the user's row */
    return rc;
}

int wording_write(struct semantic_table *table, const struct pending_row *row, struct error *err)
{
    struct store *store = &table->store;
    int64_t last_rowid = sqlite3_last_insert_rowid(store->db);
    int rc = store_write_open(store, err);
    if (rc != 0) return rc;
    rc = row->words == WORDS_WRITTEN ? words_put(store, row->id, text_of(row), err)
                                     : words_kill(store, row->id, err);
    sqlite3_set_last_insert_rowid(store->db, last_rowid);
    return store_write_close(store, rc);
}

/* ---- rows that are flushed ------------------------------------------------------------------- */

const struct pending_row *wording_last(struct pending_row *const *rows, size_t n_rows)
{
    while (n_rows > 0 && rows[n_rows - 1]->words == WORDS_STAY) n_rows--;
    return n_rows == 0 ? NULL : rows[n_rows - 1];
}

/* The text of that hash. Of rows that changed, the last was read anew. */
static struct span find_text(struct pending_row *const *rows, size_t n_rows, uint64_t hash)
{
    for (size_t i = n_rows; i > 0; i--)
        if (rows[i - 1]->text != NULL && rows[i - 1]->hash == hash) return text_of(rows[i - 1]);
    return (struct span){NULL, 0};
}

int wording_compare(struct semantic_table *table, struct pending_row *const *rows, size_t n_rows,
                    const struct pending_row *last, const struct pending_row *written,
                    struct wording_fix *fix, int *needed, struct error *err)
{
    struct store_row stored;
    int64_t is_postponed = 0;
    int found;
    *fix = (struct wording_fix){.id = rows[0]->id, .written = written};
    *needed = 0;
    if (written != NULL && pending_change(written).kind != STORE_PUT) return 0;
    if (written != NULL && written->kind == PENDING_VECTOR && !has_words(written)) return 0;
    if (written != NULL && last != NULL && last->words == WORDS_WRITTEN &&
        last->worded == written->hash)
        return 0;
    int rc = store_get_row(&table->store, fix->id, &stored, &found, err);
    if (rc == 0 && found && last == NULL)
        rc = store_ask(&table->store, STORE_IS_WORDLESS, fix->id, 0, &is_postponed, err);
    if (rc != 0) return rc;
    uint64_t wanted = written != NULL ? written->hash : stored.hash,
             there = last != NULL ? last->worded : stored.hash;
    fix->stays = written != NULL || found;
    fix->text = find_text(rows, n_rows, wanted);
    *needed = !fix->stays || is_postponed || (last == NULL && !found) ||
              (last != NULL && last->words == WORDS_NONE) || there != wanted;
    return 0;
}

int wording_mend(struct semantic_table *table, const struct wording_fix *fixes, size_t n_fixes,
                 int in_sync, struct error *err)
{
    struct store *store = &table->store;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_fixes; i++) {
        const struct wording_fix *fix = &fixes[i];
        if (fix->written != NULL && pending_change(fix->written).kind != STORE_PUT) continue;
        if (!fix->stays) rc = words_kill(store, fix->id, err);
        else if (fix->text.data == NULL || in_sync) rc = words_postpone(store, fix->id, err);
        else rc = words_put(store, fix->id, fix->text, err);
    }
    return rc;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* X_rows beside the content, both in the order of their ids. */
struct pass {
    struct semantic_table *table;
    sqlite3_stmt *rows;
    int row; /* it stands on one */
    int64_t id;
    uint64_t hash;
    int own, is_wordless;
    /* Takes the row, and the text that the content has of it: NULL: none that can be embedded;
     * is_same: it is the one that the vector is of. */
    int (*take)(struct pass *all, const struct buffer *text, int is_same, struct error *err);
    struct words_proof *proof;
};

static int next_row(struct pass *all, struct error *err)
{
    int rc = statement_step(all->table->store.db, all->rows, &all->row, err);
    if (rc != 0 || !all->row) return rc;
    all->id = sqlite3_column_int64(all->rows, 0);
    all->hash = (uint64_t)sqlite3_column_int64(all->rows, 1);
    all->own = sqlite3_column_int(all->rows, 2);
    all->is_wordless = sqlite3_column_int(all->rows, 3);
    return 0;
}

static int take_row(struct pass *all, const struct buffer *text, uint64_t hash, struct error *err)
{
    int is_same = text != NULL && (all->table->config.content == NULL || hash == all->hash);
    return all->take(all, text, is_same, err);
}

static int take_all(struct pass *all, struct content_scan *scan, struct error *err)
{
    struct semantic_table *table = all->table;
    struct buffer text;
    struct error bad;
    int64_t id = 0;
    int done = 0;
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = next_row(all, err);
    while (rc == 0 && all->row) {
        if (!done) rc = content_scan_next(table, scan, &id, &text, &bad, &done, err);
        while (rc == 0 && all->row && (done || all->id < id)) {
            rc = take_row(all, NULL, 0, err);
            if (rc == 0) rc = next_row(all, err);
        }
        if (rc != 0 || done || !all->row || all->id != id) continue;
        int is_usable = bad.code == 0 && text.size > 0;
        rc = take_row(all, is_usable ? &text : NULL, content_hash(&text, &bad), err);
        if (rc == 0) rc = next_row(all, err);
        if (rc == 0) rc = cancel_check(table->store.cancel, err);
    }
    buffer_deinit(&text);
    return rc;
}

static int run_pass(struct pass *all, struct error *err)
{
    struct semantic_table *table = all->table;
    struct content_scan scan = {0};
    struct content_keys keys = {0};
    int rc = store_query(&table->store, STORE_ROWS_AND_WORDS, &all->rows, err);
    if (rc == 0) rc = content_scan_open(table, &keys, &scan, err);
    if (rc == 0) rc = take_all(all, &scan, err);
    sqlite3_finalize(all->rows);
    content_scan_close(&scan);
    content_keys_deinit(&keys);
    return rc;
}

static int write_row(struct pass *all, const struct buffer *text, int is_same, struct error *err)
{
    struct store *store = &all->table->store;
    if (text == NULL && all->own) return 0;
    return is_same ? words_add(store, all->id, (struct span){text->data, text->size}, err)
                   : words_postpone(store, all->id, err);
}

static int write_anew(struct semantic_table *table, struct error *err)
{
    struct pass all = {.table = table, .take = write_row};
    int rc = words_clear(&table->store, err);
    return rc == 0 ? run_pass(&all, err) : rc;
}

/* Rows that wait have words of texts that are not in X_rows yet. */
static int prove_row(struct pass *all, const struct buffer *text, int is_same, struct error *err)
{
    if (!is_same || all->is_wordless || pending_find(all->table->pending, all->id) != NULL)
        return 0;
    return words_proof_add(all->proof, all->id, (struct span){text->data, text->size}, err);
}

static int prove(struct semantic_table *table, struct error *err)
{
    struct pass all = {.table = table, .take = prove_row};
    struct error unread = {0};
    int rc = words_proof_open(&table->store, &all.proof, err);
    if (rc == 0) {
        rc = run_pass(&all, &unread);
        if (rc == 0) rc = words_proof_end(all.proof, err);
        else if (rc == ERROR_INVALID) rc = 0; /* the content is not there, or a column of it */
        else if (err != NULL) *err = unread;
    }
    words_proof_close(all.proof);
    return rc;
}

int wording_check(struct semantic_table *table, struct error *err)
{
    if (table->store.tokenizer == NULL) return 0;
    int rc = words_check_index(&table->store, err);
    return rc == 0 ? prove(table, err) : rc;
}

static int has_many_dead(struct semantic_table *table, int *many, struct error *err)
{
    int64_t n_dead, n_rows = 0;
    int rc = store_ask(&table->store, STORE_N_DEAD, 0, 0, &n_dead, err);
    if (rc == 0 && n_dead > 0) rc = store_ask(&table->store, STORE_N_ROWS, 0, 0, &n_rows, err);
    *many = rc == 0 && n_dead > n_rows / 3;
    return rc;
}

int wording_is_due(struct semantic_table *table, int64_t n_wordless, int *due, struct error *err)
{
    *due = 0;
    if (table->store.tokenizer == NULL) return 0;
    int rc = has_many_dead(table, due, err);
    *due = rc == 0 && (*due || n_wordless > 0);
    return rc;
}

int wording_prepare(struct semantic_table *table, int clears, struct error *err)
{
    if (table->store.tokenizer == NULL) return 0;
    int rc = words_prepare(&table->store, 1, err);
    return rc == ERROR_CORRUPT && clears ? 0 : rc;
}

/* Whether the words of all these rows are their first: then nothing is to be looked up for each. */
static int are_first(struct semantic_table *table, const struct store_change *changes,
                     size_t n_changes, int *first, struct error *err)
{
    int64_t lowest = INT64_MAX;
    for (size_t i = 0; i < n_changes; i++)
        if (changes[i].id < lowest) lowest = changes[i].id;
    return words_unknown_from(&table->store, lowest, first, err);
}

int wording_store(struct semantic_table *table, const struct store_change *changes,
                  size_t n_changes, struct error *err)
{
    struct store *store = &table->store;
    struct words_numbers numbers = {.n_rows = n_changes};
    size_t until_poll = POLL_BYTES;
    int first = 0;
    if (store->tokenizer == NULL || n_changes == 0) return 0;
    int rc = are_first(table, changes, n_changes, &first, err);
    for (size_t i = 0; rc == 0 && i < n_changes; i++) {
        struct span text = {changes[i].text, changes[i].text_size};
        if (changes[i].kind != STORE_PUT) continue;
        rc = first ? words_add(store, changes[i].id, text, err)
                   : words_put_many(store, changes[i].id, text, &numbers, err);
        if (rc == 0) rc = cancel_poll(store->cancel, &until_poll, text.size, POLL_BYTES, err);
    }
    return rc;
}

int wording_tidy(struct semantic_table *table, struct error *err)
{
    int many;
    if (table->store.tokenizer == NULL) return 0;
    int rc = has_many_dead(table, &many, err);
    if (rc != 0) return rc;
    return many ? write_anew(table, err) : write_postponed(table, err);
}

int wording_optimize(struct semantic_table *table, struct error *err)
{
    struct store *store = &table->store;
    struct error wrong;
    int64_t any, n_wordless = 0;
    if (store->tokenizer == NULL) return 0;
    int rc = store_ask(store, STORE_ANY_EXCEPTION, 0, 0, &any, err);
    if (rc == 0) rc = store_ask(store, STORE_N_WORDLESS, 0, 0, &n_wordless, err);
    if (rc != 0) return rc;
    if (any || n_wordless > 0) return write_anew(table, err);
    rc = words_check(store, &wrong);
    if (rc == 0) rc = prove(table, &wrong);
    if (rc == 0) rc = words_merge(store, &wrong);
    if (rc == ERROR_CORRUPT) return write_anew(table, err);
    if (rc != 0) *err = wrong;
    return rc;
}
