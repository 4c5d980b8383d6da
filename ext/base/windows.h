/*
 * windows.h: Windows' own header, without the words of it that are names here.
 */
#ifndef BASE_WINDOWS_H
#define BASE_WINDOWS_H
#ifdef _WIN32

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#undef DELETE
#undef NEAR
#undef STATUS_PENDING
#undef far
#undef near

#endif
#endif
