#include "store/codes.h"

#include <stdlib.h>

#include "base/ids.h"
#include "base/memory.h"
#include "store/placement.h"

/* Rows on the way to their blocks, and where they probably are. */
struct finding {
    struct store *store;
    const struct store_state *state;
    const struct index_partitions *partitions;
    float *points; /* [n, dimensions] in code space; NULL: there is one partition */
    struct wanted {
        struct block_place *place;
        uint32_t partition, point; /* places in the arrays: the nearest, and its own */
    } * wanted;                    /* [n] */
    size_t n;
};

/* ---- a partition ----------------------------------------------------------------------------- */

static int compare_ids(const void *id, const void *wanted)
{
    return ids_compare(id, &((const struct wanted *)wanted)->place->id);
}

/* Notes which of the rows wanted, ascending by id, are in a block. */
static int look_into(const struct finding *finding, const struct store_block *block,
                     sqlite3_blob **blob, struct wanted *wanted, size_t n_wanted, size_t *n_found,
                     struct error *err)
{
    int64_t *ids;
    size_t n = (size_t)block->n;
    int rc = blocks_read_ids(finding->store, finding->state, block, blob, &ids, err);
    for (size_t i = 0; rc == 0 && i < n && *n_found < n_wanted; i++) {
        struct wanted *found = bsearch(&ids[i], wanted, n_wanted, sizeof *wanted, compare_ids);
        if (found == NULL || found->place->block != STORE_NO_BLOCK) continue;
        found->place->block = block->number;
        ++*n_found;
    }
    memory_free(ids);
    return rc;
}

/* The same of all blocks of a partition, the latest first. */
static int look_through(const struct finding *finding, size_t partition, struct wanted *wanted,
                        size_t n_wanted, struct error *err)
{
    struct store *store = finding->store;
    struct store_block *list;
    sqlite3_blob *blob = NULL;
    size_t n_blocks, n_found = 0;
    int rc = blocks_list(store, finding->partitions->numbers[partition], 0, &list, &n_blocks, err);
    while (rc == 0 && n_blocks > 0 && n_found < n_wanted)
        rc = look_into(finding, &list[--n_blocks], &blob, wanted, n_wanted, &n_found, err);
    sqlite3_blob_close(blob);
    memory_free(list);
    return rc != 0 ? rc : cancel_check(store->cancel, err);
}

/* ---- one row --------------------------------------------------------------------------------- */

struct near {
    double distance;
    size_t partition;
};

static int compare_near(const void *a, const void *b)
{
    const struct near *x = a, *y = b;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    return x->partition < y->partition ? -1 : x->partition > y->partition;
}

/* A row that is not in the nearest partition. */
static int find_farther(const struct finding *finding, struct wanted *wanted, struct error *err)
{
    const struct index_partitions *partitions = finding->partitions;
    struct near *near = memory_alloc(partitions->n, sizeof *near);
    if (near == NULL) return error_nomem(err);
    int rc = 0;
    for (size_t i = 0; i < partitions->n; i++) {
        const float *point = finding->points == NULL
                                 ? NULL
                                 : finding->points + wanted->point * partitions->dimensions;
        double distance = point == NULL ? 0.0 : index_partitions_distance(partitions, point, i);
        near[i] = (struct near){distance, i};
    }
    qsort(near, partitions->n, sizeof *near, compare_near);
    for (size_t i = 0; rc == 0 && i < partitions->n && wanted->place->block == STORE_NO_BLOCK; i++)
        if (near[i].partition != wanted->partition)
            rc = look_through(finding, near[i].partition, wanted, 1, err);
    memory_free(near);
    if (rc == 0 && wanted->place->block == STORE_NO_BLOCK)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: it is in no block ('optimize' mends it)",
                       (long long)wanted->place->id);
    return rc;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* Where the vectors point. One that cannot be used points nowhere: its code may be anywhere. */
static int read_points(struct finding *finding, struct error *err)
{
    struct index_layout layout = blocks_layout(finding->store, finding->state);
    size_t size = index_vector_size(&layout);
    void *stored = memory_alloc(size, 1);
    finding->points = memory_zalloc(finding->n, layout.dimensions * sizeof(float));
    int rc = stored == NULL || finding->points == NULL ? error_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < finding->n; i++) {
        int64_t id = finding->wanted[i].place->id;
        struct error unusable;
        rc = store_get_vector(finding->store, id, size, stored, &unusable);
        if (rc == 0) rc = index_vector_check(&layout, id, stored, size, &unusable);
        if (rc == 0) index_vector_point(&layout, stored, finding->points + i * layout.dimensions);
        else if (rc == ERROR_CORRUPT) rc = 0;
        else *err = unusable;
    }
    memory_free(stored);
    return rc;
}

static int find_nearest(struct finding *finding, struct error *err)
{
    uint32_t *places = memory_alloc(finding->n, sizeof *places);
    int rc = places == NULL ? error_nomem(err) : read_points(finding, err);
    if (rc == 0)
        rc = index_partitions_assign(finding->partitions, finding->points, finding->n,
                                     store_threads(finding->store), places, finding->store->cancel,
                                     err);
    for (size_t i = 0; rc == 0 && i < finding->n; i++) finding->wanted[i].partition = places[i];
    memory_free(places);
    return rc;
}

/* By partition, in it by id. */
static int compare_wanted(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    if (x->partition != y->partition) return x->partition < y->partition ? -1 : 1;
    return ids_compare(&x->place->id, &y->place->id);
}

static int find_all(struct finding *finding, struct error *err)
{
    struct wanted *wanted = finding->wanted;
    size_t n = finding->n;
    int rc = 0;
    qsort(wanted, n, sizeof *wanted, compare_wanted);
    for (size_t begin = 0, end; rc == 0 && begin < n; begin = end) {
        for (end = begin + 1; end < n && wanted[end].partition == wanted[begin].partition;) end++;
        rc = look_through(finding, wanted[begin].partition, wanted + begin, end - begin, err);
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (wanted[i].place->block == STORE_NO_BLOCK) rc = find_farther(finding, &wanted[i], err);
    return rc;
}

int codes_find(struct store *store, const struct store_state *state, struct block_place *places,
               size_t n_places, struct error *err)
{
    struct finding finding = {.store = store, .state = state, .n = n_places};
    if (n_places == 0) return 0;
    int rc = placement_read(store, state, &finding.partitions, err);
    if (rc == 0 && finding.partitions == NULL)
        rc = error_set(err, ERROR_CORRUPT, "the partitions are missing ('optimize' mends them)");
    if (rc == 0) finding.wanted = memory_zalloc(n_places, sizeof *finding.wanted);
    if (rc == 0 && finding.wanted == NULL) rc = error_nomem(err);
    for (size_t i = 0; rc == 0 && i < n_places; i++) {
        places[i].block = STORE_NO_BLOCK;
        finding.wanted[i] = (struct wanted){.place = &places[i], .point = (uint32_t)i};
    }
    if (rc == 0 && finding.partitions->n > 1) rc = find_nearest(&finding, err);
    if (rc == 0) rc = find_all(&finding, err);
    memory_free(finding.wanted);
    memory_free(finding.points);
    return rc;
}
