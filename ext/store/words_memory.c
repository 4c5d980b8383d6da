#include "store/words_memory.h"

#include <string.h>

#include "base/memory.h"

static size_t bytes_of(const struct words_shared *documents)
{
    return documents->n * sizeof *documents->items;
}

static void forget(struct words_memory *memory, struct words_memory_list *kept)
{
    if (kept->token == NULL) return;
    memory->bytes -= bytes_of(kept->documents);
    words_shared_release(kept->documents);
    memory_free(kept->token);
    *kept = (struct words_memory_list){0};
}

static void forget_all(struct words_memory *memory)
{
    for (size_t i = 0; i < WORDS_MEMORY_LISTS; i++) forget(memory, &memory->lists[i]);
    *memory = (struct words_memory){0};
}

int words_memory_begin(struct words_memory **memory, uint64_t version, struct error *err)
{
    if (*memory == NULL) *memory = memory_zalloc(1, sizeof **memory);
    if (*memory == NULL) return error_nomem(err);
    if (version == 0 || (*memory)->version != version) forget_all(*memory);
    (*memory)->version = version;
    return 0;
}

void words_memory_free(struct words_memory *memory)
{
    if (memory != NULL) forget_all(memory);
    memory_free(memory);
}

int words_memory_find(struct words_memory *memory, struct span token, struct words_list *list)
{
    for (size_t i = 0; i < WORDS_MEMORY_LISTS; i++) {
        struct words_memory_list *kept = &memory->lists[i];
        if (kept->token == NULL || kept->size != token.size ||
            memcmp(kept->token, token.data, token.size) != 0)
            continue;
        kept->asked = ++memory->n_asked;
        words_list_borrow(list, kept->documents);
        return 1;
    }
    return 0;
}

/* A free place, or the one that was asked for the longest ago. */
static struct words_memory_list *oldest(struct words_memory *memory)
{
    struct words_memory_list *found = memory->lists;
    for (size_t i = 1; i < WORDS_MEMORY_LISTS; i++)
        if (memory->lists[i].asked < found->asked) found = &memory->lists[i];
    return found;
}

/* The one of those that are there. */
static struct words_memory_list *oldest_kept(struct words_memory *memory)
{
    struct words_memory_list *found = NULL;
    for (size_t i = 0; i < WORDS_MEMORY_LISTS; i++) {
        struct words_memory_list *kept = &memory->lists[i];
        if (kept->token != NULL && (found == NULL || kept->asked < found->asked)) found = kept;
    }
    return found;
}

int words_memory_keep(struct words_memory *memory, uint64_t most, struct span token,
                      struct words_list *list, struct error *err)
{
    size_t bytes = list->n * sizeof *list->items;
    if (memory->version == 0 || list->n < WORDS_MEMORY_LEAST || bytes > most / 4) return 0;
    while (memory->bytes + bytes > most) forget(memory, oldest_kept(memory));
    struct words_memory_list *place = oldest(memory);
    forget(memory, place);
    char *copy = memory_copy(token.data, token.size);
    int rc = copy == NULL ? error_nomem(err) : words_list_share(list, err);
    if (rc != 0) {
        memory_free(copy);
        return rc;
    }
    list->shared->references++;
    *place = (struct words_memory_list){++memory->n_asked, copy, token.size, list->shared};
    memory->bytes += bytes;
    return 0;
}
