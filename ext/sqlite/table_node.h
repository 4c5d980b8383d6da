/*
 * table_node.h: a page of a table's B-tree
 * (https://www.sqlite.org/fileformat2.html#b_tree_pages), of a table (INTEGER PRIMARY KEY, BLOB).
 *
 * Read as hostile input: 0 where it is not as the format has it.
 */
#ifndef SQLITE_TABLE_NODE_H
#define SQLITE_TABLE_NODE_H

#include <stddef.h>
#include <stdint.h>

/* Of those above the leaves and the leaves. */
#define TABLE_MOST_LEVELS 10

struct table_node {
    const unsigned char *bytes, *end; /* borrowed: of what SQLite uses */
    const unsigned char *places;      /* [n_cells] of two bytes */
    size_t n_cells;
    int is_leaf;
};

/* The page of that number, whose bytes these are. */
int table_node_open(struct table_node *node, const unsigned char *page, int64_t number,
                    size_t usable);

/* The first cell whose key is that one or above it; n_cells: there is none. */
int table_node_find(const struct table_node *node, int64_t id, size_t *cell);

/* The page below a cell, or with n_cells that of all later keys: not of a leaf. */
int64_t table_node_child(const struct table_node *node, size_t cell);

/* The row of a leaf's cell: its first bytes, the rest on pages that each say which is next. */
struct table_blob {
    int64_t id;
    size_t size;
    const unsigned char *here; /* [n_here] */
    size_t n_here;
    int64_t next; /* the first of those pages; 0: there is none */
};
int table_node_blob(const struct table_node *node, size_t cell, struct table_blob *blob);

#endif
