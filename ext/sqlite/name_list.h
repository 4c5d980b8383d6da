/*
 * name_list.h: lists of names as SQL writes them: bare, or quoted in any of SQLite's ways.
 */
#ifndef SQLITE_NAME_LIST_H
#define SQLITE_NAME_LIST_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* A list of names, each owned and NUL terminated. */
struct name_list {
    char **names;
    size_t n_names;
};

/* Comma separated names, as in text = 'title, "odd, name"'. */
int name_list_parse(const char *text, struct name_list *list, struct error *err);
int name_list_add(struct name_list *list, const char *name, size_t size, struct error *err);
void name_list_deinit(struct name_list *list);

/* Reads one quoted string or bare run (up to a stop character) at *p, moves *p past it, appends to
 * `out`. */
int name_list_read_word(const char **p, const char *stops, struct buffer *out, struct error *err);

#endif
