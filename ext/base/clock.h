/*
 * clock.h: time that only goes forward, and waiting for it.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/rounding.h"

/* Seconds since some moment in the past, for differences. */
double clock_seconds(void);

/* Waits so long or longer; on Windows whole milliseconds. */
void clock_sleep(long microseconds);

#endif
