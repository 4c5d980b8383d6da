#include "api/response.h"

#include <math.h>
#include <string.h>

#include "api/base64.h"
#include "api/scrub.h"
#include "base/json.h"
#include "base/memory.h"
#include "vector/codec.h"

/* Values for each text; and once for a single vector as long as any may be. */
#define MAX_VALUES ((size_t)16384)

/* Here functions return 0, ERROR_NOMEM, or ERROR_UNAVAILABLE: it is JSON, but not what was asked
 * for. What rooms below find wrong is the provider's doing. */
static int broken(struct error *err)
{
    if (err != NULL) err->code = ERROR_UNAVAILABLE;
    return ERROR_UNAVAILABLE;
}

static enum api_outcome outcome_of(int rc)
{
    return rc == 0 ? API_OK : rc == ERROR_NOMEM ? API_FAILED : API_BROKEN;
}

/* An error object under status 200; "error": null, as some send it along, is none. */
static int is_error(const cJSON *root)
{
    const cJSON *error = json_at(root, "/error");
    if (cJSON_IsString(error)) return error->valuestring[0] != '\0';
    return error != NULL && !cJSON_IsNull(error) && !cJSON_IsFalse(error);
}

/* An answer of another kind than was expected may come from another address than was meant. */
static void tell_url(const struct api_answer *answer, struct error *err)
{
    char url[API_MESSAGE_BYTES + 1];
    if (answer->url == NULL || err == NULL) return;
    struct error why = *err;
    api_scrub(answer->url, answer->key, url);
    error_set(err, ERROR_UNAVAILABLE, "%.150s (asked %s)", why.text, url);
}

enum api_outcome api_read_answer(const struct api_answer *answer, const char *place, cJSON **root,
                                 const cJSON **items, struct error *err)
{
    *root = NULL;
    if (answer->status != 200) return api_parse_failure(answer, err);
    if (json_parse(answer->body, root, err) != 0) {
        broken(err);
    } else {
        if (is_error(*root)) return api_parse_failure(answer, err);
        *items = json_at(*root, place);
        if (cJSON_IsArray(*items)) return API_OK;
        error_set(err, ERROR_UNAVAILABLE, "expected an array%s%s, not %s",
                  place[0] == '\0' ? "" : " at ", place, json_kind(*items));
    }
    tell_url(answer, err);
    return API_BROKEN;
}

int64_t api_read_tokens(const cJSON *root, const char *const places[2])
{
    for (int i = 0; i < 2 && places[i] != NULL; i++) {
        const cJSON *number = json_at(root, places[i]);
        if (!cJSON_IsNumber(number)) continue;
        if (number->valuedouble > 0 && number->valuedouble <= 9007199254740992.0)
            return (int64_t)number->valuedouble;
    }
    return -1;
}

static int read_index(const cJSON *node, size_t n, size_t *index, struct error *err)
{
    if (!cJSON_IsNumber(node))
        return error_set(err, ERROR_UNAVAILABLE, "expected a number as index, not %s",
                         json_kind(node));
    double value = node->valuedouble;
    if (!(value >= 0 && value < (double)n) || value != floor(value))
        return error_set(err, ERROR_UNAVAILABLE, "expected an index from 0 to %zu, not %g", n - 1,
                         value);
    *index = (size_t)value;
    return 0;
}

/* placed: [n], all NULL; each item goes to its place. Items without any index are in order, where
 * that is allowed. */
static int place_items(const cJSON *items, size_t n, int may_be_in_order, const cJSON **placed,
                       struct error *err)
{
    int has_index = 0;
    size_t i = 0, index;
    const cJSON *item;
    cJSON_ArrayForEach(item, items)
    {
        const cJSON *node = cJSON_GetObjectItemCaseSensitive(item, "index");
        if (i == 0) has_index = node != NULL || !may_be_in_order;
        if ((node != NULL) != has_index)
            return error_set(err, ERROR_UNAVAILABLE, "item %zu has %s", i,
                             has_index ? "no index" : "an index, unlike the first");
        index = i++;
        if (has_index && read_index(node, n, &index, err) != 0) return ERROR_UNAVAILABLE;
        if (placed[index] != NULL)
            return error_set(err, ERROR_UNAVAILABLE, "index %zu comes twice", index);
        placed[index] = item;
    }
    return 0;
}

/* The length of a vector in either form. */
static int count_dimensions(const cJSON *vector, size_t *n, struct error *err)
{
    if (cJSON_IsString(vector)) {
        struct span text = {vector->valuestring, strlen(vector->valuestring)};
        if (api_base64_floats(text, NULL, n, err) != 0) return broken(err);
    } else if (cJSON_IsArray(vector)) {
        *n = (size_t)cJSON_GetArraySize(vector);
    } else {
        return error_set(err, ERROR_UNAVAILABLE, "expected an array or base64, not %s",
                         json_kind(vector));
    }
    if (*n == 0) return error_set(err, ERROR_UNAVAILABLE, "it is empty");
    if (*n > VECTOR_MAX_DIMENSIONS)
        return error_set(err, ERROR_UNAVAILABLE, "%zu dimensions are more than %d", *n,
                         VECTOR_MAX_DIMENSIONS);
    return 0;
}

/* Looks at all vectors before memory is taken for any: it is bounded by the answer then. */
static int check_dimensions(const cJSON **vectors, size_t n, size_t *dimensions, struct error *err)
{
    size_t came = 0, first = 0;
    for (size_t i = 0; i < n; i++) {
        int rc = count_dimensions(vectors[i], &came, err);
        if (rc != 0) {
            error_context(err, "vector %zu", i);
            return rc;
        }
        if (i == 0) first = came;
        if (came != first)
            return error_set(err, ERROR_UNAVAILABLE, "vector %zu has %zu dimensions, the first %zu",
                             i, came, first);
    }
    if (*dimensions != 0 && *dimensions != first)
        return error_set(err, ERROR_UNAVAILABLE, "expected %zu dimensions, not %zu", *dimensions,
                         first);
    *dimensions = first;
    return 0;
}

/* out: [as many as count_dimensions said]. */
static int read_vector(const cJSON *vector, float *out, struct error *err)
{
    size_t n = 0;
    if (cJSON_IsString(vector)) {
        struct span text = {vector->valuestring, strlen(vector->valuestring)};
        if (api_base64_floats(text, out, &n, err) != 0) return broken(err);
        for (size_t i = 0; i < n; i++)
            if (!isfinite(out[i]))
                return error_set(err, ERROR_UNAVAILABLE, "component %zu is not finite", i);
        return 0;
    }
    const cJSON *component;
    cJSON_ArrayForEach(component, vector)
    {
        if (!json_float(component, &out[n++]))
            return error_set(err, ERROR_UNAVAILABLE, "component %zu is %s", n - 1,
                             cJSON_IsNumber(component) ? "not finite" : json_kind(component));
    }
    return 0;
}

static int read_vectors(const cJSON **placed, size_t n, size_t dimensions, float **vectors,
                        struct error *err)
{
    float *read = memory_alloc(n, dimensions * sizeof *read);
    if (read == NULL) return error_nomem(err);
    for (size_t i = 0; i < n; i++) {
        int rc = read_vector(placed[i], read + i * dimensions, err);
        if (rc != 0) {
            error_context(err, "vector %zu", i);
            memory_free(read);
            return rc;
        }
    }
    *vectors = read;
    return 0;
}

static int read_embeddings(const struct api_answer *answer, const cJSON *items, size_t *dimensions,
                           float **vectors, struct error *err)
{
    const char *member = answer->provider->embed.vector;
    size_t n = answer->n_texts, came = (size_t)cJSON_GetArraySize(items);
    if (came != n)
        return error_set(err, ERROR_UNAVAILABLE, "expected %zu vectors, not %zu", n, came);
    const cJSON **placed = memory_zalloc(n, sizeof *placed);
    if (placed == NULL) return error_nomem(err);
    int rc = place_items(items, n, 1, placed, err);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (member != NULL) placed[i] = cJSON_GetObjectItemCaseSensitive(placed[i], member);
    if (rc == 0) rc = check_dimensions(placed, n, dimensions, err);
    if (rc == 0) rc = read_vectors(placed, n, *dimensions, vectors, err);
    memory_free(placed);
    return rc;
}

/* Every value takes memory, so an answer with more of them than any vectors have is not even read:
 * many bytes of it may have come from few (gzip). */
static int has_too_many_values(const struct api_answer *answer)
{
    size_t n = 0, most = answer->n_texts * MAX_VALUES + VECTOR_MAX_DIMENSIONS;
    for (size_t i = 0; i < answer->body.size && n <= most; i++) n += answer->body.data[i] == ',';
    return n > most;
}

enum api_outcome api_parse_embeddings(const struct api_answer *answer, size_t *dimensions,
                                      float **vectors, int64_t *tokens, struct error *err)
{
    const struct api_embed_form *form = &answer->provider->embed;
    cJSON *root;
    const cJSON *items;
    *vectors = NULL;
    *tokens = -1;
    if (answer->status == 200 && has_too_many_values(answer)) {
        error_set(err, ERROR_UNAVAILABLE, "the answer holds more numbers than %zu vectors have",
                  answer->n_texts);
        return API_BROKEN;
    }
    enum api_outcome outcome = api_read_answer(answer, form->items, &root, &items, err);
    if (outcome == API_OK) {
        *tokens = api_read_tokens(root, form->usage);
        outcome = outcome_of(read_embeddings(answer, items, dimensions, vectors, err));
    }
    cJSON_Delete(root);
    return outcome;
}

/* Old releases of llama.cpp ignore the limit: more than asked for may come. */
static int read_scores(const struct api_answer *answer, const cJSON *items, size_t top_n,
                       double *scores, struct error *err)
{
    const struct api_rerank_form *form = &answer->provider->rerank;
    size_t n = answer->n_texts, came = (size_t)cJSON_GetArraySize(items);
    size_t least = top_n == 0 || form->limit == NULL || top_n > n ? n : top_n;
    if (came < least || came > n)
        return error_set(err, ERROR_UNAVAILABLE, "expected %zu scores, not %zu", least, came);
    const cJSON **placed = memory_zalloc(n, sizeof *placed);
    if (placed == NULL) return error_nomem(err);
    int rc = place_items(items, n, 0, placed, err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        scores[i] = NAN;
        if (placed[i] == NULL) continue;
        const cJSON *score = cJSON_GetObjectItemCaseSensitive(placed[i], form->score);
        if (!json_double(score, &scores[i]))
            rc = error_set(err, ERROR_UNAVAILABLE, "the score of document %zu is %s", i,
                           cJSON_IsNumber(score) ? "not finite" : json_kind(score));
    }
    memory_free(placed);
    return rc;
}

enum api_outcome api_parse_scores(const struct api_answer *answer, size_t top_n, double *scores,
                                  int64_t *tokens, struct error *err)
{
    const struct api_rerank_form *form = &answer->provider->rerank;
    cJSON *root;
    const cJSON *items;
    *tokens = -1;
    enum api_outcome outcome = api_read_answer(answer, form->items, &root, &items, err);
    if (outcome == API_OK) {
        *tokens = api_read_tokens(root, form->usage);
        outcome = outcome_of(read_scores(answer, items, top_n, scores, err));
    }
    cJSON_Delete(root);
    return outcome;
}
