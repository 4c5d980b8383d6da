#include "store/runs.h"

#include <string.h>

#include "base/ids.h"
#include "base/memory.h"
#include "store/statements.h"

/* Vectors of a run, at most: a search reads all for one of them. */
#define MOST 8

/* Bytes of a page, if nobody chose another size. */
#define USUAL_PAGE 4096

/* So many runs are written between two looks for an interrupt. */
#define RUNS_AT_ONCE 64

/* Bytes of vectors that are packed together, and at least so many of them. */
#define PACKED_BYTES ((size_t)4 << 20)
#define PACKED_LEAST 64

/* How much more of the file shorter runs may take. */
#define TOLERANCE 1.04

/* The id of a place without a row. */
#define NO_ROW INT64_MIN

/* ---- one run --------------------------------------------------------------------------------- */

int64_t run_id(const struct run *run, size_t i)
{
    int64_t id = run->begin;
    if (i >= run->unlisted) memcpy(&id, run->bytes + (i - run->unlisted) * sizeof id, sizeof id);
    return id;
}

/* Where the vector of a place is. */
static size_t offset_of(const struct run *run, size_t i)
{
    return (run->places - run->unlisted) * sizeof(int64_t) + i * run->size;
}

static size_t size_of(const struct run *run)
{
    return offset_of(run, run->places);
}

const void *run_vector(const struct run *run, size_t i)
{
    return run->bytes + offset_of(run, i);
}

size_t run_find(const struct run *run, int64_t id)
{
    size_t i = 0;
    while (i < run->n && run_id(run, i) != id) i++;
    return i;
}

struct run run_of(int64_t begin, size_t size, size_t vector_size)
{
    size_t place = vector_size + sizeof(int64_t);
    struct run run = {.size = vector_size,
                      .places = (size + sizeof(int64_t)) / place,
                      .unlisted = size % place != 0,
                      .begin = begin};
    if (run.places > 0 && size != size_of(&run)) run.places = 0;
    return run;
}

size_t run_ids_size(const struct run *run)
{
    return offset_of(run, 0);
}

/* The ids ascend, which what merges runs relies on, and places without a row are the last. */
void run_count(struct run *run)
{
    size_t n = run_id(run, 0) >= run->begin, i;
    while (n > 0 && n < run->places && run_id(run, n - 1) < run_id(run, n)) n++;
    for (i = n; i < run->places && run_id(run, i) == NO_ROW;) i++;
    run->n = i == run->places ? n : 0;
}

int run_take(sqlite3_stmt *row, size_t vector_size, struct run *run, struct error *err)
{
    const void *bytes;
    size_t size;
    int rc = statement_column_bytes(row, 1, &bytes, &size, err);
    *run = run_of(sqlite3_column_int64(row, 0), size, vector_size);
    run->bytes = bytes;
    if (run->places > 0) run_count(run);
    if (run->n == 0) *run = (struct run){bytes, 1, size, 1, 1, run->begin};
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
    size_t payload = n * vector_size + (n > 1 ? n * sizeof(int64_t) : 0) + 5, most = page - 35,
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

/* The bytes of a run, owned by the caller, to which rows are added, of which that is the first;
 * NULL: no memory. */
static unsigned char *make_run(int64_t begin, int64_t first, size_t places, size_t vector_size,
                               struct run *run)
{
    *run = (struct run){NULL, 0, vector_size, places, places == 1 && first == begin, begin};
    unsigned char *bytes = memory_alloc(size_of(run), 1);
    run->bytes = bytes;
    return bytes;
}

/* A row more, whose id is larger than those before. */
static void add_row(struct run *run, unsigned char *bytes, int64_t id, const void *vector)
{
    size_t i = run->n++;
    if (i >= run->unlisted) memcpy(bytes + (i - run->unlisted) * sizeof id, &id, sizeof id);
    memcpy(bytes + offset_of(run, i), vector, run->size);
}

/* What the places behind the rows have. */
static void end_run(const struct run *run, unsigned char *bytes)
{
    static const int64_t none = NO_ROW;
    for (size_t i = run->n; i < run->places; i++)
        memcpy(bytes + (i - run->unlisted) * sizeof none, &none, sizeof none);
    memset(bytes + offset_of(run, run->n), 0, (run->places - run->n) * run->size);
}

/* An UPDATE by which a row stays as large as it was writes only the pages that change. */
static int write_run(struct store *store, const struct run *run, int is_there, struct error *err)
{
    return store_run_with_bytes(store, is_there ? KEPT_CHANGE_RUN : KEPT_PUT_RUN, run->begin,
                                run->bytes, size_of(run), err);
}

/* Rows on the way into runs. */
struct putting {
    struct store *store;
    size_t vector_size, most;
    struct run before; /* the run that is there; its bytes are owned, as the next */
    struct member {
        int64_t id;
        const void *vector;
    } * members; /* [n] of it and of the rows given, ascending */
    size_t n;
    int is_replaced;  /* a vector of it */
    int comes_behind; /* what is new: behind all of it */
};

static void putting_deinit(struct putting *putting)
{
    memory_free((void *)(uintptr_t)putting->before.bytes);
    memory_free(putting->members);
    putting->before = (struct run){0};
    putting->members = NULL;
}

/* Members [first, first + n) become a run of so many places. */
static int write_members(const struct putting *putting, size_t first, size_t n, size_t places,
                         struct error *err)
{
    const struct member *members = putting->members + first;
    struct run run;
    int is_there = first == 0 && putting->before.n > 0;
    int64_t begin = is_there ? putting->before.begin : members->id;
    unsigned char *bytes = make_run(begin, members->id, places, putting->vector_size, &run);
    if (bytes == NULL) return error_nomem(err);
    for (size_t i = 0; i < n; i++) add_row(&run, bytes, members[i].id, members[i].vector);
    end_run(&run, bytes);
    int rc = write_run(putting->store, &run, is_there, err);
    memory_free(bytes);
    return rc;
}

/* Copies the run that is there; one that is damaged stays what it is. */
static int copy_run(struct putting *putting, const struct run *run, size_t n_rows,
                    struct error *err)
{
    size_t n = run->n > 0 && run->size == putting->vector_size ? run->n : 0;
    putting->n = n;
    putting->is_replaced = 0;
    putting->comes_behind = 1;
    putting->members = memory_alloc(n + n_rows, sizeof *putting->members);
    if (putting->members == NULL) return error_nomem(err);
    if (n == 0) return 0;
    char *bytes = memory_copy((const char *)run->bytes, size_of(run));
    if (bytes == NULL) return error_nomem(err);
    putting->before = *run;
    putting->before.bytes = (const unsigned char *)bytes;
    for (size_t i = 0; i < n; i++)
        putting->members[i] =
            (struct member){run_id(&putting->before, i), run_vector(&putting->before, i)};
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
    if (putting->n <= putting->before.places) return left;
    if (!putting->comes_behind) return left / n_runs;
    return left < most ? left : most;
}

/* The members become runs. */
static int write_runs(const struct putting *putting, struct error *err)
{
    int rc = 0;
    for (size_t first = 0, size; rc == 0 && first < putting->n; first += size) {
        size = next_size(putting, first);
        int stays = first == 0 && size == putting->before.n && putting->comes_behind &&
                    !putting->is_replaced;
        size_t places = putting->n <= putting->before.places ? putting->before.places : size;
        if (!stays) rc = write_members(putting, first, size, places, err);
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
    size_t n_runs = 0;
    for (size_t n_done; rc == 0 && n_rows > 0; rows += n_done, n_rows -= n_done) {
        rc = put_some(putting, rows, n_rows, &n_done, err);
        putting_deinit(putting);
        if (rc == 0 && ++n_runs % RUNS_AT_ONCE == 0) rc = cancel_check(putting->store->cancel, err);
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

/* A run without those of its rows that have these ids, as large as it was while half of it is used;
 * its bytes are the caller's to free. NULL where nothing is left, or nothing goes. */
static int cut(const struct run *run, const int64_t *ids, size_t n_ids, struct run *left,
               unsigned char **bytes, struct error *err)
{
    size_t n = 0;
    int64_t first = run->begin;
    for (size_t i = run->n; i > 0; i--) {
        if (ids_has(ids, n_ids, run_id(run, i - 1))) continue;
        first = run_id(run, i - 1);
        n++;
    }
    *left = (struct run){.n = n};
    if (n == 0 || n == run->n) return 0;
    *bytes = make_run(run->begin, first, 2 * n < run->places ? n : run->places, run->size, left);
    if (*bytes == NULL) return error_nomem(err);
    for (size_t i = 0; i < run->n; i++)
        if (!ids_has(ids, n_ids, run_id(run, i)))
            add_row(left, *bytes, run_id(run, i), run_vector(run, i));
    end_run(left, *bytes);
    return 0;
}

/* Of the run that an id is in: deletes those of the ids up to its last one, *n_done. */
static int delete_from(struct store *store, size_t vector_size, int64_t id, const int64_t *ids,
                       size_t n_ids, size_t *n_done, struct error *err)
{
    sqlite3_stmt *statement;
    struct run run = {0}, left = {0};
    unsigned char *bytes = NULL;
    int there;
    int rc = look_up(store, id, vector_size, &statement, &run, &there, err);
    *n_done = 1;
    while (*n_done < n_ids && run.n > 0 && ids[*n_done] <= run_id(&run, run.n - 1)) ++*n_done;
    if (rc == 0 && there) rc = cut(&run, ids, *n_done, &left, &bytes, err);
    if (there) sqlite3_reset(statement);
    if (rc == 0 && bytes != NULL) rc = write_run(store, &left, 1, err);
    else if (rc == 0 && left.n < run.n) rc = store_run_with(store, KEPT_DELETE_RUN, run.begin, err);
    memory_free(bytes);
    return rc;
}

int runs_delete(struct store *store, size_t vector_size, const int64_t *ids, size_t n_ids,
                struct error *err)
{
    int rc = 0;
    size_t n_runs = 0;
    for (size_t n_done; rc == 0 && n_ids > 0; ids += n_done, n_ids -= n_done) {
        rc = delete_from(store, vector_size, *ids, ids, n_ids, &n_done, err);
        if (rc == 0 && ++n_runs % RUNS_AT_ONCE == 0) rc = cancel_check(store->cancel, err);
    }
    return rc;
}

/* ---- tidying --------------------------------------------------------------------------------- */

/* Runs that the next one begins in, by their own ids; and rows of those with places to spare. */
static int list_untidy(struct store *store, size_t vector_size, struct ids *entangled,
                       struct ids *loose, struct error *err)
{
    sqlite3_stmt *scan;
    struct run run = {0};
    int64_t begin = INT64_MIN, last = INT64_MIN; /* of the run before */
    int row = 0, rc = store_query(store, STORE_VECTORS, &scan, err);
    while (rc == 0 && (rc = statement_step(store->db, scan, &row, err)) == 0 && row) {
        rc = run_take(scan, vector_size, &run, err);
        if (rc == 0 && run.begin <= last && begin < run.begin) rc = ids_add(entangled, begin, err);
        for (size_t i = 0; rc == 0 && run.n < run.places && i < run.n; i++)
            rc = ids_add(loose, run_id(&run, i), err);
        begin = run.begin;
        last = run_id(&run, run.n - 1);
    }
    sqlite3_finalize(scan);
    return rc;
}

/* Deletes of a run what lies behind the begin of the next, where nobody looks for it. */
static int disentangle(struct store *store, size_t vector_size, int64_t begin, struct error *err)
{
    sqlite3_stmt *statement;
    struct run run = {0};
    struct ids hidden = {0};
    int64_t next;
    size_t n_done;
    int there = 0, rc = store_ask(store, STORE_NEXT_RUN, begin, 0, &next, err);
    if (rc == 0) rc = look_up(store, begin, vector_size, &statement, &run, &there, err);
    for (size_t i = 0; rc == 0 && i < run.n; i++)
        if (run_id(&run, i) >= next) rc = ids_add(&hidden, run_id(&run, i), err);
    if (there) sqlite3_reset(statement);
    if (rc == 0 && hidden.n > 0)
        rc = delete_from(store, vector_size, begin, hidden.items, hidden.n, &n_done, err);
    ids_deinit(&hidden);
    return rc;
}

/* Writes the vectors of n rows anew. */
static int pack(struct store *store, size_t vector_size, const int64_t *ids, size_t n,
                struct error *err)
{
    struct block_row *rows = memory_alloc(n, sizeof *rows);
    unsigned char *vectors = memory_alloc(n, vector_size);
    int rc = rows == NULL || vectors == NULL ? error_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rows[i] = (struct block_row){.id = ids[i], .stored = vectors + i * vector_size};
        rc = runs_get(store, ids[i], vector_size, vectors + i * vector_size, err);
    }
    if (rc == 0) rc = runs_delete(store, vector_size, ids, n, err);
    if (rc == 0) rc = runs_put(store, vector_size, rows, n, err);
    memory_free(rows);
    memory_free(vectors);
    return rc;
}

int runs_tidy(struct store *store, size_t vector_size, struct error *err)
{
    struct ids entangled = {0}, loose = {0};
    size_t most = PACKED_BYTES / vector_size;
    if (most < PACKED_LEAST) most = PACKED_LEAST;
    int rc = list_untidy(store, vector_size, &entangled, &loose, err);
    /* Of damaged ones other rows are where they were listed no more: these are not packed now. */
    if (entangled.n > 0) loose.n = 0;
    for (size_t i = 0; rc == 0 && i < entangled.n; i++) {
        rc = disentangle(store, vector_size, entangled.items[i], err);
        if (rc == 0) rc = cancel_check(store->cancel, err);
    }
    for (size_t i = 0, n; rc == 0 && i < loose.n; i += n) {
        n = loose.n - i < most ? loose.n - i : most;
        rc = pack(store, vector_size, loose.items + i, n, err);
        if (rc == 0) rc = cancel_check(store->cancel, err);
    }
    ids_deinit(&entangled);
    ids_deinit(&loose);
    return rc;
}
