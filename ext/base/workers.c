#include "base/workers.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

struct worker {
    pthread_t thread;
    void (*work)(void *context, size_t number);
    void *context;
    size_t number;
};

static void *start(void *data)
{
    struct worker *worker = data;
    worker->work(worker->context, worker->number);
    return NULL;
}

void workers_run(size_t n_threads, void (*work)(void *context, size_t number), void *context)
{
    struct worker workers[WORKERS_MAX];
    size_t n_started = 0;
    sigset_t all, before;
    if (n_threads > WORKERS_MAX) n_threads = WORKERS_MAX;
    sigfillset(&all);
    if (n_threads > 1) pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t number = 1; number < n_threads; number++) {
        struct worker *worker = &workers[n_started];
        *worker = (struct worker){.work = work, .context = context, .number = number};
        if (pthread_create(&worker->thread, NULL, start, worker) == 0) n_started++;
    }
    if (n_threads > 1) pthread_sigmask(SIG_SETMASK, &before, NULL);
    work(context, 0);
    for (size_t i = 0; i < n_started; i++) pthread_join(workers[i].thread, NULL);
}

void workers_pause(size_t n)
{
    nanosleep(&(struct timespec){0, 20000L << (n < 3 ? n : 3)}, NULL);
}

size_t workers_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (size_t)n;
}
