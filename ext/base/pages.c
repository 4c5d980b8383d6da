#define _GNU_SOURCE /* MAP_ANONYMOUS, MADV_HUGEPAGE: beyond POSIX */
#include "base/pages.h"

#include <stdint.h>
#ifdef _WIN32
#include "base/windows.h"
#elif defined(__EMSCRIPTEN__)
#include <stdlib.h>
#include <string.h>
#else
#include <sys/mman.h>
#endif

#define SMALL_PAGE ((size_t)4096)

size_t pages_round(size_t size)
{
    size_t page = size <= PAGES_HUGE / 2 ? SMALL_PAGE : PAGES_HUGE;
    return size > SIZE_MAX - page ? 0 : (size + page - 1) / page * page;
}

#ifdef _WIN32

void *pages_alloc(size_t size)
{
    size_t rounded = pages_round(size);
    return rounded == 0 ? NULL
                        : VirtualAlloc(NULL, rounded, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void pages_free(void *pages, size_t size)
{
    (void)size;
    if (pages != NULL) VirtualFree(pages, 0, MEM_RELEASE);
}

#elif defined(__EMSCRIPTEN__) /* knows no pages, and gives back no part of a mapping */

void *pages_alloc(size_t size)
{
    size_t rounded = pages_round(size);
    void *block = rounded == 0 ? NULL : aligned_alloc(SMALL_PAGE, rounded);
    if (block != NULL) memset(block, 0, rounded);
    return block;
}

void pages_free(void *pages, size_t size)
{
    (void)size;
    free(pages);
}

#else

/* A mapping that begins at a multiple of a huge page: what lies before and behind it is given
 * back. */
static unsigned char *map_aligned(size_t size)
{
    unsigned char *mapped =
        mmap(NULL, size + PAGES_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return NULL;
    size_t before = (PAGES_HUGE - (uintptr_t)mapped % PAGES_HUGE) % PAGES_HUGE;
    if (before > 0) munmap(mapped, before);
    munmap(mapped + before + size, PAGES_HUGE - before);
#ifdef MADV_HUGEPAGE
    madvise(mapped + before, size, MADV_HUGEPAGE);
#endif
    return mapped + before;
}

void *pages_alloc(size_t size)
{
    size_t rounded = pages_round(size);
    if (rounded == 0 || rounded > SIZE_MAX - PAGES_HUGE) return NULL;
    if (rounded >= PAGES_HUGE) return map_aligned(rounded);
    void *mapped = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

void pages_free(void *pages, size_t size)
{
    if (pages != NULL) munmap(pages, pages_round(size));
}

#endif
