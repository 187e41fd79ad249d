/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Clients that are killed: processes of their own, SIGKILL, in each phase of a reply, by both
 * doors. The reply goes on and is whole, others see all of it, and what the service held for the
 * dead one is given back. */

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "tests/bus/harness.h"
#include "tests/bus/process.h"
#include "tests/bus/reader.h"

#define MODEL "test/tiny:latest"

#define REPLY_END '\n' /* no word of the engine has it */

static const struct {
        const char *question;
        const char *seen;   /* what it had told of the reply when it was killed */
        const char *stored; /* in the end */
        enum {
                FOLLOWS, /* Follow and Send */
                FOLLOWS_SLOWLY /* and takes nothing from its connection after that */,
                ASKS, /* one call, which waits for the whole answer */
        } how;
        bool held; /* the engine still waits then */
} phases[] = {
        { "@fault=hold:0 @tokens=3", "", "word0 word1 word2 ", FOLLOWS, true },
        { "@fault=hold:2 @tokens=3", "word0 word1 ", "word0 word1 word2 ", FOLLOWS, true },
        { "@tokens=3", "word0 word1 word2 \n", "word0 word1 word2 ", FOLLOWS, false },
        { "@fault=hold:2 @tokens=3", "", "word0 word1 word2 ", FOLLOWS_SLOWLY, true },
        { "@fault=hold:0 @tokens=3", "", "word0 word1 word2 ", ASKS, true },
        { "@fault=hold:2 @tokens=3", "", "word0 word1 word2 ", ASKS, true },
};

/* ---- in the child: what fails ends it, which the test sees at the pipe ---- */

static void must(int r)
{
        if (r < 0)
                _exit(EXIT_FAILURE);
}

static void tell(int fd, const char *text, size_t size)
{
        must(write(fd, text, size) == (ssize_t) size ? 0 : -EIO);
}

static int on_delta(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const int *fd = userdata;
        const char *channel, *text;
        uint64_t reply, sequence, offset;

        must(sd_bus_message_read(m, "ttsts", &reply, &sequence, &channel, &offset, &text));
        tell(*fd, text, strlen(text));
        return 0;
}

static int on_end(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const int *fd = userdata;

        tell(*fd, &(char){ REPLY_END }, 1);
        return 0;
}

static sd_bus *connect_child(const Harness *h, Via via)
{
        _cleanup_free_ char *private = NULL;
        sd_bus *bus = NULL;

        must(asprintf(&private, "unix:path=%s", h->socket));
        must(sd_bus_new(&bus));
        must(sd_bus_set_address(bus, via == VIA_SESSION ? h->address : private));
        must(sd_bus_set_bus_client(bus, via == VIA_SESSION));
        must(sd_bus_start(bus));
        return bus;
}

static void call(sd_bus *bus, sd_bus_message *m)
{
        must(sd_bus_call(bus, m, /* usec= */ 0, NULL, NULL));
        sd_bus_message_unref(m);
}

/* It acknowledges nothing. */
static void follow(sd_bus *bus, const char *conversation, const char *question, int *fd)
{
        sd_bus_message *m;

        must(sd_bus_match_signal(bus, NULL, BUS_NAME, conversation, INTERFACE_CONVERSATION,
                "ReplyDelta", on_delta, fd));
        must(sd_bus_match_signal(
                bus, NULL, BUS_NAME, conversation, INTERFACE_CONVERSATION, "ReplyEnd", on_end, fd));
        must(sd_bus_message_new_method_call(
                bus, &m, BUS_NAME, conversation, INTERFACE_CONVERSATION, "Follow"));
        must(sd_bus_message_append(m, "a{sv}", 0));
        call(bus, m);
        must(sd_bus_message_new_method_call(
                bus, &m, BUS_NAME, conversation, INTERFACE_CONVERSATION, "Send"));
        must(sd_bus_message_append(m, "sa{sv}", question, 0));
        call(bus, m);
}

static void ask(sd_bus *bus, const char *conversation, const char *question)
{
        sd_bus_message *m;

        must(sd_bus_message_new_method_call(
                bus, &m, BUS_NAME, PATH_ROOT, INTERFACE_MANAGER, "Ask"));
        must(sd_bus_message_append(m, "sa{sv}", question, 1, "conversation", "s", conversation));
        call(bus, m);
}

/* Lives until it is killed. */
_noreturn_ static void be_client(
        const Harness *h, Via via, size_t phase, const char *conversation, int fd)
{
        sd_bus *bus = connect_child(h, via);

        if (phases[phase].how == ASKS)
                ask(bus, conversation, phases[phase].question);
        else
                follow(bus, conversation, phases[phase].question, &fd);
        while (phases[phase].how == FOLLOWS_SLOWLY)
                (void) pause();
        for (;;) {
                int r = sd_bus_process(bus, NULL);

                must(r);
                if (r == 0)
                        must(sd_bus_wait(bus, UINT64_MAX));
        }
}

/* ---- in the test ---- */

typedef struct Client {
        pid_t pid;
        int fd;
        sd_event_source *source;
        char said[64];
        size_t n_said;
} Client;

static int on_said(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Client *c = userdata;
        ssize_t n = read(fd, c->said + c->n_said, sizeof c->said - 1 - c->n_said);

        assert_true(n > 0); /* its end before it is killed */
        c->n_said += (size_t) n;
        return 0;
}

static void client_start(Client *c, Harness *h, Via via, size_t phase, const char *conversation)
{
        pid_t parent = getpid();
        int fds[2];

        *c = (Client){ 0 };
        assert_return_code(pipe2(fds, O_CLOEXEC), errno);
        c->pid = fork();
        assert_return_code(c->pid, errno);
        if (c->pid == 0) {
                if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                        _exit(EXIT_FAILURE);
                be_client(h, via, phase, conversation, fds[1]);
        }
        (void) close(fds[1]);
        c->fd = fds[0];
        assert_return_code(sd_event_add_io(h->event, &c->source, c->fd, EPOLLIN, on_said, c), 0);
}

static void client_kill(Client *c)
{
        c->source = sd_event_source_disable_unref(c->source);
        process_end(&c->pid);
        c->fd = safe_close(c->fd);
}

/* Each call is a turn of the service's loop. */
static void wait_followers(Harness *h, sd_bus *bus, uint64_t wanted)
{
        usec_t deadline = harness_now() + HARNESS_PATIENCE;

        while (harness_count_followers(h, bus) != wanted)
                assert_in_range(harness_now(), 0, deadline);
}

static void kill_client(Harness *h, Via via, size_t phase)
{
        _cleanup_connection_ sd_bus *other = harness_connect(h, VIA_SESSION);
        _cleanup_free_ char *conversation = harness_create(h, other, MODEL), *text = NULL,
                            *end = NULL, *page = NULL, *reset = NULL;
        _cleanup_(reader_freep) Reader *watching = reader_new(h, other, conversation);
        bool follows = phases[phase].how != ASKS;
        Client client;
        uint64_t reply;

        reset = harness_engine_page(h, "/reset", "");
        client_start(&client, h, via, phase, conversation);
        if (phases[phase].held)
                harness_engine_wait(h, "held=1");
        harness_run_until(h, streq(client.said, phases[phase].seen));
        wait_followers(h, other, 1 + follows);
        client_kill(&client);
        wait_followers(h, other, 1);
        if (phases[phase].held) {
                assert_null(watching->reason);
                page = harness_engine_page(h, "/release", "");
        }

        harness_run_until(h, watching->reason);
        reply = watching->reply;
        assert_string_equal(buffer_text(&watching->text[CHANNEL_CONTENT]), phases[phase].stored);
        text = harness_get_reply(h, other, conversation, reply, "content", &end);
        assert_string_equal(text, phases[phase].stored);
        assert_string_equal(end, "stop");
        sd_bus_message_unref(
                harness_call(h, other, conversation, INTERFACE_CONVERSATION, "Unfollow", ""));
        assert_int_equal(harness_count_followers(h, other), 0);
}

static void test_killed_on_the_session_bus(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        for (size_t i = 0; i < ELEMENTSOF(phases); i++)
                kill_client(h, VIA_SESSION, i);
        assert_int_equal(harness_stop(h), 0);
}

static void test_killed_on_the_private_door(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        for (size_t i = 0; i < ELEMENTSOF(phases); i++)
                kill_client(h, VIA_PRIVATE, i);
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_killed_on_the_session_bus),
                TEST(test_killed_on_the_private_door),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}
