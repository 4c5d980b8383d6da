#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cuts a character that vsnprintf clipped in the middle. */
static void trim_partial_character(char *text)
{
    size_t n = strlen(text), tail = 0;
    while (tail < 3 && tail < n && ((unsigned char)text[n - 1 - tail] & 0xC0) == 0x80) tail++;
    if (tail == n) return;
    unsigned char lead = (unsigned char)text[n - 1 - tail];
    size_t wanted = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (wanted != tail) text[n - 1 - tail] = '\0';
}

int error_set(struct error *err, int code, const char *format, ...)
{
    if (err == NULL) return code;
    err->code = code;
    err->storage_code = 0;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof err->text) trim_partial_character(err->text);
    return code;
}

int error_nomem(struct error *err)
{
    return error_set(err, ERROR_NOMEM, "out of memory");
}

int error_context(struct error *err, const char *format, ...)
{
    if (err == NULL) return ERROR_INVALID;
    char text[sizeof err->text];
    memcpy(text, err->text, sizeof text);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    if (length >= 0 && length < (int)sizeof err->text - 2) {
        size_t room = sizeof err->text - (size_t)length;
        int added = snprintf(err->text + length, room, ": %s", text);
        if (added >= 0 && (size_t)added < room) return err->code;
    }
    trim_partial_character(err->text);
    return err->code;
}
