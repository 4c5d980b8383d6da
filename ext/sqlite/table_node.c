#include "sqlite/table_node.h"

#include "sqlite/page_numbers.h"

#define INTERIOR 5
#define LEAF 13

/* Of records: the number that stands for NULL, and the least that stands for a blob. */
#define TYPE_NULL 0
#define TYPE_BLOB 12

int table_node_open(struct table_node *node, const unsigned char *page, int64_t number,
                    size_t usable)
{
    *node = (struct table_node){.bytes = page,
                                .end = page + usable,
                                .n_cells = page_read_16(page + 3),
                                .is_leaf = page[0] == LEAF};
    node->places = page + (node->is_leaf ? 8 : 12);
    return number != 1 && (node->is_leaf || page[0] == INTERIOR) &&
           node->n_cells <= (size_t)(node->end - node->places) / 2;
}

/* A cell from its key on: where it goes on, and of a leaf the size of its record. */
static int read_cell(const struct table_node *node, size_t i, const unsigned char **at,
                     int64_t *key, uint64_t *size)
{
    uint64_t number;
    size_t place = page_read_16(node->places + 2 * i);
    if (place >= (size_t)(node->end - node->bytes)) return 0;
    *at = node->bytes + place;
    if (node->is_leaf && !page_read_varint(at, node->end, size)) return 0;
    if (!node->is_leaf && node->end - *at < 4) return 0;
    if (!node->is_leaf) *at += 4;
    if (!page_read_varint(at, node->end, &number)) return 0;
    *key = (int64_t)number;
    return 1;
}

int table_node_find(const struct table_node *node, int64_t id, size_t *cell)
{
    size_t low = 0, high = node->n_cells;
    while (low < high) {
        const unsigned char *at;
        size_t middle = low + (high - low) / 2;
        int64_t key;
        uint64_t size;
        if (!read_cell(node, middle, &at, &key, &size)) return 0;
        if (key < id) low = middle + 1;
        else high = middle;
    }
    *cell = low;
    return 1;
}

int64_t table_node_child(const struct table_node *node, size_t cell)
{
    size_t place = cell < node->n_cells ? page_read_16(node->places + 2 * cell) : 8;
    return place + 4 > (size_t)(node->end - node->bytes) ? 0 : page_read_32(node->bytes + place);
}

/* The bytes of a record that lie in its leaf, of a page of so many. */
static size_t size_in_leaf(size_t usable, size_t size)
{
    size_t least = (usable - 12) * 32 / 255 - 23, most = usable - 35;
    if (size <= most) return size;
    size_t fits = least + (size - least) % (usable - 4);
    return fits <= most ? fits : least;
}

/* Where the blob of a record begins, and its size. */
static int open_record(const unsigned char **at, const unsigned char *end, uint64_t record_size,
                       size_t *size)
{
    const unsigned char *begin = *at;
    uint64_t head_size, key_type, type;
    if (!page_read_varint(at, end, &head_size) || !page_read_varint(at, end, &key_type) ||
        !page_read_varint(at, end, &type) || key_type != TYPE_NULL || type < TYPE_BLOB ||
        type % 2 != 0 || head_size != (uint64_t)(*at - begin))
        return 0;
    *size = (size_t)((type - TYPE_BLOB) / 2);
    return record_size == head_size + (type - TYPE_BLOB) / 2;
}

int table_node_blob(const struct table_node *node, size_t cell, struct table_blob *blob)
{
    const unsigned char *at;
    uint64_t record_size;
    if (!read_cell(node, cell, &at, &blob->id, &record_size) || record_size > INT32_MAX) return 0;
    size_t here = size_in_leaf((size_t)(node->end - node->bytes), (size_t)record_size);
    int is_cut = here < record_size;
    if ((size_t)(node->end - at) < here + (is_cut ? 4 : 0)) return 0;
    const unsigned char *end = at + here;
    if (!open_record(&at, end, record_size, &blob->size)) return 0;
    blob->here = at;
    blob->n_here = (size_t)(end - at);
    blob->next = is_cut ? page_read_32(end) : 0;
    return 1;
}
