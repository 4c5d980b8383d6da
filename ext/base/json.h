/*
 * json.h: JSON that came from somewhere else, read by cJSON.
 *
 * cJSON's allocator is one for the whole process. Where the library is shared, the program that
 * loaded us may use it too, and a block that was allocated before a hook of ours would be freed by
 * the wrong allocator: so there is no hook, and memory that cJSON does not get reads as broken
 * JSON. A parsed tree takes up to 40 times the memory of its text ("[0,0,0]"), 4 times that of an
 * ordinary answer: the text must be bounded before it gets here. cJSON nests to 1000 and cuts a
 * string at U+0000.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/* *root: the tree, for cJSON_Delete; NULL after an error. ERROR_INVALID when the text
 * is not one JSON value with nothing but white space around it. */
int json_parse(struct span text, cJSON **root, struct error *err);

/* What a JSON pointer of RFC 6901 (without ~ escapes) leads to; NULL: nothing. "" is the root. */
const cJSON *json_at(const cJSON *root, const char *pointer);

/* The text there; NULL: no text, or an empty one. */
const char *json_text_at(const cJSON *root, const char *pointer);

/* Whether the member of an object is true; `usual` if it is neither true nor false, or not
 * there. */
int json_flag(const cJSON *object, const char *name, int usual);

/* Whether it is a number that is finite as a float32; *value is the nearest one then. */
int json_float(const cJSON *item, float *value);

/* XXH64 of what a value says, however it is spelt, in whatever order members are; those that
 * are null count as if they were not there. NULL: nothing. */
uint64_t json_hash(const cJSON *item, uint64_t seed);

/* The same for a double. */
int json_double(const cJSON *item, double *value);

/* "null", "a number", "nothing" (NULL): for an error text. */
const char *json_kind(const cJSON *item);

#endif
