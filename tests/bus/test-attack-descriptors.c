/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* File descriptors: of kinds that nobody reads, where a file is expected and where none is; and
 * those that callers keep open. */

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "tests/bus/attack.h"

#define GROWTH_MAX MIB(16)

/* The limit of the contract. */
#define PIPES_MAX 256U

/* ---- kinds ---- */

static int one_end(int fds[2], int wanted)
{
        safe_close(fds[!wanted]);
        return fds[wanted];
}

static int new_socket(const Harness *h)
{
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int new_deaf_socket(const Harness *h)
{
        int fds[2];

        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ? -1 : one_end(fds, 0);
}

/* Nothing will ever be read from it: its other end stays open elsewhere. */
static int silent = -EBADF;

static int new_silent_pipe(const Harness *h)
{
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -1;
        safe_close(silent);
        silent = fds[1];
        return fds[0];
}

static int new_ended_pipe(const Harness *h)
{
        int fds[2];

        return pipe2(fds, O_CLOEXEC) < 0 ? -1 : one_end(fds, 0);
}

static int new_pipe_to_write(const Harness *h)
{
        int fds[2];

        return pipe2(fds, O_CLOEXEC) < 0 ? -1 : one_end(fds, 1);
}

static int new_fifo(const Harness *h)
{
        _cleanup_free_ char *path = NULL;

        assert_true(asprintf(&path, "%s/fifo", h->folder) > 0);
        if (mkfifo(path, 0600) < 0 && errno != EEXIST)
                return -1;
        return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static int new_epoll(const Harness *h)
{
        return epoll_create1(EPOLL_CLOEXEC);
}

static int new_event(const Harness *h)
{
        return eventfd(0, EFD_CLOEXEC);
}

static int new_timer(const Harness *h)
{
        return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static int new_signals(const Harness *h)
{
        sigset_t none;

        (void) sigemptyset(&none);
        return signalfd(-1, &none, SFD_CLOEXEC);
}

static int new_process(const Harness *h)
{
        return (int) syscall(SYS_pidfd_open, getpid(), 0);
}

static int new_inotify(const Harness *h)
{
        return inotify_init1(IN_CLOEXEC);
}

static int new_path(const Harness *h)
{
        return open(h->log, O_PATH | O_CLOEXEC);
}

static int new_folder(const Harness *h)
{
        return open(h->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int new_zero(const Harness *h)
{
        return open("/dev/zero", O_RDONLY | O_CLOEXEC);
}

static int new_full(const Harness *h)
{
        return open("/dev/full", O_RDWR | O_CLOEXEC);
}

static int new_terminal(const Harness *h)
{
        return open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static int new_write_only(const Harness *h)
{
        return open(h->log, O_WRONLY | O_CLOEXEC);
}

/* A regular file, and yet no byte of it can be read. */
static int new_memory(const Harness *h)
{
        return open("/proc/self/mem", O_RDWR | O_CLOEXEC);
}

static int new_huge(const Harness *h)
{
        int fd = memfd_create("huge", MFD_CLOEXEC);

        return fd < 0 || ftruncate(fd, INT64_C(1) << 40) < 0 ? -1 : fd;
}

/* Of one letter, so that it is no conversation either. */
static int new_sealed(const Harness *h)
{
        int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || write(fd, "x", 1) < 1 ||
                fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
                        0)
                return -1;
        return fd;
}

static int new_unsealed(const Harness *h)
{
        int fd = memfd_create("unsealed", MFD_CLOEXEC);

        return fd < 0 || write(fd, "x", 1) < 1 ? -1 : fd;
}

static const struct {
        const char *name;
        int (*make)(const Harness *h);
        bool attached; /* it may be an attachment */
} kinds[] = {
        { "a socket", new_socket, false },
        { "a socket whose other end is closed", new_deaf_socket, false },
        { "a pipe that is silent", new_silent_pipe, false },
        { "a pipe whose other end is closed", new_ended_pipe, false },
        { "a pipe's writing end", new_pipe_to_write, false },
        { "a FIFO", new_fifo, false },
        { "an epoll", new_epoll, false },
        { "an eventfd", new_event, false },
        { "a timerfd", new_timer, false },
        { "a signalfd", new_signals, false },
        { "a process", new_process, false },
        { "an inotify", new_inotify, false },
        { "an O_PATH", new_path, false },
        { "a folder", new_folder, false },
        { "/dev/zero", new_zero, false },
        { "/dev/full", new_full, false },
        { "a terminal", new_terminal, false },
        { "a file opened to be written", new_write_only, false },
        { "a process's memory", new_memory, true }, /* of no bytes */
        { "a file of 1 TiB", new_huge, false },
        { "a sealed memfd", new_sealed, true },
        { "an unsealed memfd", new_unsealed, true },
};

static sd_bus_message *with_attachment(sd_bus *bus, const Attack *a, bool ask, int fd)
{
        sd_bus_message *m = ask ? harness_message(bus, PATH_ROOT, INTERFACE_MANAGER, "Ask")
                                : harness_message(bus, a->path, INTERFACE_CONVERSATION, "Send");

        assert_return_code(
                sd_bus_message_append(m, "sa{sv}", "@tokens=1", ask ? 2 : 1, "attachments", "a(sh)",
                        1, "name.txt", fd, "model", "s", ATTACK_MODEL),
                0);
        return m;
}

static sd_bus_message *with_import(sd_bus *bus, int fd)
{
        sd_bus_message *m = harness_message(bus, PATH_ROOT, INTERFACE_MANAGER, "Import");

        assert_return_code(sd_bus_message_append(m, "h", fd), 0);
        return m;
}

/* Answered with an error of ours that is not a limit's, or (expected) well. */
static void check_answer(
        Attack *a, sd_bus *bus, sd_bus_message *message, bool well, const char *kind)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = message;
        unsigned refused = a->n_refused;

        sd_bus_message_ref(m);
        attack_call(a, bus, m);
        attack_wait_answers(a);
        if (a->n_refused - refused != !well)
                fail_msg("%s: %s was %s", sd_bus_message_get_member(m), kind,
                        well ? "refused" : "taken");
}

static void test_kinds(void **state)
{
        Harness *h = *state;
        Attack a;

        attack_begin(&a, h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);

                harness_run_until(h, sd_bus_is_ready(bus) > 0);
                for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                        _cleanup_close_ int fd = kinds[i].make(h);
                        bool well = kinds[i].attached;

                        if (fd < 0)
                                fail_msg("%s cannot be made: %m", kinds[i].name);
                        check_answer(&a, bus, with_import(bus, fd), false, kinds[i].name);
                        check_answer(
                                &a, bus, with_attachment(bus, &a, true, fd), well, kinds[i].name);
                        check_answer(
                                &a, bus, with_attachment(bus, &a, false, fd), well, kinds[i].name);
                        attack_check_served(h);
                        silent = safe_close(silent);
                }
        }
        attack_end(&a, GROWTH_MAX,
                "descriptors of kinds that are no files, for each argument that "
                "takes one",
                ELEMENTSOF(kinds));
}

/* ---- kept by callers ---- */

static sd_bus_message *open_stream(Harness *h, sd_bus *bus, const Attack *a, uint64_t reply)
{
        return harness_call(h, bus, a->path, INTERFACE_CONVERSATION, "OpenStream", "t", reply);
}

/* Of a reply that lives: a short one that is stored is in the pipe at once, and the service is done
 * with it. */
static void test_pipes(void **state)
{
        Harness *h = *state;
        sd_bus_message *pipes[PIPES_MAX];
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *page = NULL;
        uint64_t replies[2];
        Attack a;

        attack_begin(&a, h);
        bus = harness_connect(h, VIA_PRIVATE);
        replies[0] = a.reply;
        replies[1] = harness_send(h, bus, a.path, "@fault=hold:1");
        harness_engine_wait(h, "held=1");
        for (unsigned i = 0; i < PIPES_MAX; i++)
                pipes[i] = open_stream(h, bus, &a, replies[1]);
        for (unsigned i = 0; i < 3; i++) {
                _cleanup_free_ char *sentence = NULL,
                                    *name = i < 2
                        ? harness_call_error(h, bus, &sentence, a.path, INTERFACE_CONVERSATION,
                                  "OpenStream", "t", replies[i])
                        : harness_call_error(h, bus, &sentence, a.path, INTERFACE_CONVERSATION,
                                  "Export", "s", "json");

                assert_string_equal(name, "Busy");
                assert_non_null(strstr(sentence, "256 replies and exports"));
        }
        attack_check_served(h);

        /* One is closed, and its place is free when an answer after that is there. */
        sd_bus_message_unref(pipes[0]);
        attack_check_served(h);
        pipes[0] = open_stream(h, bus, &a, replies[1]);
        for (unsigned i = 0; i < PIPES_MAX; i++)
                sd_bus_message_unref(pipes[i]);
        page = harness_engine_page(h, "/release", "");
        harness_disconnectp(&bus);
        bus = NULL;
        attack_end(&a, GROWTH_MAX, "pipes of OpenStream that are never read", PIPES_MAX);
}

/* Calls that wait for the engine, each with as many descriptors as a message takes. */
static sd_bus_message *with_descriptors(sd_bus *bus, unsigned n)
{
        sd_bus_message *m = harness_message(bus, PATH_ROOT, INTERFACE_MANAGER, "Ask");
        _cleanup_close_ int fd = memfd_create("kept", MFD_CLOEXEC);

        assert_return_code(fd, errno);
        assert_return_code(sd_bus_message_append(m, "s", "@fault=hold:1"), 0);
        assert_return_code(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
        assert_return_code(sd_bus_message_append(m, "{sv}", "model", "s", ATTACK_MODEL), 0);
        harness_append_attachments(m, "empty.txt", fd, n);
        assert_return_code(sd_bus_message_close_container(m), 0);
        return m;
}

static int on_ignored(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return 0;
}

/* More than the service may have open: it refuses what it cannot take, and nobody who is connected
 * notices. */
static void test_all_descriptors(void **state)
{
        enum { CLIENTS = 6, CALLS = 40, EACH = 16 };
        Harness *h = *state;
        const struct rlimit few = { 512, 512 };
        sd_bus *clients[CLIENTS];
        _cleanup_connection_ sd_bus *before = NULL;
        usec_t deadline = harness_now() + HARNESS_PATIENCE;
        unsigned n = 0;
        Attack a;

        attack_begin(&a, h);
        assert_return_code(prlimit(h->service, RLIMIT_NOFILE, &few, NULL), errno);
        before = harness_connect(h, VIA_SESSION);
        harness_run_until(h, sd_bus_is_ready(before) > 0);
        for (unsigned i = 0; i < CLIENTS; i++) {
                clients[i] = harness_connect(h, VIA_PRIVATE);
                /* The next one may have to wait until another goes. */
                harness_run_until(h,
                        sd_bus_is_ready(clients[i]) != 0 ||
                                harness_logged(h, "Cannot accept private connections"));
                for (unsigned k = 0; k < CALLS && sd_bus_is_ready(clients[i]) > 0; k++) {
                        _cleanup_(sd_bus_message_unrefp)
                                sd_bus_message *m = with_descriptors(clients[i], EACH);

                        (void) sd_bus_call_async(clients[i], NULL, m, on_ignored, NULL, UINT64_MAX);
                        (void) sd_bus_flush(clients[i]);
                        n += EACH;
                }
        }
        /* Whoever is connected already is served all the while. */
        sd_bus_message_unref(harness_call(
                h, before, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", "a{sv}", 0));
        for (unsigned i = 0; i < CLIENTS; i++)
                harness_disconnectp(&clients[i]);
        /* The replies go on; some begin only when others have ended. */
        while (attack_descriptors(h) > a.descriptors + 1) {
                free(harness_engine_page(h, "/release", ""));
                assert_in_range(harness_now(), 0, deadline);
                sd_bus_message_unref(harness_call(
                        h, before, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", "a{sv}", 0));
        }
        harness_disconnectp(&before);
        before = NULL;
        attack_end(&a, GROWTH_MAX, "descriptors sent to a service that may have 512", n);
}

/* ---- where none is expected ---- */

static void test_unexpected(void **state)
{
        _cleanup_(members_done) Members members = { 0 };
        Harness *h = *state;
        unsigned n = 0;
        Attack a;

        attack_begin(&a, h);
        members_read(&members);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);

                harness_run_until(h, sd_bus_is_ready(bus) > 0);
                for (size_t i = 0; i < members.n; i++) {
                        const Member *member = &members.members[i];
                        sd_bus_message *m;

                        if (member->property)
                                continue;
                        m = harness_message(
                                bus, attack_object(&a, member), member->interface, member->name);
                        for (unsigned k = 0; k < 16; k++, n++)
                                assert_return_code(sd_bus_message_append(m, "h", STDIN_FILENO), 0);
                        attack_call(&a, bus, m);
                }
                attack_wait_answers(&a);
        }
        attack_end(&a, GROWTH_MAX, "descriptors sent to each method, which expects none", n);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_kinds),
                TEST(test_pipes),
                TEST(test_all_descriptors),
                TEST(test_unexpected),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("attack-descriptors", tests, NULL, NULL);
}
