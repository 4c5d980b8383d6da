/*
 * once.h: what a process does once. Who comes while another does it waits until it is done.
 */
#ifndef BASE_ONCE_H
#define BASE_ONCE_H

#ifdef _WIN32
struct once {
    void *state; /* an INIT_ONCE */
};
#define ONCE_NEW                                                                                   \
    {                                                                                              \
        NULL                                                                                       \
    }
#else
#include <pthread.h>
struct once {
    pthread_once_t state;
};
#define ONCE_NEW                                                                                   \
    {                                                                                              \
        PTHREAD_ONCE_INIT                                                                          \
    }
#endif

void once_do(struct once *once, void (*work)(void));

#endif
