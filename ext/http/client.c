#include "http/client.h"

#include <time.h>

#include "base/broken_pipe.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/splitmix.h"

/* ---- dice ----------------------------------------------------------------------------------- */

double http_client_random(struct http_client *client)
{
    return (double)(splitmix_next(&client->random) >> 11) / 9007199254740992.0; /* 2^53 */
}

/* ---- the client ----------------------------------------------------------------------------- */

int http_client_new(struct http_client **client, struct error *err)
{
    *client = NULL;
    int rc = http_libcurl_load(err);
    if (rc != 0) return rc;
    struct http_client *made = memory_zalloc(1, sizeof *made);
    if (made == NULL) return error_nomem(err);
    made->multi = libcurl->multi_init();
    if (made->multi == NULL) {
        memory_free(made);
        return error_nomem(err);
    }
    made->random =
        (uint64_t)(clock_seconds() * 1e9) ^ (uint64_t)time(NULL) << 32 ^ (uint64_t)(uintptr_t)made;
    *client = made;
    return 0;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL) return;
    struct broken_pipe pipe;
    broken_pipe_begin(&pipe);
    libcurl->multi_cleanup(client->multi);
    broken_pipe_end(&pipe);
    memory_free(client);
}
