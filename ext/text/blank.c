#include "text/blank.h"

#include "text/unicode/ucd.h"
#include "text/utf8.h"

int text_is_blank(struct span text)
{
    if (text.size == 0) return 1;
    const char *at = text.data, *end = at + text.size;
    while (at < end)
        if ((ucd_properties(utf8_next(&at, end)) & UCD_SPACE) == 0) return 0;
    return 1;
}
