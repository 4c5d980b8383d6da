#include "text/unspaced.h"

#include <string.h>

#include "text/fold.h"
#include "text/unicode/classes.h"
#include "text/utf8.h"

static int is_unspaced(uint32_t c)
{
    if (c < 0x80) return 0;
    enum unicode_kind kind = unicode_word_kind_of(c);
    return kind == UNICODE_ALONE || kind == UNICODE_UNSPACED;
}

struct span unspaced_stretch(const char **at, const char *end, int *unspaced)
{
    const char *start = *at, *next = *at;
    *unspaced = is_unspaced(utf8_next(&next, end));
    do {
        while (!*unspaced && next < end && (unsigned char)*next < 0x80) next++; /* most are */
        *at = next;
    } while (next < end && is_unspaced(utf8_next(&next, end)) == *unspaced);
    return (struct span){start, (size_t)(*at - start)};
}

/* Behind the cluster that begins with `c`; `at` is behind that. */
static const char *end_of_cluster(const char *at, const char *end, const char *start, uint32_t c)
{
    while (at < end) {
        const char *next = at;
        uint32_t joining = utf8_next(&next, end);
        if (unicode_word_kind_of(joining) != UNICODE_UNSPACED ||
            !unicode_joins_cluster(c, joining) || next - start > UNSPACED_MAX_BYTES)
            break;
        at = next;
        c = joining;
    }
    return at;
}

void unspaced_next(const char **at, const char *end, struct unspaced_character *character)
{
    const char *start = *at;
    uint32_t c = utf8_next(at, end);
    character->size = 0;
    if (unicode_word_kind_of(c) == UNICODE_UNSPACED) *at = end_of_cluster(*at, end, start, c);
    else character->size = fold_character(c, character->folded);
    if (character->size == 0) {
        character->size = (size_t)(*at - start);
        memcpy(character->folded, start, character->size);
    }
    character->start = start;
    character->end = *at;
}
