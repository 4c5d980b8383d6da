/*
 * shared_file.h: JSON files of the folder that RERANK_SHARED names: captured requests and answers
 * of providers, which are not part of the repository.
 */
#ifndef TESTS_API_SHARED_FILE_H
#define TESTS_API_SHARED_FILE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"

/* The tree of a file, for cJSON_Delete; NULL: no such folder or file. */
static cJSON *shared_json(const char *name)
{
    const char *folder = getenv("RERANK_SHARED");
    char path[1000];
    if (folder == NULL || folder[0] == '\0') return NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    size_t limit = (size_t)1 << 20;
    char *text = memory_alloc(limit, 1);
    size_t size = text == NULL ? 0 : fread(text, 1, limit, file);
    fclose(file);
    cJSON *root = NULL;
    json_parse((struct span){text, size}, &root, NULL);
    memory_free(text);
    return root;
}

#endif
