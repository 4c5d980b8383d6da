/*
 * api.h: the SQLite interface, once. As a loadable extension every call goes through the pointer
 * that SQLite hands to the entry point (defined in api.c); built into a program
 * (-DSQLITE_CORE) it is an ordinary call.
 *
 * A process may hold several copies of SQLite: two drivers, each with its own. The pointer is one
 * for the library as the process has loaded it, and so is its allocator: it serves the copy that
 * came first for as long as that one has connections, and is refused to others. Who wants the
 * library for two copies loads its file twice, under two names: each has a pointer of its own.
 */
#ifndef SQLITE_API_H
#define SQLITE_API_H

#include <sqlite3ext.h>

#ifndef SQLITE_CORE
extern const sqlite3_api_routines *sqlite3_api;
#endif

/* Makes the SQLite with these routines ours, until api_release() was called once for each take and
 * hold: 1; 0 and a message of that SQLite's, which is in its error log too, if another one is.
 * Whoever got 0 calls no other function of this library. */
int api_take(const sqlite3_api_routines *api, char **message);

/* One user more of a SQLite that is ours. */
void api_hold(void);

/* After it nothing may be allocated, freed or asked of SQLite on behalf of this user. */
void api_release(void);

#endif
