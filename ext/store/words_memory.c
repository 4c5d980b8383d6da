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
    memory_free(memory->segments);
    *memory = (struct words_memory){0};
}

/* Whether the segments are those before and what was written since. */
static int are_added(const struct words_memory *memory, const struct words_pages *pages)
{
    uint64_t n_pages = 0;
    if (pages->n_segments < memory->n_segments) return 0;
    for (size_t i = 0; i < pages->n_segments; i++) {
        const struct words_segment *segment = &pages->segments[i], *before = &memory->segments[i];
        if (i >= memory->n_segments) n_pages += (uint64_t)(segment->last - segment->first + 1);
        else if (segment->id != before->id || segment->first != before->first ||
                 segment->last != before->last)
            return 0;
    }
    return memory->n_written <= pages->n_written && n_pages == pages->n_written - memory->n_written;
}

int words_memory_begin(struct words_memory **made, const struct words_pages *pages, int goes_on,
                       struct error *err)
{
    if (*made == NULL) *made = memory_zalloc(1, sizeof **made);
    if (*made == NULL) return error_nomem(err);
    struct words_memory *memory = *made;
    if (pages->is_known && memory->version == pages->version) return 0;
    if (!pages->is_known || !goes_on || !are_added(memory, pages)) forget_all(memory);
    if (!pages->is_known) return 0;
    struct words_segment *segments =
        memory_realloc(memory->segments, pages->n_segments + 1, sizeof *segments);
    if (segments == NULL) {
        forget_all(memory);
        return error_nomem(err);
    }
    memcpy(segments, pages->segments, pages->n_segments * sizeof *segments);
    memory->segments = segments;
    memory->n_segments = pages->n_segments;
    memory->n_written = pages->n_written;
    memory->version = pages->version;
    memory->generation = pages->is_committed ? pages->generation : 0;
    memory->of_questions.is_known = memory->of_texts.is_known = 0;
    return 0;
}

void words_memory_free(struct words_memory *memory)
{
    if (memory != NULL) forget_all(memory);
    memory_free(memory);
}

static struct words_memory_list *find(struct words_memory *memory, struct span token)
{
    for (size_t i = 0; i < WORDS_MEMORY_LISTS; i++) {
        struct words_memory_list *kept = &memory->lists[i];
        if (kept->token != NULL && kept->size == token.size &&
            memcmp(kept->token, token.data, token.size) == 0)
            return kept;
    }
    return NULL;
}

int words_memory_find(struct words_memory *memory, struct span token, struct words_list *list,
                      size_t *n_segments)
{
    struct words_memory_list *kept = find(memory, token);
    if (kept == NULL) return 0;
    kept->asked = ++memory->n_asked;
    words_list_borrow(list, kept->documents);
    *n_segments = kept->n_segments;
    return 1;
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
    struct words_memory_list *before = find(memory, token);
    if (before != NULL) forget(memory, before);
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
    *place = (struct words_memory_list){++memory->n_asked, copy, token.size, list->shared,
                                        memory->n_segments};
    memory->bytes += bytes;
    return 0;
}
