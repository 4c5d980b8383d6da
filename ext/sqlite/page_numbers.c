#include "sqlite/page_numbers.h"

int page_read_long_varint(const unsigned char **at, const unsigned char *end, uint64_t *number)
{
    const unsigned char *next = *at;
    *number = 0;
    for (int i = 0; next < end; i++) {
        if (i == 8) *number = *number << 8 | *next;
        else *number = *number << 7 | (*next & 0x7F);
        if (*next++ < 0x80 || i == 8) {
            *at = next;
            return 1;
        }
    }
    return 0;
}
