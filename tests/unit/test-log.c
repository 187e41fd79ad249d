/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/log.h"
#include "common/message-ids.h"

typedef struct Fixture {
        int saved_stderr;
        int end; /* what we read of a pipe, or the socket in the journal's place */
        char folder[32], path[64];
} Fixture;

static Fixture fixture;

static int setup(void **state)
{
        fixture = (Fixture){ .saved_stderr = dup(STDERR_FILENO), .end = -EBADF };
        (void) unsetenv("JOURNAL_STREAM");
        (void) unsetenv("CONDUCTOR_LOG_LEVEL");
        log_set_max_level(LOG_INFO);
        return fixture.saved_stderr < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        (void) dup2(fixture.saved_stderr, STDERR_FILENO);
        (void) close(fixture.saved_stderr);
        (void) safe_close(fixture.end);
        if (fixture.path[0]) {
                (void) unlink(fixture.path);
                (void) rmdir(fixture.folder);
        }
        (void) unsetenv("JOURNAL_STREAM");
        log_open("test");
        return 0;
}

/* Makes stderr the writing end of a pipe. */
static void stderr_to_pipe(void)
{
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
        (void) close(fds[1]);
        fixture.end = fds[0];
        assert_int_equal(fcntl(fixture.end, F_SETFL, O_NONBLOCK), 0);
}

/* The same pipe stands for the stream to the journal, and a socket of ours for the journal. */
static void stderr_to_journal(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char stream[64];
        struct stat st;

        stderr_to_pipe();
        (void) close(fixture.end);
        (void) strcpy(fixture.folder, "/tmp/test-log-XXXXXX");
        assert_non_null(mkdtemp(fixture.folder));
        (void) snprintf(fixture.path, sizeof fixture.path, "%s/socket", fixture.folder);
        (void) strcpy(address.sun_path, fixture.path);
        fixture.end = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fixture.end, (struct sockaddr *) &address, sizeof address), 0);

        assert_int_equal(fstat(STDERR_FILENO, &st), 0);
        (void) snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long) st.st_dev,
                (unsigned long long) st.st_ino);
        (void) setenv("JOURNAL_STREAM", stream, 1);
        log_open_at("test", fixture.path);
}

static const char *received(size_t *ret_size)
{
        static char text[KIB(64)];
        ssize_t n = read(fixture.end, text, sizeof text - 1);

        n = MAX(n, 0);
        text[n] = 0;
        if (ret_size)
                *ret_size = n;
        return text;
}

static void test_levels(void **state)
{
        for (int i = LOG_EMERG; i <= LOG_DEBUG; i++)
                assert_int_equal(log_level_from_string(log_level_to_string(i)), i);
        assert_string_equal(log_level_to_string(LOG_ERR), "err");
        assert_int_equal(log_level_from_string("loud"), -EINVAL);
        assert_int_equal(log_level_from_string(""), -EINVAL);
        assert_int_equal(log_level_from_string(NULL), -EINVAL);
}

static void test_level_from_environment(void **state)
{
        (void) setenv("CONDUCTOR_LOG_LEVEL", "debug", 1);
        log_open("test");
        assert_int_equal(log_get_max_level(), LOG_DEBUG);
        stderr_to_pipe();
        (void) setenv("CONDUCTOR_LOG_LEVEL", "loud", 1);
        log_open("test");
        assert_int_equal(log_get_max_level(), LOG_DEBUG);
        assert_non_null(strstr(received(NULL), "CONDUCTOR_LOG_LEVEL is no level"));
}

static void test_stderr_line(void **state)
{
        stderr_to_pipe();
        log_open("test");
        errno = ENOTTY;
        assert_int_equal(log_warning_errno(-ENOENT, "Opening %s: %m", "x"), -ENOENT);
        assert_int_equal(errno, ENOTTY);
        assert_string_equal(received(NULL), "test: Opening x: No such file or directory\n");

        log_debug("not shown");
        assert_string_equal(received(NULL), "");
        log_info("two\nlines \x1b[31m");
        assert_string_equal(received(NULL), "test: two lines [31m\n");
}

/* Writes until the pipe is full, which must not be waited for, and then reads again. */
static void fill_and_read(void)
{
        unsigned written = 0, lines = 0;
        const char *text;
        size_t n;

        assert_int_equal(fcntl(fixture.end, F_SETPIPE_SZ, 4096), 4096);
        assert_false(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);
        for (; written < 1000; written++)
                log_info("line %04u of many that nobody reads", written);

        text = received(&n);
        for (size_t i = 0; i < n; i++)
                lines += text[i] == '\n';
        assert_true(lines > 0 && lines < written);
        assert_int_equal(text[n - 1], '\n');

        log_info("again");
        text = received(NULL);
        {
                char wanted[128];

                (void) snprintf(wanted, sizeof wanted,
                        "test: again (%u lines before this one were lost)\n", written - lines);
                assert_string_equal(text, wanted);
        }
        log_info("and now");
        assert_string_equal(received(NULL), "test: and now\n");
}

static void test_full_pipe_drops_and_counts(void **state)
{
        stderr_to_pipe();
        log_open("test");
        fill_and_read();
}

/* The same when stderr cannot be opened again: here for want of descriptors. */
static void test_full_pipe_that_cannot_be_opened_again(void **state)
{
        struct rlimit saved, none;

        stderr_to_pipe();
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
        none = (struct rlimit){ .rlim_cur = 3, .rlim_max = saved.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        log_open("test");
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
        fill_and_read();
}

static void test_long_line_is_cut(void **state)
{
        static char longest[KIB(20)];
        const char *text;
        size_t n;

        memset(longest, 'x', sizeof longest - 1);
        stderr_to_pipe();
        log_open("test");
        log_info("%s", longest);
        text = received(&n);
        assert_true(n > 4000 && n <= 4096);
        assert_int_equal(text[n - 1], '\n');
}

static void test_journal_fields(void **state)
{
        const char *text;

        stderr_to_journal();
        log_struct(LOG_NOTICE, MESSAGE_REPLY_ENDED,
                ((const char *const[]){ "CONDUCTOR_REPLY=12", "CONDUCTOR_ENGINE=a=b", NULL }),
                "Reply %u ended.", 12U);
        text = received(NULL);
        assert_non_null(strstr(text, "PRIORITY=5\nSYSLOG_IDENTIFIER=test\nCODE_FILE="));
        assert_non_null(strstr(text, "\nCODE_FUNC=test_journal_fields\n"));
        assert_non_null(strstr(text, "\nMESSAGE_ID=" MESSAGE_REPLY_ENDED "\n"));
        assert_non_null(strstr(
                text, "\nCONDUCTOR_REPLY=12\nCONDUCTOR_ENGINE=a=b\nMESSAGE=Reply 12 ended.\n"));
        assert_null(strstr(text, "ERRNO="));

        assert_int_equal(log_error_errno(-EPERM, "No: %m"), -EPERM);
        text = received(NULL);
        assert_non_null(strstr(text, "\nERRNO=1\n"));
        assert_non_null(strstr(text, "\nMESSAGE=No: Operation not permitted\n"));
        assert_null(strstr(text, "MESSAGE_ID="));
}

static void test_journal_line_breaks_are_binary(void **state)
{
        static const char wanted[] = "\nFIELD\n\x03\0\0\0\0\0\0\0a\nb\nMESSAGE\n\x08\0\0\0\0\0\0\0"
                                     "one\nX=2\xff\n";
        const char *text;
        size_t n;

        stderr_to_journal();
        log_struct(LOG_INFO, NULL, ((const char *const[]){ "FIELD=a\nb", NULL }), "one\nX=2\xff");
        text = received(&n);
        assert_true(n > sizeof wanted - 1);
        assert_memory_equal(text + n - (sizeof wanted - 1), wanted, sizeof wanted - 1);
}

static void test_journal_that_does_not_read(void **state)
{
        unsigned n = 0;
        const char *text;

        stderr_to_journal();
        for (; n < 5000; n++)
                log_info("line %u", n);
        while (*(text = received(NULL)))
                n--;
        assert_true(n > 0);
        log_info("again");
        {
                char wanted[128];

                (void) snprintf(wanted, sizeof wanted,
                        "MESSAGE=again (%u lines before this one were lost)\n", n);
                assert_non_null(strstr(received(NULL), wanted));
        }
}

static void test_other_stderr_is_not_the_journal(void **state)
{
        int end;

        stderr_to_journal();
        end = TAKE_FD(fixture.end);
        stderr_to_pipe();
        log_open_at("test", fixture.path);
        log_info("to the pipe");
        assert_string_equal(received(NULL), "test: to the pipe\n");
        (void) close(end);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_levels),
                cmocka_unit_test_setup_teardown(test_level_from_environment, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stderr_line, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_pipe_drops_and_counts, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_full_pipe_that_cannot_be_opened_again, setup, teardown),
                cmocka_unit_test_setup_teardown(test_long_line_is_cut, setup, teardown),
                cmocka_unit_test_setup_teardown(test_journal_fields, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_journal_line_breaks_are_binary, setup, teardown),
                cmocka_unit_test_setup_teardown(test_journal_that_does_not_read, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_other_stderr_is_not_the_journal, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
