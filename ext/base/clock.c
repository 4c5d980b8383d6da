#define _POSIX_C_SOURCE 200809L

#include "base/clock.h"

#ifdef _WIN32
#include "base/windows.h"

double clock_seconds(void)
{
    LARGE_INTEGER ticks, ticks_a_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&ticks_a_second);
    return (double)ticks.QuadPart / (double)ticks_a_second.QuadPart;
}

void clock_sleep(long microseconds)
{
    Sleep((DWORD)(microseconds + 999) / 1000);
}
#else
#include <time.h>

double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void clock_sleep(long microseconds)
{
    nanosleep(&(struct timespec){microseconds / 1000000, microseconds % 1000000 * 1000}, NULL);
}
#endif
