/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "common/fd.h"

#define SIZE KIB(100) /* no multiple of what is read at once */

static int make_file(const char *data, size_t size)
{
        int fd = memfd_create("test", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(fd_write(fd, data, size), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        return fd;
}

static void test_whole(void **state)
{
        _cleanup_free_ char *data = malloc(SIZE);
        _cleanup_close_ int fd = -EBADF;
        _cleanup_buffer_ Buffer b = BUFFER_INIT(SIZE + KIB(64));

        assert_non_null(data);
        for (size_t i = 0; i < SIZE; i++)
                data[i] = (char) (i * 31 / 7);
        fd = make_file(data, SIZE);
        assert_int_equal(fd_read(fd, SIZE_MAX, &b), 0);
        assert_int_equal(b.size, SIZE);
        assert_memory_equal(b.data, data, SIZE);
}

/* So much as is asked for, and no room for more is needed. */
static void test_part(void **state)
{
        static const size_t sizes[] = { 0, 1, KIB(16) - 1, KIB(16), KIB(16) + 1, SIZE };
        _cleanup_free_ char *data = calloc(1, SIZE);
        _cleanup_close_ int fd = -EBADF;

        assert_non_null(data);
        fd = make_file(data, SIZE);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_buffer_ Buffer exact = BUFFER_INIT(sizes[i]);
                _cleanup_buffer_ Buffer small = BUFFER_INIT(sizes[i] - 1);

                assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
                assert_int_equal(fd_read(fd, sizes[i], &exact), 0);
                assert_int_equal(exact.size, sizes[i]);
                if (sizes[i] == 0)
                        continue;
                assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
                assert_int_equal(fd_read(fd, sizes[i], &small), -EFBIG);
        }
}

/* What is there already stays, and a file that is shorter than it said just ends. */
static void test_appends(void **state)
{
        _cleanup_close_ int fd = make_file("file", 4);
        _cleanup_buffer_ Buffer b = BUFFER_INIT(100);

        assert_int_equal(buffer_append_string(&b, "a "), 0);
        assert_int_equal(fd_read(fd, 50, &b), 0);
        assert_string_equal(buffer_text(&b), "a file");
}

static void test_errors(void **state)
{
        _cleanup_close_ int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_buffer_ Buffer b = BUFFER_INIT(100);

        assert_true(folder >= 0);
        assert_int_equal(fd_read(folder, 10, &b), -EISDIR);
        assert_int_equal(fd_write(folder, "x", 1), -EBADF);
        assert_int_equal(fd_write(folder, "", 0), 0);
}

/* A pipe takes a part at a time. */
static void test_written_in_parts(void **state)
{
        _cleanup_free_ char *data = calloc(1, SIZE);
        _cleanup_close_ int in = -EBADF, out = -EBADF;
        _cleanup_buffer_ Buffer b = BUFFER_INIT(SIZE);
        int fds[2];

        assert_non_null(data);
        assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
        in = fds[0];
        out = fds[1];
        assert_int_equal(fd_write(out, data, SIZE), -EAGAIN);
        assert_int_equal(fd_read(in, SIZE, &b), -EAGAIN);
        assert_in_range(b.size, 1, SIZE - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whole),
                cmocka_unit_test(test_part),
                cmocka_unit_test(test_appends),
                cmocka_unit_test(test_errors),
                cmocka_unit_test(test_written_in_parts),
        };

        return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
