#ifdef _WIN32
#include "base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/wide.h"
#include "base/windows.h"

#define PIECE ((size_t)1 << 30)     /* a read of more is asked for in pieces */
#define FILETIMES_A_SECOND 10000000 /* a FILETIME counts 100 nanoseconds */

/* Others may write, rename and delete it meanwhile, as elsewhere. A folder is opened by `flags`. */
static HANDLE open_path(const char *path, DWORD access, DWORD flags)
{
    wchar_t wide[FILE_PATH_SIZE];
    if (!wide_from_utf8(path, wide, FILE_PATH_SIZE)) {
        SetLastError(ERROR_INVALID_NAME);
        return INVALID_HANDLE_VALUE;
    }
    return CreateFileW(wide, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                       OPEN_EXISTING, flags, NULL);
}

static uint64_t size_of(const BY_HANDLE_FILE_INFORMATION *status)
{
    return (uint64_t)status->nFileSizeHigh << 32 | status->nFileSizeLow;
}

static int64_t modified(const BY_HANDLE_FILE_INFORMATION *status)
{
    return (int64_t)((uint64_t)status->ftLastWriteTime.dwHighDateTime << 32 |
                     status->ftLastWriteTime.dwLowDateTime);
}

int file_open(const char *path, struct file *file, struct error *err)
{
    char text[200];
    BY_HANDLE_FILE_INFORMATION status;
    *file = (struct file){.descriptor = -1};
    HANDLE handle = open_path(path, GENERIC_READ, FILE_FLAG_BACKUP_SEMANTICS);
    if (handle == INVALID_HANDLE_VALUE)
        return error_set(err, ERROR_UNAVAILABLE, "cannot open %.300s: %s", path,
                         wide_reason(GetLastError(), text, sizeof text));
    if (GetFileType(handle) != FILE_TYPE_DISK || !GetFileInformationByHandle(handle, &status) ||
        (status.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
        CloseHandle(handle);
        return error_set(err, ERROR_UNAVAILABLE, "cannot open %.300s: not a regular file", path);
    }
    *file = (struct file){(intptr_t)handle, size_of(&status), modified(&status)};
    return 0;
}

void file_close(struct file *file)
{
    if (file->descriptor != -1) CloseHandle((HANDLE)file->descriptor);
    *file = (struct file){.descriptor = -1};
}

int file_read(const struct file *file, uint64_t offset, void *data, size_t size, struct error *err)
{
    char text[200];
    size_t done = 0;
    if (size > INT64_MAX || offset > INT64_MAX - size)
        return error_set(err, ERROR_UNAVAILABLE, "cannot read at byte %" PRIu64, offset);
    while (done < size) {
        size_t left = size - done;
        DWORD got = 0;
        OVERLAPPED at = {.Offset = (DWORD)(offset + done),
                         .OffsetHigh = (DWORD)((offset + done) >> 32)};
        if (!ReadFile((HANDLE)file->descriptor, (char *)data + done,
                      (DWORD)(left < PIECE ? left : PIECE), &got, &at) &&
            GetLastError() != ERROR_HANDLE_EOF)
            return error_set(err, ERROR_UNAVAILABLE, "cannot read at byte %" PRIu64 ": %s",
                             offset + done, wide_reason(GetLastError(), text, sizeof text));
        if (got == 0)
            return error_set(err, ERROR_UNAVAILABLE,
                             "expected %zu bytes at byte %" PRIu64 ", not %zu: the file ends there",
                             size, offset, done);
        done += got;
    }
    return 0;
}

const void *file_map(const struct file *file)
{
    if (file->size == 0 || file->size > SIZE_MAX) return NULL;
    HANDLE mapping = CreateFileMappingW((HANDLE)file->descriptor, NULL, PAGE_READONLY, 0, 0, NULL);
    if (mapping == NULL) return NULL;
    const void *mapped = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, (SIZE_T)file->size);
    CloseHandle(mapping); /* the view keeps it */
    return mapped;
}

void file_unmap(const void *mapped, uint64_t size)
{
    (void)size;
    if (mapped != NULL) UnmapViewOfFile(mapped);
}

int file_is_unchanged(const struct file *file)
{
    BY_HANDLE_FILE_INFORMATION status;
    return GetFileInformationByHandle((HANDLE)file->descriptor, &status) &&
           size_of(&status) == file->size && modified(&status) == file->modified;
}

/* Links are followed: what it leads to is opened. 0 where there is nothing. */
static int look(const char *path, BY_HANDLE_FILE_INFORMATION *status, FILE_BASIC_INFO *times)
{
    HANDLE handle = open_path(path, FILE_READ_ATTRIBUTES, FILE_FLAG_BACKUP_SEMANTICS);
    if (handle == INVALID_HANDLE_VALUE) return 0;
    int found = GetFileInformationByHandle(handle, status) &&
                GetFileInformationByHandleEx(handle, FileBasicInfo, times, sizeof *times);
    CloseHandle(handle);
    return found;
}

int file_exists(const char *path)
{
    BY_HANDLE_FILE_INFORMATION status;
    FILE_BASIC_INFO times;
    return look(path, &status, &times) && (status.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

int file_is_folder(const char *path)
{
    BY_HANDLE_FILE_INFORMATION status;
    FILE_BASIC_INFO times;
    return look(path, &status, &times) && (status.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

void file_stamp(const char *path, char stamp[FILE_STAMP_SIZE])
{
    BY_HANDLE_FILE_INFORMATION status;
    FILE_BASIC_INFO times;
    stamp[0] = '\0';
    if (!look(path, &status, &times)) return;
    int64_t changed = times.ChangeTime.QuadPart;
    snprintf(stamp, FILE_STAMP_SIZE, "%lu-%" PRIu64 "-%" PRIu64 "-%" PRId64 ".%07d",
             (unsigned long)status.dwVolumeSerialNumber,
             (uint64_t)status.nFileIndexHigh << 32 | status.nFileIndexLow, size_of(&status),
             changed / FILETIMES_A_SECOND, (int)(changed % FILETIMES_A_SECOND));
}

void file_whole_path(const char *path, char whole[FILE_PATH_SIZE])
{
    wchar_t wide[FILE_PATH_SIZE], full[FILE_PATH_SIZE];
    DWORD length = 0;
    if (wide_from_utf8(path, wide, FILE_PATH_SIZE))
        length = GetFullPathNameW(wide, FILE_PATH_SIZE, full, NULL);
    whole[0] = '\0';
    if (length > 0 && length < FILE_PATH_SIZE) wide_to_utf8(full, whole, FILE_PATH_SIZE);
}

/* The system gives the first name together with the handle. */
int file_names_open(const char *folder, struct file_names *names)
{
    char pattern[FILE_PATH_SIZE];
    wchar_t wide[FILE_PATH_SIZE];
    WIN32_FIND_DATAW found;
    int length = snprintf(pattern, sizeof pattern, "%s/*", folder);
    if (length >= (int)sizeof pattern || !wide_from_utf8(pattern, wide, FILE_PATH_SIZE)) return 0;
    names->handle = FindFirstFileW(wide, &found);
    if (names->handle == INVALID_HANDLE_VALUE) return 0;
    names->is_read = wide_to_utf8(found.cFileName, names->name, sizeof names->name);
    return 1;
}

int file_names_next(struct file_names *names)
{
    WIN32_FIND_DATAW found;
    if (names->is_read) {
        names->is_read = 0;
        return 1;
    }
    if (!FindNextFileW(names->handle, &found)) return 0;
    wide_to_utf8(found.cFileName, names->name, sizeof names->name);
    return 1;
}

void file_names_close(struct file_names *names)
{
    FindClose(names->handle);
}
#endif
