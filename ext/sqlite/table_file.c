#include "sqlite/table_file.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/file_handle.h"
#include "sqlite/page_numbers.h"
#include "sqlite/shared_cache.h"
#include "sqlite/statement.h"
#include "sqlite/table_node.h"

/* The first page begins with what the whole file has. */
#define HEADER_BYTES 100
#define SMALLEST_USABLE 480

/* What it has of zeros, which encryption that leaves out the first bytes does not. */
#define ZEROS_AT 72
static const unsigned char zeros[20];

/* ---- bytes ----------------------------------------------------------------------------------- */

static int read_bytes(const struct table_reader *reader, void *bytes, size_t size, int64_t offset)
{
    return reader->file->pMethods->xRead(reader->file, bytes, (int)size, offset) == SQLITE_OK;
}

int table_file_pages(const struct table_file *table, size_t number, int64_t first, size_t n)
{
    const struct table_reader *reader = &table->readers[number];
    return first > 0 && first <= table->n_pages && (int64_t)n <= table->n_pages - first + 1 &&
           !wal_pages_have(&table->log, first, n) &&
           read_bytes(reader, reader->pages, n * table->page_size,
                      (first - 1) * (int64_t)table->page_size);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* Whether this connection's transaction reads, and nothing is written in it, nor may be by one that
 * shares the cache. */
static int may_read(const struct table_file *table, sqlite3_file *file)
{
    int lock = SQLITE_LOCK_EXCLUSIVE;
    return sqlite3_txn_state(table->db, table->schema) == SQLITE_TXN_READ && file != NULL &&
           file->pMethods->xFileControl(file, SQLITE_FCNTL_LOCKSTATE, &lock) == SQLITE_OK &&
           lock <= SQLITE_LOCK_SHARED && !shared_cache_has_others(table->db);
}

/* A number that is another after each transaction that wrote, by whatever connection. */
static int read_version(const struct table_file *table, unsigned *version)
{
    return sqlite3_file_control(table->db, table->schema, SQLITE_FCNTL_DATA_VERSION, version) ==
           SQLITE_OK;
}

/* What the write-ahead log has: a file in that mode has one. Another may have one that was left
 * beside it, which SQLite reads, too. *known = 0: it is not to be read. */
static int read_log(struct table_file *table, int is_wal, size_t most, int *known,
                    struct error *err)
{
    sqlite3_file *log = NULL;
    sqlite3_int64 size = 0;
    *known = 0;
    if (sqlite3_file_control(table->db, table->schema, SQLITE_FCNTL_JOURNAL_POINTER, &log) !=
        SQLITE_OK)
        return 0;
    int is_open = log != NULL && log->pMethods != NULL;
    if (is_open && log->pMethods->xFileSize(log, &size) != SQLITE_OK) return 0;
    *known = size == 0 && (is_open || !is_wal);
    if (*known || !is_wal || !is_open || (uint64_t)size > most) return 0;
    return wal_pages_read(&table->log, log, table->page_size, known, err);
}

/* Reads what the file says of itself; *known = 0: it is not what the transaction sees. */
static int look(struct table_file *table, size_t most_log, int *known, struct error *err)
{
    unsigned char header[HEADER_BYTES];
    struct table_reader *reader = &table->readers[0];
    sqlite3_int64 size;
    reader->file = file_handle_of(table->db, table->schema);
    *known = 0;
    if (!may_read(table, reader->file) || !read_version(table, &table->version) ||
        !read_bytes(reader, header, sizeof header, 0) ||
        reader->file->pMethods->xFileSize(reader->file, &size) != SQLITE_OK ||
        memcmp(header, "SQLite format 3", 16) != 0 ||
        memcmp(header + ZEROS_AT, zeros, sizeof zeros) != 0)
        return 0;
    int is_wal = header[18] == 2 && header[19] == 2;
    if (!is_wal && (header[18] != 1 || header[19] != 1)) return 0;
    table->page_size = page_read_16(header + 16) == 1 ? 65536 : page_read_16(header + 16);
    if (table->page_size < 512 || (table->page_size & (table->page_size - 1)) != 0) return 0;
    table->usable = table->page_size - header[20];
    table->n_pages = size / (int64_t)table->page_size;
    return table->usable < SMALLEST_USABLE ? 0 : read_log(table, is_wal, most_log, known, err);
}

int table_file_open(struct table_file *table, sqlite3 *db, const char *schema, const char *name,
                    size_t most_log, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0, known = 0;
    *table = (struct table_file){.db = db, .schema = schema};
    int rc = statement_prepare(db, &statement, err,
                               "SELECT rootpage FROM \"%w\".sqlite_master "
                               "WHERE type = 'table' AND name = '%q' COLLATE nocase",
                               schema, name);
    if (rc == 0) rc = statement_step(db, statement, &row, err);
    if (rc == 0 && row) table->root = sqlite3_column_int64(statement, 0);
    if (rc == 0 && row) rc = look(table, most_log, &known, err);
    if (rc == 0 && known) {
        table->readers[0].pages = memory_alloc(TABLE_FILE_RUN, 1);
        if (table->readers[0].pages == NULL) rc = error_nomem(err);
        else table->n_readers = 1;
    }
    sqlite3_finalize(statement);
    return rc;
}

int table_file_share(struct table_file *table, size_t n_readers, struct error *err)
{
    int rc = 0;
    while (rc == 0 && table->n_readers > 0 && table->n_readers < n_readers) {
        struct table_reader *next = &table->readers[table->n_readers];
        rc = file_handle_open(table->db, table->schema, &next->file, err);
        if (rc != 0 || next->file == NULL) return rc;
        next->pages = memory_alloc(TABLE_FILE_RUN, 1);
        if (next->pages != NULL) {
            table->n_readers++;
        } else {
            file_handle_close(next->file);
            rc = error_nomem(err);
        }
    }
    return rc;
}

void table_file_close(struct table_file *table)
{
    for (size_t i = 0; i < table->n_readers; i++) {
        if (i > 0) file_handle_close(table->readers[i].file);
        memory_free(table->readers[i].pages);
    }
    wal_pages_free(&table->log);
    *table = (struct table_file){0};
}

/* ---- the table ------------------------------------------------------------------------------- */

/* Reads the leaf that has the row, if there is one; *number: its page. */
static int find_leaf(const struct table_file *table, int64_t id, int64_t *number,
                     struct table_node *node, size_t *cell)
{
    const struct table_reader *reader = &table->readers[0];
    *number = table->root;
    for (int level = 0; level < TABLE_MOST_LEVELS; level++) {
        if (!table_file_pages(table, 0, *number, 1) ||
            !table_node_open(node, reader->pages, *number, table->usable) ||
            !table_node_find(node, id, cell))
            return 0;
        if (node->is_leaf) return *cell < node->n_cells;
        *number = table_node_child(node, *cell);
    }
    return 0;
}

int table_file_is_current(const struct table_file *table)
{
    if (table->n_readers == 0) return 0;
    sqlite3_file *file = file_handle_of(table->db, table->schema);
    unsigned version;
    return file == table->readers[0].file && may_read(table, file) &&
           read_version(table, &version) && version == table->version;
}

int table_file_find(struct table_file *table, int64_t id, size_t size, struct table_place *place)
{
    struct table_node node;
    struct table_blob blob;
    size_t cell;
    int64_t leaf;
    if (!table_file_is_current(table) || !find_leaf(table, id, &leaf, &node, &cell) ||
        !table_node_blob(&node, cell, &blob) || blob.id != id || blob.size != size)
        return 0;
    place->at = (leaf - 1) * (int64_t)table->page_size + (blob.here - node.bytes);
    place->next = blob.next;
    place->n_here = blob.n_here;
    return 1;
}

/* ---- a blob ---------------------------------------------------------------------------------- */

/* The rest of one, on pages each of which says which is next: usually the one behind it. As many
 * are read as may follow each other so, fewer where they did not. */
static int read_overflow(const struct table_file *table, size_t reader,
                         const struct table_place *place, unsigned char *to, size_t left)
{
    const size_t page_size = table->page_size, in_page = table->usable - 4;
    const size_t room = TABLE_FILE_RUN / page_size;
    size_t most = room;
    int64_t next = place->next;
    while (left > 0) {
        size_t n = (left + in_page - 1) / in_page, i = 0;
        int64_t first = next;
        if (n > most) n = most;
        if (first > 0 && first <= table->n_pages && (int64_t)n > table->n_pages - first + 1)
            n = (size_t)(table->n_pages - first + 1);
        if (!table_file_pages(table, reader, first, n)) return 0;
        for (; i < n && left > 0 && next == first + (int64_t)i; i++) {
            const unsigned char *page = table->readers[reader].pages + i * page_size;
            size_t size = left < in_page ? left : in_page;
            memcpy(to, page + 4, size);
            to += size;
            left -= size;
            next = page_read_32(page);
        }
        most = i == n || 2 * i > room ? room : 2 * i;
    }
    return 1;
}

int table_file_read(const struct table_file *table, size_t reader, const struct table_place *place,
                    void *bytes, size_t size)
{
    const struct table_reader *by = &table->readers[reader];
    unsigned char *to = bytes;
    return read_bytes(by, to, place->n_here, place->at) &&
           (place->n_here == size ||
            read_overflow(table, reader, place, to + place->n_here, size - place->n_here));
}
