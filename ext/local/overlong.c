#include "local/overlong.h"

#include "local/resources.h"

static int refuse(const struct local *local, const struct tokenizer_request *request,
                  struct error *err)
{
    struct tokenizer_request whole = *request;
    struct tokens tokens;
    tokens_init(&tokens);
    whole.max_tokens = 0;
    int rc = tokenizer_encode(local_tokenizer(local), &whole, &tokens, NULL, err);
    if (rc == 0)
        rc = error_set(err, ERROR_INVALID,
                       "%s reads %zu tokens, and the text has %zu (chunk_each() cuts it in pieces, "
                       "rerank_config('on_overlong', 'truncate') leaves the rest out)",
                       local->name, request->max_tokens, tokens.n);
    tokens_deinit(&tokens);
    return rc;
}

int local_overlong(const struct local_call *call, const struct tokenizer_request *request,
                   struct error *err)
{
    if (call->local->session->refuse_overlong) return refuse(call->local, request, err);
    call->usage->truncated++;
    return 0;
}
