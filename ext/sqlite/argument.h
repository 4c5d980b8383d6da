/*
 * argument.h: what SQL hands us, checked.
 */
#ifndef SQLITE_ARGUMENT_H
#define SQLITE_ARGUMENT_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "sqlite/api.h"

/* A vector argument: a BLOB of float32 or a JSON array. Aligned for float. */
struct argument_vector {
    const float *data; /* [dimensions]; lives as long as the sqlite3_value, or is owned */
    size_t dimensions;
    float *owned; /* NULL when data points into the value */
};

/* ERROR_INVALID for what sql/README.md, "Vectors", refuses (NULL too: the caller decides about NULL
 * first). */
int argument_vector(sqlite3_value *value, struct argument_vector *vector, struct error *err);
/* Adds to an error about a text what it may be instead; returns its code. */
int argument_hint_blob(struct error *err);

void argument_vector_deinit(struct argument_vector *vector);

/* True for TEXT that is in brackets, white space aside, and begins like a JSON array: `[REC]` is
 * text. */
int argument_is_json_array(sqlite3_value *value);

/* TEXT, or a number as its text; borrowed from the value. A BLOB is refused: "expected text, not a
 * blob". The text itself is checked by the model (model_check_text). */
int argument_text(sqlite3_value *value, struct span *text, struct error *err);

/* A text that a person typed, for whom no text is an error: NULs and bytes that are not UTF-8 count
 * as spaces, in a copy that is *owned then (NULL: there is none; the caller frees). {NULL, 0}:
 * nothing is asked, as with NULL, white space and what nobody sees. ERROR_INVALID for a BLOB. */
int argument_query(sqlite3_value *value, struct span *text, char **owned, struct error *err);

/* The text of an optional argument: NULL when it is not there (NULL) or is SQL's NULL.
 * ERROR_INVALID for a blob. */
int argument_optional_text(sqlite3_value *value, const char **text, struct error *err);

/* 1 if the value is a whole number of 64 bits: an INTEGER, a REAL without a fraction, or a TEXT
 * that SQLite takes for one of them. This is the one rule for every integer that SQL hands us. */
int argument_integer(sqlite3_value *value, int64_t *n);

/* 1 if the value is a number: an INTEGER, a REAL, or a TEXT that SQLite takes for one of them, as
 * many drivers bind every value as text. */
int argument_number(sqlite3_value *value, double *x);

/* A whole number from min to max (SIZE_MAX: no end; more than 2^63 - 1 is that). ERROR_INVALID,
 * which calls it `name`; for NULL too. */
int argument_count(sqlite3_value *value, const char *name, size_t min, size_t max, size_t *count,
                   struct error *err);

/* The same, but *count stays when the argument is not there (NULL) or is SQL's NULL. */
int argument_optional_count(sqlite3_value *value, const char *name, size_t min, size_t max,
                            size_t *count, struct error *err);

#endif
