#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void *system_alloc(uint64_t size)
{
    return size <= SIZE_MAX ? malloc((size_t)size) : NULL;
}

static void *system_realloc(void *block, uint64_t size)
{
    return size <= SIZE_MAX ? realloc(block, (size_t)size) : NULL;
}

static const struct memory_methods system_methods = {system_alloc, system_realloc, free};

/* Each connection binds, the same methods: an atomic pointer, as threads may do so at once. */
static _Atomic(const struct memory_methods *) methods = &system_methods;

void memory_bind(const struct memory_methods *bound)
{
    atomic_store_explicit(&methods, bound, memory_order_release);
}

static const struct memory_methods *bound_methods(void)
{
    return atomic_load_explicit(&methods, memory_order_acquire);
}

/* The product in *total, never 0 (an allocator may answer NULL for 0 bytes); false on overflow. */
static int checked_size(size_t n, size_t size, uint64_t *total)
{
    if (size != 0 && n > (SIZE_MAX >> 1) / size) return 0;
    *total = (uint64_t)n * size;
    if (*total == 0) *total = 1;
    return 1;
}

void *memory_alloc(size_t n, size_t size)
{
    uint64_t total;
    return checked_size(n, size, &total) ? bound_methods()->alloc(total) : NULL;
}

void *memory_zalloc(size_t n, size_t size)
{
    void *block = memory_alloc(n, size);
    if (block != NULL) memset(block, 0, n * size);
    return block;
}

void *memory_realloc(void *block, size_t n, size_t size)
{
    uint64_t total;
    return checked_size(n, size, &total) ? bound_methods()->realloc(block, total) : NULL;
}

char *memory_copy(const char *data, size_t size)
{
    if (size == SIZE_MAX) return NULL;
    char *copy = memory_alloc(size + 1, 1);
    if (copy == NULL) return NULL;
    if (size != 0) memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

int memory_copy_text(const char *text, char **copy)
{
    *copy = text == NULL ? NULL : memory_copy(text, strlen(text));
    return text == NULL || *copy != NULL;
}

void memory_free(void *block)
{
    if (block != NULL) bound_methods()->free(block);
}

/* Volatile: what is called is not known to the compiler, so that it cannot drop the call. */
static void *(*const volatile set_bytes)(void *, int, size_t) = memset;

void memory_wipe(void *data, size_t size)
{
    if (size != 0) set_bytes(data, 0, size);
}

void memory_free_secret(char *text)
{
    if (text != NULL) memory_wipe(text, strlen(text));
    memory_free(text);
}
