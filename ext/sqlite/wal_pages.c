#include "sqlite/wal_pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/page_numbers.h"

#define HEADER_BYTES 32
#define SALTS_AT 16
#define FRAME_BYTES 24
#define FRAME_SALTS_AT 8
#define SALT_BYTES 8

static int compare_numbers(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The frames end where one is of an earlier log, which this one is written over. */
static int read_frames(struct wal_pages *pages, sqlite3_file *log, const unsigned char *salts,
                       size_t page_size, size_t n_frames)
{
    unsigned char head[FRAME_BYTES];
    for (size_t i = 0; i < n_frames; i++) {
        int64_t at = HEADER_BYTES + (int64_t)(i * (FRAME_BYTES + page_size));
        if (log->pMethods->xRead(log, head, sizeof head, at) != SQLITE_OK) return 0;
        if (memcmp(head + FRAME_SALTS_AT, salts, SALT_BYTES) != 0) break;
        pages->numbers[pages->n++] = page_read_32(head);
    }
    return 1;
}

int wal_pages_read(struct wal_pages *pages, sqlite3_file *log, size_t page_size, int *known,
                   struct error *err)
{
    unsigned char header[HEADER_BYTES];
    sqlite3_int64 size;
    *pages = (struct wal_pages){0};
    *known = log->pMethods->xFileSize(log, &size) == SQLITE_OK && size >= HEADER_BYTES &&
             log->pMethods->xRead(log, header, sizeof header, 0) == SQLITE_OK;
    if (!*known) return 0;
    size_t n_frames = (size_t)(size - HEADER_BYTES) / (FRAME_BYTES + page_size);
    pages->numbers = memory_alloc(n_frames, sizeof *pages->numbers);
    if (pages->numbers == NULL) return error_nomem(err);
    *known = read_frames(pages, log, header + SALTS_AT, page_size, n_frames);
    if (*known) qsort(pages->numbers, pages->n, sizeof *pages->numbers, compare_numbers);
    return 0;
}

void wal_pages_free(struct wal_pages *pages)
{
    memory_free(pages->numbers);
    *pages = (struct wal_pages){0};
}

int wal_pages_have(const struct wal_pages *pages, int64_t first, size_t n)
{
    size_t low = 0, high = pages->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pages->numbers[middle] < first) low = middle + 1;
        else high = middle;
    }
    return low < pages->n && pages->numbers[low] - first < (int64_t)n;
}
