/*
 * api.h: the SQLite interface, once. As a loadable extension every call goes through the pointer
 * that SQLite hands to the entry point (defined in api.c); built into a program
 * (-DSQLITE_CORE) it is an ordinary call.
 */
#ifndef SQLITE_API_H
#define SQLITE_API_H

#include <sqlite3ext.h>

#ifndef SQLITE_CORE
extern const sqlite3_api_routines *sqlite3_api;
#endif

#endif
