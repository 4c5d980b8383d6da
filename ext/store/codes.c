#include "store/codes.h"

#include <math.h>

#include "base/memory.h"
#include "store/placement.h"
#include "store/runs.h"
#include "vector/distance.h"
#include "vector/top_k.h"

/* Looks for the ids of places that are in no block yet among those of a block. */
static int look_into(struct store *store, const struct store_state *state,
                     const struct store_block *block, struct block_place *places, size_t n_places,
                     size_t *n_found, sqlite3_blob **blob, struct error *err)
{
    int64_t *ids = NULL;
    size_t n = (size_t)block->n, *at = memory_alloc(n_places, sizeof *at);
    int rc = at == NULL ? error_nomem(err) : blocks_read_ids(store, state, block, blob, &ids, err);
    if (rc == 0) blocks_find_ids(ids, n, places, n_places, at);
    for (size_t p = 0; rc == 0 && p < n_places; p++) {
        if (at[p] == n || places[p].block != STORE_NO_BLOCK) continue;
        places[p].block = block->number;
        ++*n_found;
    }
    memory_free(ids);
    memory_free(at);
    return rc;
}

/* The same of all blocks of a partition, for places that are in none. */
static int look_through(struct store *store, const struct store_state *state, int64_t partition,
                        struct block_place *places, size_t n_places, sqlite3_blob **blob,
                        struct error *err)
{
    struct store_block *list;
    size_t n, n_found = 0;
    int rc = blocks_list(store, partition, 0, &list, &n, err);
    for (size_t i = 0; rc == 0 && i < n && n_found < n_places; i++) {
        if (i > 0) rc = cancel_check(store->cancel, err);
        if (rc == 0) rc = look_into(store, state, &list[i], places, n_places, &n_found, blob, err);
    }
    memory_free(list);
    return rc;
}

/* Where the vector of a row points; a vector that cannot be used points nowhere. */
static int read_point(struct store *store, const struct index_layout *layout, int64_t id,
                      float *point, struct error *err)
{
    size_t size = index_vector_size(layout);
    struct error unusable;
    void *stored = memory_alloc(size, 1);
    if (stored == NULL) return error_nomem(err);
    int rc = runs_get(store, id, size, stored, &unusable);
    if (rc == 0) rc = index_vector_check(layout, id, stored, size, &unusable);
    if (rc == 0) index_vector_point(layout, stored, point);
    else *err = unusable;
    memory_free(stored);
    for (size_t i = 0; rc == ERROR_CORRUPT && i < layout->dimensions; i++) point[i] = 0.0f;
    return rc == ERROR_CORRUPT ? 0 : rc;
}

/* The partitions, those before others whose centroids are nearer: places in their arrays. */
static int order(const struct index_partitions *partitions, const float *point, struct top_k *near,
                 struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < partitions->n; i++) {
        const float *centroid = partitions->centroids + i * partitions->dimensions;
        double nearness = 2.0 * vector_dot(point, centroid, partitions->dimensions) -
                          (double)partitions->squared_norms[i];
        rc = top_k_offer(near, (int64_t)i, isnan(nearness) ? -INFINITY : nearness, err);
    }
    return rc;
}

/* By the vector: through all partitions. */
static int find(struct store *store, const struct store_state *state,
                const struct index_partitions *partitions, struct block_place *place,
                sqlite3_blob **blob, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct top_k near;
    struct top_k_hit next;
    float *point = memory_alloc(layout.dimensions, sizeof *point);
    int rc = point == NULL ? error_nomem(err) : read_point(store, &layout, place->id, point, err);
    top_k_init(&near, SIZE_MAX);
    if (rc == 0) rc = order(partitions, point, &near, err);
    while (rc == 0 && place->block == STORE_NO_BLOCK && top_k_pop(&near, &next))
        rc = look_through(store, state, partitions->numbers[next.id], place, 1, blob, err);
    top_k_deinit(&near);
    memory_free(point);
    if (rc == 0 && place->block == STORE_NO_BLOCK)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: it is in no block ('optimize' mends it)",
                       (long long)place->id);
    return rc;
}

/* By what X_rows says of them: those of a partition that stand side by side at once. */
static int look_where_put(struct store *store, const struct store_state *state,
                          struct block_place *places, size_t n_places, sqlite3_blob **blob,
                          struct error *err)
{
    int rc = 0;
    for (size_t begin = 0, end; rc == 0 && begin < n_places; begin = end) {
        int64_t partition = places[begin].block;
        for (end = begin; end < n_places && places[end].block == partition; end++)
            places[end].block = STORE_NO_BLOCK;
        rc = look_through(store, state, partition, places + begin, end - begin, blob, err);
    }
    return rc;
}

int codes_find(struct store *store, const struct store_state *state, struct block_place *places,
               size_t n_places, sqlite3_blob **blob, struct error *err)
{
    const struct index_partitions *partitions;
    if (n_places == 0 || !blocks_become_one(store)) return 0;
    int rc = placement_read(store, state, &partitions, err);
    if (rc == 0 && partitions == NULL)
        rc = error_set(err, ERROR_CORRUPT, "the partitions are missing ('optimize' mends them)");
    if (rc == 0) rc = look_where_put(store, state, places, n_places, blob, err);
    for (size_t i = 0; rc == 0 && i < n_places; i++)
        if (places[i].block == STORE_NO_BLOCK)
            rc = find(store, state, partitions, &places[i], blob, err);
    return rc;
}
