/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What clients do to the service that they should not: too many of everything, and garbage. It
 * refuses by name, gives back what it took, and serves the others meanwhile. */

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/bus/attack.h"
#include "tests/bus/process.h"
#include "tests/bus/reader.h"
#include "tests/skip.h"

/* The limits of the contract. */
#define CALLS_MAX                  64U
#define CONNECTIONS_MAX            1024U
#define CONVERSATION_FOLLOWERS_MAX 256U
#define FOLLOWERS_MAX              1024U

/* A client beside all that is answered. */
static void check_served(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);

        sd_bus_message_unref(harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", "a{sv}", 0));
}

/* ---- calls in flight ---- */

typedef struct Answers {
        unsigned n, n_busy;
} Answers;

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Answers *a = ASSERT_PTR(userdata);
        const sd_bus_error *e = sd_bus_message_get_error(m);

        a->n++;
        if (e && streq(e->name, ERROR_PREFIX "Busy")) {
                assert_non_null(strstr(e->message, "64 calls in flight"));
                a->n_busy++;
        }
        return 0;
}

static void ask_async(sd_bus *bus, const char *question, Answers *answers)
{
        _cleanup_(sd_bus_message_unrefp)
                sd_bus_message *m = harness_message(bus, PATH_ROOT, INTERFACE_MANAGER, "Ask");

        assert_return_code(
                sd_bus_message_append(m, "sa{sv}", question, 1, "model", "s", ATTACK_MODEL), 0);
        assert_return_code(sd_bus_call_async(bus, NULL, m, on_answer, answers, UINT64_MAX), 0);
}

static void test_calls_in_flight(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
                Answers answers = { 0 };

                /* None is answered before the engine is told to. */
                for (unsigned i = 0; i < CALLS_MAX; i++)
                        ask_async(bus, "@fault=hold:1", &answers);
                check_served(h, VIA_SESSION);
                check_served(h, VIA_PRIVATE);
                assert_int_equal(answers.n, 0);
                ask_async(bus, "@tokens=1", &answers);
                harness_run_until(h, answers.n == 1);
                assert_int_equal(answers.n_busy, 1);
                harness_disconnectp(&bus);
                bus = NULL;
                check_served(h, via);
        }
        assert_int_equal(harness_stop(h), 0);
}

/* As fast as they go in, none of the answers read, or wanted: without an end. */
static _Noreturn void flood(const Harness *h, bool answered)
{
        Harness mine = { .socket = h->socket };
        sd_bus *bus;

        assert_return_code(sd_event_new(&mine.event), 0);
        bus = harness_connect(&mine, VIA_PRIVATE);
        sd_bus_message_unref(harness_call(
                &mine, bus, PATH_ROOT, INTERFACE_MANAGER, "ListModels", "b", /* refresh= */ false));
        (void) sd_bus_detach_event(bus);
        for (;;) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = harness_message(
                        bus, PATH_ROOT, INTERFACE_MANAGER, "ListConversations");
                uint64_t cookie; /* who asks for it wants an answer */

                if (sd_bus_message_append(m, "a{sv}", 0) < 0 ||
                        sd_bus_send(bus, m, answered ? &cookie : NULL) < 0 || sd_bus_flush(bus) < 0)
                        _exit(0); /* the service has had enough */
        }
}

#define FLOOD_GROWTH_MAX MIB(16)

static void check_flood(Harness *h, bool answered)
{
        pid_t pid = fork();

        assert_return_code(pid, errno);
        if (pid == 0)
                flood(h, answered);
        for (unsigned i = 0; i < 50; i++)
                check_served(h, i % 2 ? VIA_PRIVATE : VIA_SESSION);
        /* Who reads no answers is thrown out; who wants none does no harm. */
        if (answered)
                assert_int_equal(process_wait(pid, HARNESS_PATIENCE), 0);
        else {
                assert_return_code(kill(pid, SIGKILL), errno);
                assert_int_equal(waitpid(pid, NULL, 0), pid);
        }
        check_served(h, VIA_PRIVATE);
        assert_int_equal(harness_logged(h, "does not read its messages"), answered);
}

static void test_flood(void **state)
{
        Harness *h = *state;
        Memory before, after;

        harness_start(h);
        check_served(h, VIA_PRIVATE);
        harness_memory(h, &before);
        check_flood(h, /* answered= */ false);
        check_flood(h, /* answered= */ true);
        harness_memory(h, &after);
        if (harness_can_measure())
                assert_in_range(after.private_dirty, 1, before.private_dirty + FLOOD_GROWTH_MAX);
        assert_int_equal(harness_stop(h), 0);
}

static int on_hung_up(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        bool *hung_up = userdata;

        *hung_up = true;
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

/* Over 4 MiB of answers that wait. */
static void test_unread_bytes(void **state)
{
        Harness *h = *state;
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *source = NULL;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL, *text = malloc(MIB(1) + 1);
        bool hung_up = false;

        assert_non_null(text);
        memset(text, 'x', MIB(1));
        text[MIB(1)] = 0;
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        conversation = harness_create(h, bus, "");
        (void) harness_send(h, bus, conversation, text);
        assert_return_code(sd_bus_detach_event(bus), 0);
        for (unsigned i = 0; i < 32; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = harness_message(
                        bus, conversation, INTERFACE_CONVERSATION, "GetMessages");
                uint64_t cookie;

                assert_return_code(sd_bus_message_append(m, "tu", UINT64_C(0), UINT32_C(1000)), 0);
                assert_return_code(sd_bus_send(bus, m, &cookie), 0);
        }
        assert_return_code(sd_event_add_io(h->event, &source, sd_bus_get_fd(bus), EPOLLRDHUP,
                                   on_hung_up, &hung_up),
                0);
        harness_run_until(h, hung_up);
        assert_true(harness_logged(h, "does not read its messages"));
        check_served(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- connections ---- */

#define BEGIN "\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"

/* One that the service knows: from others it waits for a word, but not for ever. */
static int connect_known(const Harness *h)
{
        static const char last[] = "AGREE_UNIX_FD\r\n";
        int fd = attack_raw_connect(h->socket);
        char answer[256] = "";
        size_t size = 0;

        assert_int_equal(send(fd, BEGIN, sizeof BEGIN - 1, MSG_NOSIGNAL), sizeof BEGIN - 1);
        while (!strstr(answer, last)) {
                ssize_t n = read(fd, answer + size, sizeof answer - 1 - size);

                assert_true(n > 0);
                size += (size_t) n;
        }
        return fd;
}

static void test_connections(void **state)
{
        enum { ATTEMPTS = 4000 };
        Harness *h = *state;
        struct rlimit files;
        int *fds = NULL;
        unsigned before, n_refused = 0;

        /* Each turn of sd-event prepares all of them: two minutes of valgrind's CPU time. */
        if (getenv("CONDUCTOR_WRAPPER"))
                skip_because("a service under valgrind takes too long for 1,024 connections");
        fds = calloc(ATTEMPTS, sizeof *fds);
        assert_non_null(fds);
        assert_return_code(getrlimit(RLIMIT_NOFILE, &files), errno);
        files.rlim_cur = files.rlim_max;
        assert_return_code(setrlimit(RLIMIT_NOFILE, &files), errno);
        if (files.rlim_max < ATTEMPTS + 64) {
                free(fds);
                skip_because("not enough descriptors are allowed");
        }
        harness_start(h);
        check_served(h, VIA_SESSION);
        before = attack_descriptors(h);

        for (unsigned i = 0; i < ATTEMPTS; i++)
                fds[i] = i < CONNECTIONS_MAX ? connect_known(h) : attack_raw_connect(h->socket);
        /* In order: the first 1,024 stay, each of the others is ended. */
        for (unsigned i = CONNECTIONS_MAX; i < ATTEMPTS; i++) {
                char c;

                assert_int_equal(read(fds[i], &c, 1), 0);
                n_refused++;
        }
        assert_int_equal(n_refused, ATTEMPTS - CONNECTIONS_MAX);
        for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
                char c;

                assert_int_equal(recv(fds[i], &c, 1, MSG_DONTWAIT), -1);
                assert_int_equal(errno, EAGAIN);
        }
        assert_in_range(attack_descriptors(h), before + CONNECTIONS_MAX, before + CONNECTIONS_MAX);
        assert_true(harness_logged(h, "There are 1024 private connections, the limit"));
        check_served(h, VIA_SESSION);

        for (unsigned i = 0; i < ATTEMPTS; i++)
                (void) close(fds[i]);
        free(fds);
        attack_wait_descriptors(h, before);
        check_served(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- followers ---- */

static sd_bus_message *follow_message(sd_bus *bus, const char *conversation)
{
        sd_bus_message *m = harness_message(bus, conversation, INTERFACE_CONVERSATION, "Follow");

        assert_return_code(sd_bus_message_append(m, "a{sv}", 0), 0);
        return m;
}

static void follow(Harness *h, sd_bus *bus, const char *conversation)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = follow_message(bus, conversation);

        sd_bus_message_unref(harness_call_message(h, bus, m));
}

static void follow_refused(Harness *h, sd_bus *bus, const char *conversation, const char *limit)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = follow_message(bus, conversation);
        _cleanup_free_ char *sentence = NULL,
                            *name = harness_call_error_message(h, bus, m, &sentence);

        assert_string_equal(name, "Busy");
        assert_non_null(strstr(sentence, limit));
}

static void test_followers(void **state)
{
        enum { CONVERSATIONS = FOLLOWERS_MAX / CONVERSATION_FOLLOWERS_MAX };
        Harness *h = *state;
        sd_bus *buses[CONVERSATION_FOLLOWERS_MAX];
        _cleanup_connection_ sd_bus *one_more = NULL;
        char *conversations[CONVERSATIONS + 1];
        _cleanup_(reader_freep) Reader *reader = NULL;
        uint64_t reply;

        harness_start(h);
        one_more = harness_connect(h, VIA_PRIVATE);
        for (unsigned k = 0; k <= CONVERSATIONS; k++)
                conversations[k] = harness_create(h, one_more, "");
        for (unsigned i = 0; i < CONVERSATION_FOLLOWERS_MAX; i++)
                buses[i] = harness_connect(h, i % 2 ? VIA_PRIVATE : VIA_SESSION);
        for (unsigned k = 0; k < CONVERSATIONS; k++) {
                for (unsigned i = 0; i < CONVERSATION_FOLLOWERS_MAX; i++)
                        follow(h, buses[i], conversations[k]);
                follow_refused(h, one_more, conversations[k], "256");
        }
        follow_refused(h, one_more, conversations[CONVERSATIONS], "1024");

        /* One goes: there is a place, and all the others are still served. */
        harness_disconnectp(&buses[0]);
        check_served(h, VIA_PRIVATE);
        reader = reader_new(h, one_more, conversations[CONVERSATIONS]);
        reply = harness_send(h, one_more, conversations[CONVERSATIONS], "I am sad.");
        assert_string_equal(reader_wait(reader, reply), "stop");

        for (unsigned i = 1; i < CONVERSATION_FOLLOWERS_MAX; i++)
                harness_disconnectp(&buses[i]);
        for (unsigned k = 0; k <= CONVERSATIONS; k++)
                free(conversations[k]);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- bytes that are no D-Bus ---- */

#define BYTES(s) s, sizeof(s) - 1

static const struct {
        const char *name, *bytes;
        size_t size;
        bool stays; /* refused, dropped, or half; all the others are thrown out */
} garbage[] = {
        { "nothing", BYTES(""), true },
        { "half a hello", BYTES("\0AUTH EXT"), true },
        { "a web browser", BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), false },
        { "an unknown way to authenticate", BYTES("\0AUTH NONSENSE\r\n"), true },
        { "anonymous", BYTES("\0AUTH ANONYMOUS\r\nBEGIN\r\n"), true },
        { "another endianness", BYTES(BEGIN "X\1\0\1\0\0\0\0\1\0\0\0\0\0\0\0"), false },
        { "a header of 4 GiB", BYTES(BEGIN "l\1\0\1\0\0\0\0\1\0\0\0\377\377\377\377"), false },
        { "a body of 4 GiB", BYTES(BEGIN "l\1\0\1\377\377\377\377\1\0\0\0\0\0\0\0"), false },
        { "half a message", BYTES(BEGIN "l\1\0\1\0\1\0\0\1\0\0\0\20\0\0\0abc"), true },
        { "a message of a type that is none", BYTES(BEGIN "l\0\0\1\0\0\0\0\1\0\0\0\0\0\0\0"),
                true },
};

static void test_garbage(void **state)
{
        Harness *h = *state;
        unsigned before;

        harness_start(h);
        check_served(h, VIA_SESSION);
        before = attack_descriptors(h);
        for (size_t i = 0; i < ELEMENTSOF(garbage); i++) {
                _cleanup_close_ int fd = attack_raw_connect(h->socket);
                char answer[1024];
                ssize_t n;

                assert_int_equal(
                        send(fd, garbage[i].bytes, garbage[i].size, MSG_NOSIGNAL), garbage[i].size);
                if (!garbage[i].stays) {
                        while ((n = read(fd, answer, sizeof answer)) > 0)
                                ;
                        if (n < 0 && errno != ECONNRESET)
                                fail_msg("%s was not thrown out", garbage[i].name);
                }
                check_served(h, VIA_PRIVATE);
        }
        attack_wait_descriptors(h, before);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- another user ---- */

static void test_other_user(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *folder = strdup(h->socket);
        pid_t pid;

        if (geteuid() != 0) {
                skip_because("only root can be somebody else");
        }
        assert_non_null(folder);
        *strrchr(folder, '/') = 0;
        harness_start(h);
        /* Even where the folders would let it in. */
        assert_return_code(chmod(h->folder, 0755), errno);
        assert_return_code(chmod(h->runtime, 0755), errno);
        assert_return_code(chmod(folder, 0755), errno);
        assert_return_code(chmod(h->socket, 0666), errno);

        pid = fork();
        assert_return_code(pid, errno);
        if (pid == 0) {
                char c;

                if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
                        _exit(3);
                _exit(read(attack_raw_connect(h->socket), &c, 1) == 0 ? 0 : 1);
        }
        assert_int_equal(process_wait(pid, HARNESS_PATIENCE), 0);
        assert_true(harness_logged(h, "A process of another user (uid 65534)"));
        check_served(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- imports ---- */

typedef struct Importing {
        char *order;
        char letter;
} Importing;

static int on_imported(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const Importing *i = ASSERT_PTR(userdata);

        assert_null(sd_bus_message_get_error(m));
        i->order[strlen(i->order)] = i->letter;
        return 0;
}

static void import_async(sd_bus *bus, unsigned n_conversations, Importing *importing)
{
        static const char text[] =
                "{\"type\":\"conversation\",\"version\":1,"
                "\"id\":\"0123456789abcdef0123456789abcdef\",\"title\":\"t\",\"created\":1,"
                "\"modified\":2,\"head\":0}\n"
                "{\"type\":\"end\",\"messages\":0}\n";
        _cleanup_(sd_bus_message_unrefp)
                sd_bus_message *m = harness_message(bus, PATH_ROOT, INTERFACE_MANAGER, "Import");
        _cleanup_close_ int fd = memfd_create("import", MFD_CLOEXEC);

        assert_return_code(fd, errno);
        for (unsigned i = 0; i < n_conversations; i++)
                assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_return_code(sd_bus_message_append(m, "h", fd), 0);
        assert_return_code(sd_bus_call_async(bus, NULL, m, on_imported, importing, UINT64_MAX), 0);
}

/* A conversation is in memory whole: so there is one at a time, and a short file waits for a long
 * one before it. */
static void test_imports_in_order(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        char order[8] = "";
        Importing importing[] = { { order, 'a' }, { order, 'b' }, { order, 'c' }, { order, 'd' } };
        static const unsigned n_conversations[] = { 20, 1, 10, 0 };

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        for (size_t i = 0; i < ELEMENTSOF(importing); i++)
                import_async(bus, n_conversations[i], &importing[i]);
        harness_run_until(h, strlen(order) == ELEMENTSOF(importing));
        assert_string_equal(order, "abcd");
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_calls_in_flight),
                TEST(test_flood),
                TEST(test_unread_bytes),
                TEST(test_connections),
                TEST(test_followers),
                TEST(test_garbage),
                TEST(test_other_user),
                TEST(test_imports_in_order),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("flood", tests, NULL, NULL);
}
