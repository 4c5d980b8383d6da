#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/each_allocation.h"

static char folder[64], path[128];

static void put(const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_file_XXXXXX");
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/some file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void test_reads_by_position(void **state)
{
    (void)state;
    struct file file;
    struct error err = {0};
    char bytes[8] = "";
    put("0123456789", 10);
    assert_int_equal(file_open(path, &file, &err), 0);
    assert_int_equal(file.size, 10);
    assert_int_equal(fcntl((int)file.descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(file_read(&file, 3, bytes, 4, &err), 0);
    assert_memory_equal(bytes, "3456", 4);
    assert_int_equal(file_read(&file, 10, bytes, 0, &err), 0);
    assert_int_equal(file_read(&file, 7, bytes, 5, &err), ERROR_UNAVAILABLE);
    assert_string_equal(err.text, "expected 5 bytes at byte 7, not 3: the file ends there");
    assert_int_equal(file_read(&file, UINT64_MAX, bytes, 5, &err), ERROR_UNAVAILABLE);
    assert_int_equal(file_read(&file, INT64_MAX, bytes, 5, &err), ERROR_UNAVAILABLE);
    file_close(&file);
    assert_int_equal(file.descriptor, -1);
    file_close(&file);
}

static void test_a_file_that_becomes_shorter(void **state)
{
    (void)state;
    struct file file;
    struct error err = {0};
    char bytes[10];
    put("0123456789", 10);
    assert_int_equal(file_open(path, &file, &err), 0);
    assert_int_equal(truncate(path, 4), 0);
    assert_int_equal(file_read(&file, 0, bytes, 10, &err), ERROR_UNAVAILABLE);
    assert_string_equal(err.text, "expected 10 bytes at byte 0, not 4: the file ends there");
    file_close(&file);
}

/* A mapping outlives the file, and keeps what another is renamed over. */
static void test_maps(void **state)
{
    (void)state;
    struct file file;
    char other[160];
    put("", 0);
    assert_int_equal(file_open(path, &file, NULL), 0);
    assert_null(file_map(&file));
    file_close(&file);
    put("0123456789", 10);
    assert_int_equal(file_open(path, &file, NULL), 0);
    const void *mapped = file_map(&file);
    assert_non_null(mapped);
    assert_memory_equal(mapped, "0123456789", 10);
    assert_true(file_is_unchanged(&file));
    snprintf(other, sizeof other, "%s/other file", folder);
    assert_int_equal(rename(path, other), 0);
    put("9876543210", 10);
    assert_int_equal(rename(path, other), 0);
    assert_true(file_is_unchanged(&file));
    file_close(&file);
    assert_memory_equal(mapped, "0123456789", 10);
    file_unmap(mapped, 10);
    file_unmap(NULL, 10);
    assert_int_equal(unlink(other), 0);
}

static void test_knows_what_is_written_to(void **state)
{
    (void)state;
    struct file file;
    static const struct timespec earlier[2] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 5}};
    put("0123456789", 10);
    assert_int_equal(utimensat(AT_FDCWD, path, earlier, 0), 0);
    assert_int_equal(file_open(path, &file, NULL), 0);
    assert_true(file_is_unchanged(&file));
    int writer = open(path, O_WRONLY);
    assert_int_equal(write(writer, "x", 1), 1);
    close(writer);
    assert_false(file_is_unchanged(&file));
    file_close(&file);
    assert_int_equal(file_open(path, &file, NULL), 0);
    assert_int_equal(truncate(path, 4), 0);
    assert_false(file_is_unchanged(&file));
    file_close(&file);
    assert_false(file_is_unchanged(&file));
}

static void test_what_is_no_file(void **state)
{
    (void)state;
    struct file file;
    struct error err = {0};
    assert_int_equal(file_open(path, &file, &err), ERROR_UNAVAILABLE);
    assert_int_equal(file.descriptor, -1);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "No such file"));
    assert_int_equal(file_open(folder, &file, &err), ERROR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "not a regular file"));
    assert_int_equal(file_open("/dev/zero", &file, &err), ERROR_UNAVAILABLE);
    /* A pipe without a writer keeps nobody waiting. */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_open(path, &file, &err), ERROR_UNAVAILABLE);
    assert_int_equal(file.descriptor, -1);
    assert_false(file_exists(path));
    assert_int_equal(file_open(path, &file, NULL), ERROR_UNAVAILABLE);
}

static void test_exists(void **state)
{
    (void)state;
    char link[160];
    put("", 0);
    assert_true(file_exists(path));
    assert_false(file_is_folder(path));
    assert_false(file_exists(folder));
    assert_true(file_is_folder(folder));
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink("some file", link), 0);
    assert_true(file_exists(link));
    unlink(path);
    assert_false(file_exists(link));
    unlink(link);
    assert_int_equal(symlink(".", link), 0);
    assert_true(file_is_folder(link));
    unlink(link);
}

static void test_stamp(void **state)
{
    (void)state;
    char none[FILE_STAMP_SIZE], first[FILE_STAMP_SIZE], again[FILE_STAMP_SIZE],
        other[FILE_STAMP_SIZE];
    file_stamp(path, none);
    assert_string_equal(none, "");
    put("abc", 3);
    file_stamp(path, first);
    file_stamp(path, again);
    assert_string_not_equal(first, "");
    assert_string_equal(first, again);
    put("abcd", 4);
    file_stamp(path, other);
    assert_string_not_equal(first, other);
}

static int read_whole(void *context, struct error *err)
{
    struct buffer buffer;
    (void)context;
    buffer_init(&buffer, 100);
    int rc = file_read_whole(path, &buffer, err);
    if (rc == 0) assert_int_equal(buffer.size, 99);
    if (rc == 0) assert_memory_equal(buffer.data, "\0\1", 2);
    buffer_deinit(&buffer);
    return rc;
}

static void test_whole(void **state)
{
    (void)state;
    struct buffer buffer;
    struct error err = {0};
    put("\0\1 and 97 bytes that follow: "
        "......................................................................",
        99);
    assert_int_equal(each_allocation(read_whole, NULL), 1);
    buffer_init(&buffer, 98);
    assert_int_equal(file_read_whole(path, &buffer, &err), ERROR_INVALID);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "more than 98 bytes"));
    assert_int_equal(file_read_whole(path, &buffer, NULL), ERROR_INVALID);
    assert_int_equal(buffer.size, 0);
    put("", 0);
    assert_int_equal(file_read_whole(path, &buffer, &err), 0);
    assert_int_equal(buffer.size, 0);
    unlink(path);
    assert_int_equal(file_read_whole(path, &buffer, &err), ERROR_UNAVAILABLE);
    buffer_deinit(&buffer);
    assert_int_equal(failing_memory_blocks, 0);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_by_position, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_file_that_becomes_shorter, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_maps, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_knows_what_is_written_to, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_is_no_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_exists, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_stamp, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_whole, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
