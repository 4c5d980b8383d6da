#include "sqlite/name_list.h"

#include <ctype.h>
#include <string.h>

#include "base/memory.h"

static int is_space(char c)
{
    return isspace((unsigned char)c);
}

/* Reads one quoted string or bare run (up to a stop character) at *p, moves *p past it, appends to
 * `out`. */
int name_list_read_word(const char **p, const char *stops, struct buffer *out, struct error *err)
{
    char quote = **p;
    if (quote != '\'' && quote != '"' && quote != '`' && quote != '[') {
        const char *start = *p;
        while (**p != '\0' && strchr(stops, **p) == NULL) (*p)++;
        size_t size = (size_t)(*p - start);
        while (size > 0 && is_space(start[size - 1])) size--;
        return buffer_append(out, start, size, err);
    }
    if (quote == '[') quote = ']';
    for (++*p; **p != '\0'; ++*p) {
        if (**p == quote) {
            if ((*p)[1] != quote || quote == ']') {
                ++*p;
                return 0;
            }
            ++*p;
        }
        int rc = buffer_append(out, *p, 1, err);
        if (rc != 0) return rc;
    }
    return error_set(err, ERROR_INVALID, "a quoted string is not closed");
}

int name_list_add(struct name_list *list, const char *name, size_t size, struct error *err)
{
    char **names = memory_realloc(list->names, list->n_names + 1, sizeof *names);
    if (names == NULL) return error_nomem(err);
    list->names = names;
    names[list->n_names] = memory_copy(name, size);
    if (names[list->n_names] == NULL) return error_nomem(err);
    list->n_names++;
    return 0;
}

int name_list_parse(const char *text, struct name_list *list, struct error *err)
{
    struct buffer word;
    buffer_init(&word, 1 << 20);
    int rc = 0;
    const char *p = text;
    do {
        buffer_clear(&word);
        while (is_space(*p)) p++;
        rc = name_list_read_word(&p, ",", &word, err);
        while (is_space(*p)) p++;
        if (rc == 0 && (word.size == 0 || (*p != ',' && *p != '\0')))
            rc = error_set(err, ERROR_INVALID,
                           "expected column names separated by commas, not '%.100s'", text);
        if (rc == 0) rc = name_list_add(list, word.data, word.size, err);
    } while (rc == 0 && *p++ == ',');
    buffer_deinit(&word);
    return rc;
}

void name_list_deinit(struct name_list *list)
{
    for (size_t i = 0; i < list->n_names; i++) memory_free(list->names[i]);
    memory_free(list->names);
    *list = (struct name_list){0};
}
