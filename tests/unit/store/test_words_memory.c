/*
 * test_words_memory.c: what a connection keeps of the words of an index between searches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "store/word_index.h"
#include "store/words_memory.h"

static struct span name_of(int number, char *name, size_t size)
{
    return (struct span){name, (size_t)snprintf(name, size, "w%d", number)};
}

/* A list of n documents from that number on. */
static int make(struct words_list *list, int64_t first, size_t n, struct error *err)
{
    int rc = 0;
    *list = (struct words_list){0};
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (list->n == list->capacity) rc = words_list_grow(list, err);
        if (rc == 0) list->items[list->n++] = (struct words_posting){first + (int64_t)i, 1, 0};
    }
    return rc;
}

/* Tables of that version, of two segments, which FTS5 has written 3 pages of; 0: not known. */
static struct words_pages tables_of(uint64_t version)
{
    static struct words_segment segments[] = {{4, 1, 2}, {5, 1, 1}};
    return (struct words_pages){.is_known = version != 0,
                                .version = version,
                                .generation = (int64_t)version,
                                .is_committed = 1,
                                .n_written = 3,
                                .segments = segments,
                                .n_segments = 2};
}

static int begin(struct store *store, uint64_t version, struct error *err)
{
    struct words_pages pages = tables_of(version);
    return words_memory_begin(&store->words_memory, &pages, 0, err);
}

static void keep_within(struct store *store, uint64_t most, int number, size_t n)
{
    char name[16];
    struct words_list list;
    struct error err = {0};
    assert_int_equal(make(&list, number, n, &err), 0);
    assert_int_equal(words_memory_keep(store->words_memory, most,
                                       name_of(number, name, sizeof name), &list, &err),
                     0);
    assert_int_equal(list.n, n);
    assert_int_equal(list.items[n - 1].document, number + (int64_t)n - 1);
    words_list_empty(&list);
}

static void keep(struct store *store, int number, size_t n)
{
    keep_within(store, 10000000, number, n);
}

/* How many documents are kept; 0: it is not. */
static size_t kept(struct store *store, int number)
{
    char name[16];
    struct words_list list = {0};
    size_t n_segments;
    if (!words_memory_find(store->words_memory, name_of(number, name, sizeof name), &list,
                           &n_segments))
        return 0;
    size_t n = list.n;
    assert_int_equal(n_segments, 2);
    assert_int_equal(list.items[0].document, number);
    words_list_empty(&list);
    return n;
}

static void test_until_a_write(void **state)
{
    struct tables tables;
    struct store *store = &tables.store;
    struct error err = {0};
    struct words_list list = {0};
    (void)state;
    tables_create(&tables, &words_options);
    assert_int_equal(begin(store, 5, &err), 0);
    keep(store, 1, WORDS_MEMORY_LEAST);
    keep(store, 2, WORDS_MEMORY_LEAST - 1);
    assert_int_equal(kept(store, 1), WORDS_MEMORY_LEAST);
    assert_int_equal(kept(store, 2), 0);
    assert_int_equal(kept(store, 12), 0);
    assert_int_equal(begin(store, 5, &err), 0);
    /* Who has it keeps it. */
    size_t n_segments;
    assert_true(words_memory_find(store->words_memory, (struct span){"w1", 2}, &list, &n_segments));
    assert_int_equal(begin(store, 6, &err), 0);
    assert_int_equal(kept(store, 1), 0);
    assert_int_equal(list.items[WORDS_MEMORY_LEAST - 1].document, WORDS_MEMORY_LEAST);
    words_list_empty(&list);
    keep(store, 1, 1000);
    assert_int_equal(kept(store, 1), 1000);
    assert_int_equal(begin(store, 0, &err), 0);
    keep(store, 1, 1000);
    assert_int_equal(kept(store, 1), 0);
    tables_close(&tables);
}

/* Whether a list is still there after the tables have become these. */
static int stays(struct store *store, const struct words_pages *pages, int goes_on)
{
    struct error err = {0};
    assert_int_equal(begin(store, 0, &err), 0);
    assert_int_equal(begin(store, 5, &err), 0);
    keep(store, 1, 600);
    assert_int_equal(words_memory_begin(&store->words_memory, pages, goes_on, &err), 0);
    assert_int_equal(store->words_memory->version, pages->version);
    return kept(store, 1) == 600;
}

static void test_after_a_write(void **state)
{
    struct tables tables;
    struct words_segment segments[] = {{4, 1, 2}, {5, 1, 1}, {6, 1, 4}, {7, 1, 1}};
    struct words_pages more = tables_of(6);
    (void)state;
    tables_create(&tables, &words_options);
    struct store *store = &tables.store;
    more.segments = segments;
    more.n_segments = 4;
    more.n_written = 8;
    assert_true(stays(store, &more, 1));
    assert_int_equal(store->words_memory->n_segments, 4);
    assert_false(stays(store, &more, 0));
    more.n_written = 9; /* one more that was merged away */
    assert_false(stays(store, &more, 1));
    more.n_written = 2;
    assert_false(stays(store, &more, 1));
    more.n_written = 8;
    segments[1].first = 2; /* is being merged */
    segments[1].last = 2;
    assert_false(stays(store, &more, 1));
    segments[1] = (struct words_segment){8, 1, 1};
    assert_false(stays(store, &more, 1));
    more.n_segments = 1;
    more.n_written = 3;
    assert_false(stays(store, &more, 1));
    tables_close(&tables);
}

static void test_bounded(void **state)
{
    struct tables tables;
    struct store *store = &tables.store;
    struct error err = {0};
    (void)state;
    tables_create(&tables, &words_options);
    assert_int_equal(begin(store, 5, &err), 0);
    for (int i = 0; i < WORDS_MEMORY_LISTS + 10; i++) {
        keep(store, i, 600);
        assert_int_equal(kept(store, 0), 600); /* asked for lately */
    }
    assert_int_equal(kept(store, 1), 0);
    assert_int_equal(kept(store, 11), 600);
    assert_int_equal(store->words_memory->bytes, WORDS_MEMORY_LISTS * 600 * 16);
    /* A fourth of it is the longest list. */
    keep_within(store, 4 * 600 * 16, 100, 600);
    assert_int_equal(kept(store, 100), 600);
    keep_within(store, 4 * 600 * 16, 101, 601);
    assert_int_equal(kept(store, 101), 0);
    assert_int_equal(store->words_memory->bytes, 4 * 600 * 16);
    keep_within(store, 0, 102, 600);
    assert_int_equal(kept(store, 102), 0);
    tables_close(&tables);
}

static int keep_one(void *context, struct error *err)
{
    struct store *store = context;
    struct words_list list = {0};
    int rc = begin(store, 5, err);
    if (rc == 0) rc = make(&list, 1, 600, err);
    if (rc == 0)
        rc = words_memory_keep(store->words_memory, 1000000, (struct span){"w1", 2}, &list, err);
    words_list_empty(&list);
    words_memory_free(store->words_memory);
    store->words_memory = NULL;
    return rc;
}

static void test_out_of_memory(void **state)
{
    struct tables tables;
    (void)state;
    tables_create(&tables, &words_options);
    assert_true(each_allocation(keep_one, &tables.store) > 4);
    tables_close(&tables);
}

/* ---- lengths --------------------------------------------------------------------------------- */

/* The length of each document, after so many were asked for that all are kept, and not. */
static int read_lengths(void *context, struct error *err)
{
    struct store *store = &((struct tables *)context)->store;
    int64_t length = 0;
    int rc = words_lengths_begin(store, 7, 5, 0, err);
    for (int i = 0; rc == 0 && i < 3; i++) rc = words_lengths_find(store, 2, &length, err);
    if (rc == 0) {
        assert_int_equal(length, 8);
        assert_int_equal(words_lengths_kept(store->lengths, 2), 8);
        assert_int_equal(words_lengths_kept(store->lengths, 5), 0);
        assert_int_equal(words_lengths_kept(store->lengths, INT64_MIN), 0);
    }
    words_lengths_free(store->lengths);
    store->lengths = NULL;
    return rc;
}

static void test_lengths(void **state)
{
    struct tables tables;
    struct error err = {0};
    int64_t length;
    (void)state;
    words_create(&tables, "unicode61");
    words_add(&tables, 1, "the dark knight rises over the city");
    words_add(&tables, 2, "a knight in the dark of a castle");
    words_add(&tables, 5, "");
    assert_true(each_allocation(read_lengths, &tables) >= 2);
    /* Kept until there is another version of the tables. */
    struct store *store = &tables.store;
    assert_int_equal(words_lengths_begin(store, 7, 5, 0, &err), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(words_lengths_find(store, 1, &length, &err), 0);
    tables_execute(&tables, "UPDATE X_fts_docsize SET sz = x'0B' WHERE id = 1");
    assert_int_equal(words_lengths_begin(store, 7, 5, 0, &err), 0);
    assert_int_equal(words_lengths_find(store, 1, &length, &err), 0);
    assert_int_equal(length, 7);
    /* Documents were added since, so few that there is room for them. */
    assert_int_equal(words_lengths_begin(store, 10, 5, 1, &err), 0);
    assert_int_equal(words_lengths_find(store, 1, &length, &err), 0);
    assert_int_equal(length, 7);
    assert_int_equal(words_lengths_begin(store, 11, 4, 1, &err), 0);
    assert_int_equal(words_lengths_find(store, 1, &length, &err), 0);
    assert_int_equal(length, 11);
    tables_execute(&tables, "UPDATE X_fts_docsize SET sz = x'0C' WHERE id = 1");
    assert_int_equal(words_lengths_begin(store, 12, 6, 1, &err), 0);
    assert_int_equal(words_lengths_find(store, 1, &length, &err), 0);
    assert_int_equal(length, 12);
    tables_execute(&tables, "UPDATE X_fts_docsize SET sz = x'0B' WHERE id = 1");
    assert_int_equal(words_lengths_begin(store, 8, 5, 0, &err), 0);
    assert_int_equal(words_lengths_find(store, 1, &length, &err), 0);
    assert_int_equal(length, 11);
    /* Far apart: none is kept. */
    words_add(&tables, 1000, "far away");
    assert_int_equal(words_lengths_begin(store, 9, 6, 0, &err), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(words_lengths_find(store, 1000, &length, &err), 0);
    assert_int_equal(length, 2);
    assert_int_equal(words_lengths_kept(store->lengths, 1000), 0);
    tables_close(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_until_a_write), cmocka_unit_test(test_after_a_write),
        cmocka_unit_test(test_bounded),       cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_lengths),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
