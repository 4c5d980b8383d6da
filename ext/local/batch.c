#include "local/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/pages.h"
#include "base/workers.h"

#define TEAM_TOKENS 32                  /* below so many for each thread they work together */
#define SPARE_BYTES ((size_t)128 << 20) /* of scratch memory that is kept between calls */

/* ---- scratch memory, one block at a time kept with the weights ------------------------------- */

struct scratch {
    size_t size; /* of pages, this head included */
    _Alignas(64) unsigned char bytes[];
};

static struct scratch *scratch_take(struct local_weights *weights, size_t bytes)
{
    struct scratch *scratch = atomic_exchange(&weights->spare, NULL);
    size_t size = pages_round(sizeof *scratch + bytes);
    if (scratch != NULL && scratch->size >= size) return scratch;
    if (scratch != NULL) pages_free(scratch, scratch->size);
    scratch = size == 0 ? NULL : pages_alloc(size);
    if (scratch != NULL) scratch->size = size;
    return scratch;
}

static void scratch_give(struct local_weights *weights, struct scratch *scratch)
{
    if (scratch->size <= SPARE_BYTES) scratch = atomic_exchange(&weights->spare, scratch);
    if (scratch != NULL) pages_free(scratch, scratch->size);
}

void local_batch_release(struct local_weights *weights)
{
    struct scratch *scratch = atomic_exchange(&weights->spare, NULL);
    if (scratch != NULL) pages_free(scratch, scratch->size);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static int longer_first(const void *a, const void *b)
{
    size_t x = ((const struct local_text *)a)->n_tokens,
           y = ((const struct local_text *)b)->n_tokens;
    return (x < y) - (x > y);
}

/* Whether there is too little to do for each thread to have a group of its own. */
static int is_for_team(size_t n_tokens, size_t n_texts, size_t n_threads)
{
    return n_threads > 1 && (n_texts < n_threads || n_tokens / n_threads < TEAM_TOKENS);
}

/* How many groups; where threads have their own, as many for each. */
static size_t count_groups(enum local_precision precision, size_t n_tokens, size_t n_texts,
                           size_t n_threads)
{
    size_t most = precision == LOCAL_FLOAT32 ? BATCH_GROUP_TOKENS : BATCH_CODE_TOKENS;
    size_t n = (n_tokens + most - 1) / most;
    if (!is_for_team(n_tokens, n_texts, n_threads)) n = (n + n_threads - 1) / n_threads * n_threads;
    return n > n_texts ? n_texts : n;
}

/* Each text, the longest first, goes to the group that has the least to do. Then texts are put in
 * the order of their groups: `order` [n_texts] is that of a text, and `sorted` has room for all. */
static void fill_groups(struct local_text *texts, size_t n_texts, struct local_group *groups,
                        size_t n_groups, size_t *order, struct local_text *sorted)
{
    qsort(texts, n_texts, sizeof *texts, longer_first);
    for (size_t i = 0; i < n_texts; i++) {
        size_t least = 0;
        for (size_t j = 1; j < n_groups; j++)
            if (groups[j].n_rows < groups[least].n_rows) least = j;
        texts[i].row = groups[least].n_rows;
        groups[least].n_rows += texts[i].n_tokens;
        groups[least].n_texts++;
        order[i] = least;
    }
    size_t at = 0;
    for (size_t j = 0; j < n_groups; j++) {
        groups[j].texts = texts + at;
        for (size_t i = 0; i < n_texts; i++)
            if (order[i] == j) sorted[at++] = texts[i];
    }
    memcpy(texts, sorted, n_texts * sizeof *texts);
}

/* ---- threads --------------------------------------------------------------------------------- */

struct batch {
    const struct local_weights *weights;
    const struct local_group *groups; /* [n_groups] */
    size_t n_groups, longest;
    unsigned char *scratch; /* [threads, scratch_size] bytes */
    size_t scratch_size;    /* of a thread's part; a team has one for all */
    size_t n_members; /* of the team that goes through all groups; 1: each thread has its own */
    struct team_step *steps; /* [n_groups, local_encoder_steps] */
    struct halt halt;
    atomic_size_t next;
};

static void work_alone(struct batch *batch, size_t number)
{
    struct team team = {.n_members = 1, .halt = &batch->halt};
    struct team_member member = {.team = &team, .is_caller = number == 0};
    while (!team_is_halted(&member)) {
        size_t i = atomic_fetch_add(&batch->next, 1);
        if (i >= batch->n_groups) return;
        local_encode(batch->weights, &batch->groups[i], batch->longest,
                     batch->scratch + number * batch->scratch_size, &member);
    }
}

static void work(void *context, size_t number)
{
    struct batch *batch = context;
    if (batch->n_members == 1) {
        work_alone(batch, number);
        return;
    }
    struct team team = {batch->n_members, batch->steps, &batch->halt};
    struct team_member member = {.team = &team, .number = number, .is_caller = number == 0};
    for (size_t i = 0; i < batch->n_groups; i++)
        local_encode(batch->weights, &batch->groups[i], batch->longest, batch->scratch, &member);
}

static int compute(struct batch *batch, struct local_weights *weights, size_t n_threads,
                   const struct cancel *cancel, struct error *err)
{
    size_t n_rows = 0, n_texts = 0;
    for (size_t i = 0; i < batch->n_groups; i++) {
        if (batch->groups[i].n_rows > n_rows) n_rows = batch->groups[i].n_rows;
        if (batch->groups[i].n_texts > n_texts) n_texts = batch->groups[i].n_texts;
    }
    if (batch->n_members == 1 && n_threads > batch->n_groups) n_threads = batch->n_groups;
    batch->scratch_size =
        local_encoder_scratch(weights, n_rows, n_texts, batch->longest, batch->n_members);
    size_t n_parts = batch->n_members > 1 ? 1 : n_threads;
    struct scratch *scratch = scratch_take(weights, n_parts * batch->scratch_size);
    batch->steps =
        memory_zalloc(batch->n_groups, local_encoder_steps(weights) * sizeof *batch->steps);
    if (scratch == NULL || batch->steps == NULL) {
        if (scratch != NULL) scratch_give(weights, scratch);
        memory_free(batch->steps);
        return error_nomem(err);
    }
    batch->scratch = scratch->bytes;
    halt_init(&batch->halt, cancel);
    workers_run(n_threads, work, batch);
    scratch_give(weights, scratch);
    memory_free(batch->steps);
    return atomic_load(&batch->halt.is_halted) ? error_set(err, ERROR_INTERRUPTED, "interrupted")
                                               : 0;
}

int local_batch_run(struct local_weights *weights, struct local_text *texts, size_t n_texts,
                    size_t n_threads, const struct cancel *cancel, struct error *err)
{
    size_t n_tokens = 0;
    for (size_t i = 0; i < n_texts; i++) n_tokens += texts[i].n_tokens;
    if (n_texts == 0) return 0;
    if (n_threads > WORKERS_MAX) n_threads = WORKERS_MAX;
    size_t n_groups = count_groups(weights->precision, n_tokens, n_texts, n_threads);
    struct local_group *groups = memory_zalloc(n_groups, sizeof *groups);
    size_t *order = memory_alloc(n_texts, sizeof *order);
    struct local_text *sorted = memory_alloc(n_texts, sizeof *sorted);
    int rc = 0;
    if (groups == NULL || order == NULL || sorted == NULL) {
        rc = error_nomem(err);
    } else {
        fill_groups(texts, n_texts, groups, n_groups, order, sorted);
        int is_team = is_for_team(n_tokens, n_texts, n_threads);
        struct batch batch = {.weights = weights,
                              .groups = groups,
                              .n_groups = n_groups,
                              .n_members = is_team ? n_threads : 1};
        for (size_t i = 0; i < n_texts; i++)
            if (texts[i].n_tokens > batch.longest) batch.longest = texts[i].n_tokens;
        rc = compute(&batch, weights, n_threads, cancel, err);
    }
    memory_free(groups);
    memory_free(order);
    memory_free(sorted);
    return rc;
}
