/*
 * memory.h: the one allocator of the project.
 *
 * Every byte the extension owns comes from here, but for the blocks that an index keeps in memory
 * (pages.h) and trees of JSON while they are read (json.h): cJSON's hooks would be those of the
 * whole process. Programs that use the rooms without SQLite (the unit tests) get malloc; the SQL
 * face binds sqlite3_malloc64 and friends, so that SQLite's memory limits, statistics and fault
 * injection see us too.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct memory_methods {
    void *(*alloc)(uint64_t size);
    void *(*realloc)(void *block, uint64_t size);
    void (*free)(void *block);
};

/* Replaces the allocator, before the first allocation; `methods` lives as long as the process. */
void memory_bind(const struct memory_methods *methods);

/* n elements of `size` bytes, not cleared / all zero. NULL when out of memory or when n * size
 * overflows; a request for 0 bytes gives a block that can be freed. */
void *memory_alloc(size_t n, size_t size);
void *memory_zalloc(size_t n, size_t size);

/* `block` (may be NULL) grown or shrunk to n elements of `size` bytes. On failure NULL, and the old
 * block is still there. */
void *memory_realloc(void *block, size_t n, size_t size);

/* A copy of size bytes followed by one NUL byte; NULL when out of memory. */
char *memory_copy(const char *data, size_t size);

/* A copy of a NUL terminated text, NULL of NULL. False: out of memory. */
int memory_copy_text(const char *text, char **copy);

/* Accepts NULL. */
void memory_free(void *block);

/* Sets bytes that held a key to zero, also where nobody reads them again: a compiler may drop a
 * memset there. */
void memory_wipe(void *data, size_t size);

/* Wipes a NUL terminated text, a key, before it is freed. Accepts NULL. */
void memory_free_secret(char *text);

#endif
