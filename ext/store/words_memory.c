#include "store/words_memory.h"

#include <string.h>

#include "base/memory.h"

#define BUDGET_SHARE 64

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

int words_memory_begin(struct store *store, uint64_t version, struct error *err)
{
    if (store->words_memory == NULL)
        store->words_memory = memory_zalloc(1, sizeof(struct words_memory));
    if (store->words_memory == NULL) return error_nomem(err);
    if (version == 0 || store->words_memory->version != version) forget_all(store->words_memory);
    store->words_memory->version = version;
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

int words_memory_keep(struct store *store, struct span token, struct words_list *list,
                      struct error *err)
{
    struct words_memory *memory = store->words_memory;
    uint64_t most = store_memory_budget(store) / BUDGET_SHARE;
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
