/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Callers that go before they are answered, at each message of a conversation; followers that read
 * nothing, by the hundred; and a service that is told to end under all of them. */

#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/bus/attack.h"
#include "tests/bus/reader.h"

#define GROWTH_MAX MIB(16)

/* ---- a conversation, as calls ---- */

static void append_nothing(sd_bus_message *m, const Attack *a)
{
}

static void append_no_options(sd_bus_message *m, const Attack *a)
{
        assert_return_code(sd_bus_message_append(m, "a{sv}", 0), 0);
}

static void append_question(sd_bus_message *m, const Attack *a)
{
        assert_return_code(
                sd_bus_message_append(m, "sa{sv}", "@tokens=50", 1, "queue", "b", true), 0);
}

static void append_asked(sd_bus_message *m, const Attack *a)
{
        assert_return_code(
                sd_bus_message_append(m, "sa{sv}", "@tokens=50", 1, "model", "s", ATTACK_MODEL), 0);
}

static void append_attached(sd_bus_message *m, const Attack *a)
{
        _cleanup_close_ int fd = memfd_create("attached", MFD_CLOEXEC);

        assert_return_code(fd, errno);
        assert_int_equal(write(fd, "text", 4), 4);
        assert_return_code(sd_bus_message_append(m, "sa{sv}", "@tokens=3", 2, "queue", "b", true,
                                   "attachments", "a(sh)", 1, "a.txt", fd),
                0);
}

static void append_reply(sd_bus_message *m, const Attack *a)
{
        assert_return_code(sd_bus_message_append(m, "t", a->reply), 0);
}

static void append_zero(sd_bus_message *m, const Attack *a)
{
        assert_return_code(sd_bus_message_append(m, "t", UINT64_C(0)), 0);
}

static void append_page(sd_bus_message *m, const Attack *a)
{
        assert_return_code(sd_bus_message_append(m, "tu", UINT64_C(0), UINT32_C(1000)), 0);
}

static void append_piece(sd_bus_message *m, const Attack *a)
{
        assert_return_code(
                sd_bus_message_append(m, "tstt", a->reply, "content", UINT64_C(0), UINT64_C(1000)),
                0);
}

static void append_again(sd_bus_message *m, const Attack *a)
{
        assert_return_code(sd_bus_message_append(m, "ta{sv}", a->reply, 0), 0);
}

static void append_surface(sd_bus_message *m, const Attack *a)
{
        assert_return_code(sd_bus_message_append(m, "sasa{sv}", "going", 1, "avatar", 0), 0);
}

static void append_word(sd_bus_message *m, const Attack *a)
{
        assert_return_code(sd_bus_message_append(m, "s", "jsonl"), 0);
}

static void append_part(sd_bus_message *m, const Attack *a)
{
        assert_return_code(sd_bus_message_append(m, "st", "json", UINT64_C(0)), 0);
}

static void append_search(sd_bus_message *m, const Attack *a)
{
        assert_return_code(sd_bus_message_append(m, "sa{sv}", "word1", 0), 0);
}

static void append_file(sd_bus_message *m, const Attack *a)
{
        _cleanup_close_ int fd = memfd_create("import", MFD_CLOEXEC);

        assert_return_code(fd, errno);
        assert_return_code(sd_bus_message_append(m, "h", fd), 0);
}

static void append_true(sd_bus_message *m, const Attack *a)
{
        assert_return_code(sd_bus_message_append(m, "b", true), 0);
}

static const struct {
        const char *interface, *member;
        void (*append)(sd_bus_message *m, const Attack *a);
} steps[] = {
        { INTERFACE_MANAGER, "GetSnapshot", append_nothing },
        { INTERFACE_MANAGER, "RegisterSurface", append_surface },
        { INTERFACE_MANAGER, "ListModels", append_true },
        { INTERFACE_CONVERSATION, "Follow", append_no_options },
        { INTERFACE_CONVERSATION, "Send", append_question },
        { INTERFACE_CONVERSATION, "Send", append_attached },
        { INTERFACE_CONVERSATION, "OpenStream", append_reply },
        { INTERFACE_CONVERSATION, "Export", append_word },
        { INTERFACE_CONVERSATION, "ExportPart", append_part },
        { INTERFACE_CONVERSATION, "GetMessages", append_page },
        { INTERFACE_CONVERSATION, "GetReply", append_piece },
        { INTERFACE_CONVERSATION, "ListBranches", append_reply },
        { INTERFACE_CONVERSATION, "GetSystem", append_nothing },
        { INTERFACE_CONVERSATION, "Cancel", append_zero },
        { INTERFACE_CONVERSATION, "Regenerate", append_again },
        { INTERFACE_MANAGER, "Search", append_search },
        { INTERFACE_MANAGER, "Import", append_file },
        { INTERFACE_MANAGER, "Ask", append_asked },
        { INTERFACE_MANAGER, "ListEngines", append_nothing },
        { INTERFACE_MANAGER, "Reload", append_nothing },
        { INTERFACE_MANAGER, "PurgeDeleted", append_nothing },
        { INTERFACE_CONVERSATION, "Unfollow", append_nothing },
};

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        unsigned *n = userdata;

        (*n)++;
        return 0;
}

/* The first n calls; the answers of all but the last are waited for when it is polite. */
static void go_after(Attack *a, Via via, size_t n_steps, bool polite)
{
        sd_bus *bus = harness_connect(a->harness, via);
        unsigned n_answers = 0;

        harness_run_until(a->harness, sd_bus_is_ready(bus) > 0);
        for (size_t i = 0; i < n_steps; i++) {
                bool at_manager = streq(steps[i].interface, INTERFACE_MANAGER);
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = harness_message(
                        bus, at_manager ? PATH_ROOT : a->path, steps[i].interface, steps[i].member);

                steps[i].append(m, a);
                assert_return_code(
                        sd_bus_call_async(bus, NULL, m, on_answer, &n_answers, UINT64_MAX), 0);
                if (polite && i + 1 < n_steps)
                        harness_run_until(a->harness, n_answers == i + 1);
        }
        harness_disconnectp(&bus); /* flushes what was said, reads nothing */
}

static void test_vanishing(void **state)
{
        Harness *h = *state;
        unsigned n = 0;
        Attack a;

        attack_begin(&a, h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++)
                for (size_t k = 1; k <= ELEMENTSOF(steps); k++, n += 2) {
                        go_after(&a, via, k, /* polite= */ false);
                        go_after(&a, via, k, /* polite= */ true);
                }
        attack_end(&a, GROWTH_MAX,
                "callers gone before the answer, at each message of a conversation", n);
}

/* ---- stopped followers ---- */

#define STOPPED         200U
#define ROUNDS          3U
#define FOLLOWER_WINDOW KIB(256)
/* Measured 1.6 to 2.6 MiB, and 5 to 23 where it is freed, but not given back to the system. */
#define GIVEN_BACK_MAX MIB(4)

/* Half of them at each door. They take nothing from their connections. */
static void follow_and_stop(Harness *h, sd_bus *bus, const char *conversation)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = harness_message(
                bus, conversation, INTERFACE_CONVERSATION, "Follow");

        assert_return_code(sd_bus_message_append(m, "a{sv}", 0), 0);
        sd_bus_message_unref(harness_call_message(h, bus, m));
        assert_return_code(sd_bus_detach_event(bus), 0);
}

static void stop_followers(Attack *a)
{
        Harness *h = a->harness;
        sd_bus *stopped[STOPPED];

        for (unsigned i = 0; i < STOPPED; i++) {
                stopped[i] = harness_connect(h, i % 2 ? VIA_PRIVATE : VIA_SESSION);
                follow_and_stop(h, stopped[i], a->path);
        }
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
                _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, a->path);
                _cleanup_free_ char *text = NULL;
                uint64_t reply = harness_send(h, bus, a->path, "@tokens=20000 @size=32");

                assert_string_equal(reader_wait(reader, reply), "stop");
                assert_int_equal(reader->text[CHANNEL_CONTENT].size, 20000 * 32);
                text = harness_get_reply(h, bus, a->path, reply, "content", NULL);
                assert_string_equal(buffer_text(&reader->text[CHANNEL_CONTENT]), text);
        }
        attack_check_served(h);
        for (unsigned i = 0; i < STOPPED; i++) {
                sd_bus_close(stopped[i]); /* without a flush: they are stopped */
                sd_bus_unref(stopped[i]);
        }
}

static void test_stopped_followers(void **state)
{
        Attack a;

        attack_begin(&a, *state);
        for (unsigned i = 0; i < ROUNDS; i++)
                stop_followers(&a);
        /* When they are gone, nothing is held for them. An allocator of a sanitizer, or valgrind's,
         * keeps what is freed: then what a window holds for each of them, once. */
        attack_end(&a, harness_can_measure() ? GIVEN_BACK_MAX : STOPPED * FOLLOWER_WINDOW,
                "followers that take nothing, two whole replies beside them each time",
                STOPPED * ROUNDS);
}

/* One after the other reads a long reply to its end and leaves: what each took is the same memory
 * again, free in between. */
static void test_readers(void **state)
{
        Attack a;

        attack_begin(&a, *state);
        for (unsigned i = 0; i < 2 * ROUNDS; i++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(a.harness, VIA_PRIVATE);
                _cleanup_free_ char *path = harness_create(a.harness, bus, ATTACK_MODEL);
                _cleanup_(reader_freep) Reader *reader = reader_new(a.harness, bus, path);
                uint64_t reply = harness_send(a.harness, bus, path, "@tokens=100000");

                assert_string_equal(reader_wait(reader, reply), "stop");
                /* Answered when the reply is written, whose memory is free then. */
                sd_bus_message_unref(harness_call(
                        a.harness, bus, path, INTERFACE_CONVERSATION, "SetTitle", "s", "Read"));
        }
        attack_end(&a, harness_can_measure() ? GIVEN_BACK_MAX : GROWTH_MAX,
                "readers of a long reply that leave at its end", 2 * ROUNDS);
}

/* ---- the end under them ---- */

/* More answers than its socket holds. */
static sd_bus *stop_before_answers(Harness *h, const Attack *a)
{
        _cleanup_free_ char *text = malloc(KIB(512));
        sd_bus *bus = harness_connect(h, VIA_PRIVATE);

        assert_non_null(text);
        memset(text, 'x', KIB(512) - 1);
        text[KIB(512) - 1] = 0;
        (void) harness_send(h, bus, a->path, text);
        assert_return_code(sd_bus_detach_event(bus), 0);
        for (unsigned i = 0; i < 4; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = harness_message(
                        bus, a->path, INTERFACE_CONVERSATION, "GetMessages");
                uint64_t cookie;

                append_page(m, a);
                assert_return_code(sd_bus_send(bus, m, &cookie), 0);
        }
        assert_return_code(sd_bus_flush(bus), 0);
        return bus;
}

static void test_end(void **state)
{
        static const char half[] = "\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"
                                   "l\1\0\1\0\1\0\0\1\0\0\0\20\0\0\0abc";
        Harness *h = *state;
        int raw[sizeof half];
        sd_bus *stopped;
        Attack a;

        attack_begin(&a, h);
        stopped = stop_before_answers(h, &a);
        /* One that stopped after each byte, and still is there. */
        for (size_t i = 0; i < sizeof half; i++) {
                raw[i] = attack_raw_connect(h->socket);
                assert_int_equal(send(raw[i], half, i, MSG_NOSIGNAL), i);
        }
        attack_check_served(h);
        assert_int_equal(harness_stop(h), 0);
        sd_bus_close(stopped);
        sd_bus_unref(stopped);
        for (size_t i = 0; i < sizeof half; i++)
                safe_close(raw[i]);
        a.path = mfree(a.path);
        print_message(
                "# tried | half conversations on the private socket, open when the service is "
                "told to end, and one that reads no answers | %zu | it ends in order\n",
                sizeof half + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_vanishing),
                TEST(test_stopped_followers),
                TEST(test_readers),
                TEST(test_end),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("attack-leaving", tests, NULL, NULL);
}
