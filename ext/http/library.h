/*
 * library.h: a file of code of the machine, loaded while the process runs. It is never unloaded.
 */
#ifndef HTTP_LIBRARY_H
#define HTTP_LIBRARY_H

#include <stddef.h>

#include "base/error.h"

/* The first of these names that the system's loader finds: on Windows beside the file that this
 * code is in, beside the program, or where the system keeps its own. NULL, and ERROR_UNAVAILABLE
 * with what the loader says of the first. */
void *library_open(const char *const *names, size_t n, struct error *err);

/* Where that name is in it; NULL: it has none. */
void *library_find(void *library, const char *name);

#endif
