/*
 * exported.h: what a library shows of itself to those who load it; all else is hidden.
 */
#ifndef BASE_EXPORTED_H
#define BASE_EXPORTED_H

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

#endif
