/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "common/attachment-memory.h"
#include "service/conversation/attachment.h"

static void test_names(void **state)
{
        char longest[ATTACHMENT_NAME_MAX + 2];
        const struct {
                const char *name;
                bool valid;
        } table[] = {
                { "notes.txt", true }, { "a", true }, { "with spaces and \xc3\xa4.pdf", true },
                { "..hidden", true }, { "", false }, { ".", false }, { "..", false },
                { "a/b", false }, { "/etc/passwd", false }, { "a\nb", false },
                { "a\x1b[31m", false }, { "a\x7f", false }, { "a\xc2\x85z", false }, /* C1 */
                { "\xff", false },
                { "a\xe2\x80\xaetxt.exe", false }, /* turns the direction of writing */
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(attachment_name_is_valid(table[i].name), table[i].valid);

        memset(longest, 'x', sizeof longest);
        longest[ATTACHMENT_NAME_MAX + 1] = 0;
        assert_false(attachment_name_is_valid(longest));
        longest[ATTACHMENT_NAME_MAX] = 0;
        assert_true(attachment_name_is_valid(longest));
}

static void test_types(void **state)
{
#define BYTES(s) s, sizeof(s) - 1
        static const struct {
                const char *data;
                size_t size;
                const char *type;
        } table[] = {
                { BYTES(""), "text/plain" },
                { BYTES("Hello\n\tworld"), "text/plain" },
                { BYTES("h\xc3\xa9llo"), "text/plain" },
                { BYTES("a\0b"), "application/octet-stream" },
                { BYTES("\xff\xfe"), "application/octet-stream" },
                { BYTES("\x89PNG\r\n\x1a\nrest"), "image/png" },
                { BYTES("\x89PNG\r\n\x1a"), "application/octet-stream" },
                { BYTES("\xff\xd8\xff\xe0"), "image/jpeg" },
                { BYTES("GIF87a"), "image/gif" },
                { BYTES("GIF89a\1"), "image/gif" },
                { BYTES("GIF88a"), "text/plain" },
                { BYTES("RIFF1234WEBPVP8 "), "image/webp" },
                { BYTES("RIFF1234WAVE"), "text/plain" },
                { BYTES("RIFF"), "text/plain" },
                { BYTES("%PDF-1.7\n"), "application/pdf" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_string_equal(
                        attachment_guess_type(table[i].data, table[i].size), table[i].type);
}

static int new_memfd(const char *data, size_t size)
{
        int fd = memfd_create("test-attachment", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, data, size), (ssize_t) size);
        return fd;
}

static void test_read(void **state)
{
        StoreAttachment *a = calloc(1, sizeof *a);
        _cleanup_close_ int fd = new_memfd("Hello", 5);
        size_t counted = 0;

        assert_non_null(a);
        /* Read from the beginning, wherever the descriptor is. */
        assert_int_equal(attachment_read(fd, "hello.txt", 5, &counted, a, NULL), 0);
        assert_string_equal(a->name, "hello.txt");
        assert_string_equal(a->type, "text/plain");
        assert_int_equal(a->size, 5);
        assert_memory_equal(a->data, "Hello", 5);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 5);
        assert_int_equal(counted, 5);
        assert_int_equal(attachment_memory_used(), 5);
        store_attachments_free(a, 1);
        assert_int_equal(attachment_memory_used(), 0);
}

static void assert_refused(int fd, size_t maximum, FailureCode code)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        StoreAttachment a = { 0 };
        size_t counted = 0;

        assert_true(attachment_read(fd, "the-name", maximum, &counted, &a, &failure) < 0);
        assert_int_equal(failure.code, code);
        assert_non_null(strstr(failure_message(&failure), "the-name"));
        assert_null(a.data);
        assert_int_equal(counted, 0);
        assert_int_equal(attachment_memory_used(), 0);
}

/* Nobody else: whatever the message has. Else all together are within the limit. */
static void test_memory(void **state)
{
        static const struct {
                size_t others, own;
                bool taken;
        } table[] = {
                { 0, 0, true },
                { 0, ATTACHMENTS_SENT_MAX, true },
                { 0, 4 * ATTACHMENTS_SENT_MAX, true },
                { 1, 0, true },
                { ATTACHMENTS_SENT_MAX - 5, 0, true },
                { ATTACHMENTS_SENT_MAX - 4, 0, false },
                { ATTACHMENTS_SENT_MAX, 0, false },
                { 4 * ATTACHMENTS_SENT_MAX, 0, false },
                { 1, ATTACHMENTS_SENT_MAX - 6, true },
                { 1, ATTACHMENTS_SENT_MAX - 5, false },
        };
        _cleanup_close_ int fd = new_memfd("Hello", 5);

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                StoreAttachment *a = calloc(1, sizeof *a);
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                size_t all = table[i].others + table[i].own, own = table[i].own;
                int r;

                assert_non_null(a);
                assert_true(attachment_memory_take(all, 0, all));
                r = attachment_read(fd, "hello.txt", 5, &own, a, &failure);
                assert_int_equal(r >= 0, table[i].taken);
                if (!table[i].taken) {
                        assert_int_equal(failure.code, FAILURE_BUSY);
                        assert_non_null(strstr(failure_message(&failure), "128 MiB"));
                }
                assert_int_equal(own, table[i].own + (table[i].taken ? 5 : 0));
                assert_int_equal(attachment_memory_used(), all + (table[i].taken ? 5 : 0));
                store_attachments_free(a, 1);
                attachment_memory_give(all);
        }
        assert_int_equal(attachment_memory_used(), 0);
}

static void test_refused(void **state)
{
        _cleanup_close_ int memfd = new_memfd("Hello", 5), directory = -EBADF, path = -EBADF,
                            device = -EBADF, writer = -EBADF;
        char name[] = "/tmp/test-attachment-XXXXXX";
        int fds[2];

        assert_refused(memfd, 4, FAILURE_TOO_LARGE);

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_refused(fds[0], 100, FAILURE_INVALID_ARGUMENT);
        safe_close(fds[0]);
        safe_close(fds[1]);

        directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_refused(directory, 1000000, FAILURE_INVALID_ARGUMENT);
        device = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        assert_refused(device, 100, FAILURE_INVALID_ARGUMENT);

        writer = mkstemp(name);
        assert_true(writer >= 0);
        assert_int_equal(write(writer, "x", 1), 1);
        path = open(name, O_WRONLY | O_CLOEXEC);
        assert_true(path >= 0);
        assert_int_equal(unlink(name), 0);
        assert_refused(path, 100, FAILURE_INVALID_ARGUMENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_types),
                cmocka_unit_test(test_read),
                cmocka_unit_test(test_memory),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests_name("attachment", tests, NULL, NULL);
}
