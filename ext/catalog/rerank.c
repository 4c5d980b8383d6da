/*
 * rerank.c: reranking, cached and counted.
 *
 * The scores of a whole call are kept, under a digest of all that the model was given, in their
 * order: a driver that steps, resets and steps again, or a page that is shown twice, asks once.
 * Those of a built-in model are not: it is faster than keeping them would be, and reads more than
 * the texts (the fit of an index, similarities).
 */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "catalog/entry.h"

static void add_text(struct sha256 *hash, struct span text)
{
    uint64_t size = text.size;
    sha256_update(hash, &size, sizeof size);
    sha256_update(hash, text.data, text.size);
}

static void make_digest(const struct model_candidates *candidates,
                        unsigned char digest[SHA256_SIZE])
{
    uint64_t head[] = {candidates->n_documents, candidates->top_n, candidates->refused != NULL,
                       candidates->objects != NULL};
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, head, sizeof head);
    add_text(&hash, candidates->query);
    add_text(&hash, candidates->fields);
    for (size_t i = 0; i < candidates->n_documents; i++) {
        add_text(&hash, candidates->documents[i]);
        if (candidates->objects != NULL) add_text(&hash, candidates->objects[i]);
    }
    sha256_final(&hash, digest);
}

/* What is kept: scores [n_documents], and behind them what was refused [n_documents]. */
static void take_known(const void *known, const struct model_candidates *candidates, double *scores)
{
    size_t n = candidates->n_documents;
    memcpy(scores, known, n * sizeof *scores);
    if (candidates->refused != NULL)
        memcpy(candidates->refused, (const char *)known + n * sizeof *scores, n);
}

/* Documents that are no texts are refused each time; what the model refused may be taken the next
 * time, so it is asked for again. */
static int may_be_kept(const struct model_candidates *candidates)
{
    for (size_t i = 0; candidates->refused != NULL && i < candidates->n_documents; i++)
        if (candidates->refused[i] && model_check_text(candidates->documents[i], 1, NULL) == 0)
            return 0;
    return 1;
}

static void keep(struct catalog *catalog, const struct cache_key *key,
                 const struct model_candidates *candidates, const double *scores)
{
    size_t n = candidates->n_documents, size = n * (sizeof *scores + 1);
    if (size > catalog->cache.budget || !may_be_kept(candidates)) return;
    char *value = memory_zalloc(size, 1);
    if (value == NULL) return;
    memcpy(value, scores, n * sizeof *scores);
    if (candidates->refused != NULL) memcpy(value + n * sizeof *scores, candidates->refused, n);
    cache_put(&catalog->cache, key, value, size);
    memory_free(value);
}

static size_t count_read(const struct model_candidates *candidates)
{
    size_t n = 0;
    for (size_t i = 0; i < candidates->n_documents; i++)
        n += candidates->refused == NULL || !candidates->refused[i];
    return n;
}

static int ask(struct catalog_entry *entry, struct model *model,
               const struct model_candidates *candidates, double *scores, struct error *err)
{
    struct catalog_statistics *statistics = &entry->base->statistics;
    double start = clock_seconds();
    int rc = model_rerank(model, candidates, scores, &statistics->usage, err);
    statistics->seconds += clock_seconds() - start;
    if (rc == 0) statistics->texts += count_read(candidates);
    else if (rc != ERROR_INVALID) statistics->failures++;
    return rc;
}

int catalog_rerank(struct catalog *catalog, struct catalog_entry *entry, struct model *fitted,
                   const struct model_candidates *candidates, double *scores, struct error *err)
{
    struct catalog_entry *base = entry->base;
    unsigned char digest[SHA256_SIZE];
    struct cache_key key;
    const void *known = NULL;
    int is_kept = fitted == NULL && base->kind != ENTRY_BUILTIN && candidates->n_documents > 0;
    if (is_kept) {
        make_digest(candidates, digest);
        key = cache_key(base->serial, ENTRY_SCORES, (struct span){(char *)digest, sizeof digest});
        known = cache_get(&catalog->cache, &key);
    }
    if (known != NULL) {
        take_known(known, candidates, scores);
        base->statistics.cache_hits += count_read(candidates);
        return 0;
    }
    int rc = entry_check_network(catalog, base, err);
    if (rc == 0) rc = ask(entry, fitted != NULL ? fitted : base->model, candidates, scores, err);
    if (rc == 0 && is_kept) keep(catalog, &key, candidates, scores);
    return rc;
}
