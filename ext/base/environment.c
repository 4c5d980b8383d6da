#include "base/environment.h"

#include <stdlib.h>

#ifdef _WIN32
#include <stdatomic.h>
#include <string.h>

#include "base/wide.h"
#include "base/windows.h"

#define CHARACTERS 32768 /* that a value has at most there, its NUL included */
#define BYTES (3 * CHARACTERS)

/* Values as they were given, one after the other. They stay for as long as the process: whoever
 * asked holds a pointer into them, as into the environment of other systems. */
struct value {
    struct value *next;
    char text[];
};

static _Atomic(struct value *) values;

static const char *keep(const char *text)
{
    size_t size = strlen(text) + 1;
    for (struct value *value = atomic_load(&values); value != NULL; value = value->next)
        if (strcmp(value->text, text) == 0) return value->text;
    struct value *made = malloc(sizeof *made + size);
    if (made == NULL) return NULL;
    memcpy(made->text, text, size);
    made->next = atomic_load(&values);
    while (!atomic_compare_exchange_weak(&values, &made->next, made)) continue;
    return made->text;
}

const char *environment_value(const char *variable)
{
    wchar_t name[200];
    const char *kept = NULL;
    wchar_t *wide = malloc(CHARACTERS * sizeof *wide);
    char *text = malloc(BYTES);
    if (wide != NULL && text != NULL &&
        wide_from_utf8(variable, name, sizeof name / sizeof *name)) {
        DWORD length = GetEnvironmentVariableW(name, wide, CHARACTERS);
        if (length > 0 && length < CHARACTERS && wide_to_utf8(wide, text, BYTES)) kept = keep(text);
    }
    free(wide);
    free(text);
    return kept;
}

#else

const char *environment_value(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

#endif
