#include "text/fold.h"

#include "text/unicode/fold.h"
#include "text/utf8.h"

size_t fold_character(uint32_t character, char out[FOLD_MAX_BYTES])
{
    if (character < 0x80) { /* most are */
        out[0] = (char)(character >= 'A' && character <= 'Z' ? character + 0x20 : character);
        return 1;
    }
    uint32_t folded[UNICODE_MAX_FOLDED];
    size_t n = unicode_fold(character, folded), size = 0;
    for (size_t i = 0; i < n; i++) size += utf8_put(folded[i], out + size);
    return size;
}
