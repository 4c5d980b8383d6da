/*
 * model_folder.h: for the tests of a model's files: a folder of its own for each test, and files in
 * it that hold what they are told.
 *
 * For one program: include it in one file.
 */
#ifndef TESTS_LOCAL_MODEL_FOLDER_H
#define TESTS_LOCAL_MODEL_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char model_folder[64];

static int model_folder_make(void **state)
{
    (void)state;
    /* In memory, where the system has a folder for that. */
    snprintf(model_folder, sizeof model_folder, "%s/model_folder_XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(model_folder) == NULL ? -1 : 0;
}

static void model_folder_empty(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char below[512];
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (lstat(below, &status) == 0 && S_ISDIR(status.st_mode)) {
            model_folder_empty(below);
            rmdir(below);
        } else unlink(below);
    }
    if (folder != NULL) closedir(folder);
}

static int model_folder_remove(void **state)
{
    (void)state;
    model_folder_empty(model_folder);
    return rmdir(model_folder);
}

/* The path of a file in it; valid until the next but three. */
static const char *model_folder_path(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", model_folder, name);
    return path;
}

/* Writes a file, and the folders that it lies in. */
static void model_folder_put(const char *name, const void *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", model_folder, name);
    for (char *slash = path + strlen(model_folder) + 1; (slash = strchr(slash, '/')) != NULL;) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash++ = '/';
    }
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
}

static void model_folder_put_text(const char *name, const char *text)
{
    model_folder_put(name, text, strlen(text));
}

#endif
