/*
 * workers.h: several threads for one piece of work.
 *
 * Threads live as long as the call: they are started for it and joined before it returns, so that
 * none is left when a database closes, nothing has to be told of fork(), and a program's own
 * threads share nothing with ours. Starting one takes some 20 microseconds: worth it from about a
 * millisecond of work on. Signals are blocked in them.
 */
#ifndef BASE_WORKERS_H
#define BASE_WORKERS_H

#include <stddef.h>

/* More are never started. */
#define WORKERS_MAX 64

/* Calls work(context, 0) in the caller's thread and, beside it, work(context, 1) ... (context,
 * n_threads - 1), each in a thread of its own, and returns when all have returned. A thread that
 * cannot be started is left out: share the work by a counter, not by the number. `work` allocates
 * nothing and asks SQLite nothing. */
void workers_run(size_t n_threads, void (*work)(void *context, size_t number), void *context);

/* Lets others run, if any can. */
void workers_yield(void);

/* For one of them that waits for another, the n-th time in a row, from 0 on: lets others run, 20
 * microseconds and more, up to 160. */
void workers_pause(size_t n);

/* The processors that this process may use, 1 or more, at most WORKERS_MAX. */
size_t workers_processors(void);

#endif
