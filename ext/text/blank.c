#include "text/blank.h"

#include "text/unicode/classes.h"
#include "text/unicode/ucd.h"
#include "text/utf8.h"

static int is_space(uint32_t c)
{
    return (ucd_properties(c) & UCD_SPACE) != 0;
}

static int is_invisible(uint32_t c)
{
    return is_space(c) || unicode_is_blank(c) || unicode_is_hidden(c);
}

static int is_all(struct span text, int (*is)(uint32_t c))
{
    if (text.size == 0) return 1;
    const char *at = text.data, *end = at + text.size;
    while (at < end)
        if (!is(utf8_next(&at, end))) return 0;
    return 1;
}

int text_is_blank(struct span text)
{
    return is_all(text, is_space);
}

int text_is_invisible(struct span text)
{
    return is_all(text, is_invisible);
}
