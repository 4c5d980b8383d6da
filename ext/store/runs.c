#include "store/runs.h"

#include <string.h>

#include "base/memory.h"
#include "store/statements.h"

/* Vectors of a run, at most: a search reads all for one of them. */
#define MOST 8

/* Bytes of a page, if nobody chose another size. */
#define USUAL_PAGE 4096

/* How much more of the file shorter runs may take. */
#define TOLERANCE 1.04

/* ---- one run --------------------------------------------------------------------------------- */

int64_t run_id(const struct run *run, size_t i)
{
    int64_t id = run->first;
    if (i > 0) memcpy(&id, run->bytes + (i - 1) * sizeof id, sizeof id);
    return id;
}

const void *run_vector(const struct run *run, size_t i)
{
    return run->bytes + (run->n - 1) * sizeof(int64_t) + i * run->size;
}

size_t run_find(const struct run *run, int64_t id)
{
    size_t i = 0;
    while (i < run->n && run_id(run, i) != id) i++;
    return i;
}

/* Bytes of a run. */
static size_t size_of(size_t n, size_t vector_size)
{
    return n * vector_size + (n - 1) * sizeof(int64_t);
}

/* What merges runs relies on it. */
static int ascends(const struct run *run)
{
    size_t i = 1;
    while (i < run->n && run_id(run, i - 1) < run_id(run, i)) i++;
    return i >= run->n;
}

int run_take(sqlite3_stmt *row, size_t vector_size, struct run *run, struct error *err)
{
    const void *bytes;
    size_t size;
    int rc = statement_column_bytes(row, 1, &bytes, &size, err);
    size_t n = (size + sizeof(int64_t)) / (vector_size + sizeof(int64_t));
    *run = (struct run){bytes, n, vector_size, sqlite3_column_int64(row, 0)};
    if (n == 0 || size != size_of(n, vector_size) || !ascends(run)) {
        run->n = 1;
        run->size = size;
    }
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The run that an id is in, if it is in one; the caller resets the statement if it is *there. */
static int look_up(struct store *store, int64_t id, size_t vector_size, sqlite3_stmt **statement,
                   struct run *run, int *there, struct error *err)
{
    int rc = store_look_up(store, KEPT_GET_RUN, id, statement, there, err);
    return rc == 0 && *there ? run_take(*statement, vector_size, run, err) : rc;
}

int runs_get(struct store *store, int64_t id, size_t vector_size, void *stored, struct error *err)
{
    sqlite3_stmt *statement;
    struct run run = {0};
    int there;
    int rc = look_up(store, id, vector_size, &statement, &run, &there, err);
    size_t i = rc == 0 && there ? run_find(&run, id) : run.n;
    if (rc == 0 && i == run.n)
        rc = error_set(err, ERROR_CORRUPT,
                       "row %lld: its vector is not there ('optimize' forgets the row)",
                       (long long)id);
    if (rc == 0 && run.size != vector_size)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                       (long long)id, vector_size, run.size);
    if (rc == 0) memcpy(stored, run_vector(&run, i), vector_size);
    if (there) sqlite3_reset(statement);
    return rc;
}

int runs_next(struct runs_scan *scan, struct store *store, int *row, int64_t *id,
              const void **vector, size_t *size, struct error *err)
{
    *row = 1;
    if (scan->i == scan->run.n) {
        int rc = statement_step(store->db, scan->statement, row, err);
        if (rc == 0 && *row) rc = run_take(scan->statement, scan->vector_size, &scan->run, err);
        scan->i = 0;
        if (rc != 0 || !*row) return rc;
    }
    *id = run_id(&scan->run, scan->i);
    *vector = run_vector(&scan->run, scan->i++);
    *size = scan->run.size;
    return 0;
}

/* ---- how many -------------------------------------------------------------------------------- */

/* Bytes of the file that a row of a run takes, on pages of that size
 * (https://www.sqlite.org/fileformat2.html: table B-trees). */
static double cost(size_t page, size_t vector_size, size_t n)
{
    size_t payload = size_of(n, vector_size) + 5, most = page - 35,
           least = (page - 12) * 32 / 255 - 23, local = payload, more = 0;
    if (payload > most) {
        local = least + (payload - least) % (page - 4);
        if (local > most) local = least;
        more = (payload - local + page - 5) / (page - 4);
    }
    size_t cell = local + 10 + (more > 0 ? 4 : 0), in_leaf = (page - 8) / cell;
    return ((double)(more * page) + (double)page / (double)in_leaf) / (double)n;
}

/* Of this file; the usual one where an authorizer keeps it secret. */
static int find_page_size(struct store *store, size_t *page, struct error *err)
{
    struct error failure = {0};
    int64_t answer;
    int rc = store_ask(store, STORE_PAGE_SIZE, 0, 0, &answer, &failure);
    if (rc == ERROR_STORAGE && failure.storage_code == SQLITE_AUTH) rc = 0;
    *page = answer > 0 ? (size_t)answer : USUAL_PAGE;
    if (rc != 0 && err != NULL) *err = failure;
    return rc;
}

/* How many vectors a run has in this file: few, but such as fill its pages. */
static int find_most(struct store *store, size_t vector_size, size_t *most, struct error *err)
{
    size_t page;
    int rc = find_page_size(store, &page, err);
    if (rc != 0) return rc;
    double least = cost(page, vector_size, 1);
    for (size_t n = 2; n <= MOST; n++) {
        double other = cost(page, vector_size, n);
        if (other < least) least = other;
    }
    *most = 1;
    while (cost(page, vector_size, *most) > least * TOLERANCE) ++*most;
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Rows on the way into runs. */
struct putting {
    struct store *store;
    size_t vector_size, most;
    char *before; /* the bytes of the run that is there; owned, as the next */
    struct member {
        int64_t id;
        const unsigned char *vector;
    } * members; /* [n] of it and of the rows given, ascending */
    size_t n;
    size_t n_before;  /* of the run that is there */
    int is_replaced;  /* a vector of it */
    int comes_behind; /* what is new: behind all of it */
};

static void putting_deinit(struct putting *putting)
{
    memory_free(putting->before);
    memory_free(putting->members);
    putting->before = NULL;
    putting->members = NULL;
}

/* Members [first, first + n) become a run. */
static int write_run(const struct putting *putting, size_t first, size_t n, struct error *err)
{
    const struct member *members = putting->members + first;
    size_t size = putting->vector_size, n_bytes = size_of(n, size);
    unsigned char *bytes = memory_alloc(n_bytes, 1), *to = bytes;
    if (bytes == NULL) return error_nomem(err);
    for (size_t i = 1; i < n; i++, to += sizeof members[i].id)
        memcpy(to, &members[i].id, sizeof members[i].id);
    for (size_t i = 0; i < n; i++, to += size) memcpy(to, members[i].vector, size);
    int rc = store_run_with_bytes(putting->store, KEPT_PUT_RUN, members->id, bytes, n_bytes, err);
    memory_free(bytes);
    return rc;
}

/* Copies the run that is there; one that is damaged stays what it is. */
static int copy_run(struct putting *putting, const struct run *run, size_t n_rows,
                    struct error *err)
{
    size_t n = run->n > 0 && run->size == putting->vector_size ? run->n : 0;
    putting->n = putting->n_before = n;
    putting->is_replaced = 0;
    putting->comes_behind = 1;
    putting->members = memory_alloc(n + n_rows, sizeof *putting->members);
    if (n > 0) putting->before = memory_copy((const char *)run->bytes, size_of(n, run->size));
    if (putting->members == NULL || (n > 0 && putting->before == NULL)) return error_nomem(err);
    struct run copy = {(const unsigned char *)putting->before, n, run->size, run->first};
    for (size_t i = 0; i < n; i++)
        putting->members[i] = (struct member){run_id(&copy, i), run_vector(&copy, i)};
    return 0;
}

/* Merges rows, ascending, into the members, from their ends on. */
static void merge(struct putting *putting, const struct block_row *rows, size_t n_rows)
{
    struct member *members = putting->members;
    size_t n_same = 0, i = putting->n, j = n_rows;
    for (size_t a = 0, b = 0; a < i && b < n_rows;) {
        n_same += members[a].id == rows[b].id;
        if (members[a].id < rows[b].id) a++;
        else b++;
    }
    putting->is_replaced = n_same > 0;
    putting->n += n_rows - n_same;
    for (size_t to = putting->n; j > 0;) {
        int takes_member = i > 0 && members[i - 1].id > rows[j - 1].id;
        if (i > 0 && members[i - 1].id == rows[j - 1].id) i--;
        else if (takes_member) putting->comes_behind = 0;
        members[--to] =
            takes_member ? members[--i] : (struct member){rows[j - 1].id, rows[j - 1].stored};
        j -= !takes_member;
    }
}

/* How many of the members from `first` on become the next run: full ones where rows come in the
 * order of their ids, else of those that are left an even share. */
static size_t next_size(const struct putting *putting, size_t first)
{
    size_t left = putting->n - first, most = putting->most, n_runs = (left + most - 1) / most;
    if (putting->n <= putting->n_before) return left;
    if (!putting->comes_behind) return left / n_runs;
    return left < most ? left : most;
}

/* The members become runs. */
static int write_runs(const struct putting *putting, struct error *err)
{
    int rc = 0;
    for (size_t first = 0, size; rc == 0 && first < putting->n; first += size) {
        size = next_size(putting, first);
        int is_there = first == 0 && size == putting->n_before && putting->comes_behind &&
                       !putting->is_replaced;
        if (!is_there) rc = write_run(putting, first, size, err);
    }
    return rc;
}

/* The rows that belong to the same run as the first of them: *n_done; 0 after an error. */
static int put_some(struct putting *putting, const struct block_row *rows, size_t n_rows,
                    size_t *n_done, struct error *err)
{
    struct store *store = putting->store;
    sqlite3_stmt *statement;
    struct run run = {0};
    int64_t next;
    int there;
    *n_done = 0;
    int rc = store_ask(store, STORE_NEXT_RUN, rows->id, 0, &next, err);
    if (rc != 0) return rc;
    *n_done = 1;
    while (*n_done < n_rows && rows[*n_done].id < next) ++*n_done;
    rc = look_up(store, rows->id, putting->vector_size, &statement, &run, &there, err);
    if (rc == 0) rc = copy_run(putting, &run, *n_done, err);
    if (there) sqlite3_reset(statement);
    if (rc != 0) return rc;
    merge(putting, rows, *n_done);
    return write_runs(putting, err);
}

static int put_all(struct putting *putting, const struct block_row *rows, size_t n_rows,
                   struct error *err)
{
    int rc = 0;
    for (size_t n_done; rc == 0 && n_rows > 0; rows += n_done, n_rows -= n_done) {
        rc = put_some(putting, rows, n_rows, &n_done, err);
        putting_deinit(putting);
        if (rc == 0) rc = cancel_check(putting->store->cancel, err);
    }
    return rc;
}

int runs_put(struct store *store, size_t vector_size, const struct block_row *rows, size_t n_rows,
             struct error *err)
{
    struct putting putting = {.store = store, .vector_size = vector_size};
    int rc = n_rows > 0 ? find_most(store, vector_size, &putting.most, err) : 0;
    return rc == 0 ? put_all(&putting, rows, n_rows, err) : rc;
}

int runs_delete(struct store *store, size_t vector_size, int64_t id, struct error *err)
{
    struct putting putting = {.store = store, .vector_size = vector_size};
    sqlite3_stmt *statement;
    struct run run = {0};
    int there;
    int rc = look_up(store, id, vector_size, &statement, &run, &there, err);
    size_t i = rc == 0 && there ? run_find(&run, id) : run.n;
    int is_found = i < run.n, is_first = i == 0;
    if (rc == 0 && is_found) rc = copy_run(&putting, &run, 1, err);
    if (there) sqlite3_reset(statement);
    if (rc == 0 && is_found && is_first) rc = store_run_with(store, KEPT_DELETE_RUN, id, err);
    if (rc == 0 && is_found && putting.n > 1) {
        memmove(putting.members + i, putting.members + i + 1,
                (--putting.n - i) * sizeof *putting.members);
        rc = write_run(&putting, 0, putting.n, err);
    }
    putting_deinit(&putting);
    return rc;
}
