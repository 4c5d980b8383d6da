#include "semantic/progress.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/memory.h"

#define FORGET_TRIES 50  /* of taking the lock, 10 ms each, when a connection is closed */
#define LINE_SECONDS 1.0 /* between two lines */

struct progress {
    struct progress *next; /* in the list; under the lock */
    atomic_size_t references;
    struct connection *connection; /* compared by others, never followed */
    char *file, *schema, *index;   /* owned */
    double start;                  /* clock_seconds */
    _Atomic(double) seconds;       /* that it took, once it is over */
    atomic_int state;
    atomic_llong embedded, deleted, failed, pending, total, requests;

    /* Of the connection that runs it. */
    struct cancel cancel; /* its own, as it was before */
    int is_told;          /* by lines */
    double told;          /* the last line; clock_seconds */
};

static struct lock lock = LOCK_FREE;
static struct progress *list;

static const char *const states[] = {
    [PROGRESS_COMPARING] = "comparing",
    [PROGRESS_FITTING] = "fitting",
    [PROGRESS_EMBEDDING] = "embedding",
    [PROGRESS_WRITING] = "writing",
    [PROGRESS_DONE] = "done",
    [PROGRESS_FAILED] = "failed",
    [PROGRESS_INTERRUPTED] = "interrupted",
};

static int is_over(const struct progress *progress)
{
    return atomic_load(&progress->state) >= PROGRESS_DONE;
}

void progress_release(struct progress *progress)
{
    if (progress == NULL || atomic_fetch_sub(&progress->references, 1) > 1) return;
    memory_free(progress->file);
    memory_free(progress->schema);
    memory_free(progress->index);
    memory_free(progress);
}

/* ---- the list -------------------------------------------------------------------------------- */

/* The same index: by its file, or where there is none by its connection. */
static int is_same(const struct progress *x, const struct progress *y)
{
    if (strcmp(x->index, y->index) != 0 || strcmp(x->file, y->file) != 0) return 0;
    return *x->file != '\0' ||
           (x->connection == y->connection && strcmp(x->schema, y->schema) == 0);
}

/* Takes off the list the runs that are over of that index, or all of that connection. Under the
 * lock; the caller releases what is returned without it. */
static struct progress *take_off(const struct progress *same, const struct connection *connection)
{
    struct progress *taken = NULL, **at = &list;
    while (*at != NULL) {
        struct progress *run = *at;
        if (same != NULL ? is_over(run) && is_same(run, same) : run->connection == connection) {
            *at = run->next;
            run->next = taken;
            taken = run;
        } else {
            at = &run->next;
        }
    }
    return taken;
}

static void release_all(struct progress *taken)
{
    while (taken != NULL) {
        struct progress *next = taken->next;
        progress_release(taken);
        taken = next;
    }
}

static void put_on(struct progress *progress)
{
    if (!lock_take(&lock)) return;
    struct progress *taken = take_off(progress, NULL);
    atomic_fetch_add(&progress->references, 1);
    progress->next = list;
    list = progress;
    lock_release(&lock);
    release_all(taken);
}

void progress_forget(const struct connection *connection)
{
    for (int i = 0; i < FORGET_TRIES; i++) {
        if (!lock_take(&lock)) continue;
        struct progress *taken = take_off(NULL, connection);
        lock_release(&lock);
        release_all(taken);
        return;
    }
}

int progress_list(struct progress ***runs, size_t *n, struct error *err)
{
    size_t capacity = 0;
    *runs = NULL;
    *n = 0;
    if (lock_take(&lock)) {
        for (const struct progress *run = list; run != NULL; run = run->next) capacity++;
        lock_release(&lock);
    }
    *runs = memory_alloc(capacity, sizeof(struct progress *));
    if (*runs == NULL) return error_nomem(err);
    if (!lock_take(&lock)) return 0;
    for (struct progress *run = list; run != NULL && *n < capacity; run = run->next) {
        atomic_fetch_add(&run->references, 1);
        (*runs)[(*n)++] = run;
    }
    lock_release(&lock);
    return 0;
}

void progress_describe(struct progress *progress, struct progress_description *description)
{
    *description = (struct progress_description){
        .file = progress->file,
        .schema = progress->schema,
        .index = progress->index,
        .state = states[atomic_load(&progress->state)],
        .counts = {atomic_load(&progress->embedded), atomic_load(&progress->deleted),
                   atomic_load(&progress->failed), atomic_load(&progress->pending),
                   atomic_load(&progress->total), atomic_load(&progress->requests)},
        .seconds =
            is_over(progress) ? atomic_load(&progress->seconds) : clock_seconds() - progress->start,
    };
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Names come from databases: a struct error has no control characters. */
static void tell(struct progress *progress)
{
    struct progress_description now;
    struct error line;
    progress_describe(progress, &now);
    error_set(&line, 0, "%.100s: %s, %lld embedded, %lld failed, %lld of %lld left, %.0f s",
              now.index, now.state, (long long)now.counts.embedded, (long long)now.counts.failed,
              (long long)now.counts.pending, (long long)now.counts.total, now.seconds);
    size_t n = strlen(line.text);
    line.text[n++] = '\n';
    progress->told = clock_seconds();
    /* Where nobody listens, nobody is missed. */
    ssize_t written = write(STDERR_FILENO, line.text, n);
    (void)written;
}

/* The connection's cancel token while the run lasts. */
static int ask(void *context)
{
    struct progress *progress = context;
    if (progress->is_told && clock_seconds() - progress->told >= LINE_SECONDS) tell(progress);
    return cancel_is_requested(&progress->cancel);
}

/* ---- a run ----------------------------------------------------------------------------------- */

int progress_begin(struct semantic_table *table, struct progress **begun, struct error *err)
{
    const char *file = sqlite3_db_filename(table->store.db, table->store.schema);
    struct progress *progress = memory_zalloc(1, sizeof *progress);
    *begun = NULL;
    if (progress == NULL) return error_nomem(err);
    if (file == NULL) file = "";
    atomic_init(&progress->references, 1);
    progress->connection = table->connection;
    progress->file = memory_copy(file, strlen(file));
    progress->schema = memory_copy(table->store.schema, strlen(table->store.schema));
    progress->index = memory_copy(table->store.name, strlen(table->store.name));
    progress->start = progress->told = clock_seconds();
    if (progress->file == NULL || progress->schema == NULL || progress->index == NULL) {
        progress_release(progress);
        return error_nomem(err);
    }
    progress->cancel = progress->connection->cancel;
    progress->is_told = catalog_get(progress->connection->catalog, CATALOG_PROGRESS) != 0;
    progress->connection->cancel = (struct cancel){ask, progress};
    put_on(progress);
    *begun = progress;
    return 0;
}

void progress_end(struct progress *progress, int rc)
{
    if (progress == NULL) return;
    progress->connection->cancel = progress->cancel;
    atomic_store(&progress->seconds, clock_seconds() - progress->start);
    atomic_store(&progress->state, rc == 0                   ? PROGRESS_DONE
                                   : rc == ERROR_INTERRUPTED ? PROGRESS_INTERRUPTED
                                                             : PROGRESS_FAILED);
    if (progress->is_told) tell(progress);
    progress_release(progress);
}

void progress_enter(struct progress *progress, enum progress_state state)
{
    if (progress != NULL) atomic_store(&progress->state, (int)state);
}

void progress_count(struct progress *progress, const struct progress_counts *counts)
{
    if (progress == NULL) return;
    atomic_store(&progress->embedded, counts->embedded);
    atomic_store(&progress->deleted, counts->deleted);
    atomic_store(&progress->failed, counts->failed);
    atomic_store(&progress->pending, counts->pending);
    atomic_store(&progress->total, counts->total);
    atomic_store(&progress->requests, counts->requests);
}
