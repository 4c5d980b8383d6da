/*
 * error.h: what went wrong, in a code for programs and a sentence for people.
 *
 * A function that can fail returns int, 0 or an error_code, and takes a `struct error *` last, NULL
 * where nobody reads the text. What it returns is the code, with a struct and without: a caller
 * decides by that and passes it on. The function that knows what happened writes the text; callers
 * leave it, or add context once. Text is lower case, without a full stop: what came, what was
 * wanted, the cure. Never allocated.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/rounding.h" /* here, as every file that computes has errors */

enum error_code {
    ERROR_NONE = 0,
    ERROR_NOMEM,       /* an allocation failed */
    ERROR_INVALID,     /* the caller's input is wrong */
    ERROR_INTERRUPTED, /* the user asked to stop */
    ERROR_CORRUPT,     /* stored bytes contradict each other */
    ERROR_UNAVAILABLE, /* a model cannot do this, or does not exist */
    ERROR_STORAGE,     /* the storage failed; error.storage_code says how */
    ERROR_REFUSED      /* a model that is elsewhere does not take this text */
};

struct error {
    int code;         /* enum error_code */
    int storage_code; /* the storage's own code (SQLite's result code) when code is ERROR_STORAGE,
                         else 0 */
    char text[512];   /* NUL terminated UTF-8 without control characters, clipped at a character's
                         end, whatever was formatted into it */
};

/* Writes code and text (printf style), if there is a struct, and returns code. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "out of memory". */
int error_nomem(struct error *err);

/* Puts "context: " (printf style) before the text of an error that is set, if there is a struct. It
 * gives back no code: that is in the hands of whoever got the error. */
void error_context(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
