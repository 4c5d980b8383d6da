#include "sqlite/table_rows.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/page_numbers.h"

/* ---- pages ----------------------------------------------------------------------------------- */

static size_t most_together(const struct table_rows *rows)
{
    return TABLE_FILE_RUN / rows->table->page_size;
}

int table_rows_open(struct table_rows *rows, const struct table_file *table, size_t reader,
                    struct error *err)
{
    *rows = (struct table_rows){.table = table, .reader = reader};
    rows->pages = memory_alloc(TABLE_MOST_LEVELS, table->page_size);
    if (rows->pages == NULL) return error_nomem(err);
    rows->most = most_together(rows);
    return 0;
}

void table_rows_close(struct table_rows *rows)
{
    memory_free(rows->pages);
    *rows = (struct table_rows){0};
}

/* Reads a page with those about it; alone, where that cannot be. */
static int read_about(struct table_rows *rows, int64_t number)
{
    const struct table_file *table = rows->table;
    size_t n = rows->most;
    if (rows->n > 1 && rows->n_used < rows->n / 2) n = rows->n / 2;
    else if (rows->n > 0 && rows->n_used >= rows->n) n = 2 * rows->n;
    if (n > most_together(rows)) n = most_together(rows);
    rows->most = n;
    rows->n_used = rows->n = 0;
    if (number < 1 || number > table->n_pages) return 0;
    rows->first = (number - 1) / (int64_t)n * (int64_t)n + 1;
    if ((int64_t)n > table->n_pages - rows->first + 1)
        n = (size_t)(table->n_pages - rows->first + 1);
    if (!table_file_pages(table, rows->reader, rows->first, n)) {
        rows->first = number;
        n = 1;
        if (!table_file_pages(table, rows->reader, number, 1)) return 0;
    }
    rows->n = n;
    return 1;
}

/* A page, until the next is asked for; NULL: it cannot be read. */
static const unsigned char *read_page(struct table_rows *rows, int64_t number)
{
    int is_here = rows->n > 0 && number >= rows->first && number - rows->first < (int64_t)rows->n;
    if (!is_here && !read_about(rows, number)) return NULL;
    rows->n_used++;
    return rows->table->readers[rows->reader].pages +
           (size_t)(number - rows->first) * rows->table->page_size;
}

/* ---- the tree -------------------------------------------------------------------------------- */

/* The page below those that are open. */
static int open_level(struct table_rows *rows, int64_t number)
{
    size_t page_size = rows->table->page_size;
    if (rows->n_levels == TABLE_MOST_LEVELS) return 0;
    const unsigned char *page = read_page(rows, number);
    if (page == NULL) return 0;
    unsigned char *copy = rows->pages + rows->n_levels * page_size;
    struct table_level *level = &rows->levels[rows->n_levels++];
    level->cell = 0;
    return table_node_open(&level->node, memcpy(copy, page, page_size), number,
                           rows->table->usable);
}

static struct table_level *lowest(struct table_rows *rows)
{
    return &rows->levels[rows->n_levels - 1];
}

static int64_t child(struct table_rows *rows)
{
    return table_node_child(&lowest(rows)->node, lowest(rows)->cell);
}

/* The leaf before the one that is open, its last row; where there is none, *none = 1. */
static int step_back(struct table_rows *rows, int *none)
{
    while (rows->n_levels > 0 && lowest(rows)->cell == 0) rows->n_levels--;
    *none = rows->n_levels == 0;
    if (*none) return 1;
    lowest(rows)->cell--;
    while (!lowest(rows)->node.is_leaf) {
        if (!open_level(rows, child(rows))) return 0;
        const struct table_node *node = &lowest(rows)->node;
        if (node->is_leaf && node->n_cells == 0) return 0;
        lowest(rows)->cell = node->n_cells - (node->is_leaf ? 1 : 0);
    }
    return 1;
}

static int descend(struct table_rows *rows, int64_t id)
{
    int64_t number = rows->table->root;
    rows->n_levels = 0;
    for (;;) {
        if (!open_level(rows, number)) return 0;
        struct table_level *level = lowest(rows);
        if (!table_node_find(&level->node, id, &level->cell)) return 0;
        if (level->node.is_leaf) return 1;
        number = child(rows);
    }
}

int table_rows_seek(struct table_rows *rows, int64_t id)
{
    struct table_blob row;
    int none;
    if (!descend(rows, id)) return 0;
    const struct table_level *leaf = lowest(rows);
    if (leaf->cell < leaf->node.n_cells) {
        if (!table_node_blob(&leaf->node, leaf->cell, &row)) return 0;
        if (row.id == id) return 1;
    }
    if (!step_back(rows, &none)) return 0;
    return none ? descend(rows, INT64_MIN) : 1;
}

/* The first row of the leaf after the one that is open; *more = 0: there is none. */
static int step_on(struct table_rows *rows, int *more)
{
    do rows->n_levels--;
    while (rows->n_levels > 0 && lowest(rows)->cell == lowest(rows)->node.n_cells);
    *more = rows->n_levels > 0;
    if (!*more) return 1;
    lowest(rows)->cell++;
    while (!lowest(rows)->node.is_leaf)
        if (!open_level(rows, child(rows))) return 0;
    return lowest(rows)->node.n_cells > 0;
}

int table_rows_next(struct table_rows *rows, int *more)
{
    *more = rows->n_levels > 0;
    while (*more && lowest(rows)->cell == lowest(rows)->node.n_cells)
        if (!step_on(rows, more)) return 0;
    return !*more || table_node_blob(&lowest(rows)->node, lowest(rows)->cell++, &rows->row);
}

/* ---- a row ----------------------------------------------------------------------------------- */

int table_rows_take(struct table_rows *rows, void *bytes, size_t size)
{
    unsigned char *to = bytes;
    struct table_blob *row = &rows->row;
    while (size > 0) {
        size_t n = row->n_here < size ? row->n_here : size;
        if (to != NULL) memcpy(to, row->here, n);
        if (to != NULL) to += n;
        size -= n;
        row->here += n;
        row->n_here -= n;
        if (size == 0) break;
        const unsigned char *page = row->next == 0 ? NULL : read_page(rows, row->next);
        if (page == NULL) return 0;
        row->next = page_read_32(page);
        row->here = page + 4;
        row->n_here = rows->table->usable - 4;
    }
    return 1;
}
