/*
 * dispatch.c: embedding and reranking, cached and counted.
 */
#include <string.h>

#include "api/remote.h"
#include "base/clock.h"
#include "base/memory.h"
#include "catalog/entry.h"

const char *catalog_entry_prefix(const struct catalog_entry *entry, enum model_role role)
{
    const char *own = role == MODEL_QUERY ? entry->query_prefix : entry->document_prefix;
    if (own != NULL) return own;
    return entry->base == entry ? "" : catalog_entry_prefix(entry->base, role);
}

/* Counts what it costs. Input that is refused never reaches the model. */
static int call_embed(struct catalog_entry *entry, struct model *model,
                      const struct model_texts *texts, const struct model_sink *sink,
                      struct error *err)
{
    struct catalog_statistics *statistics = &entry->base->statistics;
    double start = clock_seconds();
    int rc = model_embed(model, texts, sink, &statistics->usage, err);
    statistics->seconds += clock_seconds() - start;
    if (rc != 0 && rc != ERROR_INVALID) statistics->failures++;
    return rc;
}

/* ---- prefixes -------------------------------------------------------------------------------- */

/* Texts with the prefix before each; both blocks are NULL when there is none. */
struct prefixed {
    struct span *texts; /* [n_texts], into bytes; owned */
    char *bytes;        /* owned */
};

static void prefixed_deinit(struct prefixed *prefixed)
{
    memory_free(prefixed->texts);
    memory_free(prefixed->bytes);
}

/* Texts are checked before they get a prefix: with it, none is empty. */
static int add_prefix(struct prefixed *prefixed, const char *prefix, struct model_texts *texts,
                      struct error *err)
{
    size_t length = strlen(prefix), total = 0;
    if (length == 0 || texts->n_texts == 0) return 0;
    for (size_t i = 0; i < texts->n_texts; i++) {
        int rc = model_check_text(texts->texts[i], 1, err);
        if (rc != 0) return rc;
        total += length + texts->texts[i].size;
    }
    prefixed->bytes = memory_alloc(total, 1);
    prefixed->texts = memory_alloc(texts->n_texts, sizeof *prefixed->texts);
    if (prefixed->bytes == NULL || prefixed->texts == NULL) return error_nomem(err);
    char *at = prefixed->bytes;
    for (size_t i = 0; i < texts->n_texts; i++) {
        struct span text = texts->texts[i];
        prefixed->texts[i] = (struct span){at, length + text.size};
        memcpy(at, prefix, length);
        memcpy(at + length, text.data, text.size);
        at += length + text.size;
    }
    texts->texts = prefixed->texts;
    return 0;
}

/* ---- the cache ------------------------------------------------------------------------------- */

/* One call's texts, sorted into known ones, first ones and repeated ones. */
struct sorting {
    struct cache_key *keys; /* [n] */
    size_t *first;          /* [n] the first text equal to this one; itself if known or the first */
    size_t *unknown;        /* [n_unknown] of [n], ascending */
    size_t n_unknown;
    size_t *slots; /* [n_slots] hash table of the unknown ones; n: empty */
    size_t n_slots;
};

static int sorting_init(struct sorting *sorting, size_t n, struct error *err)
{
    *sorting = (struct sorting){.n_slots = 4};
    while (sorting->n_slots < n * 2) sorting->n_slots *= 2;
    sorting->keys = memory_alloc(n, sizeof *sorting->keys);
    sorting->first = memory_alloc(n, sizeof *sorting->first);
    sorting->unknown = memory_alloc(n, sizeof *sorting->unknown);
    sorting->slots = memory_alloc(sorting->n_slots, sizeof *sorting->slots);
    if (sorting->keys == NULL || sorting->first == NULL || sorting->unknown == NULL ||
        sorting->slots == NULL)
        return error_nomem(err);
    for (size_t i = 0; i < sorting->n_slots; i++) sorting->slots[i] = n;
    return 0;
}

static void sorting_deinit(struct sorting *sorting)
{
    memory_free(sorting->keys);
    memory_free(sorting->first);
    memory_free(sorting->unknown);
    memory_free(sorting->slots);
}

/* The first unknown text that equals text i; i itself, noted as such, if there is none. */
static size_t find_first(struct sorting *sorting, size_t i, size_t n)
{
    size_t mask = sorting->n_slots - 1;
    size_t at = (size_t)sorting->keys[i].hash & mask;
    for (; sorting->slots[at] != n; at = (at + 1) & mask)
        if (cache_key_equal(&sorting->keys[sorting->slots[at]], &sorting->keys[i]))
            return sorting->slots[at];
    sorting->slots[at] = i;
    sorting->unknown[sorting->n_unknown++] = i;
    return i;
}

/* What an embedding goes through: caches, then every text that is equal. */
struct dispatch {
    struct catalog *catalog;
    struct catalog_entry *entry;
    const struct model_texts *texts;
    struct sorting *sorting;
    struct model_embeddings *embeddings;
    struct catalog_store *store; /* NULL: none */
};

static struct store_key store_key_of(const struct dispatch *dispatch, size_t i)
{
    const struct catalog_entry *base = dispatch->entry->base;
    return (struct store_key){base->store_name, base->dimensions, (int)dispatch->texts->role,
                              dispatch->texts->texts[i]};
}

/* Looks in the store, and remembers what is there. *found says whether it was. */
static int find_stored(const struct dispatch *dispatch, size_t i, int *found, struct error *err)
{
    struct model *model = dispatch->entry->base->model;
    float *vector = NULL;
    size_t dimensions = 0;
    *found = 0;
    if (dispatch->store == NULL) return 0;
    struct store_key key = store_key_of(dispatch, i);
    int rc = dispatch->store->find(dispatch->store->context, &key, &vector, &dimensions, NULL);
    if (rc == ERROR_NOMEM) return error_nomem(err);
    if (vector == NULL) return 0;
    if (model->dimensions == 0) model->dimensions = dimensions;
    *found = dimensions == model->dimensions;
    if (*found) {
        cache_put(&dispatch->catalog->cache, &dispatch->sorting->keys[i], vector, dimensions);
        rc = model_embeddings_put(dispatch->embeddings, i, vector, dimensions, err);
    }
    memory_free(vector);
    return rc;
}

/* Finds what is known, notes what is not. */
static int sort_texts(struct dispatch *dispatch, struct error *err)
{
    struct sorting *sorting = dispatch->sorting;
    const struct catalog_entry *base = dispatch->entry->base;
    size_t n = dispatch->texts->n_texts;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        int found;
        sorting->keys[i] =
            cache_key(base->serial, (int)dispatch->texts->role, dispatch->texts->texts[i]);
        const float *known = cache_get(&dispatch->catalog->cache, &sorting->keys[i]);
        sorting->first[i] = i;
        if (known != NULL) {
            rc = model_embeddings_put(dispatch->embeddings, i, known, base->model->dimensions, err);
            continue;
        }
        rc = find_stored(dispatch, i, &found, err);
        if (rc == 0 && !found) sorting->first[i] = find_first(sorting, i, n);
        if (rc == 0 && i % 256 == 255) rc = cancel_check(dispatch->texts->cancel, err);
    }
    return rc;
}

/* The sink of the model: its text `which` is the unknown text of that number. */
static int emit(void *context, size_t which, const float *embedding, size_t dimensions,
                struct error *err)
{
    struct dispatch *dispatch = context;
    size_t i = dispatch->sorting->unknown[which];
    cache_put(&dispatch->catalog->cache, &dispatch->sorting->keys[i], embedding, dimensions);
    dispatch->entry->base->statistics.texts++;
    if (dispatch->store != NULL) {
        struct store_key key = store_key_of(dispatch, i);
        dispatch->store->keep(dispatch->store->context, &key, embedding, dimensions, NULL);
    }
    return model_embeddings_put(dispatch->embeddings, i, embedding, dimensions, err);
}

static int flush_store(void *context, struct error *err)
{
    struct dispatch *dispatch = context;
    (void)err;
    /* A store that fails is no reason for embedding to fail: it is counted, once a request. */
    if (dispatch->store != NULL && dispatch->store->flush(dispatch->store->context, NULL) != 0)
        dispatch->entry->base->statistics.failures++;
    return 0;
}

/* The texts that are not known; unknown->texts is the caller's to free. */
static int list_unknown(const struct dispatch *dispatch, struct model_texts *unknown,
                        struct error *err)
{
    size_t n = dispatch->sorting->n_unknown;
    struct span *spans = memory_alloc(n, sizeof *spans);
    if (spans == NULL) return error_nomem(err);
    for (size_t i = 0; i < n; i++) spans[i] = dispatch->texts->texts[dispatch->sorting->unknown[i]];
    *unknown = *dispatch->texts;
    unknown->texts = spans;
    unknown->n_texts = n;
    return 0;
}

static int embed_unknown(struct dispatch *dispatch, struct error *err)
{
    struct model_texts unknown;
    struct model_sink sink = {emit, flush_store, dispatch};
    int rc = entry_check_network(dispatch->catalog, dispatch->entry->base, err);
    if (rc == 0) rc = list_unknown(dispatch, &unknown, err);
    if (rc != 0) return rc;
    rc = call_embed(dispatch->entry, dispatch->entry->base->model, &unknown, &sink, err);
    memory_free((void *)unknown.texts);
    return rc;
}

static int embed_cached(struct catalog *catalog, struct catalog_entry *entry,
                        const struct model_texts *texts, struct model_embeddings *embeddings,
                        struct error *err)
{
    struct sorting sorting;
    struct dispatch dispatch = {catalog, entry, texts, &sorting, embeddings, NULL};
    size_t n = texts->n_texts;
    int rc = sorting_init(&sorting, n, err);
    if (rc == 0 && entry->base->provider != NULL) rc = entry_store(catalog, &dispatch.store, err);
    if (rc == 0) rc = sort_texts(&dispatch, err);
    if (rc == 0 && sorting.n_unknown > 0) rc = embed_unknown(&dispatch, err);
    flush_store(&dispatch, NULL);
    if (rc == 0) entry->base->statistics.cache_hits += n - sorting.n_unknown;
    size_t dimensions = embeddings->dimensions;
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (sorting.first[i] != i)
            memcpy(embeddings->vectors + i * dimensions,
                   embeddings->vectors + sorting.first[i] * dimensions,
                   dimensions * sizeof *embeddings->vectors);
    sorting_deinit(&sorting);
    return rc;
}

/* ---- what others call ------------------------------------------------------------------------ */

int catalog_embed(struct catalog *catalog, struct catalog_entry *entry, struct model *fitted,
                  const struct model_texts *texts, struct model_embeddings *embeddings,
                  struct error *err)
{
    struct prefixed prefixed = {0};
    struct model_texts request = *texts;
    struct model_sink sink = {.put = model_embeddings_put, .context = embeddings};
    *embeddings = (struct model_embeddings){.n_texts = texts->n_texts};
    int rc = add_prefix(&prefixed, catalog_entry_prefix(entry, texts->role), &request, err);
    if (rc == 0 && fitted != NULL) {
        rc = call_embed(entry, fitted, &request, &sink, err);
        if (rc == 0) entry->base->statistics.texts += texts->n_texts;
    } else if (rc == 0) {
        rc = embed_cached(catalog, entry, &request, embeddings, err);
    }
    prefixed_deinit(&prefixed);
    if (rc == 0) return 0;
    memory_free(embeddings->vectors);
    embeddings->vectors = NULL;
    return rc;
}

int catalog_lookup(struct catalog *catalog, struct catalog_entry *entry,
                   const struct model_texts *text, struct model_embeddings *embedding,
                   struct error *err)
{
    struct prefixed prefixed = {0};
    struct model_texts request = *text;
    *embedding = (struct model_embeddings){.n_texts = 1};
    int rc = add_prefix(&prefixed, catalog_entry_prefix(entry, text->role), &request, err);
    if (rc == 0) {
        struct cache_key key = cache_key(entry->base->serial, (int)request.role, request.texts[0]);
        const float *known = cache_get(&catalog->cache, &key);
        if (known != NULL)
            rc = model_embeddings_put(embedding, 0, known, entry->base->model->dimensions, err);
    }
    prefixed_deinit(&prefixed);
    return rc;
}

/* As embed_cached, but for the call. */
static int estimate_unknown(struct dispatch *dispatch, struct catalog_estimate *estimate,
                            struct error *err)
{
    const struct catalog_entry *base = dispatch->entry->base;
    struct model_texts unknown;
    size_t requests, tokens = 0;
    int rc = list_unknown(dispatch, &unknown, err);
    if (rc != 0) return rc;
    requests = (unknown.n_texts + base->model->batch_size - 1) / base->model->batch_size;
    if (base->provider != NULL) remote_estimate(base->model, &unknown, &requests, &tokens);
    estimate->texts += unknown.n_texts;
    estimate->requests += requests;
    estimate->tokens += tokens;
    memory_free((void *)unknown.texts);
    return 0;
}

int catalog_estimate(struct catalog *catalog, struct catalog_entry *entry,
                     const struct model_texts *texts, struct catalog_estimate *estimate,
                     struct error *err)
{
    struct prefixed prefixed = {0};
    struct model_texts request = *texts;
    struct model_embeddings known = {.n_texts = texts->n_texts};
    struct sorting sorting = {0};
    struct dispatch dispatch = {catalog, entry, &request, &sorting, &known, NULL};
    int rc = add_prefix(&prefixed, catalog_entry_prefix(entry, texts->role), &request, err);
    if (rc == 0) rc = sorting_init(&sorting, texts->n_texts, err);
    if (rc == 0 && entry->base->provider != NULL) rc = entry_store(catalog, &dispatch.store, err);
    if (rc == 0) rc = sort_texts(&dispatch, err);
    flush_store(&dispatch, NULL);
    if (rc == 0) rc = estimate_unknown(&dispatch, estimate, err);
    sorting_deinit(&sorting);
    memory_free(known.vectors);
    prefixed_deinit(&prefixed);
    return rc;
}

int catalog_rerank(struct catalog *catalog, struct catalog_entry *entry, struct model *fitted,
                   const struct model_candidates *candidates, float *scores, struct error *err)
{
    struct catalog_statistics *statistics = &entry->base->statistics;
    double start = clock_seconds();
    int rc = entry_check_network(catalog, entry->base, err);
    if (rc != 0) return rc;
    rc = model_rerank(fitted != NULL ? fitted : entry->base->model, candidates, scores,
                      &statistics->usage, err);
    statistics->seconds += clock_seconds() - start;
    if (rc == 0) statistics->texts += candidates->n_documents;
    if (rc != 0 && rc != ERROR_INVALID) statistics->failures++;
    return rc;
}
