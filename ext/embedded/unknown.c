#include "embedded/unknown.h"

#include <string.h>

#include "base/splitmix.h"
#include "embedded/table.h"
#include "text/unicode/classes.h"
#include "text/utf8.h"

#define EDGE 1            /* the character before and behind a word */
#define CHARACTER_BITS 21 /* three characters are one number */

int unknown_grams(struct span word, int (*take)(void *context, uint64_t gram, struct error *err),
                  void *context, struct error *err)
{
    const char *at = word.data, *end = at + word.size, *second = at;
    int is_dense = unicode_is_dense(utf8_next(&second, end)), rc = 0;
    size_t size = is_dense ? 2 : 3, n = is_dense ? 0 : 1;
    uint64_t gram = is_dense ? 0 : EDGE, mask = ((uint64_t)1 << size * CHARACTER_BITS) - 1;
    while (rc == 0 && at < end) {
        gram = (gram << CHARACTER_BITS | utf8_next(&at, end)) & mask;
        if (++n >= size) rc = take(context, gram, err);
    }
    if (rc != 0 || (is_dense && n >= size)) return rc;
    if (!is_dense) gram = (gram << CHARACTER_BITS | EDGE) & mask;
    return take(context, gram, err);
}

void unknown_signs(uint64_t gram, uint8_t *signs)
{
    for (size_t i = 0; i < TABLE_ROW_BYTES; i += 8) {
        uint64_t bits = splitmix_next(&gram);
        memcpy(signs + i, &bits, sizeof bits); /* little-endian, as the table */
    }
}
