/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/doors-util.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/names.h"
#include "tests/skip.h"

static int setup(void **state)
{
        Fixture *f;

        if (fixture_setup(state) < 0)
                return -1;
        f = *state;
        return doors_listen(f->doors, f->socket) < 0 ? -1 : 0;
}

static void test_socket_is_ours_alone(void **state)
{
        Fixture *f = *state;
        char folder[256];
        struct stat st;

        assert_int_equal(stat(f->socket, &st), 0);
        assert_true(S_ISSOCK(st.st_mode));
        assert_int_equal(st.st_mode & 0777, 0600);
        (void) snprintf(folder, sizeof(folder), "%s/conductor", f->folder);
        assert_int_equal(stat(folder, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0700);
}

static void test_socket_in_use_and_stale(void **state)
{
        Fixture *f = *state;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        Doors *second;
        int fd;

        assert_int_equal(doors_new(&second, f->event, &(BusObject){ .path = "/" }, NULL, NULL), 0);
        assert_int_equal(doors_listen(second, f->socket), -EADDRINUSE);
        run_quiet(f); /* the question was a connection, which has ended */

        /* What a service that was killed leaves: a file that nobody listens on. */
        f->doors = doors_free(f->doors);
        assert_int_equal(access(f->socket, F_OK), -1);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->socket);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        (void) close(fd);
        assert_int_equal(doors_listen(second, f->socket), 0);
        doors_free(second);
}

static void test_file_is_not_replaced(void **state)
{
        Fixture *f = *state;
        char path[300];
        Doors *second;
        int fd;

        (void) snprintf(path, sizeof(path), "%s/conductor/file", f->folder);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        (void) close(fd);
        assert_int_equal(doors_new(&second, f->event, &(BusObject){ .path = "/" }, NULL, NULL), 0);
        assert_int_equal(doors_listen(second, path), -EEXIST);
        doors_free(second);
        assert_int_equal(unlink(path), 0);
}

static void test_path_too_long(void **state)
{
        Fixture *f = *state;
        char path[200] = "/";

        memset(path + 1, 'x', sizeof(path) - 2);
        assert_int_equal(doors_listen(f->doors, path), -ENAMETOOLONG);
}

static void test_call_and_numbers(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = client_open_private(f);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = client_call_wait(f, a, "Who");

        assert_int_equal(sd_bus_message_is_method_error(answer, NULL), 0);
        assert_string_equal(sd_bus_message_get_sender(answer), BUS_NAME);
        assert_int_equal(doors_private_connections(f->doors), 1);
        assert_int_equal(doors_served(f->doors), 1);
        assert_int_equal(doors_calls(f->doors), 0);
        assert_string_equal(peer_name(f->peer), "private-1");

        /* A private connection is a reason to stay, until it says that it is none. */
        assert_int_equal(doors_reasons_to_stay(f->doors), 1);
        peer_set_passive(f->peer, true);
        assert_int_equal(doors_reasons_to_stay(f->doors), 0);
        peer_set_passive(f->peer, false);
        assert_int_equal(doors_reasons_to_stay(f->doors), 1);
}

static void test_unknown_object(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = client_open_private(f);
        _cleanup_(sd_bus_message_unrefp)
                sd_bus_message *answer = client_call_wait(f, a, "NoSuchMethod");

        assert_true(sd_bus_message_is_method_error(answer, SD_BUS_ERROR_UNKNOWN_METHOD) > 0);
}

/* A libdbus client sends its first message together with BEGIN. */
static void test_message_with_begin(void **state)
{
        static const char begin_and_ping[] = "BEGIN\r\n"
                                             "l\1\0\1"
                                             "\0\0\0\0"
                                             "\1\0\0\0"
                                             "\x45\0\0\0"
                                             "\1\1o\0"
                                             "\1\0\0\0"
                                             "/\0"
                                             "\0\0\0\0\0\0"
                                             "\2\1s\0"
                                             "\x19\0\0\0"
                                             "org.freedesktop.DBus.Peer\0"
                                             "\0\0\0\0\0\0"
                                             "\3\1s\0"
                                             "\4\0\0\0"
                                             "Ping\0"
                                             "\0\0\0";
        Fixture *f = *state;
        _cleanup_close_ int fd = raw_connect(f);
        struct pollfd p = { fd, POLLIN, 0 };
        char uid[16], hello[128], answer[512] = "";
        int n;

        (void) snprintf(uid, sizeof(uid), "%u", (unsigned) geteuid());
        n = snprintf(hello, sizeof(hello), "%cAUTH EXTERNAL ", 0);
        for (const char *s = uid; *s; s++)
                n += snprintf(hello + n, sizeof(hello) - (size_t) n, "%02x", (unsigned) *s);
        n += snprintf(hello + n, sizeof(hello) - (size_t) n, "\r\n");
        assert_int_equal(write(fd, hello, (size_t) n), n);
        run_until(f, poll(&p, 1, 0) > 0);
        assert_true(read(fd, answer, sizeof(answer) - 1) > 0);
        assert_non_null(startswith(answer, "OK "));

        n = sizeof(begin_and_ping) - 1;
        assert_int_equal(write(fd, begin_and_ping, (size_t) n), n);
        run_until(f, poll(&p, 1, 0) > 0);
        assert_true(read(fd, answer, sizeof(answer)) > 16);
        assert_int_equal(answer[0], 'l');
        assert_int_equal(answer[1], SD_BUS_MESSAGE_METHOD_RETURN);
}

static void test_half_hello_goes(void **state)
{
        Fixture *f = *state;
        int fd = raw_connect(f);

        assert_int_equal(write(fd, "\0AUTH", 5), 5);
        run_until(f, doors_private_connections(f->doors) == 1);
        (void) close(fd);
        run_until(f, doors_private_connections(f->doors) == 0);
        assert_int_equal(doors_reasons_to_stay(f->doors), 0);
}

static void test_not_dbus(void **state)
{
        Fixture *f = *state;
        _cleanup_close_ int fd = raw_connect(f);
        struct pollfd p = { fd, POLLIN, 0 };

        assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
        run_until(f, poll(&p, 1, 0) > 0 && p.revents & POLLHUP);
        assert_int_equal(doors_private_connections(f->doors), 0);
}

static int on_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static void test_other_user(void **state)
{
        struct pollfd gone = { .events = POLLIN };
        sd_event_source *source = NULL;
        Fixture *f = *state;
        int status;
        pid_t pid;

        if (geteuid() != 0)
                skip_because("only root can be somebody else");
        assert_int_equal(chmod(f->folder, 0755), 0);
        assert_int_equal(chmod(f->socket, 0666), 0);
        *strrchr(f->socket, '/') = 0;
        assert_int_equal(chmod(f->socket, 0755), 0);
        f->socket[strlen(f->socket)] = '/';

        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                char c;
                int fd;

                if (setresuid(65534, 65534, 65534) < 0)
                        _exit(3);
                fd = raw_connect(f);
                _exit(read(fd, &c, 1) == 0 ? 0 : 1); /* the end, and nothing before */
        }
        gone.fd = (int) syscall(SYS_pidfd_open, pid, 0);
        assert_true(gone.fd >= 0);
        assert_true(sd_event_add_io(f->event, &source, gone.fd, EPOLLIN, on_gone, NULL) >= 0);
        run_until(f, poll(&gone, 1, 0) > 0);
        sd_event_source_disable_unref(source);
        (void) close(gone.fd);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(doors_private_connections(f->doors), 0);
}

static void test_calls_limit(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = client_open_private(f), *b = client_open_private(f);
        sd_bus_message *answers[DOORS_CALLS_MAX + 1] = { NULL }, *other = NULL;

        for (size_t i = 0; i < DOORS_CALLS_MAX; i++)
                client_call(a, "Hold", answers + i);
        run_until(f, f->n_held == DOORS_CALLS_MAX);
        for (size_t i = 0; i < DOORS_CALLS_MAX; i++)
                assert_null(answers[i]);

        client_call(a, "Hold", answers + DOORS_CALLS_MAX);
        run_until(f, answers[DOORS_CALLS_MAX]);
        assert_true(
                sd_bus_message_is_method_error(answers[DOORS_CALLS_MAX], ERROR_PREFIX "Busy") > 0);
        assert_int_equal(doors_calls(f->doors), DOORS_CALLS_MAX);

        /* The limit is each client's own, and an answer makes room. */
        client_call(b, "Hold", &other);
        run_until(f, f->n_held == DOORS_CALLS_MAX + 1);
        assert_int_equal(call_reply(f->held[0], "s", "first"), 0);
        run_until(f, answers[0]);
        f->n_held = 0;
        client_call(a, "Hold", answers);
        run_until(f, f->n_held == 1);

        for (size_t i = 1; i <= DOORS_CALLS_MAX; i++)
                assert_int_equal(call_reply(f->held[i], "s", "rest"), 0);
        run_until(f, other && answers[DOORS_CALLS_MAX - 1]);
        for (size_t i = 0; i <= DOORS_CALLS_MAX; i++)
                sd_bus_message_unref(answers[i]);
        sd_bus_message_unref(other);
}

static void test_answers(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = client_open_private(f);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *one = NULL, *two = NULL, *three = NULL,
                                                        *reply = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        const char *text;

        client_call(a, "Hold", &one);
        client_call(a, "Hold", &two);
        client_call(a, "Hold", &three);
        run_until(f, f->n_held == 3);
        assert_int_equal(doors_calls(f->doors), 3);

        assert_true(sd_bus_message_new_method_return(call_message(f->held[0]), &reply) >= 0);
        assert_true(sd_bus_message_append(reply, "s", "made") >= 0);
        assert_int_equal(call_reply_message(f->held[0], reply), 0);
        (void) failure_set(&failure, FAILURE_NO_SUCH_MODEL, "Choose another.");
        assert_int_equal(call_fail(f->held[1], &failure), 0);
        /* What cannot be sent is an error to the caller, not silence. */
        assert_true(call_reply(f->held[2], "s", "no \xff UTF-8") < 0);
        assert_int_equal(doors_calls(f->doors), 0);

        run_until(f, one && two && three);
        assert_true(sd_bus_message_read(one, "s", &text) > 0);
        assert_string_equal(text, "made");
        assert_true(sd_bus_message_is_method_error(two, ERROR_PREFIX "NoSuchModel") > 0);
        assert_string_equal(sd_bus_message_get_error(two)->message, "Choose another.");
        assert_true(sd_bus_message_is_method_error(three, NULL) > 0);
}

static void test_caller_goes(void **state)
{
        Fixture *f = *state;
        sd_bus *a = client_open_private(f);
        sd_bus_message *never = NULL;

        client_call(a, "Hold", &never);
        run_until(f, f->n_held == 1);
        client_close(a);
        run_until(f, doors_private_connections(f->doors) == 0);
        sd_bus_message_unref(never); /* told that the connection ended, or not at all */

        /* The call is still there, and its answer is nobody's. */
        assert_int_equal(doors_calls(f->doors), 1);
        assert_int_equal(call_reply(f->held[0], "s", "late"), 0);
        assert_int_equal(doors_calls(f->doors), 0);
        run_quiet(f);
}

static void test_watch(void **state)
{
        Fixture *f = *state;
        sd_bus *a = client_open_private(f), *b = client_open_private(f);

        sd_bus_message_unref(client_call_wait(f, a, "Watch"));
        assert_non_null(f->watch);
        client_close(b);
        run_until(f, doors_private_connections(f->doors) <= 1);
        assert_int_equal(f->n_gone, 0);
        client_close(a);
        run_until(f, doors_private_connections(f->doors) == 0);
        assert_int_equal(f->n_gone, 1);
        assert_null(f->watch);
}

static void test_watch_freed_before(void **state)
{
        Fixture *f = *state;
        sd_bus *a = client_open_private(f);

        sd_bus_message_unref(client_call_wait(f, a, "Watch"));
        f->watch = peer_watch_free(f->watch);
        client_close(a);
        run_until(f, doors_private_connections(f->doors) == 0);
        assert_int_equal(f->n_gone, 0);
}

static int fill_said(sd_bus_message *m, void *userdata)
{
        return sd_bus_message_append(m, "s", userdata);
}

static void emit(Fixture *f, Door doors, const char *text)
{
        assert_int_equal(doors_emit(f->doors, doors, TEST_PATH, TEST_INTERFACE, "Said", fill_said,
                                 (char *) text),
                0);
}

static void test_signals(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = client_open_private(f), *b = client_open_private(f);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *const names[] = { "Level", NULL };
        unsigned at_a = 0, at_b = 0, changed = 0;

        client_count_signals(a, "Said", &at_a);
        client_count_signals(b, "Said", &at_b);
        client_count_signals(b, "PropertiesChanged", &changed);
        sd_bus_message_unref(client_call_wait(f, b, "Ping"));
        sd_bus_message_unref(client_call_wait(f, a, "Who"));

        emit(f, DOOR_BOTH, "to all");
        emit(f, DOOR_SESSION, "to nobody here");
        assert_true(peer_new_signal(f->peer, &m, TEST_PATH, TEST_INTERFACE, "Said") >= 0);
        assert_true(sd_bus_message_append(m, "s", "to one") >= 0);
        assert_true(peer_send(f->peer, m) >= 0);
        assert_int_equal(doors_emit_properties(f->doors, TEST_PATH, TEST_INTERFACE, names), 0);

        run_until(f, at_a == 2 && at_b == 1 && changed == 1);
        sd_bus_message_unref(client_call_wait(f, a, "Ping"));
        assert_int_equal(at_a, 2);
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        unsigned *sum = userdata;
        const char *interface, *name;
        uint32_t level;

        assert_string_equal(sd_bus_message_get_sender(m), BUS_NAME);
        assert_true(sd_bus_message_read(m, "sa{sv}as", &interface, 1, &name, "u", &level, 0) >= 0);
        assert_string_equal(interface, TEST_INTERFACE);
        assert_string_equal(name, "Level");
        *sum += level;
        return 0;
}

/* All have the same message, the one too whose connection it was made on: it may go before. */
static void test_properties(void **state)
{
        static const char *const names[] = { "Level", NULL }, *const none[] = { "Depth", NULL };
        Fixture *f = *state;
        sd_bus *buses[3];
        unsigned sum = 0;

        for (size_t i = 0; i < ELEMENTSOF(buses); i++) {
                buses[i] = client_open_private(f);
                assert_true(sd_bus_match_signal(buses[i], NULL, NULL, TEST_PATH,
                                    "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                    on_changed, &sum) >= 0);
                sd_bus_message_unref(client_call_wait(f, buses[i], "Ping"));
        }
        f->level = 7;
        assert_int_equal(doors_emit_properties(f->doors, TEST_PATH, TEST_INTERFACE, names), 0);
        f->level = 100;
        run_until(f, sum == 7 * ELEMENTSOF(buses));

        assert_int_equal(doors_emit_properties(f->doors, TEST_PATH, TEST_INTERFACE, none), -ENOENT);
        assert_int_equal(
                doors_emit_properties(f->doors, TEST_PATH "/x", TEST_INTERFACE, names), -ENOENT);
        assert_int_equal(doors_emit_properties(f->doors, TEST_PATH, "a.b", names), -ENOENT);

        /* The newest connection is the first of the list. */
        assert_int_equal(doors_emit_properties(f->doors, TEST_PATH, TEST_INTERFACE, names), 0);
        client_close(buses[ELEMENTSOF(buses) - 1]);
        run_until(f, sum >= 7 * ELEMENTSOF(buses) + 100 * (ELEMENTSOF(buses) - 1));
        run_until(f, doors_private_connections(f->doors) == ELEMENTSOF(buses) - 1);
        for (size_t i = 0; i < ELEMENTSOF(buses) - 1; i++) {
                sd_bus_message_unref(client_call_wait(f, buses[i], "Ping"));
                client_close(buses[i]);
        }
}

/* In order with all else, but for the answers that may go ahead; never lost. */
static void test_signals_order(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = client_open_private(f), *b = client_open_private(f);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *ahead = NULL, *behind = NULL;
        enum { MANY = 40 };
        unsigned at_a = 0, at_b = 0;

        client_count_signals(a, "Said", &at_a);
        client_count_signals(b, "Said", &at_b);
        client_call(a, "Hold", &ahead);
        run_until(f, f->n_held == 1);
        client_call(b, "Hold", &behind);
        run_until(f, f->n_held == 2);

        for (unsigned i = 0; i < MANY; i++)
                emit(f, DOOR_BOTH, "to all");
        assert_int_equal(doors_queued(f->doors), 2 * MANY);
        call_set_ahead(f->held[0]);
        assert_int_equal(call_reply(f->held[0], "s", "ahead"), 0);
        assert_int_equal(call_reply(f->held[1], "s", "behind"), 0);
        run_until(f, ahead);
        assert_int_equal(at_a, 0);
        run_until(f, behind);
        assert_int_equal(at_b, MANY);
        run_until(f, at_a == MANY);
}

/* Where there is always something left to send, it goes on in parts. */
static void test_signals_without_end(void **state)
{
        enum { LEFT = 4, PART = 16, PARTS = 2 * DOORS_QUEUE_MESSAGES_MAX / PART };
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = client_open_private(f);
        unsigned n = 0;

        client_count_signals(a, "Said", &n);
        sd_bus_message_unref(client_call_wait(f, a, "Ping"));
        for (unsigned i = 0; i < LEFT; i++)
                emit(f, DOOR_BOTH, "to all");
        for (unsigned part = 0; part < PARTS; part++) {
                for (unsigned i = 1; i <= PART; i++) {
                        emit(f, DOOR_BOTH, "to all");
                        assert_int_equal(doors_queued(f->doors), LEFT + i);
                }
                run_until(f, doors_queued(f->doors) <= LEFT);
        }
        run_until(f, n == LEFT + PART * PARTS);
}

/* A client that does not read: the kernel's buffer fills, then sd-bus's queue. */
static sd_bus *open_deaf(Fixture *f)
{
        sd_bus *a = client_open_private(f);

        sd_bus_message_unref(client_call_wait(f, a, "Watch"));
        assert_true(sd_bus_detach_event(a) >= 0);
        return a;
}

static void test_queue_messages_limit(void **state)
{
        Fixture *f = *state;
        sd_bus *a = open_deaf(f);

        while (doors_queued(f->doors) < DOORS_QUEUE_MESSAGES_MAX) {
                emit(f, DOOR_BOTH, "a");
                run_quiet(f);
        }
        assert_int_equal(doors_queued(f->doors), DOORS_QUEUE_MESSAGES_MAX);
        assert_int_equal(doors_private_connections(f->doors), 1);
        assert_int_equal(f->n_gone, 0);

        emit(f, DOOR_BOTH, "one over");
        run_quiet(f);
        assert_int_equal(doors_private_connections(f->doors), 0);
        assert_int_equal(f->n_gone, 1);
        client_close(a);
}

static void test_queue_bytes_limit(void **state)
{
        static char text[KIB(64) - 8 + 1]; /* counts as 64 KiB with its length */
        Fixture *f = *state;
        sd_bus *a = open_deaf(f);
        size_t limit = DOORS_QUEUE_BYTES_MAX / KIB(64);

        memset(text, 'x', sizeof(text) - 1);
        /* The first one that waits is being written and does not count. */
        while (doors_queued(f->doors) < 1 + limit) {
                emit(f, DOOR_BOTH, text);
                run_quiet(f);
                assert_int_equal(f->n_gone, 0);
        }
        assert_int_equal(doors_queued(f->doors), 1 + limit);
        assert_int_equal(doors_private_connections(f->doors), 1);

        emit(f, DOOR_BOTH, "");
        run_quiet(f);
        assert_int_equal(doors_private_connections(f->doors), 0);
        assert_int_equal(f->n_gone, 1);
        client_close(a);
}

/* However large one message is: nothing waits behind it yet. */
static void test_queue_large_first(void **state)
{
        enum { LARGE = MIB(32) }; /* more than the kernel takes, even from root */
        _cleanup_free_ char *large = calloc(1, LARGE + 1);
        static char text[KIB(64) - 8 + 1];
        Fixture *f = *state;
        sd_bus *a = open_deaf(f);
        size_t limit = DOORS_QUEUE_BYTES_MAX / KIB(64);

        assert_non_null(large);
        memset(large, 'x', LARGE);
        memset(text, 'x', sizeof(text) - 1);
        emit(f, DOOR_BOTH, large);
        run_quiet(f);
        assert_int_equal(doors_queued(f->doors), 1);
        for (size_t i = 0; i < limit; i++) {
                emit(f, DOOR_BOTH, text);
                run_quiet(f);
        }
        assert_int_equal(doors_queued(f->doors), 1 + limit);
        assert_int_equal(f->n_gone, 0);

        emit(f, DOOR_BOTH, "");
        run_quiet(f);
        assert_int_equal(f->n_gone, 1);
        client_close(a);
}

static void test_queue_drains(void **state)
{
        static char text[KIB(64) - 8 + 1];
        Fixture *f = *state;
        sd_bus *a = open_deaf(f);
        unsigned n = 0;

        memset(text, 'x', sizeof(text) - 1);
        client_count_signals(a, "Said", &n);
        for (unsigned round = 1; round <= 5; round++) {
                for (int i = 0; i < 50; i++)
                        emit(f, DOOR_BOTH, text);
                assert_true(sd_bus_attach_event(a, f->event, 0) >= 0);
                run_until(f, n == 50 * round);
                assert_true(sd_bus_detach_event(a) >= 0);
        }
        assert_int_equal(f->n_gone, 0);
        f->watch = peer_watch_free(f->watch);
        client_close(a);
}

static int on_nothing(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return 0;
}

static void test_flood_that_sd_bus_answers(void **state)
{
        Fixture *f = *state;
        sd_bus *a = open_deaf(f);
        unsigned sent = 0;

        /* Never reads an answer, asks on. */
        while (f->n_gone == 0) {
                assert_true(sent++ < 100000);
                if (sd_bus_call_method_async(a, NULL, NULL, TEST_PATH,
                            "org.freedesktop.DBus.Introspectable", "Introspect", on_nothing, NULL,
                            NULL) < 0)
                        break;
                run_quiet(f);
                assert_true(doors_queued(f->doors) <= DOORS_QUEUE_MESSAGES_MAX + 1);
        }
        run_until(f, doors_private_connections(f->doors) == 0);
        client_close(a);
}

/* Whoever comes while one calls without an end is served before its end, however fast the machine.
 */
static void test_flood_beside_others(void **state)
{
        enum { CALLS = 2000 };
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = client_open_private(f);
        uint64_t before;

        sd_bus_message_unref(client_call_wait(f, a, "Ping"));
        before = doors_served(f->doors);
        for (unsigned i = 0; i < CALLS; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                assert_true(sd_bus_message_new_method_call(
                                    a, &m, BUS_NAME, TEST_PATH, TEST_INTERFACE, "Ping") >= 0);
                assert_true(sd_bus_send(a, m, /* ret_cookie= */ NULL) >= 0); /* no answer */
        }
        for (unsigned i = 1; i <= 3; i++) {
                _cleanup_(client_closep) sd_bus *b = client_open_private(f);

                sd_bus_message_unref(client_call_wait(f, b, "Ping"));
                assert_in_range(doors_served(f->doors) - before, 1, i * CALLS / 4);
        }
        run_until(f, doors_served(f->doors) == before + CALLS + 3);
}

static void test_connections_limit(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ int *fds = calloc(DOORS_PRIVATE_MAX + 1, sizeof(int));
        struct rlimit limit = { 0 };
        char c;

        assert_non_null(fds);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (limit.rlim_cur < 2 * DOORS_PRIVATE_MAX + 64)
                skip_because("not enough descriptors are allowed");

        for (unsigned i = 0; i < DOORS_PRIVATE_MAX; i++) {
                fds[i] = raw_connect(f);
                run_quiet(f);
        }
        assert_int_equal(doors_private_connections(f->doors), DOORS_PRIVATE_MAX);
        assert_int_equal(recv(fds[0], &c, 1, MSG_DONTWAIT), -1);

        fds[DOORS_PRIVATE_MAX] = raw_connect(f);
        run_quiet(f);
        assert_int_equal(read(fds[DOORS_PRIVATE_MAX], &c, 1), 0); /* its end */
        assert_int_equal(doors_private_connections(f->doors), DOORS_PRIVATE_MAX);

        for (unsigned i = 0; i <= DOORS_PRIVATE_MAX; i++)
                (void) close(fds[i]);
        run_until(f, doors_private_connections(f->doors) == 0);
}

static void on_left(void *userdata)
{
        Fixture *f = userdata;

        f->n_left++;
}

static void test_leave_without_session(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = client_open_private(f);
        sd_bus_message *answer = NULL;

        client_call(a, "Hold", &answer);
        run_until(f, f->n_held == 1);
        assert_int_equal(doors_leave(f->doors, on_left, f), 0);
        assert_int_equal(doors_leave(f->doors, on_left, f), -EALREADY);
        run_quiet(f);
        assert_int_equal(access(f->socket, F_OK), -1);
        assert_int_equal(f->n_left, 0); /* a call is not answered */

        assert_int_equal(call_reply(f->held[0], "s", "still"), 0);
        run_until(f, answer && f->n_left == 1);
        sd_bus_message_unref(answer);

        /* Who is connected is served as ever. */
        sd_bus_message_unref(client_call_wait(f, a, "Ping"));
        assert_int_equal(f->n_left, 1);
}

static void test_refuse(void **state)
{
        Fixture *f = *state;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int listening, fd;
        char c;

        f->doors = doors_free(f->doors);
        listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->socket);
        assert_int_equal(bind(listening, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(listening, 5), 0);
        fd = raw_connect(f);
        doors_refuse(listening);
        assert_int_equal(read(fd, &c, 1), 0);
        (void) close(fd);
        (void) close(listening);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_socket_is_ours_alone),
                TEST(test_socket_in_use_and_stale),
                TEST(test_file_is_not_replaced),
                TEST(test_path_too_long),
                TEST(test_call_and_numbers),
                TEST(test_unknown_object),
                TEST(test_message_with_begin),
                TEST(test_half_hello_goes),
                TEST(test_not_dbus),
                TEST(test_other_user),
                TEST(test_calls_limit),
                TEST(test_answers),
                TEST(test_caller_goes),
                TEST(test_watch),
                TEST(test_watch_freed_before),
                TEST(test_signals),
                TEST(test_properties),
                TEST(test_signals_order),
                TEST(test_signals_without_end),
                TEST(test_queue_messages_limit),
                TEST(test_queue_bytes_limit),
                TEST(test_queue_large_first),
                TEST(test_queue_drains),
                TEST(test_flood_that_sd_bus_answers),
                TEST(test_flood_beside_others),
                TEST(test_connections_limit),
                TEST(test_leave_without_session),
                TEST(test_refuse),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
