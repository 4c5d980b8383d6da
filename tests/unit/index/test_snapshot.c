#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/each_allocation.h"
#include "index/snapshot.h"

enum { ROWS = 512, BLOCK_SIZE = ROWS * (8 + 4 * 16) };

static const struct index_layout layout = {INDEX_COSINE, INDEX_EXACT, 16, INDEX_FLOAT32};

/* Blocks 1 to n, four of a partition; of version 1 until changed. */
static struct index_snapshot *make(int64_t generation, size_t n)
{
    struct index_snapshot *snapshot = index_snapshot_new(&layout, generation, n);
    assert_non_null(snapshot);
    for (size_t i = 0; i < n; i++) {
        snapshot->blocks[i].number = (int64_t)i + 1;
        snapshot->blocks[i].partition = (int64_t)i / 4;
        snapshot->blocks[i].version = 1;
        snapshot->blocks[i].n = snapshot->blocks[i].capacity = ROWS;
        snapshot->n_rows += ROWS;
    }
    return snapshot;
}

static struct index_cache *open_cache(const char *name)
{
    struct index_cache *cache;
    assert_int_equal(index_cache_open(name, &cache, NULL), 0);
    assert_non_null(cache);
    return cache;
}

/* Leaves bytes, all of one value, with a block; whether there was room. */
static int keep(struct index_cache *cache, struct index_snapshot *snapshot, size_t i, int value,
                uint64_t budget)
{
    struct index_bytes *bytes = index_bytes_new(cache, snapshot, BLOCK_SIZE, budget);
    if (bytes == NULL) return 0;
    assert_int_equal((uintptr_t)index_bytes_data(bytes) % 64, 0);
    memset(index_bytes_data(bytes), value, BLOCK_SIZE);
    const unsigned char *data = index_snapshot_keep(&snapshot->blocks[i], bytes);
    assert_ptr_equal(data, index_block_data(&snapshot->blocks[i]));
    return 1;
}

static void keep_all(struct index_cache *cache, struct index_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n_blocks; i++)
        assert_true(keep(cache, snapshot, i, (int)i + 1, UINT64_MAX));
}

static int holds(const struct index_snapshot *snapshot, size_t i, int value)
{
    const unsigned char *data = index_block_data(&snapshot->blocks[i]);
    return data != NULL && data[0] == value && memcmp(data, data + 1, BLOCK_SIZE - 1) == 0;
}

/* ---- sharing --------------------------------------------------------------------------------- */

static void test_shared_by_name(void **state)
{
    (void)state;
    struct index_cache *a = open_cache("file\nix"), *b = open_cache("file\nix"),
                       *other = open_cache("file\nix2");
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, other);
    struct index_snapshot *snapshot = make(7, 10);
    assert_null(index_cache_find(a, 7));
    index_cache_publish(a, snapshot);
    keep_all(a, snapshot);
    struct index_snapshot *found = index_cache_find(b, 7);
    assert_ptr_equal(found, snapshot);
    assert_null(index_cache_find(b, 8));
    assert_null(index_cache_find(other, 7));
    index_snapshot_free(snapshot);
    index_cache_close(a);
    assert_true(holds(found, 9, 10)); /* it lives as long as someone has it */
    index_snapshot_free(found);
    found = index_cache_find(b, 7);
    assert_non_null(found);
    index_snapshot_free(found);
    index_cache_close(b);
    /* Nobody has it open any more: the next one begins anew. */
    a = open_cache("file\nix");
    assert_null(index_cache_find(a, 7));
    index_cache_close(a);
    index_cache_close(other);
    index_cache_close(NULL);
}

static void test_without_a_cache(void **state)
{
    (void)state;
    struct index_snapshot *snapshot = make(7, 3);
    assert_null(index_cache_find(NULL, 7));
    index_cache_publish(NULL, snapshot);
    assert_null(index_bytes_new(NULL, snapshot, BLOCK_SIZE, UINT64_MAX));
    assert_null(index_block_data(&snapshot->blocks[0]));
    index_bytes_free(NULL);
    index_snapshot_free(snapshot);
    index_snapshot_free(NULL);
    snapshot = make(1, 0);
    index_snapshot_free(snapshot);
}

/* The next snapshot takes over what did not change, and nothing else. */
static void test_take_over(void **state)
{
    (void)state;
    struct index_cache *cache = open_cache("t");
    struct index_snapshot *first = make(1, 12), *second = make(2, 12), *third = make(3, 9);
    index_cache_publish(cache, first);
    keep_all(cache, first);
    second->blocks[2].version = 2;
    second->blocks[3].n--;
    second->blocks[4].capacity++;
    second->blocks[7].number = 70;
    second->blocks[11].partition = 5;
    index_cache_publish(cache, second);
    for (size_t i = 0; i < 12; i++) {
        int changed = i == 2 || i == 3 || i == 4 || i == 7 || i == 11;
        if (changed) assert_null(index_block_data(&second->blocks[i]));
        else
            assert_ptr_equal(index_block_data(&second->blocks[i]),
                             index_block_data(&first->blocks[i]));
    }
    assert_null(index_cache_find(cache, 1));
    index_snapshot_free(first);
    assert_true(holds(second, 0, 1) && holds(second, 10, 11));
    /* Gone blocks, and new ones between: the order is by partition, then number. */
    third->blocks[0].partition = -4;
    third->blocks[8].number = 12;
    third->blocks[8].partition = 2;
    index_cache_publish(cache, third);
    assert_null(index_block_data(&third->blocks[0]));
    assert_true(holds(third, 1, 2));
    assert_null(index_block_data(&third->blocks[8]));
    index_snapshot_free(second);
    index_snapshot_free(third);
    index_cache_close(cache);
}

/* Which snapshots keep what is read: not the first of a process that only reads. */
static void test_known(void **state)
{
    (void)state;
    struct index_cache *read = open_cache("read"), *written = open_cache("written");
    struct index_snapshot *first = make(1, 1), *second = make(2, 1), *own = make(1, 1);
    index_cache_publish(read, first);
    assert_false(atomic_load(&first->is_known));
    index_cache_publish(read, second); /* another generation */
    assert_true(atomic_load(&second->is_known));
    assert_false(atomic_load(&first->is_known));
    index_cache_written(NULL);
    index_cache_written(written);
    index_cache_publish(written, own);
    assert_true(atomic_load(&own->is_known));
    index_snapshot_free(second);
    second = make(2, 1);
    index_cache_close(read);
    read = open_cache("read");
    index_cache_publish(read, second);
    assert_false(atomic_load(&second->is_known));
    index_snapshot_free(index_cache_find(read, 2)); /* the same again */
    assert_true(atomic_load(&second->is_known));
    index_snapshot_free(first);
    index_snapshot_free(second);
    index_snapshot_free(own);
    index_cache_close(read);
    index_cache_close(written);
}

static void test_first_bytes_stay(void **state)
{
    (void)state;
    struct index_cache *cache = open_cache("t");
    struct index_snapshot *snapshot = make(1, 2);
    assert_true(keep(cache, snapshot, 0, 1, UINT64_MAX));
    assert_true(keep(cache, snapshot, 0, 2, UINT64_MAX));
    assert_true(holds(snapshot, 0, 1));
    index_bytes_free(index_bytes_new(cache, snapshot, BLOCK_SIZE, UINT64_MAX));
    assert_null(index_block_data(&snapshot->blocks[1]));
    index_snapshot_free(snapshot);
    index_cache_close(cache);
}

static void test_partitions(void **state)
{
    (void)state;
    struct index_snapshot *snapshot = make(1, 14);
    size_t first;
    for (int64_t partition = 0; partition < 4; partition++) {
        assert_int_equal(index_snapshot_partition(snapshot, partition, &first),
                         partition == 3 ? 2 : 4);
        assert_int_equal(first, 4 * partition);
    }
    assert_int_equal(index_snapshot_partition(snapshot, -1, &first), 0);
    assert_int_equal(first, 0);
    assert_int_equal(index_snapshot_partition(snapshot, INT64_MAX, &first), 0);
    assert_int_equal(first, 14);
    index_snapshot_free(snapshot);
}

/* ---- the budget ------------------------------------------------------------------------------ */

static size_t keep_within(struct index_cache *cache, struct index_snapshot *snapshot,
                          uint64_t budget)
{
    size_t n = 0;
    for (size_t i = 0; i < snapshot->n_blocks; i++)
        if (index_block_data(&snapshot->blocks[i]) == NULL)
            n += (size_t)keep(cache, snapshot, i, 1, budget);
    return n;
}

static void test_budget(void **state)
{
    (void)state;
    struct index_cache *cache = open_cache("t");
    struct index_snapshot *snapshot = make(1, 400);
    assert_int_equal(keep_within(cache, snapshot, 0), 0);
    assert_int_equal(keep_within(cache, snapshot, BLOCK_SIZE - 1), 0);
    uint64_t budget = 0;
    size_t kept = 0;
    for (budget = 1 << 16; kept < 400 && budget < (uint64_t)1 << 30; budget *= 2) {
        kept += keep_within(cache, snapshot, budget);
        assert_true((uint64_t)kept * BLOCK_SIZE <= budget);
    }
    assert_int_equal(kept, 400);
    assert_true(budget <= (uint64_t)400 * BLOCK_SIZE * 8);
    index_snapshot_free(snapshot);
    index_cache_close(cache);
    /* All of it came back. */
    cache = open_cache("u");
    snapshot = make(1, 400);
    assert_int_equal(keep_within(cache, snapshot, budget), 400);
    index_snapshot_free(snapshot);
    index_cache_close(cache);
}

/* As keep_within, while the other cache is searched between any two blocks. */
static size_t keep_while_busy(struct index_cache *cache, struct index_snapshot *snapshot,
                              uint64_t budget, struct index_cache *busy)
{
    size_t n = 0;
    for (size_t i = 0; i < snapshot->n_blocks; i++) {
        index_snapshot_free(index_cache_find(busy, 1));
        n += (size_t)keep(cache, snapshot, i, 1, budget);
    }
    return n;
}

/* A cache that was idle for a second makes way for one that is read; a busy one does not. */
static void test_idle_caches_make_way(void **state)
{
    (void)state;
    uint64_t budget = (uint64_t)24 << 20;
    struct index_cache *idle = open_cache("idle"), *mine = open_cache("mine");
    struct index_snapshot *old = make(1, 500), *new = make(1, 500);
    index_cache_publish(idle, old);
    index_snapshot_free(index_cache_find(idle, 1));
    assert_int_equal(keep_within(idle, old, budget), 500);
    index_snapshot_free(old);
    index_cache_publish(mine, new);
    size_t n = keep_while_busy(mine, new, budget, idle);
    assert_true(n < 500);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 100000000}, NULL);
    n += keep_within(mine, new, budget);
    assert_int_equal(n, 500);
    assert_null(index_cache_find(idle, 1));
    index_snapshot_free(new);
    index_cache_close(idle);
    index_cache_close(mine);
}

/* After many writes memory is not much more than what is live. */
static void test_dead_pieces_are_emptied(void **state)
{
    (void)state;
    enum { N = 600, CHANGED = 40 };
    struct index_cache *cache = open_cache("t");
    struct index_snapshot *last = make(1, N);
    uint64_t budget = (uint64_t)92 << 20; /* the blocks are 22 MB */
    index_cache_publish(cache, last);
    keep_all(cache, last);
    for (int64_t generation = 2; generation < 60; generation++) {
        struct index_snapshot *next = make(generation, N);
        for (size_t i = 0; i < N; i++) next->blocks[i].version = last->blocks[i].version;
        for (size_t i = 0; i < CHANGED; i++)
            next->blocks[(size_t)generation * 37 % N / CHANGED * CHANGED + i].version = generation;
        index_cache_publish(cache, next);
        for (size_t i = 0; i < N; i++) {
            if (next->blocks[i].version == last->blocks[i].version)
                assert_true(holds(next, i, (int)((size_t)i + 1) & 255));
            else assert_true(keep(cache, next, i, (int)((size_t)i + 1) & 255, budget));
        }
        index_snapshot_free(last);
        last = next;
    }
    index_snapshot_free(last);
    index_cache_close(cache);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { N_THREADS = 4, N_ROUNDS = 150, N_SHARED = 20 };

static atomic_int latest;

/* Finds, publishes, keeps and looks at blocks: block i of version v holds nothing but i + v. */
static void *work(void *data)
{
    uint64_t random = (uint64_t)(uintptr_t)data;
    for (int round = 0; round < N_ROUNDS; round++) {
        struct index_cache *cache;
        if (index_cache_open("threads", &cache, NULL) != 0) return "open failed";
        random = random * 6364136223846793005u + 1442695040888963407u;
        int generation = atomic_load(&latest);
        if (random >> 61 == 0) generation = atomic_fetch_add(&latest, 1) + 1;
        struct index_snapshot *snapshot = index_cache_find(cache, generation);
        if (snapshot == NULL) {
            snapshot = make(generation, N_SHARED);
            for (size_t i = 0; i < N_SHARED; i++)
                snapshot->blocks[i].version = generation / (int)(i + 1);
            index_cache_publish(cache, snapshot);
        }
        for (size_t i = 0; i < N_SHARED; i++) {
            struct index_block *block = &snapshot->blocks[i];
            int value = (int)(i + (size_t)block->version) & 255;
            if (index_block_data(block) == NULL) {
                struct index_bytes *bytes =
                    index_bytes_new(cache, snapshot, BLOCK_SIZE, (uint64_t)1 << (20 + round % 8));
                if (bytes == NULL) continue;
                memset(index_bytes_data(bytes), value, BLOCK_SIZE);
                index_snapshot_keep(block, bytes);
            }
            if (!holds(snapshot, i, value)) return "wrong bytes";
        }
        index_snapshot_free(snapshot);
        index_cache_close(cache);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[N_THREADS];
    for (size_t i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1)), 0);
    for (size_t i = 0; i < N_THREADS; i++) {
        void *failure = NULL;
        pthread_join(threads[i], &failure);
        if (failure != NULL) fail_msg("%s", (const char *)failure);
    }
    struct index_cache *cache = open_cache("threads");
    assert_null(index_cache_find(cache, atomic_load(&latest)));
    index_cache_close(cache);
}

static atomic_int stop;

static void *open_and_close(void *data)
{
    (void)data;
    struct index_cache *cache;
    while (!atomic_load(&stop))
        if (index_cache_open("forked", &cache, NULL) == 0) index_cache_close(cache);
    return NULL;
}

/* A child may have inherited the lock taken, by a thread that it does not have: it goes on all the
 * same, without what the lock protects. */
static void test_children(void **state)
{
    (void)state;
    pthread_t threads[3];
    struct index_snapshot *snapshot = make(1, 4);
    struct index_cache *cache = open_cache("forked");
    index_cache_publish(cache, snapshot);
    keep_all(cache, snapshot);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, NULL), 0);
    for (int i = 0; i < 15; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            int right = holds(snapshot, 3, 4);
            for (int j = 0; j < 2; j++) {
                struct index_snapshot *found = index_cache_find(cache, 1);
                right &= found == NULL || holds(found, 0, 1);
                index_snapshot_free(found);
                struct index_cache *mine = NULL;
                right &= index_cache_open("forked", &mine, NULL) == 0;
                index_cache_publish(mine, snapshot);
                index_bytes_free(index_bytes_new(mine, snapshot, BLOCK_SIZE, UINT64_MAX));
                index_cache_close(mine);
            }
            _exit(right ? 0 : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    index_snapshot_free(snapshot);
    index_cache_close(cache);
}

/* ---- failures -------------------------------------------------------------------------------- */

static int open_once(void *context, struct error *err)
{
    struct index_cache *cache, *again;
    (void)context;
    int rc = index_cache_open("memory", &cache, err);
    if (rc != 0) return rc;
    rc = index_cache_open("memory", &again, err);
    index_cache_close(cache);
    if (rc == 0) index_cache_close(again);
    return rc;
}

static int snapshot_once(void *context, struct error *err)
{
    (void)context;
    struct index_snapshot *snapshot = index_snapshot_new(&layout, 1, 5);
    index_snapshot_free(snapshot);
    return snapshot == NULL ? error_nomem(err) : 0;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(each_allocation(open_once, NULL), 4);
    assert_int_equal(each_allocation(snapshot_once, NULL), 2);
    /* Without memory for a piece a block is not kept. */
    struct index_cache *cache = open_cache("t");
    struct index_snapshot *snapshot = make(1, 5);
    failing_memory_after = 0;
    assert_int_equal(keep(cache, snapshot, 0, 1, UINT64_MAX), 0);
    failing_memory_after = -1;
    assert_int_equal(keep(cache, snapshot, 0, 1, UINT64_MAX), 1);
    index_snapshot_free(snapshot);
    index_cache_close(cache);
}

static int setup(void **state)
{
    (void)state;
    failing_memory_bind();
    return 0;
}

/* Made once, counted by the budget, shared with the next snapshot, and gone with the block. */
static void test_beside(void **state)
{
    (void)state;
    struct index_cache *cache = open_cache("beside");
    struct index_snapshot *first = make(1, 3), *second = make(2, 3);
    index_cache_publish(cache, first);
    assert_null(index_block_beside(&first->blocks[0]));
    assert_null(index_block_make_beside(first, &first->blocks[0], 1000, UINT64_MAX));
    keep_all(cache, first);
    assert_null(index_block_make_beside(first, &first->blocks[0], 1000, 999));
    assert_null(index_block_make_beside(first, &first->blocks[0], (size_t)8 << 20, 1 << 20));
    unsigned char *beside = index_block_make_beside(first, &first->blocks[0], 1000, UINT64_MAX);
    assert_non_null(beside);
    assert_int_equal((uintptr_t)beside % 64, 0);
    for (size_t i = 0; i < 1000; i++) assert_int_equal(beside[i], 0);
    assert_ptr_equal(index_block_make_beside(first, &first->blocks[0], 1000, UINT64_MAX), beside);
    assert_ptr_equal(index_block_beside(&first->blocks[0]), beside);
    assert_null(index_block_beside(&first->blocks[1]));
    memset(beside, 7, 1000);
    assert_true(holds(first, 0, 1) && holds(first, 1, 2));
    second->blocks[1].version = 2;
    index_cache_publish(cache, second);
    index_snapshot_free(first);
    assert_ptr_equal(index_block_beside(&second->blocks[0]), beside);
    assert_int_equal(beside[999], 7);
    index_snapshot_free(second);
    index_cache_close(cache);
}

/* Last: nothing is left once all caches are closed. */
static void test_nothing_is_left(void **state)
{
    (void)state;
    assert_int_equal(failing_memory_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest with_threads[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_children),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_by_name),
        cmocka_unit_test(test_without_a_cache),
        cmocka_unit_test(test_take_over),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_first_bytes_stay),
        cmocka_unit_test(test_beside),
        cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_idle_caches_make_way),
        cmocka_unit_test(test_dead_pieces_are_emptied),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_nothing_is_left),
    };
    /* The failing allocator counts without a lock: it comes after the threads. */
    int failed = cmocka_run_group_tests(with_threads, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, setup, NULL);
}
