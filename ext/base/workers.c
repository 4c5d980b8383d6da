#include "base/workers.h"

#ifdef _WIN32
#include <process.h>
#else
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#endif

#include "base/clock.h"
#include "base/windows.h"

struct worker {
#ifdef _WIN32
    HANDLE thread;
#else
    pthread_t thread;
#endif
    void (*work)(void *context, size_t number);
    void *context;
    size_t number;
};

/* ---- of the system --------------------------------------------------------------------------- */

#ifdef _WIN32

static unsigned __stdcall start(void *data)
{
    struct worker *worker = data;
    worker->work(worker->context, worker->number);
    return 0;
}

/* How many were started; one that cannot be is left out. */
static size_t begin_all(struct worker *workers, size_t n, const struct worker *task)
{
    size_t n_started = 0;
    for (size_t number = 1; number <= n; number++) {
        struct worker *worker = &workers[n_started];
        *worker = *task;
        worker->number = number;
        worker->thread = (HANDLE)_beginthreadex(NULL, 0, start, worker, 0, NULL);
        if (worker->thread != NULL) n_started++;
    }
    return n_started;
}

static void end(struct worker *worker)
{
    WaitForSingleObject(worker->thread, INFINITE);
    CloseHandle(worker->thread);
}

void workers_yield(void)
{
    SwitchToThread();
}

/* Who sleeps here does so for a millisecond, and often for sixteen. */
void workers_pause(size_t n)
{
    (void)n;
    SwitchToThread();
}

static long n_processors(void)
{
    DWORD_PTR of_process, of_system;
    long n = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &of_process, &of_system)) return 1;
    for (; of_process != 0; of_process &= of_process - 1) n++;
    return n;
}

#else

static void *start(void *data)
{
    struct worker *worker = data;
    worker->work(worker->context, worker->number);
    return NULL;
}

/* How many were started; one that cannot be is left out. Threads inherit what is blocked. */
static size_t begin_all(struct worker *workers, size_t n, const struct worker *task)
{
    size_t n_started = 0;
    sigset_t all, before;
    sigfillset(&all);
    if (n > 0) pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t number = 1; number <= n; number++) {
        struct worker *worker = &workers[n_started];
        *worker = *task;
        worker->number = number;
        if (pthread_create(&worker->thread, NULL, start, worker) == 0) n_started++;
    }
    if (n > 0) pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n_started;
}

static void end(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
}

void workers_yield(void)
{
    sched_yield();
}

void workers_pause(size_t n)
{
    clock_sleep(20L << (n < 3 ? n : 3));
}

static long n_processors(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN);
}

#endif

/* ---- of all ---------------------------------------------------------------------------------- */

void workers_run(size_t n_threads, void (*work)(void *context, size_t number), void *context)
{
    struct worker workers[WORKERS_MAX];
    const struct worker task = {.work = work, .context = context};
    if (n_threads > WORKERS_MAX) n_threads = WORKERS_MAX;
    size_t n_started = n_threads > 1 ? begin_all(workers, n_threads - 1, &task) : 0;
    work(context, 0);
    for (size_t i = 0; i < n_started; i++) end(&workers[i]);
}

size_t workers_processors(void)
{
    long n = n_processors();
    return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (size_t)n;
}
