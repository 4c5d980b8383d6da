/*
 * unavailable.h: the library on a connection that it cannot serve. Its functions and tables are
 * there, and each answers why.
 */
#ifndef EXTENSION_UNAVAILABLE_H
#define EXTENSION_UNAVAILABLE_H

#include "sqlite/api.h"

/* Registers them under the names that the library has. SQLite's result code. */
int unavailable_register(sqlite3 *db, const char *why);

#endif
