#include "semantic/comparison.h"

#include "semantic/content.h"
#include "store/failures.h"

/* A scan of X_rows, or of X_failures: where it stands. */
struct known {
    sqlite3_stmt *scan; /* NULL: there is nothing */
    int row;
    int64_t id;
    uint64_t hash;
};

static int known_next(struct semantic_table *table, struct known *known, struct error *err)
{
    if (known->scan == NULL) return 0;
    int rc = statement_step(table->store.db, known->scan, &known->row, err);
    if (rc != 0 || !known->row) return rc;
    known->id = sqlite3_column_int64(known->scan, 0);
    known->hash = (uint64_t)sqlite3_column_int64(known->scan, 1);
    return 0;
}

/* Of a row of X_rows: the vector is the user's; its words were put off. */
static int is_own(const struct known *known)
{
    return sqlite3_column_int(known->scan, 2) != 0;
}

static int is_wordless(const struct semantic_table *table, const struct known *known)
{
    return table->store.tokenizer != NULL && sqlite3_column_int(known->scan, 3) != 0;
}

/* Steps to the row of that id, or beyond; NULL: to the end. Those before it are not in the content
 * any more. */
static int known_seek(struct semantic_table *table, struct known *known, const int64_t *id,
                      struct ids *gone, struct error *err)
{
    int rc = 0;
    while (rc == 0 && known->row && (id == NULL || known->id < *id)) {
        rc = ids_add(gone, known->id, err);
        if (rc == 0) rc = known_next(table, known, err);
    }
    return rc;
}

/* Both sides of what the index knows. */
struct sides {
    struct known indexed, failed;
    enum sync_kind kind;
};

/* The hash of a text that was not checked. One that the index knows, as a text that could be
 * embedded, need not be. */
static uint64_t check_and_hash(const struct known *indexed, int is_indexed,
                               const struct buffer *text, struct error *bad)
{
    uint64_t hash = content_hash(text, bad);
    int is_known = is_indexed && bad->code == 0 && hash == indexed->hash;
    return is_known || content_check_text(text, bad) == 0 ? hash : content_hash(text, bad);
}

/* One content row against the index: new, changed, known, or known to be impossible. `hash`: of its
 * text; `readable`: it can be embedded, so far as that is seen here. */
static int compare_text(const struct semantic_table *table, struct comparison *found,
                        struct sides *sides, int64_t id, uint64_t hash, int readable,
                        struct error *err)
{
    const struct known *indexed = &sides->indexed, *failed = &sides->failed;
    int is_indexed = indexed->row && indexed->id == id,
        has_failed = failed->row && failed->id == id;
    found->n_total++;
    if (readable) found->n_readable++;
    /* What has a vector has not failed: if the tables say both, the vector is made again. */
    if (is_indexed && indexed->hash == hash &&
        ((sides->kind != SYNC_REBUILD && !has_failed) || is_own(indexed))) {
        if (is_wordless(table, indexed)) found->n_wordless++;
        return 0;
    }
    if (has_failed && failed->hash == hash && !is_indexed && sides->kind == SYNC_CHANGES) {
        found->n_known_failures++;
        return 0;
    }
    return ids_add(&found->ids, id, err);
}

static int compare_row(struct semantic_table *table, struct comparison *found, struct sides *sides,
                       int64_t id, const struct buffer *text, struct error *bad, struct error *err)
{
    struct known *indexed = &sides->indexed, *failed = &sides->failed;
    int rc = known_seek(table, indexed, &id, &found->gone, err);
    if (rc == 0) rc = known_seek(table, failed, &id, &found->settled, err);
    if (rc != 0) return rc;
    int is_indexed = indexed->row && indexed->id == id,
        has_failed = failed->row && failed->id == id;
    if (text->size > 0 || bad->code != 0) {
        uint64_t hash = check_and_hash(indexed, is_indexed, text, bad);
        rc = compare_text(table, found, sides, id, hash, bad->code == 0, err);
    } else {
        /* Nothing to embed: only a vector that the user gave stays. */
        if (is_indexed && !is_own(indexed)) rc = ids_add(&found->gone, id, err);
        if (rc == 0 && has_failed && !(is_indexed && is_own(indexed)))
            rc = ids_add(&found->settled, id, err);
    }
    if (rc == 0 && is_indexed) rc = known_next(table, indexed, err);
    return rc == 0 && has_failed ? known_next(table, failed, err) : rc;
}

static int compare_content(struct semantic_table *table, struct comparison *found,
                           struct sides *sides, struct content_scan *scan, struct error *err)
{
    struct buffer text;
    struct error bad;
    int64_t id = 0, previous = 0, n_rows = 0;
    int done = 0, rc;
    buffer_init(&text, CONTENT_MAX_TEXT);
    while ((rc = content_scan_next(table, scan, &id, &text, &bad, &done, err)) == 0 && !done) {
        if (n_rows++ > 0 && id == previous) rc = content_twice(table, &found->keys, id, err);
        if (rc == 0) rc = compare_row(table, found, sides, id, &text, &bad, err);
        if (rc == 0 && n_rows % 1024 == 0) rc = cancel_check(&table->connection->cancel, err);
        if (rc != 0) break;
        previous = id;
    }
    if (rc == 0) rc = content_keys_check(table, &found->keys, err);
    if (rc == 0) rc = known_seek(table, &sides->indexed, NULL, &found->gone, err);
    if (rc == 0) rc = known_seek(table, &sides->failed, NULL, &found->settled, err);
    buffer_deinit(&text);
    return rc;
}

/* Fills ids, gone and settled. SYNC_REBUILD: all but the user's own vectors are embedded again. */
static int compare_all(struct semantic_table *table, struct comparison *found, enum sync_kind kind,
                       struct error *err)
{
    struct sides sides = {.kind = kind};
    struct store_state state;
    struct content_scan scan = {0};
    found->ids.n = found->gone.n = found->settled.n = 0;
    found->n_total = found->n_readable = 0;
    found->n_known_failures = found->n_wordless = 0;
    enum store_query rows = table->store.tokenizer == NULL ? STORE_ROWS : STORE_ROWS_AND_WORDS;
    int rc = store_read_state(&table->store, &state, err);
    if (rc == 0) rc = store_query(&table->store, rows, &sides.indexed.scan, err);
    if (rc == 0 && state.keeps_failures)
        rc = store_query(&table->store, STORE_FAILURES, &sides.failed.scan, err);
    if (rc == 0) rc = content_scan_open(table, &found->keys, &scan, err);
    scan.is_unchecked = 1;
    if (rc == 0) rc = known_next(table, &sides.indexed, err);
    if (rc == 0) rc = known_next(table, &sides.failed, err);
    if (rc == 0) rc = compare_content(table, found, &sides, &scan, err);
    found->n_unusable = scan.n_unusable;
    sqlite3_finalize(sides.indexed.scan);
    sqlite3_finalize(sides.failed.scan);
    content_scan_close(&scan);
    return rc;
}

void comparison_keep(struct semantic_table *table, const struct comparison *found, size_t n_commits,
                     size_t n_failures, size_t n_wordless)
{
    struct agreement agreement = {.n_total = found->n_total,
                                  .n_readable = found->n_readable,
                                  .n_unusable = found->n_unusable,
                                  .n_failures = n_failures,
                                  .n_wordless = n_wordless};
    agreement_keep(table, &found->watch, (uint32_t)n_commits, &agreement);
}

static void take_agreement(struct comparison *found, const struct agreement *agreement)
{
    found->n_total = agreement->n_total;
    found->n_readable = agreement->n_readable;
    found->n_unusable = agreement->n_unusable;
    found->n_known_failures = agreement->n_failures;
    found->n_wordless = agreement->n_wordless;
}

int comparison_make(struct semantic_table *table, enum sync_kind kind, struct comparison *found,
                    struct error *err)
{
    struct store_state state;
    int agree = 0;
    int rc = store_read_state(&table->store, &state, err);
    found->ids.n = found->gone.n = found->settled.n = 0;
    if (rc == 0) rc = agreement_find(table, &found->watch, &agree, err);
    if (rc == 0 && agree && kind == SYNC_CHANGES) take_agreement(found, &table->agreement);
    else if (rc == 0) rc = compare_all(table, found, kind, err);
    if (rc == 0 && kind == SYNC_CHANGES && found->ids.n + found->gone.n + found->settled.n == 0)
        comparison_keep(table, found, 0, found->n_known_failures, found->n_wordless);
    return rc;
}

void comparison_deinit(struct comparison *found)
{
    ids_deinit(&found->ids);
    ids_deinit(&found->gone);
    ids_deinit(&found->settled);
    content_keys_deinit(&found->keys);
}
