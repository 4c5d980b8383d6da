/*
 * progress.h: what the syncs of this process are doing, for whoever watches.
 *
 * A sync may take hours and commit nothing until its end, so that nobody could tell from the
 * database how far it is. So it tells in memory: a list of this process, which semantic_progress
 * (progress_function.c) shows, and, where the setting `progress` asks for it, a line a second on
 * stderr.
 *
 * The list has the last sync of each index. It belongs to the connection that ran it, and goes with
 * it, so that nothing is left when the library is unloaded.
 *
 * Threads: the list is under a lock that is held for a few pointer changes (base/lock.h; who does
 * not get it is not listed). Texts of a run never change, numbers are atomic: a reader needs no
 * lock for them. While a sync runs, its connection's cancel token passes through here: it is asked
 * at least every 100 ms by all work that can last.
 */
#ifndef SEMANTIC_PROGRESS_H
#define SEMANTIC_PROGRESS_H

#include "semantic/table.h"

enum progress_state {
    PROGRESS_COMPARING, /* index and content */
    PROGRESS_FITTING,   /* the model to the content */
    PROGRESS_EMBEDDING,
    PROGRESS_WRITING,
    PROGRESS_DONE,
    PROGRESS_FAILED,
    PROGRESS_INTERRUPTED
};

/* Rows so far; `pending` is what is left of `total`, the content rows that have a text. */
struct progress_counts {
    int64_t embedded, deleted, failed, pending, total, requests;
};

struct progress; /* one run */

/* Begins one; end tells how it went. ERROR_NOMEM. */
int progress_begin(struct semantic_table *table, struct progress **progress, struct error *err);
void progress_end(struct progress *progress, int rc);

/* Where it is now. Accept NULL: nobody watches. */
void progress_enter(struct progress *progress, enum progress_state state);
void progress_count(struct progress *progress, const struct progress_counts *counts);

/* Runs of this process, each with a reference that progress_release gives back; *runs [*n] is the
 * caller's to free. ERROR_NOMEM. */
int progress_list(struct progress ***runs, size_t *n, struct error *err);
void progress_release(struct progress *progress);

/* What a run says. The texts live as long as it. */
struct progress_description {
    const char *file, *schema, *index; /* file "": the database is in none */
    const char *state;
    struct progress_counts counts;
    double seconds;
};
void progress_describe(struct progress *progress, struct progress_description *description);

/* The connection is closed: its runs go. */
void progress_forget(const struct connection *connection);

#endif
