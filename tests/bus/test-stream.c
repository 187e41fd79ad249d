/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A reply on its way: to readers that read, to readers that are stopped, from the middle, by a
 * pipe, and over the end of the service. */

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/bus/harness.h"
#include "tests/bus/process.h"
#include "tests/bus/reader.h"

#define MODEL "test/tiny:latest"

/* Followers in the one process that is stopped. Were a follower sent more than its window, the
 * service or the bus would hold this many times the whole reply. */
#define STOPPED_FOLLOWERS 24U

#define LONG_TOKENS   30000U
#define LONG_SIZE     100U
#define LONG_THOUGHTS 1000U

/* Over what the same reply took before without them: its text, kept for them, and a window for
 * each; less than half of a copy for each. */
#define GROWTH_MAX (MIB(4) + STOPPED_FOLLOWERS * KIB(512))

static char *read_all(int fd, size_t *ret_size)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(128));
        char *text, *place;
        ssize_t n;

        for (;;) {
                assert_return_code(buffer_reserve(&b, KIB(64), &place), 0);
                n = read(fd, place, KIB(64));
                assert_return_code(n, errno);
                if (n == 0)
                        break;
                buffer_advance(&b, (size_t) n);
        }
        assert_return_code(buffer_steal(&b, &text, ret_size), 0);
        return text;
}

/* ---- what the scripted engine says ---- */

static char *words(unsigned n, size_t size)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(64));
        size_t all;
        char *text;

        for (unsigned i = 0; i < n; i++) {
                size_t begin = b.size;

                assert_return_code(buffer_append_format(&b, "word%u ", i), 0);
                while (b.size - begin < size)
                        assert_return_code(buffer_append(&b, ".", 1), 0);
        }
        assert_return_code(buffer_steal(&b, &text, &all), 0);
        return text;
}

static char *thoughts(unsigned n)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        size_t all;
        char *text;

        for (unsigned i = 0; i < n; i++)
                assert_return_code(buffer_append_format(&b, "thought%u ", i), 0);
        assert_return_code(buffer_steal(&b, &text, &all), 0);
        return text;
}

/* ---- the process that is stopped: this program with arguments ---- */

static int follow_until_end(char **arguments)
{
        Harness h = { .address = arguments[1], .socket = arguments[2] };
        Via via = streq(arguments[3], "private") ? VIA_PRIVATE : VIA_SESSION;
        const char *conversation = arguments[4];
        sd_bus *buses[STOPPED_FOLLOWERS];
        Reader *readers[STOPPED_FOLLOWERS];

        assert_return_code(sd_event_new(&h.event), 0);
        for (unsigned i = 0; i < STOPPED_FOLLOWERS; i++) {
                buses[i] = harness_connect(&h, via);
                readers[i] = reader_new(&h, buses[i], conversation);
        }
        assert_int_equal(write(STDOUT_FILENO, "F", 1), 1);
        for (unsigned i = 0; i < STOPPED_FOLLOWERS; i++)
                harness_run_until(&h, readers[i]->reason);
        for (unsigned i = 0; i < STOPPED_FOLLOWERS; i++) {
                printf("%s\n%s\n%s\n", readers[i]->reason,
                        buffer_text(&readers[i]->text[CHANNEL_REASONING]),
                        buffer_text(&readers[i]->text[CHANNEL_CONTENT]));
                reader_free(readers[i]);
                harness_disconnectp(&buses[i]);
        }
        sd_event_unref(h.event);
        return fflush(stdout) == 0 ? 0 : 1;
}

typedef struct Follower {
        pid_t pid;
        int output;
} Follower;

static void follower_start(Follower *f, const Harness *h, Via via, const char *conversation)
{
        _cleanup_close_ int output = -EBADF;
        int ends[2];
        char c;

        assert_return_code(pipe2(ends, O_CLOEXEC), errno);
        f->output = ends[0];
        output = ends[1];
        assert_return_code(
                process_spawn(&(Spawn){ .arguments = (const char *const[]){ "/proc/self/exe",
                                                "follow", h->address, h->socket,
                                                via == VIA_PRIVATE ? "private" : "session",
                                                conversation, NULL },
                                      .environment = (const char *const[]){ NULL },
                                      .output = output,
                                      .errors = -EBADF,
                                      .pass = -EBADF },
                        &f->pid),
                0);
        output = safe_close(output);
        assert_int_equal(read(f->output, &c, 1), 1);
}

static void follower_stop(const Follower *f)
{
        int status;

        assert_return_code(kill(f->pid, SIGSTOP), errno);
        assert_int_equal(waitpid(f->pid, &status, WUNTRACED), f->pid);
        assert_true(WIFSTOPPED(status));
}

/* Lets it run again and compares what all of its followers had. */
static void follower_check(Follower *f, const char *reasoning, const char *content)
{
        _cleanup_free_ char *output = NULL, *one = NULL;
        const char *rest;
        size_t size;

        assert_return_code(kill(f->pid, SIGCONT), errno);
        output = read_all(f->output, &size);
        f->output = safe_close(f->output);
        assert_int_equal(process_wait(f->pid, HARNESS_PATIENCE), 0);

        assert_true(asprintf(&one, "stop\n%s\n%s\n", reasoning, content) > 0);
        assert_int_equal(size, STOPPED_FOLLOWERS * strlen(one));
        rest = output;
        for (unsigned i = 0; i < STOPPED_FOLLOWERS; i++, rest += strlen(one))
                assert_memory_equal(rest, one, strlen(one));
}

static void check_stopped(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_free_ char *conversation = harness_create(h, bus, MODEL), *question = NULL,
                            *content = NULL, *reasoning = NULL, *said = NULL, *thought = NULL;
        _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
        Memory before, after;
        Follower follower;
        uint64_t reply;

        assert_true(asprintf(&question, "@tokens=%u @size=%u @reasoning=%u", LONG_TOKENS, LONG_SIZE,
                            LONG_THOUGHTS) > 0);
        reply = harness_send(h, bus, conversation, question);
        assert_string_equal(reader_wait(reader, reply), "stop");
        harness_memory(h, &before);

        follower_start(&follower, h, via, conversation);
        follower_stop(&follower);
        reply = harness_send(h, bus, conversation, question);
        assert_string_equal(reader_wait(reader, reply), "stop");
        harness_memory(h, &after);
        if (harness_can_measure())
                assert_in_range(after.private_dirty, 1, before.private_dirty + GROWTH_MAX);

        said = words(LONG_TOKENS, LONG_SIZE);
        thought = thoughts(LONG_THOUGHTS);
        assert_string_equal(buffer_text(&reader->text[CHANNEL_CONTENT]), said);
        assert_string_equal(buffer_text(&reader->text[CHANNEL_REASONING]), thought);
        content = harness_get_reply(h, bus, conversation, reply, "content", NULL);
        reasoning = harness_get_reply(h, bus, conversation, reply, "reasoning", NULL);
        assert_string_equal(content, said);
        assert_string_equal(reasoning, thought);

        follower_check(&follower, thought, said);
}

/* Many followers sleep through a long reply: another reads all of it meanwhile, the service does
 * not grow by what they leave, and awake they catch up. */
static void test_stopped_follower(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_stopped(h, VIA_SESSION);
        check_stopped(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- from the middle ---- */

/* Joins in mid-reply at an offset of each channel, also at the newest one, and beyond it. */
static void check_join(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via), *late = harness_connect(h, via),
                                    *last = harness_connect(h, via);
        _cleanup_free_ char *conversation = harness_create(h, bus, MODEL), *said = words(40, 0),
                            *thought = thoughts(5), *before = words(20, 0), *page = NULL;
        _cleanup_(reader_freep) Reader *whole = reader_new(h, bus, conversation), *middle = NULL,
                                       *end = NULL;
        const uint64_t in_the_middle[_CHANNEL_MAX] = {
                [CHANNEL_CONTENT] = strlen("word0 wo"), [CHANNEL_REASONING] = strlen("thought0 ")
        };
        const uint64_t newest[_CHANNEL_MAX] = {
                [CHANNEL_CONTENT] = strlen(before), [CHANNEL_REASONING] = strlen(thought)
        };
        uint64_t reply;

        reply = harness_send(h, bus, conversation, "@tokens=40 @reasoning=5 @fault=hold:25");
        harness_run_until(h, streq(buffer_text(&whole->text[CHANNEL_CONTENT]), before));

        middle = reader_new_from(h, late, conversation, reply, in_the_middle);
        end = reader_new_from(h, last, conversation, reply, newest);
        assert_int_equal(middle->epoch, whole->epoch);
        harness_run_until(h,
                streq(buffer_text(&middle->text[CHANNEL_CONTENT]),
                        before + in_the_middle[CHANNEL_CONTENT]));
        assert_int_equal(end->n_deltas, 0);

        page = harness_engine_page(h, "/release", "");
        assert_string_equal(reader_wait(whole, reply), "stop");
        assert_string_equal(reader_wait(middle, reply), "stop");
        assert_string_equal(reader_wait(end, reply), "stop");
        assert_string_equal(buffer_text(&whole->text[CHANNEL_CONTENT]), said);
        assert_string_equal(buffer_text(&whole->text[CHANNEL_REASONING]), thought);
        assert_string_equal(
                buffer_text(&middle->text[CHANNEL_CONTENT]), said + in_the_middle[CHANNEL_CONTENT]);
        assert_string_equal(buffer_text(&middle->text[CHANNEL_REASONING]),
                thought + in_the_middle[CHANNEL_REASONING]);
        assert_string_equal(
                buffer_text(&end->text[CHANNEL_CONTENT]), said + newest[CHANNEL_CONTENT]);
        assert_int_equal(end->text[CHANNEL_REASONING].size, 0);
}

static void test_join_in_mid_reply(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_join(h, VIA_SESSION);
        check_join(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- a pipe ---- */

static int open_stream(Harness *h, sd_bus *bus, const char *conversation, uint64_t reply)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        int fd;

        answer = harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "OpenStream", "t", reply);
        assert_return_code(sd_bus_message_read(answer, "h", &fd), 0);
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        assert_return_code(fd, errno);
        return fd;
}

/* Opened in mid-reply and after the end, a pipe has the content from its beginning to its end. */
static void check_pipe(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_free_ char *conversation = harness_create(h, bus, MODEL), *page = NULL,
                            *said = words(5000, LONG_SIZE), *live = NULL, *stored = NULL;
        _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
        _cleanup_close_ int during = -EBADF, after = -EBADF;
        uint64_t reply;
        size_t size;

        reply = harness_send(
                h, bus, conversation, "@tokens=5000 @size=100 @reasoning=3 @fault=hold:5");
        harness_run_until(h, reader->text[CHANNEL_CONTENT].size == 2 * (size_t) LONG_SIZE);
        during = open_stream(h, bus, conversation, reply);
        page = harness_engine_page(h, "/release", "");
        live = read_all(during, &size);
        assert_string_equal(live, said);

        assert_string_equal(reader_wait(reader, reply), "stop");
        after = open_stream(h, bus, conversation, reply);
        stored = read_all(after, &size);
        assert_string_equal(stored, said);
}

/* From what is no place in its text nobody follows it; who follows it anew is one follower. */
static void test_follow_from(void **state)
{
        static const struct {
                uint64_t offset;
                bool is_place;
        } cases[] = { { 0, true }, { 1, true }, { 2, false }, { 3, true }, { 4, true },
                { 5, false }, { UINT64_MAX, false } };
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL;
        uint64_t reply;
        Watch *deltas;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        conversation = harness_create(h, bus, MODEL);
        deltas = harness_watch(h, bus, conversation, INTERFACE_CONVERSATION, "ReplyDelta");
        sd_bus_message_unref(
                harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "Follow", "a{sv}", 0));
        reply = harness_send(h, bus, conversation, "@say=\"a\xc3\xa4z\" @size=4 @fault=hold:1");
        harness_run_until(h, deltas->n > 0);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                if (cases[i].is_place)
                        sd_bus_message_unref(harness_call(h, bus, conversation,
                                INTERFACE_CONVERSATION, "Follow", "a{sv}", 2, "reply", "t", reply,
                                "content", "t", cases[i].offset));
                else
                        harness_assert_error(
                                harness_call_error(h, bus, NULL, conversation,
                                        INTERFACE_CONVERSATION, "Follow", "a{sv}", 2, "reply", "t",
                                        reply, "content", "t", cases[i].offset),
                                "InvalidArgument");
                assert_int_equal(harness_count_followers(h, bus), 1);
        }
        watch_free(deltas);
        assert_int_equal(harness_stop(h), 0);
}

static void test_pipe(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_pipe(h, VIA_SESSION);
        check_pipe(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- ends in mid-stream ---- */

/* While tokens pour in: the engine's connection is closed, what came is kept, and the follower has
 * exactly that. */
static void test_cancel(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL, *text = NULL, *end = NULL, *name = NULL,
                            *said = words(200000, 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        uint64_t reply;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, MODEL);
        reader = reader_new(h, bus, conversation);
        reply = harness_send(h, bus, conversation, "@tokens=200000 @rate=2000");
        harness_run_until(h, reader->text[CHANNEL_CONTENT].size > 1000);

        answer = harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "Cancel", "t", reply);
        harness_engine_wait(h, "cancelled=1");
        assert_int_equal(harness_engine_count(h, "ended"), 0);
        assert_string_equal(reader_wait(reader, reply), "cancelled");
        text = harness_get_reply(h, bus, conversation, reply, "content", &end);
        assert_string_equal(end, "cancelled");
        assert_in_range(strlen(text), 1001, strlen(said) - 1);
        assert_memory_equal(text, said, strlen(text));
        assert_string_equal(buffer_text(&reader->text[CHANNEL_CONTENT]), text);

        name = harness_call_error(
                h, bus, NULL, conversation, INTERFACE_CONVERSATION, "Cancel", "t", reply);
        assert_string_equal(name, "NoSuchMessage");
        assert_int_equal(harness_stop(h), 0);
}

/* The service is killed while a reply streams: what was saved is there, ended as interrupted, and
 * Continue gives the engine what there is. */
static void test_kill_and_continue(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *conversation = NULL, *text = NULL, *end = NULL, *page = NULL,
                            *page2 = NULL, *said = words(200000, 0), *echo = NULL, *whole = NULL;
        _cleanup_connection_ sd_bus *later = NULL;
        _cleanup_(reader_freep) Reader *again = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        uint64_t reply, continued, epoch;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        page = harness_engine_page(h, "/script", "@tokens=200000 @rate=200");
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
                _cleanup_(reader_freep) Reader *reader = NULL;

                conversation = harness_create(h, bus, MODEL);
                reader = reader_new(h, bus, conversation);
                epoch = reader->epoch;
                reply = harness_send(h, bus, conversation, "Count.");
                /* Two seconds' worth: text is saved each second. */
                harness_run_until(
                        h, strstr(buffer_text(&reader->text[CHANNEL_CONTENT]), "word400 "));
                harness_kill(h, SIGKILL);
        }

        harness_start(h);
        later = harness_connect(h, VIA_SESSION);
        text = harness_get_reply(h, later, conversation, reply, "content", &end);
        assert_string_equal(end, "interrupted");
        /* At least what came in the first half second. */
        assert_in_range(strlen(text), strlen("word0 ") * 100, strlen(said) - 1);
        assert_memory_equal(text, said, strlen(text));

        page2 = harness_engine_page(h, "/script", "@text=echo @rate=100000");
        again = reader_new(h, later, conversation);
        assert_int_not_equal(again->epoch, epoch);
        /* The same reply goes on where its text ended. */
        again->from_reply = reply;
        again->from[CHANNEL_CONTENT] = strlen(text);
        answer = harness_call(
                h, later, conversation, INTERFACE_CONVERSATION, "Continue", "t", reply);
        assert_return_code(sd_bus_message_read(answer, "t", &continued), 0);
        assert_int_equal(continued, reply);
        assert_string_equal(reader_wait(again, continued), "stop");
        assert_true(asprintf(&echo, "%suser:6 assistant:%zu", text, strlen(text)) > 0);
        whole = harness_get_reply(h, later, conversation, reply, "content", NULL);
        assert_string_equal(whole, echo);
        assert_string_equal(buffer_text(&again->text[CHANNEL_CONTENT]), whole + strlen(text));
        assert_int_equal(harness_stop(h), 0);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_stopped_follower, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_join_in_mid_reply, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_follow_from, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_pipe, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_cancel, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_kill_and_continue, harness_setup, harness_teardown),
        };

        if (argc == 6 && streq(argv[1], "follow"))
                return follow_until_end(argv + 1);
        harness_require_bus();
        return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
