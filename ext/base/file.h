/*
 * file.h: files of the machine, read by position, and folders; large ones that are only read may be
 * mapped. Paths are UTF-8 everywhere; what systems do in ways of their own is in file_posix.c and
 * file_windows.c.
 *
 * A mapping shares its pages with the system's cache and with every process that has the same file.
 * But a file that another program cuts short under a mapping kills whoever reads there (SIGBUS),
 * where a short read is an error with a text: ask file_is_unchanged() before each use. Of a file
 * that another is renamed over, the mapping keeps the old one. Windows lets nobody do either.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define FILE_PATH_SIZE 4096 /* bytes that a path has at most here, its NUL included */
#ifdef _WIN32
#define FILE_BETWEEN_PATHS ";" /* in a list of them */
#else
#define FILE_BETWEEN_PATHS ":"
#endif

struct file {
    intptr_t descriptor; /* -1: not open */
    uint64_t size;       /* bytes, when it was opened */
    int64_t modified;    /* likewise: when it was written to last, by the system's own clock */
};

/* Opens a regular file for reading. ERROR_UNAVAILABLE names the path and why; *file is closed
 * then. */
int file_open(const char *path, struct file *file, struct error *err);
void file_close(struct file *file); /* accepts a closed one */

/* Exactly `size` bytes from `offset` on. ERROR_UNAVAILABLE when they cannot be had: a failing
 * device, or a file that has become shorter. Any number of threads may read at once. */
int file_read(const struct file *file, uint64_t offset, void *data, size_t size, struct error *err);

/* The whole file as memory that may only be read, which stays when the file is closed; NULL where
 * it cannot be had, and of an empty one. */
const void *file_map(const struct file *file);
void file_unmap(const void *mapped, uint64_t size); /* accepts NULL */

/* Whether nobody has written to it or cut it since it was opened. */
int file_is_unchanged(const struct file *file);

/* The whole file into an empty buffer, which must not be shorter than it by its ceiling. Errors of
 * file_open and buffer_reserve; the text names the path. */
int file_read_whole(const char *path, struct buffer *buffer, struct error *err);

/* Whether there is a regular file / a folder of that path (links are followed). */
int file_exists(const char *path);
int file_is_folder(const char *path);

/* What tells one state of a file from another (device, number, size, time of change), as text; ""
 * where there is none. */
#define FILE_STAMP_SIZE 120
void file_stamp(const char *path, char stamp[FILE_STAMP_SIZE]);

/* The path from the root on, as SQLite tells that of a database, whether or not there is a file;
 * "" where that is too long. */
void file_whole_path(const char *path, char whole[FILE_PATH_SIZE]);

/* The names in a folder, in no order, "." and ".." among them:
 *
 *     if (file_names_open(folder, &names)) {
 *         while (file_names_next(&names)) use(names.name);
 *         file_names_close(&names);
 *     }
 */
struct file_names {
    char name[1024]; /* cut where it is longer */
    void *handle;
    int is_read; /* `name` was read ahead */
};

int file_names_open(const char *folder, struct file_names *names); /* whether it can be read */
int file_names_next(struct file_names *names);                     /* whether there is one more */
void file_names_close(struct file_names *names);

#endif
