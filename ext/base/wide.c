#ifdef _WIN32
#include "base/wide.h"

#include <stdio.h>

#include "base/windows.h"

int wide_from_utf8(const char *text, wchar_t *wide, size_t capacity)
{
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, (int)capacity);
    if (n == 0) wide[0] = L'\0';
    return n != 0;
}

int wide_to_utf8(const wchar_t *wide, char *text, size_t capacity)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, (int)capacity, NULL, NULL);
    if (n == 0) text[0] = '\0';
    return n != 0;
}

const char *wide_reason(unsigned long number, char *text, size_t capacity)
{
    wchar_t wide[512];
    DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                                  number, 0, wide, sizeof wide / sizeof *wide, NULL);
    while (length > 0 && wide[length - 1] <= L' ') wide[--length] = L'\0';
    if (length == 0 || !wide_to_utf8(wide, text, capacity))
        snprintf(text, capacity, "error %lu", number);
    return text;
}
#endif
