#include "store/vectors_change.h"

#include <string.h>

#include "base/memory.h"
#include "store/loading.h"
#include "store/vectors.h"

/* Rows of blocks that differ, at most: one in so many, or so many bytes of vectors. */
#define CHANGED_SHARE 4
#define CHANGED_BYTES ((size_t)16 << 20)

/* A block of vectors that has grown to so many times as many rows as a new one has is cut. */
#define GROWTH 2

/* Rows read between two looks at the cancel token. */
#define ROWS_PER_POLL 256

struct changing {
    struct store_reader *reader;
    const struct index_snapshot *older; /* of vectors */
    struct index_snapshot *made;        /* those that follow it */
    struct ids before, after; /* rows of blocks that differ, in the older and in the newer */
    size_t capacity;          /* rows of a new block */
    size_t vector_size;
    unsigned char *vectors; /* [after.n, vector_size] as they are now; owned */
    int is_known;           /* what has changed */
};

/* ---- which rows ------------------------------------------------------------------------------ */

static int add_ids(const struct index_layout *layout, const struct index_block *block,
                   const void *bytes, struct ids *ids, struct error *err)
{
    struct index_rows rows = index_block_rows(layout, (void *)(uintptr_t)bytes, block->capacity);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < block->n; i++) rc = ids_add(ids, rows.ids[i], err);
    return rc;
}

static int add_before(struct changing *changing, const struct index_block *block, struct error *err)
{
    const void *bytes = index_block_data(block);
    if (bytes == NULL) changing->is_known = 0;
    return bytes == NULL ? 0
                         : add_ids(&changing->reader->layout, block, bytes, &changing->before, err);
}

static int add_after(struct changing *changing, struct index_block *block, struct error *err)
{
    const void *bytes = index_block_data(block);
    int stay, rc = 0;
    if (bytes == NULL) rc = loading_load(changing->reader, block, NULL, &bytes, &stay, err);
    return rc == 0 ? add_ids(&changing->reader->layout, block, bytes, &changing->after, err) : rc;
}

/* The rows of all blocks that only one of two lists has. */
static int find_rows(struct changing *changing, const struct index_snapshot *older,
                     struct error *err)
{
    struct index_snapshot *newer = changing->reader->snapshot;
    size_t i = 0, j = 0, most = newer->n_rows / CHANGED_SHARE;
    int rc = 0;
    if (most < CHANGED_BYTES / changing->vector_size) most = CHANGED_BYTES / changing->vector_size;
    while (rc == 0 && changing->is_known && (i < older->n_blocks || j < newer->n_blocks)) {
        const struct index_block *a = i < older->n_blocks ? &older->blocks[i] : NULL;
        struct index_block *b = j < newer->n_blocks ? &newer->blocks[j] : NULL;
        int order = a == NULL ? 1 : b == NULL ? -1 : index_block_compare(a, b);
        int is_same = order == 0 && index_block_is_same(a, b);
        if (order <= 0 && !is_same) rc = add_before(changing, a, err);
        if (rc == 0 && order >= 0 && !is_same) rc = add_after(changing, b, err);
        i += order <= 0;
        j += order >= 0;
        if (changing->before.n > most || changing->after.n > most) changing->is_known = 0;
    }
    ids_sort(&changing->before);
    ids_sort(&changing->after);
    return rc;
}

/* ---- their vectors --------------------------------------------------------------------------- */

/* Off the file the run that an id is in: the next one, as ids ascend, or else it is looked for. 0:
 * it cannot be read so. */
static int read_run(struct table_rows *rows, int64_t id, size_t vector_size, unsigned char *bytes,
                    size_t room, struct run *run)
{
    for (int looks = run->n == 0; looks < 2; looks++) {
        int more;
        run->n = 0;
        if ((looks && !table_rows_seek(rows, id)) || !table_rows_next(rows, &more) || !more)
            return 0;
        size_t size = rows->row.size;
        struct run next = run_of(rows->row.id, size, vector_size);
        if (rows->row.id > id || size > room || next.places == 0) continue;
        if (!table_rows_take(rows, bytes, size)) return 0;
        next.bytes = bytes;
        run_count(&next);
        *run = next;
        if (run_find(run, id) < run->n) return 1;
    }
    run->n = 0;
    return 0;
}

/* The vectors of the rows after the write, off the file or by SQLite. */
static int read_vectors(struct changing *changing, struct error *err)
{
    struct store_reader *reader = changing->reader;
    size_t size = changing->vector_size, room = 16 * (size + sizeof(int64_t));
    unsigned char *bytes = memory_alloc(room, 1);
    struct run run = {0};
    const struct waiting_rows *waiting;
    changing->vectors = memory_alloc(changing->after.n, size);
    int rc = bytes == NULL || changing->vectors == NULL ? error_nomem(err) : 0;
    if (rc == 0) rc = loading_waiting(reader, &waiting, err);
    if (rc == 0) rc = vectors_open_file(reader, changing->after.n * size, err);
    int can_read = rc == 0 && table_file_is_current(&reader->vectors.file);
    for (size_t i = 0; rc == 0 && i < changing->after.n; i++) {
        int64_t id = changing->after.items[i];
        unsigned char *to = changing->vectors + i * size;
        const void *waits = waiting_find(waiting, id);
        size_t at = run_find(&run, id);
        if (waits == NULL && can_read && at == run.n &&
            read_run(&reader->rows[0], id, size, bytes, room, &run))
            at = run_find(&run, id);
        if (waits != NULL) memcpy(to, waits, size);
        else if (at < run.n) memcpy(to, run_vector(&run, at), size);
        else rc = runs_get(reader->store, id, size, to, err);
        if (rc == 0 && i % ROWS_PER_POLL == 0) rc = cancel_check(reader->store->cancel, err);
    }
    memory_free(bytes);
    return rc;
}

/* ---- a block --------------------------------------------------------------------------------- */

/* A block of the older vectors, and which of the rows are in its range. */
struct part {
    const struct index_block *block;
    size_t before, n_before, after, n_after; /* of `before` and `after` */
    size_t n;                                /* rows that it has now */
};

/* The place of the first id from that one on. */
static size_t place_from(const struct ids *ids, int64_t id)
{
    size_t low = 0, high = ids->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ids->items[middle] < id) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct part part_of(const struct changing *changing, const struct index_block *block)
{
    const struct index_snapshot *older = changing->older;
    const struct ids *before = &changing->before, *after = &changing->after;
    int is_last = block == &older->blocks[older->n_blocks - 1];
    struct part part = {.block = block,
                        .before = place_from(before, block->number),
                        .after = place_from(after, block->number)};
    part.n_before = (is_last ? before->n : place_from(before, block[1].number)) - part.before;
    part.n_after = (is_last ? after->n : place_from(after, block[1].number)) - part.after;
    part.n = block->n + part.n_after - part.n_before;
    return part;
}

static struct index_rows rows_of(const struct index_snapshot *vectors,
                                 const struct index_block *block)
{
    return index_block_rows(&vectors->layout, (void *)(uintptr_t)index_block_data(block),
                            block->capacity);
}

/* Whether its rows are what they were. */
static int is_unchanged(const struct changing *changing, const struct part *part)
{
    const int64_t *before = changing->before.items + part->before,
                  *after = changing->after.items + part->after;
    size_t size = changing->vector_size;
    if (part->n_before != part->n_after ||
        (part->n_after > 0 && memcmp(before, after, part->n_after * sizeof *after) != 0))
        return 0;
    if (part->n_after == 0) return 1;
    if (index_block_data(part->block) == NULL) return 0;
    struct index_rows rows = rows_of(changing->older, part->block);
    for (size_t i = 0; i < part->n_after; i++) {
        size_t at = ids_find(rows.ids, part->block->n, after[i]);
        if (at == part->block->n || memcmp(rows.components + at * size,
                                           changing->vectors + (part->after + i) * size, size) != 0)
            return 0;
    }
    return 1;
}

struct member {
    int64_t id;
    const unsigned char *vector;
};

/* The rows that stay, and those that are new or another now, ascending: [part->n]. 0: the vectors
 * are not those of the older snapshot, whose rows are damaged. */
static int merge(const struct changing *changing, const struct part *part, struct member *members)
{
    const int64_t *before = changing->before.items + part->before,
                  *after = changing->after.items + part->after;
    struct index_rows old = rows_of(changing->older, part->block);
    size_t size = changing->vector_size, i = 0, j = 0, n = 0, n_gone = 0;
    while (i < part->block->n || j < part->n_after) {
        int is_gone = i < part->block->n && ids_has(before, part->n_before, old.ids[i]);
        n_gone += is_gone != 0;
        i += is_gone != 0;
        if (is_gone) continue;
        int stays = i < part->block->n && (j == part->n_after || old.ids[i] < after[j]);
        if (n == part->n || (!stays && j == part->n_after)) return 0;
        members[n++] =
            stays ? (struct member){old.ids[i], old.components + i * size}
                  : (struct member){after[j], changing->vectors + (part->after + j) * size};
        i += stays != 0;
        j += stays == 0;
        if (n > 1 && members[n - 1].id <= members[n - 2].id) return 0;
    }
    return n_gone == part->n_before;
}

/* A block of those rows, in memory if there is room. */
static void write_block(const struct changing *changing, const struct member *members, size_t n,
                        struct index_block *block)
{
    struct store *store = changing->reader->store;
    struct index_snapshot *made = changing->made;
    block->n = block->capacity = n;
    block->version = made->generation;
    struct index_bytes *bytes = index_bytes_new(
        store->cache, made, index_block_size(&made->layout, n), store_memory_budget(store));
    if (bytes == NULL) return;
    struct index_rows rows = index_block_rows(&made->layout, index_bytes_data(bytes), n);
    for (size_t i = 0; i < n; i++) {
        rows.ids[i] = members[i].id;
        memcpy(rows.components + i * rows.stride, members[i].vector, rows.stride);
    }
    index_snapshot_keep(block, bytes);
}

/* What becomes of a block: one, or some if it has grown. */
static int change(struct changing *changing, const struct part *part, struct error *err)
{
    struct index_snapshot *made = changing->made;
    size_t n_blocks = part->n >= GROWTH * changing->capacity ? part->n / changing->capacity : 1;
    struct member *members = memory_alloc(part->n, sizeof *members);
    if (members == NULL) return error_nomem(err);
    changing->is_known = merge(changing, part, members);
    for (size_t i = 0; changing->is_known && i < n_blocks; i++) {
        size_t first = part->n * i / n_blocks, end = part->n * (i + 1) / n_blocks;
        struct index_block *block = &made->blocks[made->n_blocks++];
        block->number = i == 0 ? part->block->number : members[first].id;
        write_block(changing, members + first, end - first, block);
    }
    memory_free(members);
    return 0;
}

/* The same of one that stays, or that is not in memory. */
static void carry(const struct changing *changing, const struct part *part, int is_unchanged)
{
    struct index_snapshot *made = changing->made;
    made->blocks[made->n_blocks++] =
        (struct index_block){.number = part->block->number,
                             .version = is_unchanged ? part->block->version : made->generation,
                             .n = part->n,
                             .capacity = part->n};
}

/* What becomes of the i-th block. */
static int change_block(struct changing *changing, size_t i, struct error *err)
{
    const struct index_block *block = &changing->older->blocks[i];
    struct part part = part_of(changing, block);
    int is_here = index_block_data(block) != NULL, stays = is_unchanged(changing, &part), rc = 0;
    /* Of one that is not here, what blocks of codes say is not believed. */
    if (!is_here && part.n_before + part.n_after > 0)
        rc = vectors_count(changing->reader, changing->older, block, &part.n, err);
    size_t most = 2 * GROWTH * changing->capacity;
    if (rc != 0 || (!is_here && part.n > block->n && part.n > most)) changing->is_known = 0;
    else if (part.n > 0 && (stays || !is_here)) carry(changing, &part, stays);
    else if (part.n > 0) rc = change(changing, &part, err);
    changing->made->n_rows += part.n;
    return rc;
}

static int change_all(struct changing *changing, struct error *err)
{
    struct index_snapshot *made = changing->made;
    int rc = 0;
    for (size_t i = 0; rc == 0 && changing->is_known && i < changing->older->n_blocks; i++)
        rc = change_block(changing, i, err);
    if (made->n_blocks > 0) made->blocks[0].number = INT64_MIN;
    return rc;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* The vectors of the snapshot are those of the older one, but for rows that are now known. */
static int make(struct changing *changing, struct error *err)
{
    struct store_reader *reader = changing->reader;
    struct index_snapshot *snapshot = reader->snapshot, *none = NULL;
    size_t n_rows = snapshot->n_rows;
    int rc = read_vectors(changing, err);
    if (rc == 0) rc = vectors_check(reader, err);
    if (rc != 0) return rc;
    changing->made = index_snapshot_new(&changing->older->layout, snapshot->generation,
                                        changing->older->n_blocks + n_rows / changing->capacity);
    if (changing->made == NULL) return error_nomem(err);
    changing->made->n_blocks = 0;
    rc = change_all(changing, err);
    if (rc != 0 || !changing->is_known || changing->made->n_rows != n_rows) return rc;
    index_snapshot_take_over(reader->store->cache, changing->made, changing->older);
    if (atomic_compare_exchange_strong(&snapshot->vectors, &none, changing->made))
        changing->made = NULL;
    return 0;
}

int vectors_take_over(struct store_reader *reader, const struct index_snapshot *older,
                      struct error *err)
{
    struct index_layout layout;
    struct error failure = {0};
    struct changing changing = {
        .reader = reader, .older = atomic_load(&older->vectors), .is_known = 1};
    atomic_store(&reader->snapshot->n_fetched, atomic_load(&older->n_fetched));
    if (changing.older == NULL || !vectors_may_stay(reader) ||
        !index_layout_is_same(&older->layout,
                              &reader->layout)) /* of another index, once so named */
        return 0;
    layout = changing.older->layout;
    changing.vector_size = index_vector_size(&layout);
    changing.capacity = index_block_capacity(&layout, reader->snapshot->n_rows);
    int rc = find_rows(&changing, older, &failure);
    if (rc == 0 && changing.is_known) rc = make(&changing, &failure);
    /* Whoever wants what is damaged is told by the read that finds out. */
    if (rc == ERROR_CORRUPT || rc == ERROR_INVALID) rc = 0;
    if (rc != 0 && err != NULL) *err = failure;
    vectors_close(reader);
    ids_deinit(&changing.before);
    ids_deinit(&changing.after);
    memory_free(changing.vectors);
    index_snapshot_free(changing.made);
    return rc;
}
