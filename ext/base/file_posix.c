#ifndef _WIN32
#define _XOPEN_SOURCE 700 /* realpath */

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A read of more is asked for in pieces: Linux gives 2 GB at most at a time, macOS refuses more. */
#define PIECE ((size_t)1 << 30)

static const char *reason(int number, char text[100])
{
    if (strerror_r(number, text, 100) != 0) snprintf(text, 100, "error %d", number);
    return text;
}

static int64_t modified(const struct stat *status)
{
#ifdef __APPLE__
    struct timespec time = status->st_mtimespec;
#else
    struct timespec time = status->st_mtim;
#endif
    return (int64_t)((uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec);
}

int file_open(const char *path, struct file *file, struct error *err)
{
    char text[100];
    struct stat status;
    *file = (struct file){.descriptor = -1};
    /* Not to wait for whoever writes to it, if it is a pipe. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(err, ERROR_UNAVAILABLE, "cannot open %.300s: %s", path,
                         reason(errno, text));
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 0) {
        close(descriptor);
        return error_set(err, ERROR_UNAVAILABLE, "cannot open %.300s: not a regular file", path);
    }
    *file = (struct file){descriptor, (uint64_t)status.st_size, modified(&status)};
    return 0;
}

void file_close(struct file *file)
{
    if (file->descriptor >= 0) close((int)file->descriptor);
    *file = (struct file){.descriptor = -1};
}

int file_read(const struct file *file, uint64_t offset, void *data, size_t size, struct error *err)
{
    char text[100];
    size_t done = 0;
    const uint64_t most = sizeof(off_t) < sizeof(int64_t) ? INT32_MAX : INT64_MAX;
    if (size > most || offset > most - size)
        return error_set(err, ERROR_UNAVAILABLE, "cannot read at byte %" PRIu64, offset);
    while (done < size) {
        size_t left = size - done;
        ssize_t got = pread((int)file->descriptor, (char *)data + done, left < PIECE ? left : PIECE,
                            (off_t)(offset + done));
        if (got > 0) done += (size_t)got;
        else if (got == 0)
            return error_set(err, ERROR_UNAVAILABLE,
                             "expected %zu bytes at byte %" PRIu64 ", not %zu: the file ends there",
                             size, offset, done);
        else if (errno != EINTR)
            return error_set(err, ERROR_UNAVAILABLE, "cannot read at byte %" PRIu64 ": %s",
                             offset + done, reason(errno, text));
    }
    return 0;
}

const void *file_map(const struct file *file)
{
    if (file->size == 0 || file->size > SIZE_MAX) return NULL;
    void *mapped = mmap(NULL, (size_t)file->size, PROT_READ, MAP_SHARED, (int)file->descriptor, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

void file_unmap(const void *mapped, uint64_t size)
{
    if (mapped != NULL) munmap((void *)(uintptr_t)mapped, (size_t)size);
}

int file_is_unchanged(const struct file *file)
{
    struct stat status;
    return fstat((int)file->descriptor, &status) == 0 && (uint64_t)status.st_size == file->size &&
           modified(&status) == file->modified;
}

int file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

int file_is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The time of the inode's change: that of the contents can be set back. */
void file_stamp(const char *path, char stamp[FILE_STAMP_SIZE])
{
    struct stat status;
    stamp[0] = '\0';
    if (stat(path, &status) != 0) return;
#ifdef __APPLE__
    struct timespec changed = status.st_ctimespec;
#else
    struct timespec changed = status.st_ctim;
#endif
    snprintf(stamp, FILE_STAMP_SIZE, "%ju-%ju-%jd-%jd.%09ld", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino, (intmax_t)status.st_size, (intmax_t)changed.tv_sec,
             changed.tv_nsec);
}

_Static_assert(PATH_MAX <= FILE_PATH_SIZE, "what realpath writes");

void file_whole_path(const char *path, char whole[FILE_PATH_SIZE])
{
    char folder[FILE_PATH_SIZE];
    if (realpath(path, whole) != NULL) return;
    int relative = path[0] != '/' && getcwd(folder, sizeof folder) != NULL;
    int length = snprintf(whole, FILE_PATH_SIZE, "%s%s%s", relative ? folder : "",
                          relative ? "/" : "", path);
    if (length >= FILE_PATH_SIZE) whole[0] = '\0';
}

int file_names_open(const char *folder, struct file_names *names)
{
    names->handle = opendir(folder);
    return names->handle != NULL;
}

int file_names_next(struct file_names *names)
{
    const struct dirent *entry = readdir(names->handle);
    if (entry == NULL) return 0;
    snprintf(names->name, sizeof names->name, "%s", entry->d_name);
    return 1;
}

void file_names_close(struct file_names *names)
{
    closedir(names->handle);
}
#endif
