/*
 * broken_pipe.h: writing to a connection that the other side closed, which must not end the program
 * (SIGPIPE). Between the two calls this thread gets an error instead; Windows knows nothing else.
 */
#ifndef BASE_BROKEN_PIPE_H
#define BASE_BROKEN_PIPE_H

#ifdef _WIN32
struct broken_pipe {
    char nothing;
};
#else
#include <signal.h>
struct broken_pipe {
    sigset_t before;
    int was_pending;
};
#endif

void broken_pipe_begin(struct broken_pipe *pipe);

/* What came meanwhile is dropped. */
void broken_pipe_end(const struct broken_pipe *pipe);

#endif
