/*
 * dispatch.c: embedding, cached and counted.
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

/* Texts are checked before they get a prefix: with it, none is empty. One that is refused gets
 * none, so that the model sees what is wrong with it. */
static int add_prefix(struct prefixed *prefixed, const char *prefix, struct model_texts *texts,
                      struct error *err)
{
    size_t length = strlen(prefix), total = 0;
    if (length == 0 || texts->n_texts == 0) return 0;
    for (size_t i = 0; i < texts->n_texts; i++) total += length + texts->texts[i].size;
    prefixed->bytes = memory_alloc(total, 1);
    prefixed->texts = memory_alloc(texts->n_texts, sizeof *prefixed->texts);
    if (prefixed->bytes == NULL || prefixed->texts == NULL) return error_nomem(err);
    char *at = prefixed->bytes;
    for (size_t i = 0; i < texts->n_texts; i++) {
        struct span text = texts->texts[i];
        prefixed->texts[i] = text;
        if (model_check_text(text, 1, NULL) != 0) continue;
        prefixed->texts[i] = (struct span){at, length + text.size};
        memcpy(at, prefix, length);
        memcpy(at + length, text.data, text.size);
        at += length + text.size;
    }
    texts->texts = prefixed->texts;
    texts->prefix_size = length;
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
    struct catalog_refusals *refusals; /* NULL: nobody asks for them */
    struct catalog_store *store;       /* NULL: none */
};

static struct store_key store_key_of(const struct dispatch *dispatch, size_t i)
{
    const struct catalog_entry *base = dispatch->entry->base;
    return (struct store_key){base->store_name, base->dimensions, (int)dispatch->texts->role,
                              dispatch->texts->texts[i]};
}

/* What a server gives when something went wrong, and most indexes cannot store. It is never kept:
 * whoever tries again asks again. */
static int is_zero_vector(const float *vector, size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++)
        if (vector[i] != 0.0f) return 0;
    return 1;
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
    *found = dimensions == model->dimensions && !is_zero_vector(vector, dimensions);
    if (*found) {
        cache_put(&dispatch->catalog->cache, &dispatch->sorting->keys[i], vector,
                  dimensions * sizeof *vector);
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
    int is_zero = is_zero_vector(embedding, dimensions);
    dispatch->entry->base->statistics.texts++;
    if (!is_zero)
        cache_put(&dispatch->catalog->cache, &dispatch->sorting->keys[i], embedding,
                  dimensions * sizeof *embedding);
    if (!is_zero && dispatch->store != NULL) {
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

/* A sink's `refuse`, as `emit` and `put_fitted` number texts. */
static int refuse(void *context, size_t which, const struct error *why, struct error *err)
{
    struct dispatch *dispatch = context;
    size_t i = dispatch->sorting == NULL ? which : dispatch->sorting->unknown[which];
    return catalog_refusals_add(dispatch->refusals, i, why, err);
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
    struct model_sink sink = {emit, flush_store, dispatch->refusals == NULL ? NULL : refuse,
                              dispatch};
    int rc = entry_check_network(dispatch->catalog, dispatch->entry->base, err);
    if (rc == 0) rc = list_unknown(dispatch, &unknown, err);
    if (rc != 0) return rc;
    rc = call_embed(dispatch->entry, dispatch->entry->base->model, &unknown, &sink, err);
    memory_free((void *)unknown.texts);
    return rc;
}

/* Every text that is equal to one that was embedded or refused gets the same. */
static int repeat_answers(struct dispatch *dispatch, struct error *err)
{
    const struct model_embeddings *all = dispatch->embeddings;
    struct catalog_refusals *refusals = dispatch->refusals;
    size_t dimensions = all->dimensions, n_first = refusals == NULL ? 0 : refusals->n;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < dispatch->texts->n_texts; i++) {
        size_t first = dispatch->sorting->first[i];
        if (first == i) continue;
        const struct catalog_refusal *refusal = catalog_refusals_find(refusals, n_first, first);
        if (refusal != NULL) {
            struct error why = refusal->why;
            rc = catalog_refusals_add(refusals, i, &why, err);
        } else {
            memcpy(all->vectors + i * dimensions, all->vectors + first * dimensions,
                   dimensions * sizeof *all->vectors);
        }
    }
    return rc;
}

static int embed_cached(struct dispatch *dispatch, struct error *err)
{
    const struct catalog_entry *base = dispatch->entry->base;
    struct sorting sorting;
    size_t n = dispatch->texts->n_texts;
    dispatch->sorting = &sorting;
    int rc = sorting_init(&sorting, n, err);
    if (rc == 0 && base->provider != NULL)
        rc = entry_store(dispatch->catalog, &dispatch->store, err);
    if (rc == 0) rc = sort_texts(dispatch, err);
    if (rc == 0 && sorting.n_unknown > 0) rc = embed_unknown(dispatch, err);
    flush_store(dispatch, NULL);
    if (rc == 0) dispatch->entry->base->statistics.cache_hits += n - sorting.n_unknown;
    if (rc == 0) catalog_refusals_sort(dispatch->refusals);
    if (rc == 0) rc = repeat_answers(dispatch, err);
    sorting_deinit(&sorting);
    dispatch->sorting = NULL;
    return rc;
}

static int put_fitted(void *context, size_t text, const float *embedding, size_t dimensions,
                      struct error *err)
{
    struct dispatch *dispatch = context;
    dispatch->entry->base->statistics.texts++;
    return model_embeddings_put(dispatch->embeddings, text, embedding, dimensions, err);
}

static int embed_fitted(struct dispatch *dispatch, struct model *fitted, struct error *err)
{
    struct model_sink sink = {put_fitted, NULL, dispatch->refusals == NULL ? NULL : refuse,
                              dispatch};
    return call_embed(dispatch->entry, fitted, dispatch->texts, &sink, err);
}

/* ---- what others call ------------------------------------------------------------------------ */

int catalog_embed(struct catalog *catalog, struct catalog_entry *entry, struct model *fitted,
                  const struct model_texts *texts, struct model_embeddings *embeddings,
                  struct catalog_refusals *refusals, struct error *err)
{
    struct prefixed prefixed = {0};
    struct model_texts request = *texts;
    struct dispatch dispatch = {catalog, entry, &request, NULL, embeddings, refusals, NULL};
    *embeddings = (struct model_embeddings){.n_texts = texts->n_texts};
    if (refusals != NULL) *refusals = (struct catalog_refusals){0};
    int rc = add_prefix(&prefixed, catalog_entry_prefix(entry, texts->role), &request, err);
    if (rc == 0)
        rc = fitted != NULL ? embed_fitted(&dispatch, fitted, err) : embed_cached(&dispatch, err);
    prefixed_deinit(&prefixed);
    catalog_refusals_sort(refusals);
    if (rc == 0) return 0;
    memory_free(embeddings->vectors);
    embeddings->vectors = NULL;
    catalog_refusals_deinit(refusals);
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
    struct dispatch dispatch = {catalog, entry, &request, &sorting, &known, NULL, NULL};
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
