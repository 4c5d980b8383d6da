/*
 * environment.h: variables that the program's user set.
 */
#ifndef BASE_ENVIRONMENT_H
#define BASE_ENVIRONMENT_H

/* The value; NULL if the variable is not set, or empty. Borrowed until the environment changes. */
const char *environment_value(const char *variable);

#endif
