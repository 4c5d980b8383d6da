#include "local/call.h"

#include <math.h>

#include "base/memory.h"
#include "local/batch.h"
#include "local/resources.h"

#define GROUPS_A_THREAD 8 /* that are computed before results are handed over */

static void slice_deinit(struct local_slice *slice)
{
    tokens_deinit(&slice->tokens);
    memory_free(slice->numbers);
    memory_free(slice->starts);
    memory_free(slice->texts);
    memory_free(slice->results);
}

/* *refused: the model does not even take the query with an empty document. */
static int check_query(const struct local_call *call, int *refused, struct error *err)
{
    struct tokens tokens;
    *refused = 0;
    if (call->query == NULL) return 0;
    tokens_init(&tokens);
    int rc = call->local->methods->tokenize(call, (struct span){"", 0}, &tokens, err);
    tokens_deinit(&tokens);
    *refused = rc == ERROR_INVALID;
    return *refused ? 0 : rc;
}

/* Appends the tokens of a text, or none if the model does not take it. */
static int add_text(const struct local_call *call, struct local_slice *slice, struct error *err)
{
    size_t number = slice->first + slice->n_read, n_before = slice->tokens.n;
    struct error why;
    int rc = call->local->methods->tokenize(call, call->texts[number], &slice->tokens, &why);
    int is_query_refused = 0;
    slice->n_read++;
    if (rc == ERROR_INVALID && call->refuse != NULL) {
        int checked = check_query(call, &is_query_refused, err);
        if (checked != 0) return checked;
        if (!is_query_refused) {
            slice->tokens.n = n_before;
            return call->refuse(call->context, number, &why, err);
        }
    }
    if (rc != 0) {
        if (err != NULL) *err = why;
        return rc;
    }
    slice->numbers[slice->n] = number;
    slice->starts[++slice->n] = slice->tokens.n;
    return 0;
}

/* Tokenizes texts from slice->first on, until there is enough for all threads. */
static int fill_slice(const struct local_call *call, struct local_slice *slice, struct error *err)
{
    const struct local *local = call->local;
    size_t left = call->n_texts - slice->first;
    size_t enough = local->session->n_threads * GROUPS_A_THREAD * BATCH_GROUP_TOKENS;
    slice->numbers = memory_alloc(left, sizeof *slice->numbers);
    slice->starts = memory_alloc(left + 1, sizeof *slice->starts);
    if (slice->numbers == NULL || slice->starts == NULL) return error_nomem(err);
    int rc = 0;
    slice->starts[0] = 0;
    while (rc == 0 && slice->n_read < left && slice->tokens.n < enough) {
        rc = add_text(call, slice, err);
        if (rc == 0 && slice->n_read % 64 == 0) rc = cancel_check(call->cancel, err);
    }
    if (rc != 0) return rc;
    slice->size = local->methods->shape(local_weights_of(local)).size;
    slice->texts = memory_alloc(slice->n, sizeof *slice->texts);
    slice->results = memory_zalloc(slice->n, slice->size * sizeof *slice->results);
    if (slice->texts == NULL || slice->results == NULL) return error_nomem(err);
    for (size_t i = 0; i < slice->n; i++)
        slice->texts[i] = (struct local_text){.ids = slice->tokens.ids + slice->starts[i],
                                              .segments = slice->tokens.segments + slice->starts[i],
                                              .n_tokens = slice->starts[i + 1] - slice->starts[i],
                                              .result = slice->results + i * slice->size};
    call->usage->tokens += slice->tokens.n;
    return 0;
}

/* A number that is not finite may come of one in the file, which is told then: what is mapped was
 * not looked at before. */
static int check_results(const struct local_call *call, const struct local_slice *slice,
                         struct error *err)
{
    uint64_t hash;
    for (size_t i = 0; i < slice->n * slice->size; i++)
        if (!isfinite(slice->results[i]))
            return local_weights_hash(call->local, call->cancel, &hash, err);
    return 0;
}

static int compute_slice(const struct local_call *call, struct local_slice *slice,
                         struct error *err)
{
    int rc = fill_slice(call, slice, err);
    if (rc == 0) rc = call->local->methods->compute(call, slice->texts, slice->n, err);
    return rc == 0 ? check_results(call, slice, err) : rc;
}

int local_call_run(const struct local_call *call,
                   int (*done)(void *context, const struct local_slice *slice, struct error *err),
                   void *context, struct error *err)
{
    int rc = local_load(call->local, call->cancel, err);
    size_t next = 0;
    call->usage->requests++;
    while (rc == 0 && next < call->n_texts) {
        struct local_slice slice = {.first = next};
        tokens_init(&slice.tokens);
        rc = compute_slice(call, &slice, err);
        if (rc == 0) rc = done(context, &slice, err);
        next += slice.n_read;
        slice_deinit(&slice);
    }
    return rc;
}
