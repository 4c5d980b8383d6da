#include "base/broken_pipe.h"

#ifdef _WIN32

void broken_pipe_begin(struct broken_pipe *pipe)
{
    (void)pipe;
}

void broken_pipe_end(const struct broken_pipe *pipe)
{
    (void)pipe;
}

#else

#include <pthread.h>
#include <time.h>

static void only_pipe(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

static int is_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void broken_pipe_begin(struct broken_pipe *pipe)
{
    sigset_t set;
    only_pipe(&set);
    pipe->was_pending = is_pending();
    pthread_sigmask(SIG_BLOCK, &set, &pipe->before);
}

void broken_pipe_end(const struct broken_pipe *pipe)
{
    if (!pipe->was_pending && is_pending()) {
        sigset_t set;
        only_pipe(&set);
#ifdef __APPLE__
        int number;
        sigwait(&set, &number);
#else
        sigtimedwait(&set, NULL, &(struct timespec){0, 0});
#endif
    }
    pthread_sigmask(SIG_SETMASK, &pipe->before, NULL);
}

#endif
