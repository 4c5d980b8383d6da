#include "sqlite/file_handle.h"

#include <string.h>

#include "base/memory.h"

/* Whether the file system is one of SQLite's own that locks files; a temporary file has no name,
 * and lacks what is in memory alone. */
static int is_plain(sqlite3 *db, const char *schema)
{
    static const char *const known[] = {"unix", "unix-excl", "win32", "win32-longpath"};
    const char *file = sqlite3_db_filename(db, schema);
    char *name = NULL;
    int is_known = 0;
    if (file == NULL || *file == '\0') return 0;
    if (sqlite3_file_control(db, schema, SQLITE_FCNTL_VFSNAME, &name) != SQLITE_OK) return 0;
    for (size_t i = 0; name != NULL && i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) is_known = 1;
    sqlite3_free(name);
    return is_known;
}

sqlite3_file *file_handle_of(sqlite3 *db, const char *schema)
{
    sqlite3_file *file = NULL;
    if (!is_plain(db, schema) ||
        sqlite3_file_control(db, schema, SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL)
        return NULL;
    return file;
}

/* Whether the path may name another file than the one that is open. Where a file system cannot
 * tell, Windows', nobody moves a file that is open. */
static int has_moved(sqlite3_file *file)
{
    int moved = 0;
    int rc = file->pMethods->xFileControl(file, SQLITE_FCNTL_HAS_MOVED, &moved);
    return rc == SQLITE_OK ? moved : rc != SQLITE_NOTFOUND;
}

int file_handle_open(sqlite3 *db, const char *schema, sqlite3_file **handle, struct error *err)
{
    sqlite3_file *first = file_handle_of(db, schema);
    sqlite3_vfs *vfs = NULL;
    *handle = NULL;
    if (first == NULL || has_moved(first) ||
        sqlite3_file_control(db, schema, SQLITE_FCNTL_VFS_POINTER, &vfs) != SQLITE_OK ||
        vfs == NULL)
        return 0;
    sqlite3_file *opened = memory_zalloc(1, (size_t)vfs->szOsFile);
    if (opened == NULL) return error_nomem(err);
    int rc = vfs->xOpen(vfs, sqlite3_db_filename(db, schema), opened,
                        SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, NULL);
    if (rc == SQLITE_OK && !has_moved(first)) *handle = opened;
    else file_handle_close(opened);
    return rc == SQLITE_NOMEM ? error_nomem(err) : 0;
}

void file_handle_close(sqlite3_file *handle)
{
    if (handle != NULL && handle->pMethods != NULL) handle->pMethods->xClose(handle);
    memory_free(handle);
}
