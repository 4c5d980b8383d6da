#include "sqlite/api.h"

#ifndef SQLITE_CORE
const sqlite3_api_routines *sqlite3_api;
#endif
