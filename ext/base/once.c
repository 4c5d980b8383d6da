#include "base/once.h"

#ifdef _WIN32
#include "base/windows.h"

_Static_assert(sizeof(struct once) == sizeof(INIT_ONCE), "the same, without its header");

static BOOL CALLBACK call(INIT_ONCE *state, void *work, void **context)
{
    (void)state;
    (void)context;
    (*(void (**)(void))work)();
    return TRUE;
}

void once_do(struct once *once, void (*work)(void))
{
    InitOnceExecuteOnce((INIT_ONCE *)(void *)once, call, &work, NULL);
}
#else

void once_do(struct once *once, void (*work)(void))
{
    pthread_once(&once->state, work);
}
#endif
