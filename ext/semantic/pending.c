#include "semantic/pending.h"

#include <string.h>

#include "base/memory.h"

int pending_any_vector(const struct pending_row *rows, size_t n_rows)
{
    size_t i = 0;
    while (i < n_rows && rows[i].vector == NULL) i++;
    return i < n_rows;
}

void pending_row_deinit(struct pending_row *row)
{
    memory_free(row->text);
    memory_free(row->refused);
    memory_free(row->vector);
}

static size_t *bucket_of(const struct semantic_pending *pending, int64_t id)
{
    uint64_t mixed = (uint64_t)id * 0x9e3779b97f4a7c15u;
    return &pending->buckets[(mixed >> 32) & (pending->capacity - 1)];
}

/* Rows are taken out of their buckets in the opposite order. */
static void link_row(struct semantic_pending *pending, size_t i)
{
    size_t *bucket = bucket_of(pending, pending->rows[i].id);
    pending->rows[i].before = *bucket;
    *bucket = i + 1;
}

static void unlink_last(struct semantic_pending *pending)
{
    const struct pending_row *row = &pending->rows[--pending->n_rows];
    *bucket_of(pending, row->id) = row->before;
}

static void drop_rows(struct semantic_pending *pending, size_t n_rows)
{
    while (pending->n_rows > n_rows) {
        unlink_last(pending);
        pending_row_deinit(&pending->rows[pending->n_rows]);
    }
    if (pending->n_flushed > n_rows) pending->n_flushed = n_rows;
}

static size_t size_of(const struct pending_row *row)
{
    return row->text_size + row->dimensions * sizeof(float);
}

static void count_bytes(struct semantic_pending *pending)
{
    pending->n_bytes = 0;
    for (size_t i = pending->n_flushed; i < pending->n_rows; i++)
        pending->n_bytes += size_of(&pending->rows[i]);
}

static int grow(struct semantic_pending *pending, struct error *err)
{
    size_t capacity = pending->capacity == 0 ? 16 : pending->capacity * 2;
    struct pending_row *rows = memory_realloc(pending->rows, capacity, sizeof *rows);
    if (rows == NULL) return error_nomem(err);
    pending->rows = rows;
    size_t *buckets = memory_zalloc(capacity, sizeof *buckets);
    if (buckets == NULL) return error_nomem(err);
    memory_free(pending->buckets);
    pending->buckets = buckets;
    pending->capacity = capacity;
    for (size_t i = 0; i < pending->n_rows; i++) link_row(pending, i);
    return 0;
}

int pending_add(struct semantic_pending *pending, struct pending_row *row, struct error *err)
{
    if (pending->n_rows == pending->capacity && grow(pending, err) != 0) {
        pending_row_deinit(row);
        return ERROR_NOMEM;
    }
    pending->rows[pending->n_rows] = *row;
    link_row(pending, pending->n_rows++);
    pending->n_bytes += size_of(row);
    return 0;
}

const struct pending_row *pending_find(const struct semantic_pending *pending, int64_t id)
{
    if (pending->capacity == 0) return NULL;
    for (size_t i = *bucket_of(pending, id); i > pending->n_flushed;
         i = pending->rows[i - 1].before)
        if (pending->rows[i - 1].id == id) return &pending->rows[i - 1];
    return NULL;
}

/* Where the rows at the end begin that are about to change, and may not have yet. */
static size_t find_changing(const struct semantic_pending *pending)
{
    size_t i = pending->n_rows;
    while (i > pending->n_flushed && pending->rows[i - 1].kind == PENDING_CHANGING) i--;
    return i;
}

/* Drops all rows but the first and those from `tail` on. */
static void drop_between(struct semantic_pending *pending, size_t first, size_t tail)
{
    size_t n_tail = pending->n_rows - tail;
    while (pending->n_rows > tail) unlink_last(pending);
    drop_rows(pending, first);
    for (size_t i = 0; i < n_tail; i++) {
        pending->rows[first + i] = pending->rows[tail + i];
        link_row(pending, pending->n_rows++);
    }
}

void pending_flushed(struct semantic_pending *pending)
{
    size_t keep = 0, tail = find_changing(pending);
    for (size_t i = 0; i < pending->n_marks; i++) {
        const struct pending_mark *mark = &pending->marks[i];
        if (mark->n_rows > mark->n_flushed && mark->n_rows > keep) keep = mark->n_rows;
    }
    if (keep < tail) drop_between(pending, keep, tail);
    pending->n_flushed = keep < tail ? keep : tail;
    pending->n_bytes = 0;
    pending->knows_last = 0;
    for (size_t i = 0; i < pending->n_marks; i++)
        if (pending->marks[i].n_rows > keep) pending->marks[i] = (struct pending_mark){keep, keep};
}

struct store_change pending_change(const struct pending_row *row)
{
    if (row->kind == PENDING_DELETE ||
        (row->kind >= PENDING_CHANGED && row->text == NULL && row->refused == NULL))
        return (struct store_change){.kind = STORE_DELETE, .id = row->id};
    if (row->kind == PENDING_BLANK || row->refused != NULL)
        return (struct store_change){.kind = STORE_REFUSE,
                                     .id = row->id,
                                     .hash = row->hash,
                                     .text = row->text,
                                     .text_size = row->text_size,
                                     .why = row->refused};
    return (struct store_change){.kind = STORE_PUT,
                                 .id = row->id,
                                 .hash = row->hash,
                                 .own = row->kind == PENDING_VECTOR,
                                 .text = row->text,
                                 .text_size = row->text_size,
                                 .vector = row->vector,
                                 .dimensions = row->dimensions};
}

int pending_take_text(struct pending_row *row, const struct buffer *text, const struct error *bad,
                      struct error *err)
{
    if (bad->code != 0) return pending_refuse(row, bad, err);
    row->text = memory_copy(text->data, text->size);
    row->text_size = text->size;
    return row->text == NULL ? error_nomem(err) : 0;
}

int pending_refuse(struct pending_row *row, const struct error *why, struct error *err)
{
    memory_free(row->vector);
    memory_free(row->refused);
    row->vector = NULL;
    row->dimensions = 0;
    row->by_server = why->code == ERROR_REFUSED;
    row->refused = memory_copy(why->text, strlen(why->text));
    return row->refused == NULL ? error_nomem(err) : 0;
}

struct semantic_pending *pending_new(void)
{
    struct semantic_pending *pending = memory_zalloc(1, sizeof *pending);
    if (pending != NULL) pending->references = 1;
    return pending;
}

void pending_unreference(struct semantic_pending *pending)
{
    if (pending == NULL || --pending->references > 0) return;
    pending_clear(pending);
    memory_free(pending);
}

int pending_is_held(const struct semantic_pending *pending)
{
    for (size_t i = 0; i + 1 < pending->n_marks; i++)
        if (pending->marks[i].n_rows > pending->marks[i].n_flushed) return 1;
    return 0;
}

int pending_savepoint(struct semantic_pending *pending, int number, struct error *err)
{
    size_t n = (size_t)number + 1;
    if (n > pending->marks_capacity) {
        struct pending_mark *marks = memory_realloc(pending->marks, n * 2, sizeof *marks);
        if (marks == NULL) return error_nomem(err);
        pending->marks = marks;
        pending->marks_capacity = n * 2;
    }
    if (n <= pending->n_marks) return 0; /* another connection of the index was first */
    /* Savepoints older than our part in the transaction saw an empty buffer. */
    while (pending->n_marks < n) pending->marks[pending->n_marks++] = (struct pending_mark){0, 0};
    pending->marks[number] = (struct pending_mark){pending->n_rows, pending->n_flushed};
    return 0;
}

void pending_release(struct semantic_pending *pending, int number)
{
    if (number >= 0 && pending->n_marks > (size_t)number) pending->n_marks = (size_t)number;
}

void pending_rollback_to(struct semantic_pending *pending, int number)
{
    if (number < 0) {
        pending_clear(pending);
        return;
    }
    if (pending->n_marks <= (size_t)number) return;
    struct pending_mark mark = pending->marks[number];
    pending->n_marks = (size_t)number + 1;
    drop_rows(pending, mark.n_rows);
    pending->n_flushed = mark.n_flushed;
    count_bytes(pending);
}

void pending_clear(struct semantic_pending *pending)
{
    drop_rows(pending, 0);
    memory_free(pending->rows);
    memory_free(pending->buckets);
    memory_free(pending->marks);
    *pending =
        (struct semantic_pending){.references = pending->references, .write = pending->write};
}
