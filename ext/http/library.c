#include "http/library.h"

#ifdef _WIN32
#include <string.h>

#include "base/file.h"
#include "base/wide.h"
#include "base/windows.h"

/* The folder that holds the code: its length with the separator at its end, 0 if it has none. */
static size_t own_folder(wchar_t path[FILE_PATH_SIZE])
{
    HMODULE module;
    const DWORD flags =
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    if (!GetModuleHandleExW(flags, (LPCWSTR)(void *)own_folder, &module)) return 0;
    DWORD length = GetModuleFileNameW(module, path, FILE_PATH_SIZE);
    if (length >= FILE_PATH_SIZE) return 0;
    while (length > 0 && path[length - 1] != L'\\') length--;
    return length;
}

/* Nowhere else: not in the folder that the process happens to be in. */
static void *open_one(const wchar_t *name)
{
    wchar_t path[FILE_PATH_SIZE];
    size_t length = own_folder(path), size = wcslen(name) + 1;
    HMODULE library = NULL;
    if (length > 0 && length + size <= FILE_PATH_SIZE) {
        memcpy(path + length, name, size * sizeof *name);
        library = LoadLibraryExW(path, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    }
    if (library == NULL) library = LoadLibraryExW(name, NULL, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
    return library;
}

void *library_open(const char *const *names, size_t n, struct error *err)
{
    wchar_t wide[100];
    char text[200];
    void *library = NULL;
    for (size_t i = 0; library == NULL && i < n; i++) {
        wide_from_utf8(names[i], wide, sizeof wide / sizeof *wide);
        library = open_one(wide);
        if (library == NULL && i == 0)
            error_set(err, ERROR_UNAVAILABLE, "%s: %s", names[i],
                      wide_reason(GetLastError(), text, sizeof text));
    }
    return library;
}

void *library_find(void *library, const char *name)
{
    return (void *)GetProcAddress(library, name);
}
#else
#include <dlfcn.h>

void *library_open(const char *const *names, size_t n, struct error *err)
{
    void *library = NULL;
    for (size_t i = 0; library == NULL && i < n; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL && i == 0) error_set(err, ERROR_UNAVAILABLE, "%s", dlerror());
    }
    return library;
}

void *library_find(void *library, const char *name)
{
    return dlsym(library, name);
}
#endif
