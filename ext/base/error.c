#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character at p, from what its first byte says; 0 if it is not valid UTF-8 so far as
 * that shows, or a control character. */
static size_t character_bytes(const unsigned char *p)
{
    size_t n = *p < 0x20 || *p == 0x7F ? 0
               : *p < 0x80             ? 1
               : *p < 0xC2             ? 0
               : *p < 0xE0             ? 2
               : *p < 0xF0             ? 3
               : *p < 0xF5             ? 4
                                       : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    /* Longer than need be, a surrogate, or beyond the last one. */
    if ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F) || (*p == 0xF0 && p[1] < 0x90) ||
        (*p == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

/* A text for people: what was clipped in the middle of a character, and what is none, goes; control
 * characters become spaces. Names of the user's get here as they are. */
static void clean(char *text)
{
    unsigned char *from = (unsigned char *)text, *to = from;
    while (*from != '\0') {
        size_t n = character_bytes(from);
        if (n == 0) {
            if (*from < 0x20 || *from == 0x7F) *to++ = ' ';
            from++;
            continue;
        }
        memmove(to, from, n);
        to += n;
        from += n;
    }
    *to = '\0';
}

int error_set(struct error *err, int code, const char *format, ...)
{
    if (err == NULL) return code;
    err->code = code;
    err->storage_code = 0;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    clean(err->text);
    return code;
}

int error_nomem(struct error *err)
{
    return error_set(err, ERROR_NOMEM, "out of memory");
}

void error_context(struct error *err, const char *format, ...)
{
    if (err == NULL) return;
    char text[sizeof err->text];
    memcpy(text, err->text, sizeof text);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    if (length >= 0 && length < (int)sizeof err->text - 2) {
        size_t room = sizeof err->text - (size_t)length;
        snprintf(err->text + length, room, ": %s", text);
    }
    clean(err->text);
}
