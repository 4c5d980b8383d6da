/*
 * text_list.h: the texts of a JSON array or object, as embed_each and rerank take them.
 */
#ifndef SQLITE_TEXT_LIST_H
#define SQLITE_TEXT_LIST_H

#include "base/buffer.h"
#include "base/span.h"
#include "sqlite/api.h"

struct text_item {
    sqlite3_value *key;   /* as json_each gives it; owned */
    sqlite3_value *value; /* the text, or the JSON of an object; owned */
    struct span text;     /* what a model reads; {NULL, 0} for null */
    struct span object;   /* the JSON that the text was made of; {NULL, 0}: it was a text already */
    int is_null;
};

struct text_list {
    struct text_item *items; /* [n] */
    size_t n, capacity;
    struct buffer joined; /* the texts of objects */
    char *json;           /* owned; the JSON with stand-ins for NUL characters; NULL: it has none */
    char nul;             /* what stands for them */
};

/* What elements may be beside texts, numbers and null: no others; objects; arrays, whose text is
 * their JSON. */
enum text_list_kind { TEXT_LIST_PLAIN, TEXT_LIST_OBJECTS, TEXT_LIST_ARRAYS };

/* Reads `json`. TEXT_LIST_OBJECTS: elements may be objects, of which a model reads `fields` (comma
 * separated names; NULL: all fields that are text), in the object's order, joined by one space;
 * null ones are passed over. A text that holds a NUL character is read as it is: who uses it finds
 * that. ERROR_INVALID names the element: not JSON, neither array nor object, an element (or a named
 * field) that is neither text, number nor null, a field that no object has. */
int text_list_read(sqlite3 *db, sqlite3_value *json, enum text_list_kind kind, const char *fields,
                   struct text_list *list, struct error *err);
void text_list_deinit(struct text_list *list);

/* Puts "element KEY: " before the error of code rc that is set; returns rc, or ERROR_NOMEM. */
int text_item_error(const struct text_item *item, int rc, struct error *err);

#endif
