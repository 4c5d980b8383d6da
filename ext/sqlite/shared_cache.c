#include "sqlite/shared_cache.h"

/* SQLite tells the memory of the caches, and this connection's part of it. */
int shared_cache_has_others(sqlite3 *db)
{
    int all = 0, part = 0, most;
    return sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_USED, &all, &most, 0) != SQLITE_OK ||
           sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_USED_SHARED, &part, &most, 0) != SQLITE_OK ||
           all != part;
}
