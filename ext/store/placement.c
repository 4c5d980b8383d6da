#include "store/placement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/runs.h"

/* Rows of a partition, at most, for bits, whose scan goes through all. */
#define AUTO_MOST 2048

/* For partitions = 'auto': one for so many partitions that there are, and so many at least. Both
 * grow with the square root of the rows then: 100,000 give some 550 partitions, a million some
 * 1,700. Small ones lie close around what is near a query; many centroids cost every row and every
 * query. */
#define AUTO_SHARE 2
#define AUTO_LEAST 64

/* Rows of a partition, at most, while partitions = n has fewer than n. */
#define GROWING_LIMIT 256

/* Partitions around a new one which its rows may move to. */
#define NEIGHBOURS 64

/* Partitions of an index whose X_rows is small, at most: 100,000 rows, a megabyte. */
#define NOTED_PARTITIONS 512

/* Partitions are cut in memory: bytes of the vectors of one, and of those that are cut together, at
 * most. */
#define MAX_BYTES ((size_t)32 << 20)
#define MIN_ROWS 16

size_t placement_limit(const struct store *store, const struct store_state *state,
                       size_t n_partitions)
{
    size_t wanted = store->options.partitions, limit = AUTO_MOST;
    if (wanted == 0 && store->options.quantize != INDEX_BIT) return SIZE_MAX;
    if (n_partitions >= (wanted == 0 || wanted == STORE_AUTO ? INDEX_MAX_PARTITIONS : wanted))
        return SIZE_MAX;
    if (wanted == STORE_AUTO && n_partitions / AUTO_SHARE < limit)
        limit = n_partitions / AUTO_SHARE < AUTO_LEAST ? AUTO_LEAST : n_partitions / AUTO_SHARE;
    if (wanted != 0 && wanted != STORE_AUTO) limit = GROWING_LIMIT;
    size_t most = MAX_BYTES / (state->dimensions * sizeof(float));
    if (limit > most) limit = most;
    return limit < MIN_ROWS ? MIN_ROWS : limit;
}

/* ---- X_partitions ---------------------------------------------------------------------------- */

static int corrupt_partitions(struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "the partitions are damaged ('optimize' mends them)");
}

static int read_centroid(struct index_partitions *made, size_t i, sqlite3_stmt *scan,
                         struct error *err)
{
    const void *bytes;
    size_t size;
    int rc = statement_column_bytes(scan, 1, &bytes, &size, err);
    if (rc != 0) return rc;
    if (i >= made->n || size != made->dimensions * sizeof(float)) return corrupt_partitions(err);
    float *centroid = made->centroids + i * made->dimensions;
    made->numbers[i] = sqlite3_column_int64(scan, 0);
    memcpy(centroid, bytes, size);
    for (size_t j = 0; j < made->dimensions; j++)
        if (!isfinite(centroid[j])) return corrupt_partitions(err);
    return 0;
}

static int load(struct store *store, const struct store_state *state,
                struct index_partitions **loaded, struct error *err)
{
    sqlite3_stmt *scan = NULL;
    struct index_partitions *made = NULL;
    int row = 0;
    size_t i = 0;
    int64_t n;
    int rc = store_ask(store, STORE_N_PARTITIONS, 0, 0, &n, err);
    if (rc == 0 && (n < 1 || n > INDEX_MAX_PARTITIONS || state->dimensions == 0))
        rc = corrupt_partitions(err);
    if (rc == 0) rc = index_partitions_new((size_t)n, state->dimensions, &made, err);
    if (rc == 0) rc = store_query(store, STORE_CENTROIDS, &scan, err);
    while (rc == 0 && (rc = statement_step(store->db, scan, &row, err)) == 0 && row)
        rc = read_centroid(made, i++, scan, err);
    sqlite3_finalize(scan);
    if (rc == 0 && i < made->n) rc = corrupt_partitions(err);
    if (rc != 0) {
        index_partitions_free(made);
        return rc;
    }
    made->version = state->partitions;
    index_partitions_ready(made);
    *loaded = made;
    return 0;
}

static void adopt(struct store *store, struct index_partitions *partitions)
{
    index_partitions_free(store->partitions);
    store->partitions = partitions;
}

void placement_forget(struct store *store)
{
    adopt(store, NULL);
}

int placement_read(struct store *store, const struct store_state *state,
                   const struct index_partitions **partitions, struct error *err)
{
    *partitions = NULL;
    if (!store_is_partitioned(store) || state->partitions == 0) return 0;
    if (store->partitions == NULL || store->partitions->version != state->partitions ||
        store->partitions->dimensions != state->dimensions) {
        struct index_partitions *loaded = NULL;
        int rc = load(store, state, &loaded, err);
        if (rc != 0) return rc;
        adopt(store, loaded);
    }
    *partitions = store->partitions;
    return 0;
}

static int put_centroid(struct store *store, const struct index_partitions *partitions, size_t i,
                        struct error *err)
{
    return store_put_centroid(store, partitions->numbers[i],
                              partitions->centroids + i * partitions->dimensions,
                              partitions->dimensions, err);
}

/* The table's partitions are these from now on, in this generation. */
static int take(struct store *store, struct store_state *state, struct index_partitions *partitions,
                struct error *err)
{
    index_partitions_ready(partitions);
    partitions->version = state->partitions = state->generation;
    adopt(store, partitions);
    return store_set(store, "partitions", state->partitions, err);
}

int placement_replace(struct store *store, struct store_state *state,
                      struct index_partitions *partitions, struct error *err)
{
    int rc = store_delete_partitions(store, state, err);
    for (size_t i = 0; rc == 0 && i < partitions->n; i++)
        rc = put_centroid(store, partitions, i, err);
    if (rc == 0) return take(store, state, partitions, err);
    index_partitions_free(partitions);
    return rc;
}

int64_t placement_of(const struct store *store, const struct block_row *row)
{
    return blocks_become_one(store) ? row->partition : row->block;
}

/* Whether X_rows is told where a cut moves rows: vectors always, codes while it is small. */
static int notes_moves(const struct store *store)
{
    return !store_keeps_vectors(store) || store->partitions->n <= NOTED_PARTITIONS;
}

int placement_move(struct store *store, const struct block_row *rows, size_t n_rows,
                   struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        rc = store_move_row(store, rows[i].id, placement_of(store, &rows[i]), err);
    return rc;
}

/* ---- partitions in memory -------------------------------------------------------------------- */

/* A partition as it is stored, all in memory: to be cut with what is added to it. */
struct stored {
    int64_t number;
    struct store_block *blocks; /* [n_blocks] */
    size_t n_blocks, n_rows, n_read;
    struct block_row *rows; /* [n_rows] */
    unsigned char *vectors; /* [n_rows, index_vector_size]: as stored */
    float *points;          /* [n_rows, dimensions]: in code space */
    size_t first, end;      /* of it, and what is added to it, among all rows in memory */
};

static void stored_free(struct stored *stored)
{
    memory_free(stored->blocks);
    memory_free(stored->rows);
    memory_free(stored->vectors);
    memory_free(stored->points);
}

/* Its blocks, and how many rows are in them. */
static int list_blocks(struct store *store, struct stored *stored, int64_t after, struct error *err)
{
    int rc = blocks_list(store, stored->number, after, &stored->blocks, &stored->n_blocks, err);
    for (size_t i = 0; rc == 0 && i < stored->n_blocks; i++)
        stored->n_rows += (size_t)stored->blocks[i].n;
    return rc;
}

static int read_block(struct store *store, const struct store_state *state, struct stored *stored,
                      int64_t number, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_bytes block;
    size_t size = index_vector_size(&layout);
    int rc = block_read(store, &layout, number, &block, err);
    for (size_t i = 0; rc == 0 && i < block.n && stored->n_read < stored->n_rows; i++) {
        size_t at = stored->n_read++;
        unsigned char *vector = stored->vectors + at * size;
        float *point = stored->points + at * layout.dimensions;
        stored->rows[at] = (struct block_row){.id = block.rows.ids[i],
                                              .stored = vector,
                                              .rotated = point,
                                              .partition = stored->number};
        if (layout.quantize == INDEX_EXACT)
            memcpy(vector, block.rows.components + i * block.rows.stride, size);
        else rc = runs_get(store, block.rows.ids[i], size, vector, err);
        if (rc == 0) index_vector_point(&layout, vector, point);
    }
    block_free(&block);
    return rc;
}

/* Takes a partition out of its blocks, which go. */
static int take_out(struct store *store, const struct store_state *state, struct stored *stored,
                    int64_t after, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    int rc = list_blocks(store, stored, after, err);
    if (rc != 0) return rc;
    if (stored->n_rows == 0) return 0;
    stored->rows = memory_alloc(stored->n_rows, sizeof *stored->rows);
    stored->vectors = memory_alloc(stored->n_rows, index_vector_size(&layout));
    stored->points = memory_alloc(stored->n_rows, layout.dimensions * sizeof(float));
    if (stored->rows == NULL || stored->vectors == NULL || stored->points == NULL)
        return error_nomem(err);
    for (size_t i = 0; rc == 0 && i < stored->n_blocks; i++)
        rc = read_block(store, state, stored, stored->blocks[i].number, err);
    stored->n_rows = stored->n_read;
    for (size_t i = 0; rc == 0 && i < stored->n_blocks; i++)
        rc = store_delete_block(store, stored->blocks[i].number, err);
    return rc;
}

/* ---- cutting --------------------------------------------------------------------------------- */

/* Rows on their way into partitions, and those of partitions that are cut for them. */
struct placing {
    struct store *store;
    struct store_state *state;
    int64_t after;           /* the block after which they go */
    struct block_row **rows; /* [n_rows] by partition */
    size_t n_rows;
    struct stored *stored; /* [n_stored] partitions that were taken out of their blocks */
    size_t n_stored;
    struct index_partitions *now; /* as they are after all cuts so far; ours alone */
    unsigned char *is_cut;        /* [now->n] its centroid is another, or new */
    float *points;                /* [n_rows, dimensions] of some rows, side by side, as the next */
    unsigned char *sides;         /* [n_rows] */
    uint32_t *places;             /* [n_rows] */
    struct block_row **beyond;    /* [n_rows] */
};

static void placing_deinit(struct placing *placing)
{
    for (size_t i = 0; i < placing->n_stored; i++) stored_free(&placing->stored[i]);
    memory_free(placing->rows);
    memory_free(placing->stored);
    index_partitions_free(placing->now);
    memory_free(placing->is_cut);
    memory_free(placing->points);
    memory_free(placing->sides);
    memory_free(placing->places);
    memory_free(placing->beyond);
}

/* By partition, in it by id: so what comes of rows does not depend on their order. */
static int compare_rows(const void *a, const void *b)
{
    const struct block_row *x = *(struct block_row *const *)a, *y = *(struct block_row *const *)b;
    if (x->partition != y->partition) return x->partition < y->partition ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void gather_points(const struct placing *placing, size_t begin, size_t n)
{
    size_t dimensions = placing->state->dimensions;
    for (size_t i = 0; i < n; i++)
        memcpy(placing->points + i * dimensions, placing->rows[begin + i]->rotated,
               dimensions * sizeof(float));
}

/* Rows [begin, begin + n), all of a partition, become two: the first keeps its number, the second
 * comes behind all others. *n_first: how many of the rows, which are put in order, it has. */
static int make_two(struct placing *placing, size_t begin, size_t n, size_t *n_first,
                    struct error *err)
{
    struct index_partitions *now = placing->now;
    struct block_row **rows = placing->rows + begin;
    size_t dimensions = now->dimensions, n_second = 0;
    size_t at = index_partitions_find(now, rows[0]->partition);
    if (at == now->n || now->numbers[now->n - 1] == INT64_MAX) return corrupt_partitions(err);
    int64_t second = now->numbers[now->n - 1] + 1;
    unsigned char *is_cut = memory_realloc(placing->is_cut, now->n + 1, sizeof *is_cut);
    float *centroids = memory_alloc(2, dimensions * sizeof *centroids);
    if (is_cut != NULL) placing->is_cut = is_cut;
    int rc = is_cut == NULL || centroids == NULL ? error_nomem(err) : 0;
    gather_points(placing, begin, n);
    if (rc == 0)
        rc = index_partitions_split(placing->points, n, dimensions, placing->sides, centroids,
                                    placing->store->cancel, err);
    if (rc == 0) rc = index_partitions_add(now, second, centroids + dimensions, err);
    if (rc == 0) {
        memcpy(now->centroids + at * dimensions, centroids, dimensions * sizeof *centroids);
        is_cut[at] = is_cut[now->n - 1] = 1;
        *n_first = 0;
        for (size_t i = 0; i < n; i++) {
            if (placing->sides[i]) {
                rows[i]->partition = second;
                placing->beyond[n_second++] = rows[i];
            } else {
                rows[(*n_first)++] = rows[i];
            }
        }
        memcpy(rows + *n_first, placing->beyond, n_second * sizeof(struct block_row *));
    }
    memory_free(centroids);
    return rc;
}

static int cut_until_small(struct placing *placing, size_t begin, size_t n, struct error *err)
{
    while (n > 1 && n > placement_limit(placing->store, placing->state, placing->now->n)) {
        size_t n_first = 0;
        int rc = make_two(placing, begin, n, &n_first, err);
        if (rc == 0) rc = cut_until_small(placing, begin + n_first, n - n_first, err);
        if (rc != 0) return rc;
        n = n_first;
    }
    return 0;
}

/* Rows [begin, begin + n) of a partition that is new go to another one where that is nearer. */
static int move_out(struct placing *placing, size_t begin, size_t n, struct error *err)
{
    struct index_partitions *now = placing->now, *near = NULL;
    struct block_row **rows = placing->rows + begin;
    size_t at = index_partitions_find(now, rows[0]->partition);
    int rc = index_partitions_near(now, at, NEIGHBOURS, &near, err);
    gather_points(placing, begin, n);
    if (rc == 0)
        rc = index_partitions_assign(near, placing->points, n, store_threads(placing->store),
                                     placing->places, placing->store->cancel, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rows[i]->partition = near->numbers[placing->places[i]];
    index_partitions_free(near);
    return rc;
}

/* Where the rows of the partition of rows[begin] end. */
static size_t end_of(const struct placing *placing, size_t begin)
{
    int64_t partition = placing->rows[begin]->partition;
    while (begin < placing->n_rows && placing->rows[begin]->partition == partition) begin++;
    return begin;
}

/* The rows of a partition that is too large with them come into memory, while there is room; what
 * has none is cut when it is written to again. *n_bytes: of them all. */
static int take_out_too_large(struct placing *placing, size_t begin, size_t end, size_t *n_bytes,
                              struct error *err)
{
    struct store *store = placing->store;
    int64_t number = placing->rows[begin]->partition, size;
    size_t n_partitions = store->partitions->n, n = placing->n_stored;
    int rc = store_ask(store, STORE_N_ROWS_OF_PARTITION, number, placing->after, &size, err);
    if (rc != 0) return rc;
    size_t all = (size > 0 ? (size_t)size : 0) + (end - begin);
    if (all <= placement_limit(store, placing->state, n_partitions)) return 0;
    *n_bytes += all * placing->state->dimensions * sizeof(float);
    if (n > 0 && *n_bytes > MAX_BYTES) return 0;
    struct stored *stored = memory_realloc(placing->stored, n + 1, sizeof *stored);
    if (stored == NULL) return error_nomem(err);
    placing->stored = stored;
    stored[n] = (struct stored){.number = number};
    placing->n_stored++;
    return take_out(store, placing->state, &stored[n], placing->after, err);
}

/* The rows given, in order. */
static int list_given(struct placing *placing, struct block_row *given, size_t n_given,
                      struct error *err)
{
    placing->rows = memory_alloc(n_given, sizeof(struct block_row *));
    if (placing->rows == NULL) return error_nomem(err);
    for (size_t i = 0; i < n_given; i++) placing->rows[placing->n_rows++] = &given[i];
    qsort(placing->rows, placing->n_rows, sizeof(struct block_row *), compare_rows);
    return 0;
}

/* With what was taken out for them, in order again; and room to work on them. */
static int add_stored(struct placing *placing, struct error *err)
{
    const struct index_partitions *before = placing->store->partitions;
    size_t n = placing->n_rows;
    for (size_t i = 0; i < placing->n_stored; i++) n += placing->stored[i].n_rows;
    struct block_row **rows = memory_realloc(placing->rows, n, sizeof(struct block_row *));
    if (rows == NULL) return error_nomem(err);
    placing->rows = rows;
    for (size_t i = 0; i < placing->n_stored; i++)
        for (size_t j = 0; j < placing->stored[i].n_rows; j++)
            rows[placing->n_rows++] = &placing->stored[i].rows[j];
    qsort(rows, placing->n_rows, sizeof(struct block_row *), compare_rows);
    placing->points = memory_alloc(n, before->dimensions * sizeof *placing->points);
    placing->sides = memory_alloc(n, sizeof *placing->sides);
    placing->places = memory_alloc(n, sizeof *placing->places);
    placing->beyond = memory_alloc(n, sizeof(struct block_row *));
    placing->is_cut = memory_zalloc(before->n, sizeof *placing->is_cut);
    if (placing->points == NULL || placing->sides == NULL || placing->places == NULL ||
        placing->beyond == NULL || placing->is_cut == NULL)
        return error_nomem(err);
    return index_partitions_copy(before, &placing->now, err);
}

/* Cuts what was taken out, then sees which rows lie nearer to another partition now: once, when
 * all are there. */
static int cut_all(struct placing *placing, struct error *err)
{
    int rc = 0;
    size_t begin = 0, s = 0;
    for (size_t end; rc == 0 && s < placing->n_stored; begin = end) {
        end = end_of(placing, begin);
        if (placing->rows[begin]->partition != placing->stored[s].number) continue;
        placing->stored[s].first = begin;
        placing->stored[s++].end = end;
        rc = cut_until_small(placing, begin, end - begin, err);
    }
    index_partitions_ready(placing->now);
    for (s = 0; rc == 0 && s < placing->n_stored; s++) {
        begin = placing->stored[s].first;
        for (size_t end; rc == 0 && begin < placing->stored[s].end; begin = end) {
            end = end_of(placing, begin);
            rc = move_out(placing, begin, end - begin, err);
        }
    }
    return rc;
}

/* The partitions after all cuts become those of the table. */
static int save_cuts(struct placing *placing, struct error *err)
{
    struct index_partitions *now = placing->now;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < now->n; i++)
        if (placing->is_cut[i]) rc = put_centroid(placing->store, now, i, err);
    if (rc != 0) return rc;
    placing->now = NULL;
    return take(placing->store, placing->state, now, err);
}

/* Rows in order into blocks, partition by partition. */
static int append(struct placing *placing, struct error *err)
{
    const struct index_partitions *partitions = placing->store->partitions;
    struct block_row *rows = memory_alloc(placing->n_rows, sizeof *rows);
    int rc = rows == NULL ? error_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < placing->n_rows; i++) rows[i] = *placing->rows[i];
    for (size_t begin = 0, end; rc == 0 && begin < placing->n_rows; begin = end) {
        end = end_of(placing, begin);
        size_t at = index_partitions_find(partitions, rows[begin].partition);
        struct block_target target = {rows[begin].partition, placing->after,
                                      partitions->centroids + at * partitions->dimensions};
        rc = blocks_append(placing->store, placing->state, &target, rows + begin, end - begin, err);
    }
    for (size_t i = 0; rc == 0 && i < placing->n_rows; i++) placing->rows[i]->block = rows[i].block;
    memory_free(rows);
    return rc;
}

/* ---- placing --------------------------------------------------------------------------------- */

/* The first rows make the first partition. */
static int begin_partitions(struct store *store, struct store_state *state, const float *points,
                            size_t n_points, struct error *err)
{
    struct index_partitions *made;
    int rc = index_partitions_new(1, state->dimensions, &made, err);
    if (rc != 0) return rc;
    made->numbers[0] = 1;
    index_centroid(points, n_points, state->dimensions, made->centroids);
    return placement_replace(store, state, made, err);
}

/* The nearest of the partitions of rows, whose points are given. */
static int assign(struct store *store, const struct index_partitions *partitions,
                  struct block_row *rows, size_t n_rows, const float *points, struct error *err)
{
    uint32_t *places = memory_alloc(n_rows, sizeof *places);
    if (places == NULL) return error_nomem(err);
    int rc = index_partitions_assign(partitions, points, n_rows, store_threads(store), places,
                                     store->cancel, err);
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        rows[i].partition = partitions->numbers[places[i]];
    memory_free(places);
    return rc;
}

/* The points of rows: [n_rows, dimensions], which the caller frees. */
static float *make_points(const struct index_layout *layout, const struct block_row *rows,
                          size_t n_rows)
{
    float *points = memory_alloc(n_rows, layout->dimensions * sizeof *points);
    for (size_t i = 0; points != NULL && i < n_rows; i++)
        index_vector_point(layout, rows[i].stored, points + i * layout->dimensions);
    return points;
}

int placement_find(struct store *store, const struct store_state *state, struct block_row *rows,
                   size_t n_rows, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    const struct index_partitions *partitions;
    int rc = placement_read(store, state, &partitions, err);
    if (rc != 0) return rc;
    for (size_t i = 0; i < n_rows; i++) rows[i].partition = partitions->numbers[0];
    if (partitions->n == 1) return 0;
    float *points = make_points(&layout, rows, n_rows);
    rc = points == NULL ? error_nomem(err) : assign(store, partitions, rows, n_rows, points, err);
    memory_free(points);
    return rc;
}

/* Rows whose nearest partition is known. */
static int place(struct store *store, struct store_state *state, struct block_row *rows,
                 size_t n_rows, int64_t after, struct error *err)
{
    struct placing placing = {.store = store, .state = state, .after = after};
    size_t n_bytes = 0;
    int rc = list_given(&placing, rows, n_rows, err);
    for (size_t begin = 0, end; rc == 0 && begin < n_rows; begin = end) {
        end = end_of(&placing, begin);
        rc = take_out_too_large(&placing, begin, end, &n_bytes, err);
    }
    if (rc == 0 && placing.n_stored > 0) {
        rc = add_stored(&placing, err);
        if (rc == 0) rc = cut_all(&placing, err);
        if (rc == 0) rc = save_cuts(&placing, err);
        if (rc == 0) qsort(placing.rows, placing.n_rows, sizeof(struct block_row *), compare_rows);
    }
    if (rc == 0) rc = append(&placing, err);
    for (size_t i = 0; rc == 0 && i < placing.n_stored && notes_moves(store); i++)
        rc = placement_move(store, placing.stored[i].rows, placing.stored[i].n_rows, err);
    placing_deinit(&placing);
    return rc;
}

int placement_place(struct store *store, struct store_state *state, struct block_row *rows,
                    size_t n_rows, int64_t after, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_target target = {.after = after};
    if (n_rows == 0) return 0;
    if (!store_is_partitioned(store))
        return blocks_append(store, state, &target, rows, n_rows, err);
    float *points = make_points(&layout, rows, n_rows);
    if (points == NULL) return error_nomem(err);
    for (size_t i = 0; i < n_rows; i++) rows[i].rotated = points + i * layout.dimensions;
    const struct index_partitions *partitions;
    int rc = placement_read(store, state, &partitions, err);
    if (rc == 0 && partitions == NULL) {
        rc = begin_partitions(store, state, points, n_rows, err);
        partitions = store->partitions;
    }
    if (rc == 0) rc = assign(store, partitions, rows, n_rows, points, err);
    if (rc == 0) rc = place(store, state, rows, n_rows, after, err);
    memory_free(points);
    return rc;
}
