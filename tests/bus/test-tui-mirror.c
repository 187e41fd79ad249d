/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the curses client knows of the service, by both doors: that it is what the service has,
 * whatever happens to the service, to the bus and to the connection. */

#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>

#include "tests/bus/tui-client.h"

#define LONG_COUNT 2000U

static void release(Harness *h)
{
        free(harness_engine_page(h, "/release", ""));
}

static void release_held(Harness *h, uint64_t held)
{
        _cleanup_free_ char *counter = NULL;

        assert_true(asprintf(&counter, "held=%" PRIu64, held) > 0);
        harness_engine_wait(h, counter);
        release(h);
}

/* ---- the first screen ---- */

static void check_first_screen(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_free_ char *first = harness_create(h, bus, MODEL),
                            *second = harness_create(h, bus, MODEL);
        _cleanup_(client_freep) Client *c = client_up(h, via);
        const ConversationItem *list;
        size_t n;

        list = mirror_list(c->mirror, &n);
        assert_true(n >= 2);
        assert_string_equal(list[0].id, strrchr(second, '/') + 1);
        assert_string_equal(list[1].id, strrchr(first, '/') + 1);
        assert_string_equal(list[0].model, MODEL);
        assert_false(mirror_list_has_more(c->mirror));
        assert_non_null(mirror_engines(c->mirror, &n));
        assert_true(n > 0);
        assert_int_equal(mirror_count_calls(c->mirror, "GetSnapshot"), 1);
        assert_int_equal(mirror_count_calls(c->mirror, "ListConversations"), 0);
        assert_int_equal(mirror_count_calls(c->mirror, "GetMessages"), 0);
        assert_true(c->n_avatar > 0);
        assert_null(mirror_open_conversation(c->mirror));

        free(harness_create(h, bus, MODEL));
        harness_run_until(h,
                mirror_list(c->mirror, &n)[0].created > 0 && n > 2 &&
                        !streq(mirror_list(c->mirror, &n)[0].id, strrchr(second, '/') + 1));
        assert_int_equal(mirror_count_calls(c->mirror, "GetSnapshot"), 1);
}

static void test_first_screen(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_first_screen(h, VIA_SESSION);
        check_first_screen(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- talking ---- */

static void check_talk(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_(client_freep) Client *c = client_up(h, via), *other = client_up(h, via);
        _cleanup_free_ char *said = words(3000), *path = NULL;

        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=3000 @reasoning=100");
        harness_run_until(h, ended(c, 2));
        assert_true(c->told & MIRROR_FIRST_TEXT);
        assert_string_equal(text_of(message(c, 1), CHANNEL_CONTENT), said);
        assert_string_equal(text_of(message(c, 2), CHANNEL_CONTENT), "@tokens=3000 @reasoning=100");
        assert_int_equal(message(c, 1)->reason, REASON_STOP);
        assert_true(message(c, 1)->tokens_out > 0 && message(c, 1)->first_text > 0);
        check_texts(c, bus);

        assert_return_code(
                mirror_open(other->mirror, mirror_open_conversation(c->mirror)->id, 0), 0);
        harness_run_until(h, ended(other, 2));
        send_text(other,
                "@tokens=7 and some more words than fit into the beginning that the "
                "signal has: ........................................................"
                "............................................................"
                "............................................................"
                "............................................................ end");
        harness_run_until(h, ended(other, 4) && ended(c, 4));
        harness_run_until(h, strstr(text_of(message(c, 2), CHANNEL_CONTENT), " end"));
        check_texts(c, bus);
        check_texts(other, bus);
        path = path_of_open(c);
        (void) harness_send(h, bus, path, "@tokens=9");
        harness_run_until(h, ended(c, 6) && ended(other, 6));
        check_texts(c, bus);
        send_text(c, "@reasoning=3 @tokens=1 @fault=hold:2");
        harness_run_until(h, message(c, 1)->live && message(c, 1)->first_text > 0);
        assert_string_equal(message_activity(message(c, 1)), "reasoning");
        assert_return_code(mirror_cancel(c->mirror, 0), 0);
        harness_run_until(h, ended(c, 8));
        assert_int_equal(c->n_notices + other->n_notices, 0);
}

/* A long answer is what the engine sent; another client's words come by themselves. */
static void test_talk(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_talk(h, VIA_SESSION);
        check_talk(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

static void check_large(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_(client_freep) Client *c = client_up(h, via), *other = client_up(h, via);

        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=20 @size=1000000");
        harness_run_until(h, ended(c, 2));
        assert_int_equal(strlen(text_of(message(c, 1), CHANNEL_CONTENT)), 20000000);
        assert_return_code(
                mirror_open(other->mirror, mirror_open_conversation(c->mirror)->id, 0), 0);
        harness_run_until(h,
                message(other, 1) && !mirror_is_loading(other->mirror) &&
                        strlen(text_of(message(other, 1), CHANNEL_CONTENT)) == 20000000);
        harness_run_until(h, !message(other, 1)->live && message(other, 1)->reason == REASON_STOP);
        check_texts(c, bus);
        check_texts(other, bus);
        assert_true(mirror_count_calls(other->mirror, "GetReply") > 0);
}

/* More than what a page has of one message: the rest of it is read in pieces. */
static void test_large(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_large(h, VIA_SESSION);
        check_large(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- cancelling, branches ---- */

static int ask_again(Client *c, uint64_t reply)
{
        return mirror_regenerate(c->mirror, reply, "", client_on_done, c);
}

static int ask_on(Client *c, uint64_t reply)
{
        return mirror_continue(c->mirror, reply, client_on_done, c);
}

/* So early that its beginning is not here: when the call was made, and when it was answered. */
static void check_cancel_early(Client *c)
{
        int (*const ways[])(Client * c, uint64_t reply) = { ask_again, ask_on };

        send_text(c, "@tokens=20 @fault=hold:1");
        assert_true(mirror_can_cancel(c->mirror));
        assert_return_code(mirror_cancel(c->mirror, 0), 0);
        harness_run_until(c->harness, ended(c, 6));
        assert_int_equal(message(c, 1)->reason, REASON_CANCELLED);
        harness_run_until(c->harness, !mirror_can_cancel(c->mirror));
        for (size_t i = 0; i < 2 * ELEMENTSOF(ways); i++) {
                unsigned done = c->n_done;

                assert_return_code(ways[i / 2](c, message(c, 1)->id), 0);
                if (i % 2)
                        client_wait_done(c, done);
                assert_true(mirror_can_cancel(c->mirror));
                assert_return_code(mirror_cancel(c->mirror, 0), 0);
                harness_run_until(c->harness, message(c, 1)->live);
                harness_run_until(c->harness, ended(c, 6));
                assert_int_equal(message(c, 1)->reason, REASON_CANCELLED);
                harness_run_until(c->harness, !mirror_can_cancel(c->mirror));
        }
}

static void check_cancel(Harness *h, Via via)
{
        _cleanup_(client_freep) Client *c = client_up(h, via), *late = NULL;

        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=20 @fault=hold:10");
        harness_run_until(h, has_text(c, "word9 "));
        late = client_up(h, via);
        assert_return_code(
                mirror_open(late->mirror, mirror_open_conversation(c->mirror)->id, 0), 0);
        harness_run_until(h, has_text(late, "word9 "));
        assert_ptr_equal(mirror_live(late->mirror), message(late, 1));

        assert_return_code(mirror_cancel(c->mirror, 0), 0);
        assert_true(message(c, 1)->cancelling);
        harness_run_until(h, ended(c, 2) && ended(late, 2));
        assert_int_equal(message(c, 1)->reason, REASON_CANCELLED);
        assert_int_equal(message(late, 1)->reason, REASON_CANCELLED);
        assert_false(message(c, 1)->cancelling);

        /* Before there is a reply. */
        begin_send(c, "@tokens=20 @fault=hold:1");
        assert_return_code(mirror_cancel(c->mirror, 0), 0);
        harness_run_until(h, ended(c, 4));
        assert_int_equal(message(c, 1)->reason, REASON_CANCELLED);

        check_cancel_early(c);

        /* It alone, of what is live and on its way; and with another conversation open by then. */
        send_text(c, "@tokens=20 @fault=hold:10");
        harness_run_until(h, has_text(c, "word9 "));
        begin_send(c, "@tokens=2");
        assert_return_code(mirror_cancel(c->mirror, message(c, 1)->id), 0);
        assert_true(message(c, 1)->cancelling);
        assert_true(mirror_live(c->mirror) && !mirror_live(c->mirror)->cancelling);
        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        harness_run_until(h, ended(late, 10));
        assert_int_equal(message(late, 1)->reason, REASON_CANCELLED);
        assert_true(mirror_live(late->mirror) && !mirror_live(late->mirror)->cancelling);
        assert_return_code(mirror_cancel(late->mirror, 0), 0);
        harness_run_until(h, !mirror_can_cancel(late->mirror));
}

/* What a person sent is there from the first moment, and once. */
static void check_unsent(Harness *h, Via via)
{
        _cleanup_(client_freep) Client *c = client_up(h, via);

        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        assert_false(mirror_can_cancel(c->mirror));
        begin_send(c, "@tokens=2");
        assert_int_equal(count_messages(c), 1);
        assert_int_equal(message(c, 1)->send, SEND_ON_ITS_WAY);
        assert_string_equal(text_of(message(c, 1), CHANNEL_CONTENT), "@tokens=2");
        assert_true(mirror_can_cancel(c->mirror));
        harness_run_until(h, ended(c, 2));
        harness_run_until(h, !mirror_can_cancel(c->mirror));
        assert_int_equal(message(c, 2)->send, SEND_DONE);

        assert_int_equal(harness_stop(h), 0);
        harness_run_until(h, !client_is_up(c));
        begin_send(c, "@tokens=3");
        begin_send(c, "@tokens=4");
        assert_int_equal(count_messages(c), 4);
        assert_int_equal(message(c, 2)->send, SEND_WAITING);
        assert_int_equal(message(c, 1)->parent, message(c, 2)->id);
        assert_return_code(mirror_cancel(c->mirror, 0), 0);
        assert_int_equal(c->n_done, 3);
        assert_int_equal(c->failure.code, FAILURE_CANCELLED);
        assert_int_equal(count_messages(c), 2);
        assert_int_equal(mirror_cancel(c->mirror, 0), -ENOTCONN);
        begin_send(c, "@tokens=5");
        harness_start(h);
        harness_run_until(h, ended(c, 4));
        assert_string_equal(text_of(message(c, 2), CHANNEL_CONTENT), "@tokens=5");
}

static void test_unsent(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_unsent(h, VIA_SESSION);
        check_unsent(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

static void test_cancel(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_cancel(h, VIA_SESSION);
        check_cancel(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

static bool is_listed(const Client *c, const char *id)
{
        size_t n;
        const ConversationItem *list = mirror_list(c->mirror, &n);

        for (size_t i = 0; i < n; i++)
                if (streq(list[i].id, id))
                        return true;
        return false;
}

/* What one client does to the list, the others see. */
static void check_removing(Harness *h, Via via)
{
        _cleanup_(client_freep) Client *c = client_up(h, via), *other = client_up(h, via);
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_free_ char *path = harness_create(h, bus, MODEL);
        const char *id = strrchr(path, '/') + 1;

        harness_run_until(h, is_listed(c, id) && is_listed(other, id));
        assert_return_code(mirror_open(other->mirror, id, 0), 0);
        do_and_wait(c, mirror_archive(c->mirror, id, true, client_on_done, c));
        harness_run_until(h, !is_listed(c, id) && !is_listed(other, id));
        harness_run_until(h, mirror_open_conversation(other->mirror)->archived);
        do_and_wait(c, mirror_archive(c->mirror, id, false, client_on_done, c));
        harness_run_until(h, is_listed(c, id) && is_listed(other, id));
        harness_run_until(h, !mirror_open_conversation(other->mirror)->archived);
        assert_int_equal(other->n_notices, 0);

        do_and_wait(c, mirror_delete(c->mirror, id, client_on_done, c));
        harness_run_until(h, !is_listed(c, id) && !is_listed(other, id));
        assert_null(mirror_open_conversation(other->mirror));
        assert_int_equal(other->n_notices, 1);
        do_and_wait(c, mirror_restore(c->mirror, id, client_on_done, c));
        harness_run_until(h, is_listed(c, id) && is_listed(other, id));
        do_and_wait(c, mirror_delete(c->mirror, id, client_on_done, c));
}

static void test_removing(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_removing(h, VIA_SESSION);
        check_removing(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

static void check_branches(Harness *h, Via via)
{
        _cleanup_(client_freep) Client *c = client_up(h, via), *other = client_up(h, via);
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        uint64_t first, second, question;

        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=3");
        harness_run_until(h, ended(c, 2));
        assert_return_code(
                mirror_open(other->mirror, mirror_open_conversation(c->mirror)->id, 0), 0);
        first = message(c, 1)->id;
        question = message(c, 2)->id;
        do_and_wait(c, mirror_regenerate(c->mirror, first, NULL, client_on_done, c));
        harness_run_until(h, ended(c, 2) && message(c, 1)->id != first);
        second = message(c, 1)->id;
        harness_run_until(h, message(c, 1)->n_siblings == 2);
        assert_int_equal(message(c, 1)->siblings[0], first);
        assert_int_equal(message(c, 1)->siblings[1], second);
        harness_run_until(h,
                ended(other, 2) && message(other, 1)->id == second &&
                        message(other, 1)->n_siblings == 2);

        send_text(c, "@tokens=4");
        harness_run_until(h, ended(c, 4));
        do_and_wait(c, mirror_select_branch(c->mirror, first, client_on_done, c));
        harness_run_until(h, ended(c, 2) && message(c, 1)->id == first);
        harness_run_until(h, ended(other, 2) && message(other, 1)->id == first);
        assert_false(mirror_has_newer(c->mirror));
        do_and_wait(c, mirror_select_branch(c->mirror, second, client_on_done, c));
        harness_run_until(h, ended(c, 4) && message(c, 3)->id == second);

        /* Another wording of the first question. */
        do_and_wait(c,
                mirror_send(c->mirror,
                        &(SendRequest){ .text = "@tokens=6", .size = 9, .edit = question },
                        client_on_done, c));
        harness_run_until(h, ended(c, 2) && has_text(c, "word5 "));
        harness_run_until(h, message(c, 2)->n_siblings == 2);
        assert_int_equal(message(c, 2)->parent, 0);
        harness_run_until(h, ended(other, 2) && has_text(other, "word5 "));
        check_texts(c, bus);
        check_texts(other, bus);
}

static void test_branches(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_branches(h, VIA_SESSION);
        check_branches(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- the service dies, the bus goes ---- */

static void check_service_killed(Harness *h, Via via)
{
        _cleanup_(client_freep) Client *c = client_up(h, via);
        _cleanup_connection_ sd_bus *bus = NULL;
        uint64_t held = harness_engine_count(h, "held") + 1;
        const char *sentence;

        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=2000 @fault=hold:1000");
        harness_run_until(h, has_text(c, "word999 "));
        harness_kill(h, SIGKILL);
        harness_run_until(h, !client_is_up(c));
        assert_int_equal(mirror_link(c->mirror, &sentence, NULL), LINK_DOWN);
        assert_true(strlen(sentence) > 0);
        assert_int_equal(mirror_regenerate(c->mirror, 1, NULL, client_on_done, c), -ENOTCONN);
        assert_true(has_text(c, "word999 "));

        /* Typed meanwhile: it waits. */
        begin_send(c, "@tokens=5");
        harness_start(h);
        harness_run_until(h, client_is_up(c));
        /* The engine finds the first question's words in this one, for there was no answer yet. */
        harness_run_until(h, has_text(c, "word4 "));
        release_held(h, ++held);
        harness_run_until(h, ended(c, 4));
        assert_int_equal(message(c, 3)->reason, REASON_INTERRUPTED);
        assert_int_equal(message(c, 1)->reason, REASON_STOP);
        bus = harness_connect(h, via);
        check_texts(c, bus);

        do_and_wait(c, mirror_regenerate(c->mirror, message(c, 3)->id, NULL, client_on_done, c));
        harness_run_until(h, has_text(c, "word999 "));
        release_held(h, ++held);
        harness_run_until(h, ended(c, 2));
        assert_int_equal(message(c, 1)->reason, REASON_STOP);
        check_texts(c, bus);
        assert_int_equal(c->n_notices, 0);
}

static void test_service_killed(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_service_killed(h, VIA_SESSION);
        check_service_killed(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* The text goes on in the service while the bus is away. */
static void test_bus_restarted(void **state)
{
        Harness *h = *state;
        _cleanup_(client_freep) Client *c = NULL;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *said = words(2000);

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        c = client_up(h, VIA_SESSION);
        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=2000 @fault=hold:1000");
        harness_run_until(h, has_text(c, "word999 "));
        harness_stop_bus(h);
        harness_run_until(h, !client_is_up(c));
        release(h);
        harness_start_bus(h);
        harness_wait_name(h, true);
        harness_run_until(h, client_is_up(c));
        harness_run_until(h, ended(c, 2));
        assert_string_equal(text_of(message(c, 1), CHANNEL_CONTENT), said);
        bus = harness_connect(h, VIA_SESSION);
        check_texts(c, bus);
        assert_int_equal(harness_stop(h), 0);
}

/* The service took none of it, or all of it and could not say so: it is there once. */
static void check_sent_once(Harness *h, Via via)
{
        _cleanup_(client_freep) Client *c = client_up(h, via);
        unsigned before;

        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=3");
        harness_run_until(h, ended(c, 2));
        before = c->n_done;
        assert_return_code(kill(h->service, SIGSTOP), errno);
        begin_send(c, "@tokens=5");
        harness_kill(h, SIGKILL);
        harness_run_until(h, !client_is_up(c));
        assert_int_equal(c->n_done, before);
        harness_start(h);
        client_wait_done(c, before);
        harness_run_until(h, ended(c, 4));
        assert_int_equal(c->n_done, before + 1);
        assert_int_equal(mirror_count_calls(c->mirror, "Send"), 3);
}

static void test_sent_once(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_sent_once(h, VIA_SESSION);
        check_sent_once(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- a long conversation ---- */

static char *import_long(Harness *h, sd_bus *bus, char digit)
{
        int fd = memfd_create("import", MFD_CLOEXEC);
        _unused_ _cleanup_close_ int file = fd;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *path;
        char *copy;

        assert_return_code(fd, errno);
        assert_true(
                dprintf(fd,
                        "{\"type\":\"conversation\",\"version\":1,\"id\":\"%032d\","
                        "\"title\":\"long\",\"created\":1,\"modified\":2,\"head\":%u,\"archived\":false,\"hidden\":false}\n",
                        digit, LONG_COUNT) > 0);
        for (unsigned i = 1; i <= LONG_COUNT; i++)
                assert_true(dprintf(fd,
                                    "{\"type\":\"message\",\"id\":%u,\"parent\":%u,\"role\":\"%s\","
                                    "\"created\":3,\"content\":\"number n%u here\"%s}\n",
                                    i, i - 1, i % 2 ? "user" : "assistant", i,
                                    i % 2 ? "" : ",\"reason\":\"stop\"") > 0);
        assert_true(dprintf(fd, "{\"type\":\"end\",\"messages\":%u}\n", LONG_COUNT) > 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        answer = harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Import", "h", fd);
        assert_true(sd_bus_message_enter_container(answer, 'a', "o") > 0);
        assert_true(sd_bus_message_read(answer, "o", &path) > 0);
        copy = strdup(path);
        assert_non_null(copy);
        return copy;
}

/* The window is a line of messages, each the parent of the next, with the text of its number. */
static unsigned check_window(const Client *c)
{
        size_t n;
        MessageItem *const *all = mirror_messages(c->mirror, &n);
        unsigned first = 0;

        assert_in_range(n, 1, MIRROR_KEPT);
        for (size_t i = 0; i < n; i++) {
                unsigned number = 0;

                assert_int_equal(
                        sscanf(text_of(all[i], CHANNEL_CONTENT), "number n%u", &number), 1);
                if (i == 0)
                        first = number;
                assert_int_equal(number, first + i);
                if (i > 0)
                        assert_int_equal(all[i]->parent, all[i - 1]->id);
        }
        return first;
}

static void on_hits(const Failure *failure, const SearchHit *hits, size_t n, void *userdata)
{
        Client *c = userdata;

        client_on_done(failure, c);
        c->n_hits = n;
        if (n > 0)
                c->hit = hits[0];
}

static void check_long(Harness *h, Via via, char digit)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_free_ char *path = import_long(h, bus, digit);
        _cleanup_(client_freep) Client *c = client_up(h, via);
        const char *id = strrchr(path, '/') + 1;

        assert_return_code(mirror_open(c->mirror, id, 0), 0);
        harness_run_until(h, count_messages(c) > 0);
        assert_int_equal(check_window(c), LONG_COUNT - MIRROR_PAGE + 1);
        assert_true(mirror_has_older(c->mirror));
        assert_false(mirror_has_newer(c->mirror));

        for (unsigned pages = 0; mirror_has_older(c->mirror); pages++) {
                assert_true(pages < LONG_COUNT);
                assert_return_code(mirror_load_older(c->mirror), 0);
                harness_run_until(h, !mirror_is_loading(c->mirror));
                (void) check_window(c);
        }
        assert_int_equal(check_window(c), 1);
        assert_int_equal(count_messages(c), MIRROR_KEPT);
        assert_true(mirror_has_newer(c->mirror));
        assert_return_code(mirror_load_older(c->mirror), 0);
        assert_false(mirror_is_loading(c->mirror));

        for (unsigned pages = 0; mirror_has_newer(c->mirror); pages++) {
                assert_true(pages < LONG_COUNT);
                assert_return_code(mirror_load_newer(c->mirror), 0);
                harness_run_until(h, !mirror_is_loading(c->mirror));
                (void) check_window(c);
        }
        assert_int_equal(check_window(c), LONG_COUNT - MIRROR_KEPT + 1);

        assert_int_equal(mirror_open(c->mirror, "no id", 0), -EINVAL);
        /* Opened at a hit. */
        do_and_wait(c, mirror_search(c->mirror, "n777", on_hits, c));
        assert_true(c->n_hits > 0);
        assert_return_code(mirror_open_new(c->mirror, "", false), 0);
        assert_return_code(mirror_open(c->mirror, c->hit.id, c->hit.message), 0);
        harness_run_until(h, count_messages(c) > 0 && !mirror_is_loading(c->mirror));
        assert_in_range(check_window(c), 777 - MIRROR_PAGE, 777);
        assert_true(mirror_has_older(c->mirror) && mirror_has_newer(c->mirror));
        assert_int_equal(count_messages(c), MIRROR_PAGE);

        /* Who sends from there is at the end after it. */
        do_and_wait(c, mirror_set_model(c->mirror, MODEL, client_on_done, c));
        send_text(c, "@text=words @tokens=2");
        harness_run_until(h, has_text(c, "word1 ") && !message(c, 1)->live);
        assert_false(mirror_has_newer(c->mirror));
        assert_int_equal(c->n_notices, 0);
}

static void test_long(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_long(h, VIA_SESSION, 1);
        check_long(h, VIA_PRIVATE, 2);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- the list ---- */

static void on_models(const Failure *failure, const ModelItem *models, size_t n, void *userdata)
{
        Client *c = userdata;

        client_on_done(failure, c);
        c->n_models = 0;
        for (size_t i = 0; i < n; i++)
                c->n_models += startswith(models[i].model, "test/") && models[i].chat;
}

static const ConversationItem *listed(const Client *c, const char *id)
{
        size_t n;
        const ConversationItem *list = mirror_list(c->mirror, &n);

        for (size_t i = 0; i < n; i++)
                if (streq(list[i].id, id))
                        return list + i;
        return NULL;
}

static void check_list(Harness *h, Via via)
{
        _cleanup_(client_freep) Client *c = client_up(h, via), *other = client_up(h, via);
        _cleanup_free_ char *id = NULL;

        do_and_wait(c, mirror_list_models(c->mirror, on_models, c));
        assert_int_equal(c->n_models, 2);

        mirror_set_focus(c->mirror, true);
        assert_return_code(mirror_open_new(c->mirror, MODEL, false), 0);
        send_text(c, "@tokens=3");
        harness_run_until(h, ended(c, 2));
        id = strdup(mirror_open_conversation(c->mirror)->id);
        assert_non_null(id);
        do_and_wait(c, mirror_rename(c->mirror, id, "another name", client_on_done, c));
        harness_run_until(h,
                listed(c, id) && streq(listed(c, id)->title, "another name") && listed(other, id) &&
                        streq(listed(other, id)->title, "another name"));
        assert_string_equal(mirror_open_conversation(c->mirror)->title, "another name");
        assert_int_equal(listed(c, id)->unread, 0);

        do_and_wait(c, mirror_archive(c->mirror, id, true, client_on_done, c));
        harness_run_until(h, !listed(c, id));
        do_and_wait(c, mirror_archive(c->mirror, id, false, client_on_done, c));
        harness_run_until(h, listed(c, id));

        do_and_wait(c, mirror_delete(c->mirror, id, client_on_done, c));
        harness_run_until(h, !listed(c, id) && !listed(other, id));
        assert_null(mirror_open_conversation(c->mirror));
        do_and_wait(c, mirror_restore(c->mirror, id, client_on_done, c));
        harness_run_until(h, listed(c, id) && listed(other, id));
        assert_string_equal(listed(c, id)->title, "another name");

        /* A reply that fails marks its conversation in all lists. */
        assert_return_code(mirror_open(c->mirror, id, 0), 0);
        harness_run_until(h, ended(c, 2));
        send_text(c, "@status=400 @error=\"no such thing\"");
        harness_run_until(h, ended(c, 4));
        harness_run_until(h, listed(c, id)->failed && listed(other, id)->failed);
        harness_run_until(h, message(c, 1)->error);
        assert_non_null(strstr(message(c, 1)->error, "no such thing"));
}

static void test_list(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_list(h, VIA_SESSION);
        check_list(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_first_screen, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_talk, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_large, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_unsent, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_cancel, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_removing, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_branches, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_service_killed, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_bus_restarted, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_sent_once, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_long, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_list, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("tui-mirror", tests, NULL, NULL);
}
