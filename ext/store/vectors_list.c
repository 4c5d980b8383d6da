#include "store/vectors_list.h"

#include "store/statements.h"

/* Runs that SQLite is asked for where a page of them is not to be read off the file, before the
 * file is tried again: those of a page or two. */
#define RUNS_BY_SQLITE 32

/* Runs between two looks at the cancel token. */
#define RUNS_PER_POLL 4096

/* Runs, one after the other, with their ids. */
struct listing {
    struct store *store;
    struct table_rows *rows; /* NULL: not off the file */
    sqlite3_stmt *statement; /* NULL: not by SQLite now */
    size_t n_asked;
    int is_begun;
    size_t vector_size;
    struct run run; /* the latest */
    unsigned char ids[VECTORS_MOST_OF_RUN * sizeof(int64_t)];
};

struct index_layout vectors_layout(const struct index_layout *layout)
{
    struct index_layout of_vectors = *layout;
    of_vectors.quantize = INDEX_EXACT;
    return of_vectors;
}

int vectors_take_ids(struct table_rows *rows, size_t vector_size,
                     unsigned char ids[VECTORS_MOST_OF_RUN * sizeof(int64_t)], struct run *run)
{
    struct run taken = run_of(rows->row.id, rows->row.size, vector_size);
    if (taken.places == 0 || taken.places > VECTORS_MOST_OF_RUN ||
        !table_rows_take(rows, ids, run_ids_size(&taken)))
        return 0;
    taken.bytes = ids;
    run_count(&taken);
    if (taken.n > 0) *run = taken;
    return taken.n > 0;
}

/* 0: it cannot be read. Ids ascend, or the file is damaged. */
static int next_off_file(struct listing *listing, int *more)
{
    struct table_rows *rows = listing->rows;
    if (!listing->is_begun && !table_rows_seek(rows, INT64_MIN)) return 0;
    if (!table_rows_next(rows, more)) return 0;
    if (!*more) return 1;
    if (listing->is_begun && rows->row.id <= listing->run.begin) return 0;
    return vectors_take_ids(rows, listing->vector_size, listing->ids, &listing->run);
}

static int next_by_sqlite(struct listing *listing, int *more, struct error *err)
{
    int rc = 0;
    *more = !listing->is_begun || listing->run.begin < INT64_MAX;
    if (!*more) return 0;
    if (listing->statement == NULL) {
        rc = store_keep(listing->store, KEPT_RUNS, &listing->statement, err);
        if (rc != 0) return rc;
        sqlite3_bind_int64(listing->statement, 1,
                           listing->is_begun ? listing->run.begin + 1 : INT64_MIN);
        listing->n_asked = 0;
    }
    rc = statement_step(listing->store->db, listing->statement, more, err);
    if (rc == 0 && *more)
        rc = run_take(listing->statement, listing->vector_size, &listing->run, err);
    if (rc == 0 && *more && listing->run.size != listing->vector_size)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                       (long long)listing->run.begin, listing->vector_size, listing->run.size);
    if (rc != 0 || !*more || listing->rows == NULL || ++listing->n_asked < RUNS_BY_SQLITE)
        return rc;
    int again, is_there = table_rows_seek(listing->rows, listing->run.begin) &&
                          table_rows_next(listing->rows, &again) && again &&
                          listing->rows->row.id == listing->run.begin;
    listing->n_asked = 0;
    if (is_there) sqlite3_reset(listing->statement);
    if (is_there) listing->statement = NULL;
    return 0;
}

static int next_run(struct listing *listing, int *more, struct error *err)
{
    int rc = 0;
    if (listing->statement != NULL || listing->rows == NULL || !next_off_file(listing, more))
        rc = next_by_sqlite(listing, more, err);
    listing->is_begun = 1;
    return rc;
}

/* Rows that wait are in the block that their ids would be in. */
static void add_waiting(struct index_snapshot *vectors, size_t n_blocks,
                        const struct waiting_rows *waiting)
{
    for (size_t i = 0; !waiting->in_runs && i < waiting->n; i++) {
        size_t at = n_blocks - 1;
        while (at > 0 && vectors->blocks[at].number > waiting->rows[i].id) at--;
        vectors->blocks[at].n++;
        vectors->blocks[at].capacity++;
        vectors->n_rows++;
    }
}

int vectors_list(struct store *store, const struct index_snapshot *snapshot,
                 struct table_rows *rows, const struct waiting_rows *waiting,
                 struct index_snapshot **made, struct error *err)
{
    struct index_layout layout = vectors_layout(&snapshot->layout);
    struct listing listing = {
        .store = store, .rows = rows, .vector_size = index_vector_size(&layout)};
    size_t capacity = index_block_capacity(&layout, snapshot->n_rows), i = 0;
    size_t most = snapshot->n_rows / capacity + 1;
    struct index_snapshot *vectors = index_snapshot_new(&layout, snapshot->generation, most);
    int more = 1, rc = vectors == NULL ? error_nomem(err) : 0;
    *made = NULL;
    if (rc != 0) return rc;
    struct index_block *blocks = vectors->blocks;
    blocks[0].number = INT64_MIN;
    for (size_t n_runs = 1; rc == 0 && (rc = next_run(&listing, &more, err)) == 0 && more;
         n_runs++) {
        if (n_runs % RUNS_PER_POLL == 0) rc = cancel_check(store->cancel, err);
        if (blocks[i].n >= capacity && i + 1 < most) blocks[++i].number = listing.run.begin;
        blocks[i].n += listing.run.n;
        blocks[i].capacity += listing.run.n;
        vectors->n_rows += listing.run.n;
    }
    if (listing.statement != NULL) sqlite3_reset(listing.statement);
    add_waiting(vectors, i + 1, waiting);
    vectors->n_blocks = vectors->n_rows == 0 ? 0 : i + 1;
    if (rc == 0) *made = vectors;
    else index_snapshot_free(vectors);
    return rc;
}
