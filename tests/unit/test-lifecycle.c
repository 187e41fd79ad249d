/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A turn of the loop that takes long, as the journal gets it: stderr is a pipe that stands for the
 * stream to the journal, and the journal's socket is ours. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "common/log.h"
#include "common/message-ids.h"
#include "service/lifecycle.h"

typedef struct Fixture {
        Manager manager;
        Lifecycle *lifecycle;
        int saved_stderr, journal;
        char folder[32], path[64];
        usec_t busy; /* how long the only turn takes */
} Fixture;

static usec_t now(void)
{
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

static void open_journal(Fixture *f)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char stream[64];
        struct stat st;
        int pipes[2];

        (void) strcpy(f->folder, "/tmp/test-lifecycle-XXXXXX");
        assert_non_null(mkdtemp(f->folder));
        (void) snprintf(f->path, sizeof f->path, "%s/socket", f->folder);
        (void) strcpy(address.sun_path, f->path);
        f->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_return_code(f->journal, errno);
        assert_return_code(bind(f->journal, (struct sockaddr *) &address, sizeof address), errno);

        f->saved_stderr = dup(STDERR_FILENO);
        assert_return_code(f->saved_stderr, errno);
        assert_return_code(pipe2(pipes, O_CLOEXEC), errno);
        assert_return_code(dup2(pipes[1], STDERR_FILENO), errno);
        (void) close(pipes[0]);
        (void) close(pipes[1]);
        assert_return_code(fstat(STDERR_FILENO, &st), errno);
        (void) snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long) st.st_dev,
                (unsigned long long) st.st_ino);
        assert_return_code(setenv("JOURNAL_STREAM", stream, 1), errno);
        log_open_at("conductord", f->path);
}

static int setup(void **state)
{
        Fixture *f = calloc(1, sizeof *f);
        sigset_t signals;

        assert_non_null(f);
        *state = f;
        (void) unsetenv("NOTIFY_SOCKET");
        (void) unsetenv("WATCHDOG_USEC");
        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        (void) sigaddset(&signals, SIGHUP);
        assert_return_code(sigprocmask(SIG_BLOCK, &signals, NULL), errno);
        assert_return_code(sd_event_new(&f->manager.event), 0);
        assert_return_code(lifecycle_new(&f->lifecycle, &f->manager), 0);
        open_journal(f);
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;

        (void) dup2(f->saved_stderr, STDERR_FILENO);
        (void) close(f->saved_stderr);
        (void) close(f->journal);
        (void) unlink(f->path);
        (void) rmdir(f->folder);
        (void) unsetenv("JOURNAL_STREAM");
        log_open("test");
        lifecycle_free(f->lifecycle);
        sd_event_unref(f->manager.event);
        free(f);
        return 0;
}

static int be_busy(sd_event_source *source, void *userdata)
{
        Fixture *f = userdata;
        usec_t end = now() + f->busy;

        while (now() < end)
                ;
        return sd_event_exit(f->manager.event, EXIT_SUCCESS);
}

/* What the journal got of one turn that took so long: "" for nothing. */
static void turn(Fixture *f, usec_t busy, char *ret, size_t size)
{
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *source = NULL;
        ssize_t n;

        f->busy = busy;
        assert_return_code(sd_event_add_defer(f->manager.event, &source, be_busy, f), 0);
        assert_int_equal(lifecycle_run(f->lifecycle), EXIT_SUCCESS);
        n = recv(f->journal, ret, size - 1, 0);
        ret[MAX(n, 0)] = 0;
}

static void test_slow_turn(void **state)
{
        Fixture *f = *state;
        char text[KIB(4)], message[64];
        const char *field;
        unsigned long usec;

        turn(f, DISPATCH_SLOW_USEC + 10 * USEC_PER_MSEC, text, sizeof text);
        assert_non_null(strstr(text, "PRIORITY=4\nSYSLOG_IDENTIFIER=conductord\n"));
        assert_non_null(strstr(text, "\nMESSAGE_ID=" MESSAGE_SLOW_DISPATCH "\n"));
        field = strstr(text, "\nCONDUCTOR_DISPATCH_USEC=");
        assert_non_null(field);
        assert_int_equal(sscanf(field, "\nCONDUCTOR_DISPATCH_USEC=%lu\n", &usec), 1);
        assert_in_range(usec, f->busy, 60 * USEC_PER_SEC);
        (void) snprintf(message, sizeof message, "\nMESSAGE=A turn of the loop took %lu ms.\n",
                usec / (unsigned long) USEC_PER_MSEC);
        assert_non_null(strstr(text, message));
        /* Once. */
        assert_int_equal(recv(f->journal, text, sizeof text, 0), -1);
        assert_int_equal(errno, EAGAIN);
}

static void test_quick_turn(void **state)
{
        char text[KIB(4)];

        turn(*state, 0, text, sizeof text);
        assert_string_equal(text, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_slow_turn, setup, teardown),
                cmocka_unit_test_setup_teardown(test_quick_turn, setup, teardown),
        };

        return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
