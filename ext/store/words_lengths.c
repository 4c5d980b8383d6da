#include "store/words_lengths.h"

#include "base/memory.h"
#include "store/statements.h"

/* Reading all costs as much as looking up one in so many. */
#define ALL_SHARE 8

/* Numbers of documents lie close together if one in so many is there. */
#define FEWEST_SHARE 4

/* Room on either side of them, at least. */
#define LEAST_ROOM 64

#define ROWS_PER_POLL 4096

static void forget(struct words_lengths *lengths)
{
    memory_free(lengths->lengths);
    *lengths = (struct words_lengths){0};
}

int words_lengths_begin(struct store *store, uint64_t version, size_t n_documents, int goes_on,
                        struct error *err)
{
    if (store->lengths == NULL) store->lengths = memory_zalloc(1, sizeof *store->lengths);
    if (store->lengths == NULL) return error_nomem(err);
    struct words_lengths *lengths = store->lengths;
    size_t before = lengths->n_documents;
    /* When they have become many more there may be no room for the new ones. */
    if (lengths->version != version &&
        (!goes_on || n_documents < before || n_documents - before > before / ALL_SHARE))
        forget(lengths);
    if (lengths->version == 0) lengths->n_documents = n_documents;
    lengths->version = version;
    return 0;
}

void words_lengths_free(struct words_lengths *lengths)
{
    if (lengths != NULL) forget(lengths);
    memory_free(lengths);
}

/* ---- one ------------------------------------------------------------------------------------- */

int words_lengths_read(const unsigned char *bytes, size_t size, int64_t *length)
{
    *length = 0;
    for (size_t i = 0; i < size && i < 5; i++) {
        *length = *length << 7 | (bytes[i] & 0x7F);
        if (bytes[i] < 0x80) return i + 1 == size;
    }
    return 0;
}

static int look_up(struct store *store, int64_t document, int64_t *length, struct error *err)
{
    sqlite3_stmt *row;
    const void *bytes = NULL;
    size_t size = 0;
    int found, rc = store_look_up(store, KEPT_WORDS_LENGTH, document, &row, &found, err);
    if (rc == 0 && found) rc = statement_column_bytes(row, 0, &bytes, &size, err);
    if (rc == 0 && !words_lengths_read(bytes, size, length))
        rc = error_set(err, ERROR_CORRUPT,
                       "%s_fts_docsize: document %lld: its length is not there ('rebuild' makes it "
                       "anew)",
                       store->name, (long long)document);
    if (found) sqlite3_reset(row);
    return rc;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* Room for all, if they are to be kept. */
static int make_room(struct store *store, struct error *err)
{
    struct words_lengths *lengths = store->lengths;
    sqlite3_stmt *range;
    int row = 0, rc = store_keep(store, KEPT_WORDS_RANGE, &range, err);
    lengths->is_placed = 1;
    if (rc == 0) rc = statement_step(store->db, range, &row, err);
    if (rc != 0 || !row) return rc;
    int64_t first = sqlite3_column_int64(range, 0), last = sqlite3_column_int64(range, 1);
    uint64_t distance = (uint64_t)last - (uint64_t)first;
    sqlite3_reset(range);
    if (distance / FEWEST_SHARE >= lengths->n_documents) return 0;
    /* And for those that are added before and behind them. */
    uint64_t more = distance / ALL_SHARE + LEAST_ROOM, n = distance + 1 + 2 * more;
    if (first < INT64_MIN + (int64_t)more) return 0;
    lengths->lengths = memory_zalloc((size_t)n, sizeof *lengths->lengths);
    if (lengths->lengths == NULL) return error_nomem(err);
    lengths->first = first - (int64_t)more;
    lengths->n = (size_t)n;
    return 0;
}

/* What cannot be read is left out, for look_up() to tell. */
static int read_all(struct store *store, struct error *err)
{
    struct words_lengths *lengths = store->lengths;
    sqlite3_stmt *rows;
    int row = 1, rc = store_keep(store, KEPT_WORDS_LENGTHS, &rows, err);
    for (size_t i = 1; rc == 0 && row; i++) {
        const void *bytes;
        size_t size;
        int64_t length;
        rc = statement_step(store->db, rows, &row, err);
        if (rc == 0 && row) rc = statement_column_bytes(rows, 1, &bytes, &size, err);
        if (rc != 0 || !row) continue;
        uint64_t place = (uint64_t)sqlite3_column_int64(rows, 0) - (uint64_t)lengths->first;
        if (place < lengths->n && words_lengths_read(bytes, size, &length) && length <= UINT32_MAX)
            lengths->lengths[place] = (uint32_t)length;
        if (i % ROWS_PER_POLL == 0) rc = cancel_check(store->cancel, err);
    }
    sqlite3_reset(rows);
    return rc;
}

static int keep_all(struct store *store, struct error *err)
{
    int rc = read_all(store, err);
    if (rc != 0) forget(store->lengths); /* they may not be all */
    else store->lengths->is_read = 1;
    return rc;
}

int words_lengths_find(struct store *store, int64_t document, int64_t *length, struct error *err)
{
    struct words_lengths *lengths = store->lengths;
    int rc = 0;
    if (lengths == NULL || lengths->version == 0) return look_up(store, document, length, err);
    if (!lengths->is_placed) rc = make_room(store, err);
    if (rc == 0) *length = words_lengths_kept(lengths, document);
    if (rc != 0 || *length > 0) return rc;
    if (lengths->n > 0 && !lengths->is_read &&
        lengths->n_asked++ > lengths->n_documents / ALL_SHARE) {
        rc = keep_all(store, err);
        *length = rc == 0 ? words_lengths_kept(lengths, document) : 0;
        if (rc != 0 || *length > 0) return rc;
    }
    rc = look_up(store, document, length, err);
    uint64_t place = (uint64_t)document - (uint64_t)lengths->first;
    if (rc == 0 && place < lengths->n && *length <= UINT32_MAX)
        lengths->lengths[place] = (uint32_t)*length;
    return rc;
}
