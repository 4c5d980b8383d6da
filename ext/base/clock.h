/*
 * clock.h: time that only goes forward.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/rounding.h"

/* Seconds since some moment in the past, for differences. */
double clock_seconds(void);

#endif
