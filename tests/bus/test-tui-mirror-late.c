/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The curses client's mirror where it comes late: it was stopped, an answer to it was lost, or the
 * reply that it follows has ended. */

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bus/process.h"
#include "tests/bus/proxy.h"
#include "tests/bus/reader.h"
#include "tests/bus/tui-client.h"

#define HUGE_SIZE 20000000U

static const Via doors[] = { VIA_SESSION, VIA_PRIVATE };

static Client *client_through(Harness *h, const Proxy *p)
{
        Client *c = client_new_at(h, proxy_address(p));

        harness_run_until(h, client_is_up(c));
        return c;
}

/* ---- told, whatever else is asked for ---- */

/* A person's choice of a branch is done although its answer is of no use for what is shown: another
 * page, or another conversation. */
static void check_replaced(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_free_ char *elsewhere = harness_create(h, bus, MODEL);
        _cleanup_(client_freep) Client *c = client_up(h, via);

        for (unsigned i = 0; i < 2; i++) {
                unsigned before;

                assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
                send_text(c, "@tokens=3");
                harness_run_until(h, ended(c, 2));
                before = c->n_done;
                assert_return_code(
                        mirror_select_branch(c->mirror, message(c, 1)->id, client_on_done, c), 0);
                assert_return_code(mirror_open(c->mirror,
                                           i == 0 ? mirror_open_conversation(c->mirror)->id
                                                  : strrchr(elsewhere, '/') + 1,
                                           i == 0 ? UINT64_C(999999) : 0),
                        0);
                client_wait_done(c, before);
                harness_run_until(h, !mirror_is_loading(c->mirror));
                assert_int_equal(count_messages(c), i == 0 ? 2 : 0);
                assert_int_equal(c->n_done, before + 1);
        }
        assert_int_equal(c->n_notices, 0);
}

/* Also while a reply streams as fast as it can. */
static void check_streaming(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_(client_freep) Client *c = client_up(h, via);
        uint64_t reply;

        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=20 @size=1000000 @fault=hold:19");
        harness_run_until(h, has_text(c, "word0 "));
        reply = message(c, 1)->id;
        do_and_wait(c, mirror_select_branch(c->mirror, reply, client_on_done, c));
        harness_run_until(h, !mirror_is_loading(c->mirror));
        assert_true(message(c, 1)->live);
        harness_run_until(
                h, strlen(text_of(message(c, 1), CHANNEL_CONTENT)) >= HUGE_SIZE / 20 * 19);
        free(harness_engine_page(h, "/release", ""));
        harness_run_until(h, !message(c, 1)->live);
        assert_int_equal(message(c, 1)->id, reply);
        assert_int_equal(strlen(text_of(message(c, 1), CHANNEL_CONTENT)), HUGE_SIZE);
        check_texts(c, bus);
}

static void test_select(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        for (size_t i = 0; i < ELEMENTSOF(doors); i++) {
                check_replaced(h, doors[i]);
                check_streaming(h, doors[i]);
        }
        assert_int_equal(harness_stop(h), 0);
}

/* ---- an answer that was lost ---- */

/* The service has it on disk, and the client never heard so: it asks again, and it is there once.
 */
static void test_answer_lost(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_(proxy_freep) Proxy *proxy = NULL;
        _cleanup_(client_freep) Client *c = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        _cleanup_free_ char *path = NULL;
        unsigned before;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        proxy = proxy_new(h);
        c = client_through(h, proxy);
        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=3");
        harness_run_until(h, ended(c, 2));
        path = path_of_open(c);
        reader = reader_new(h, bus, path);

        before = c->n_done;
        proxy_hold_service(proxy);
        begin_send(c, "@tokens=5");
        harness_run_until(h, reader->n_ended == 1);
        assert_int_equal(c->n_done, before);
        proxy_cut(proxy);
        harness_run_until(h, !client_is_up(c));
        assert_int_equal(c->n_done, before);

        client_wait_done(c, before);
        harness_run_until(h, ended(c, 4));
        assert_int_equal(c->n_done, before + 1);
        assert_int_equal(mirror_count_calls(c->mirror, "Send"), 3);
        assert_int_equal(harness_engine_count(h, "chats"), 2);
        check_texts(c, bus);
        assert_int_equal(harness_stop(h), 0);
}

static size_t count_listed(const Client *c)
{
        size_t n;

        (void) mirror_list(c->mirror, &n);
        return n;
}

/* Nor is there an empty conversation of the one that was made before the question could be sent. */
static void test_conversation_lost(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_(proxy_freep) Proxy *proxy = NULL;
        _cleanup_(client_freep) Client *c = NULL, *other = NULL;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        proxy = proxy_new(h);
        c = client_through(h, proxy);
        other = client_up(h, VIA_SESSION);
        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        proxy_hold_service(proxy);
        begin_send(c, "@tokens=5");
        harness_run_until(h, count_listed(other) == 1);
        proxy_cut(proxy);
        harness_run_until(h, !client_is_up(c));
        assert_int_equal(c->n_done, 0);

        client_wait_done(c, 0);
        harness_run_until(h, ended(c, 2));
        assert_int_equal(mirror_count_calls(c->mirror, "CreateConversation"), 2);
        assert_int_equal(mirror_count_calls(c->mirror, "Send"), 1);
        assert_int_equal(count_listed(c), 1);
        check_texts(c, bus);
        /* The next one is another. */
        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=3");
        harness_run_until(h, ended(c, 2));
        harness_run_until(h, count_listed(other) == 2);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- a reply that has ended ---- */

/* It lives in the page that is shown, and has ended when Follow comes to the service, which says so
 * with Dropped: the rest is read. */
static void test_dropped(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_(proxy_freep) Proxy *proxy = NULL;
        _cleanup_(client_freep) Client *c = NULL;
        _cleanup_(watch_freep) Watch *finished = NULL;
        _cleanup_free_ char *path = NULL, *said = words(20);

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        path = harness_create(h, bus, MODEL);
        finished = harness_watch(h, bus, path, INTERFACE_CONVERSATION, "ReplyFinished");
        (void) harness_send(h, bus, path, "@tokens=20 @fault=hold:10");
        harness_engine_wait(h, "held=1");

        proxy = proxy_new(h);
        c = client_through(h, proxy);
        proxy_hold_client_after(proxy, "GetMessages");
        assert_return_code(mirror_open(c->mirror, strrchr(path, '/') + 1, 0), 0);
        harness_run_until(h, mirror_count_calls(c->mirror, "Follow") == 1);
        assert_true(proxy_is_holding_client(proxy));
        assert_true(message(c, 1)->live);
        free(harness_engine_page(h, "/release", ""));
        harness_run_until(h, finished->n == 1);
        proxy_release(proxy);
        harness_run_until(h, ended(c, 2));
        assert_int_equal(message(c, 1)->reason, REASON_STOP);
        assert_string_equal(text_of(message(c, 1), CHANNEL_CONTENT), said);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- the process that is stopped: this program with arguments ---- */

static int show_until_end(char **arguments)
{
        Harness h = { .address = arguments[1], .socket = arguments[2] };
        Via via = streq(arguments[3], "private") ? VIA_PRIVATE : VIA_SESSION;
        Client *c;

        assert_return_code(sd_event_new(&h.event), 0);
        c = client_up(&h, via);
        assert_return_code(mirror_open(c->mirror, arguments[4], 0), 0);
        harness_run_until(&h, has_text(c, "word0 ") && !mirror_is_loading(c->mirror));
        assert_int_equal(write(STDOUT_FILENO, "S", 1), 1);
        harness_run_until(&h, ended(c, 2));
        printf("%s %u %u\n%s", end_reason_to_string(message(c, 1)->reason), c->n_notices,
                mirror_count_calls(c->mirror, "GetSnapshot"),
                text_of(message(c, 1), CHANNEL_CONTENT));
        client_free(c);
        sd_event_unref(h.event);
        return fflush(stdout) == 0 ? 0 : 1;
}

/* It waits as long as this program, also for a service in a wrapper. */
static pid_t start_showing(const Harness *h, Via via, const char *id, int *ret_output)
{
        const char *wrapper = getenv("CONDUCTOR_WRAPPER");
        _cleanup_free_ char *setting = NULL;
        _cleanup_close_ int output = -EBADF;
        int ends[2], status;
        pid_t pid;
        char c;

        if (wrapper)
                assert_true(asprintf(&setting, "CONDUCTOR_WRAPPER=%s", wrapper) > 0);
        assert_return_code(pipe2(ends, O_CLOEXEC), errno);
        output = ends[1];
        assert_return_code(
                process_spawn(
                        &(Spawn){ .arguments = (const char *const[]){ "/proc/self/exe", "show",
                                          h->address, h->socket,
                                          via == VIA_PRIVATE ? "private" : "session", id, NULL },
                                .environment = (const char *const[]){ setting, NULL },
                                .output = output,
                                .errors = -EBADF,
                                .pass = -EBADF },
                        &pid),
                0);
        output = safe_close(output);
        assert_int_equal(read(ends[0], &c, 1), 1);
        assert_return_code(kill(pid, SIGSTOP), errno);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        *ret_output = ends[0];
        return pid;
}

static void read_all(int fd, Buffer *b)
{
        ssize_t n;

        do {
                char *place;

                assert_return_code(buffer_reserve(b, KIB(64), &place), 0);
                n = read(fd, place, KIB(64));
                assert_return_code(n, errno);
                buffer_advance(b, (size_t) n);
        } while (n > 0);
}

/* Another one reads meanwhile, and has all of it. */
static void check_stopped(Harness *h, Via via, uint64_t held)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_free_ char *path = harness_create(h, bus, MODEL), *counter = NULL, *all = NULL;
        _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, path);
        _cleanup_buffer_ Buffer output = BUFFER_INIT(MIB(64));
        _cleanup_close_ int fd = -EBADF;
        uint64_t reply;
        pid_t pid;

        reply = harness_send(h, bus, path, "@tokens=400000 @fault=hold:10");
        assert_true(asprintf(&counter, "held=%" PRIu64, held) > 0);
        harness_engine_wait(h, counter);
        pid = start_showing(h, via, strrchr(path, '/') + 1, &fd);
        free(harness_engine_page(h, "/release", ""));
        assert_string_equal(reader_wait(reader, reply), "stop");
        assert_true(reader->text[CHANNEL_CONTENT].size > MIB(4));

        assert_return_code(kill(pid, SIGCONT), errno);
        read_all(fd, &output);
        assert_int_equal(process_wait(pid, HARNESS_PATIENCE), 0);
        assert_true(
                asprintf(&all, "stop 0 1\n%s", buffer_text(&reader->text[CHANNEL_CONTENT])) > 0);
        assert_string_equal(buffer_text(&output), all);
}

static void test_stopped(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        for (size_t i = 0; i < ELEMENTSOF(doors); i++)
                check_stopped(h, doors[i], i + 1);
        assert_int_equal(harness_stop(h), 0);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_select, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_answer_lost, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_conversation_lost, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_dropped, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_stopped, harness_setup, harness_teardown),
        };

        if (argc == 6 && streq(argv[1], "show"))
                return show_until_end(argv + 1);
        harness_require_bus();
        return cmocka_run_group_tests_name("tui-mirror-late", tests, NULL, NULL);
}
