/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client/tui/files.h"
#include "tests/skip.h"
#include "tests/unit/folder.h"

static char *folder;

typedef struct Answer {
        char *names; /* joined by blanks */
        size_t n;
        char *sentence;
        int fd;
        unsigned calls;
        FilesJob *job;
} Answer;

static void answer_done(Answer *a)
{
        files_job_free(a->job);
        free(a->names);
        free(a->sentence);
        safe_close(a->fd);
}

#define _cleanup_answer_ _cleanup_(answer_done)
#define ANSWER_INIT      ((Answer){ .fd = -EBADF })

static char *below(const char *name)
{
        return folder_below(folder, name);
}

static void make_file(const char *name, off_t size)
{
        _cleanup_free_ char *path = below(name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, size), 0);
}

/* Umasks, of which the modes of what is made do not depend. */
static mode_t umask_open = 0, umask_closed = 0777;

/* state: the umask, NULL for the usual one. */
static int setup(void **state)
{
        _cleanup_free_ char *sub = NULL, *fifo = NULL, *link = NULL;

        folder = folder_new();
        sub = below("alpha.d");
        fifo = below("fifo");
        link = below("alink");
        make_file("alpha", 5);
        make_file("beta", 0);
        make_file(".hidden", 0);
        make_file("a\nline", 0);
        assert_int_equal(mkdir(sub, 0700), 0);
        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_int_equal(symlink("alpha.d", link), 0);
        if (*state)
                (void) umask(*(const mode_t *) *state);
        return setenv("HOME", folder, 1);
}

static int teardown(void **state)
{
        (void) umask(0022);
        folder = folder_free(folder);
        return 0;
}

/* Freed by whom it calls, as a client does. */
static void on_names(const char *const *names, size_t n, void *userdata)
{
        Answer *a = userdata;
        size_t size = 1;

        a->job = files_job_free(a->job);
        for (size_t i = 0; i < n; i++)
                size += strlen(names[i]) + 1;
        a->names = calloc(1, size);
        assert_non_null(a->names);
        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        strcat(a->names, " ");
                strcat(a->names, names[i]);
        }
        a->n = n;
        a->calls++;
}

static void on_open(int fd, const Failure *failure, void *userdata)
{
        Answer *a = userdata;

        a->job = files_job_free(a->job);
        a->fd = fd;
        assert_int_equal(fd < 0, failure != NULL);
        if (failure)
                assert_int_equal(free_and_strdup(&a->sentence, failure_message(failure)), 0);
        a->calls++;
}

/* Until there is an answer, and no child is left. */
static void run(sd_event *event, const unsigned *calls)
{
        siginfo_t info;

        while (*calls == 0 || waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) >= 0)
                assert_true(sd_event_run(event, 10 * USEC_PER_SEC) > 0);
        assert_int_equal(errno, ECHILD);
}

static void complete(const char *word, const char *expected)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_answer_ Answer a = ANSWER_INIT;

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(files_complete(event, word, on_names, &a, &a.job), 0);
        run(event, &a.calls);
        assert_int_equal(a.calls, 1);
        if (expected)
                assert_string_equal(a.names, expected);
        else
                assert_int_equal(a.n, FILES_MAX);
}

static void test_complete(void **state)
{
        static const char *const cases[][2] = {
                { "~/", "alink/ alpha alpha.d/ beta fifo" },
                { "~/a", "alink/ alpha alpha.d/" },
                { "~/alpha.", "alpha.d/" },
                { "~/x", "" },
                { "~/.", ".hidden" },
                { "~/none/", "" },
                { "~/alpha/", "" },
                { "/nowhere/at/all", "" },
        };
        _cleanup_free_ char *whole = below("b");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                complete(cases[i][0], cases[i][1]);
        complete(whole, "beta");
        assert_int_equal(chdir(folder), 0);
        complete("be", "beta");
        complete("./be", "beta");
        complete("", "alink/ alpha alpha.d/ beta fifo");
        assert_int_equal(chdir("/"), 0);
}

static void test_many_names(void **state)
{
        char name[32];

        for (unsigned i = 0; i < FILES_MAX + 10; i++) {
                (void) snprintf(name, sizeof name, "alpha.d/%03u", i);
                make_file(name, 0);
        }
        complete("~/alpha.d/", NULL);
        complete("~/alpha.d/49", "490 491 492 493 494 495 496 497 498 499");
}

static void test_open(void **state)
{
        static const struct {
                const char *path, *sentence;
        } cases[] = {
                { "~/alpha", NULL },
                { "~/alpha.d", "~/alpha.d is a folder; choose a file in it." },
                { "~/fifo", "~/fifo is no regular file and cannot be attached." },
                { "/dev/zero", "/dev/zero is no regular file and cannot be attached." },
                { "~/none", "Cannot open ~/none: No such file or directory." },
                { "", "Cannot open : No such file or directory." },
                { "~/limit", NULL },
                { "~/large", "~/large is larger than 32 MiB; attach a part of it." },
                { "~/\x1b[2J", "Cannot open ~/ [2J: No such file or directory." },
        };

        make_file("limit", FILES_SIZE_MAX);
        make_file("large", FILES_SIZE_MAX + 1);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(sd_event_unrefp) sd_event *event = NULL;
                _cleanup_answer_ Answer a = ANSWER_INIT;

                assert_true(sd_event_new(&event) >= 0);
                assert_int_equal(files_open(event, cases[i].path, on_open, &a, &a.job), 0);
                run(event, &a.calls);
                assert_int_equal(a.calls, 1);
                if (cases[i].sentence)
                        assert_string_equal(strempty(a.sentence), cases[i].sentence);
                else {
                        assert_true(fcntl(a.fd, F_GETFD) & FD_CLOEXEC);
                        assert_int_equal(fcntl(a.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
                }
        }
}

static void test_freed_job_calls_nobody(void **state)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_answer_ Answer freed = ANSWER_INIT, a = ANSWER_INIT;

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(files_complete(event, "~/", on_names, &freed, &freed.job), 0);
        freed.job = files_job_free(freed.job);
        assert_int_equal(files_complete(event, "~/b", on_names, &a, &a.job), 0);
        run(event, &a.calls); /* which sees both children reaped */
        assert_int_equal(freed.calls, 0);
        assert_string_equal(a.names, "beta");
}

/* So many long names that it waits for us to read them. */
static void start_waiting_child(sd_event *event, Answer *a)
{
        char name[256];

        for (unsigned i = 0; i < FILES_MAX; i++) {
                (void) snprintf(name, sizeof name, "alpha.d/%0220u", i);
                make_file(name, 0);
        }
        assert_int_equal(files_complete(event, "~/alpha.d/", on_names, a, &a->job), 0);
}

static pid_t find_child(void)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        int pid;

        assert_true(asprintf(&path, "/proc/self/task/%i/children", (int) getpid()) >= 0);
        f = fopen(path, "re");
        if (!f)
                skip_because("the kernel does not tell");
        assert_int_equal(fscanf(f, "%d", &pid), 1);
        return pid;
}

/* One that hangs, as on a dead mount, ends with its job. */
static void test_hanging_child(void **state)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_answer_ Answer a = ANSWER_INIT;
        const unsigned any = 1;

        assert_true(sd_event_new(&event) >= 0);
        start_waiting_child(event, &a);
        assert_int_equal(kill(find_child(), SIGSTOP), 0);
        a.job = files_job_free(a.job);
        run(event, &any);
        assert_int_equal(a.calls, 0);
}

static void on_written(const Failure *failure, void *userdata)
{
        Answer *a = userdata;

        a->job = files_job_free(a->job);
        if (failure)
                assert_int_equal(free_and_strdup(&a->sentence, failure_message(failure)), 0);
        a->calls++;
}

/* expected: of the sentence, NULL for none. */
static void write_pipe(const char *path, const char *text, const char *expected)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_answer_ Answer a = ANSWER_INIT;
        int fds[2];

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_int_equal(files_write(event, path, fds[0], on_written, &a, &a.job), 0);
        safe_close(fds[0]);
        assert_int_equal(write(fds[1], text, strlen(text)), strlen(text));
        safe_close(fds[1]);
        run(event, &a.calls);
        assert_int_equal(a.calls, 1);
        if (expected)
                assert_non_null(strstr(strempty(a.sentence), expected));
        else
                assert_null(a.sentence);
}

static void test_write(void **state)
{
        _cleanup_free_ char *path = below("made");
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        char text[16] = "";

        write_pipe("~/made", "what comes out", NULL);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0 && fstat(fd, &st) >= 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(read(fd, text, sizeof text), 14);
        assert_string_equal(text, "what comes out");
        write_pipe("~/made", "", "~/made cannot be made: File exists.");
        write_pipe("~/none/made", "", "~/none/made cannot be made: No such file or directory.");
        write_pipe("~/empty", "", NULL);
}

/* A disk that is full: the sentence says so, and no half file stays. */
static void test_write_fails(void **state)
{
        _cleanup_free_ char *path = below("made");
        struct rlimit before, small;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        small = (struct rlimit){ .rlim_cur = 4, .rlim_max = before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        write_pipe(path, "what comes out", "made cannot be written: File too large.");
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_complete, setup, teardown),
                cmocka_unit_test_setup_teardown(test_many_names, setup, teardown),
                cmocka_unit_test_setup_teardown(test_open, setup, teardown),
                cmocka_unit_test_setup_teardown(test_write, setup, teardown),
                cmocka_unit_test_prestate_setup_teardown(test_write, setup, teardown, &umask_open),
                cmocka_unit_test_prestate_setup_teardown(
                        test_write, setup, teardown, &umask_closed),
                cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
                cmocka_unit_test_setup_teardown(test_freed_job_calls_nobody, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hanging_child, setup, teardown),
        };

        return cmocka_run_group_tests_name("tui-files", tests, NULL, NULL);
}
