/*
 * page_numbers.h: numbers as SQLite's pages and FTS5's have them
 * (https://www.sqlite.org/fileformat2.html).
 */
#ifndef SQLITE_PAGE_NUMBERS_H
#define SQLITE_PAGE_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* A varint: seven bits a byte, the highest first, and all eight of a ninth. Goes behind it; false:
 * it is cut. */
int page_read_long_varint(const unsigned char **at, const unsigned char *end, uint64_t *number);

/* The same; nearly all are of one byte. */
static inline int page_read_varint(const unsigned char **at, const unsigned char *end,
                                   uint64_t *number)
{
    if (*at == end || **at >= 0x80) return page_read_long_varint(at, end, number);
    *number = *(*at)++;
    return 1;
}

/* Two bytes, the higher first. */
static inline size_t page_read_16(const unsigned char *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

/* Four. */
static inline uint32_t page_read_32(const unsigned char *bytes)
{
    return (uint32_t)page_read_16(bytes) << 16 | (uint32_t)page_read_16(bytes + 2);
}

#endif
