/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The clients' model of a conversation, before a service that answers what no service does. */

#include "client/bus/call.h"
#include "client/bus/connect.h"
#include "client/bus/reply-stream.h"
#include "client/tui/model/mirror.h"
#include "common/buffer.h"
#include "tests/unit/hostile-service.h"

/* ---- the curses client's mirror ---- */

typedef struct World {
        Hostile *service;
        Mirror *mirror;
        unsigned n_pages; /* asked for */
        unsigned n_done;
        FailureCode code; /* of the last one done */
} World;

static void on_changed(MirrorChange change, void *userdata)
{
}

static void on_notice(const char *level, const char *title, const char *text, void *userdata)
{
}

static void on_avatar(const char *verb, const char *word, void *userdata)
{
}

static void on_done(const Failure *failure, void *userdata)
{
        World *w = userdata;

        w->n_done++;
        w->code = failure ? failure->code : FAILURE_NONE;
}

static void world_begin(World *w, hostile_answer_t answer)
{
        static const MirrorOps ops = {
                .changed = on_changed,
                .notice = on_notice,
                .avatar = on_avatar,
        };
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        *w = (World){ .service = hostile_new(answer, w) };
        assert_int_equal(setenv("CONDUCTOR_BUS", w->service->address, 1), 0);
        assert_return_code(mirror_new(w->service->event, NULL, &ops, w, &w->mirror, &failure), 0);
        hostile_run_until(w->service, mirror_link(w->mirror, NULL, NULL) == LINK_UP);
}

static void world_end(World *w)
{
        mirror_free(w->mirror);
        hostile_free(w->service);
}

static size_t count_messages(const World *w)
{
        size_t n;

        (void) mirror_messages(w->mirror, &n);
        return n;
}

#define MESSAGE(id, parent) UINT64_C(id), UINT64_C(parent), "user", "text", 0

/* The first page is what it should be; each of those after it has messages that it had already. */
static void repeat_messages(Hostile *h, sd_bus_message *call, const char *member)
{
        World *w = h->userdata;

        if (streq(member, "GetSnapshot"))
                hostile_reply(call, "a{sv}", 0);
        else if (!streq(member, "GetMessages"))
                hostile_reply(call, "");
        else if (++w->n_pages == 1)
                hostile_reply(call, "a(ttssa{sv})", 2, MESSAGE(3, 2), MESSAGE(4, 3));
        else if (w->n_pages == 2)
                hostile_reply(call, "a(ttssa{sv})", 3, MESSAGE(3, 2), MESSAGE(4, 3), MESSAGE(4, 3));
        else
                hostile_reply(call, "a(ttssa{sv})", 3, MESSAGE(2, 1), MESSAGE(2, 1), MESSAGE(3, 2));
}

static void test_messages_repeat(void **state)
{
        World w;

        world_begin(&w, repeat_messages);
        assert_return_code(mirror_open(w.mirror, HOSTILE_ID, 0), 0);
        hostile_run_until(w.service, count_messages(&w) == 2);
        /* All of it again. */
        hostile_say(w.service, HOSTILE_PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                "sa{sv}as", INTERFACE_CONVERSATION, 1, "Head", "t", UINT64_C(9), 0);
        hostile_run_until(w.service, w.n_pages == 2 && !mirror_is_loading(w.mirror));
        assert_int_equal(count_messages(&w), 2);
        assert_return_code(mirror_load_older(w.mirror), 0);
        hostile_run_until(w.service, w.n_pages == 3 && !mirror_is_loading(w.mirror));
        assert_int_equal(count_messages(&w), 2);
        world_end(&w);
}

static void make_conversation(Hostile *h, sd_bus_message *call, const char *member)
{
        if (streq(member, "GetSnapshot"))
                hostile_reply(call, "a{sv}", 0);
        else if (streq(member, "CreateConversation"))
                hostile_reply(call, "o", HOSTILE_PATH);
        else
                hostile_reply(call, "");
}

/* A door that passes no descriptors: who sends a file is told so, after mirror_send(). */
static void test_unsendable(void **state)
{
        const char *const names[] = { "a file" };
        const int fds[] = { STDIN_FILENO };
        const SendRequest request = {
                .text = "look",
                .size = 4,
                .names = names,
                .fds = fds,
                .n_attachments = 1,
        };
        World w;

        world_begin(&w, make_conversation);
        assert_return_code(mirror_open(w.mirror, HOSTILE_ID, 0), 0);
        for (unsigned i = 1; i <= 3; i++) {
                assert_return_code(mirror_send(w.mirror, &request, on_done, &w), 0);
                assert_int_equal(w.n_done, i - 1);
                hostile_run_until(w.service, w.n_done == i);
                assert_int_equal(w.code, FAILURE_NOT_SUPPORTED);
                assert_int_equal(count_messages(&w), 0);
        }
        /* One that is taken back with its connection is not told twice. */
        assert_return_code(mirror_send(w.mirror, &request, on_done, &w), 0);
        assert_int_equal(count_messages(&w), 1);
        world_end(&w);
}

static void make_nothing(Hostile *h, sd_bus_message *call, const char *member)
{
        if (streq(member, "GetSnapshot"))
                hostile_reply(call, "a{sv}", 0);
        else
                hostile_reply(call, "o", PATH_ROOT);
}

/* No conversation is made for the question, and another would not help: who sent it is told. */
static void test_not_made(void **state)
{
        const SendRequest request = { .text = "hello", .size = 5 };
        World w;

        world_begin(&w, make_nothing);
        assert_return_code(mirror_send(w.mirror, &request, on_done, &w), 0);
        assert_return_code(mirror_send(w.mirror, &request, on_done, &w), 0);
        hostile_run_until(w.service, w.n_done == 2);
        assert_int_not_equal(w.code, FAILURE_NONE);
        assert_int_equal(count_messages(&w), 0);
        world_end(&w);
}

/* ---- an export ---- */

#define PART_SIZE KIB(256)
#define PARTS     5U
#define WHOLE     (PARTS * (size_t) PART_SIZE)

typedef enum ExportEnd {
        EXPORT_WHOLE,
        EXPORT_REFUSED,
        EXPORT_ERROR,
        EXPORT_EMPTY_PART,
        EXPORT_SHORT_ANSWER,
        EXPORT_LEAVES,
        EXPORT_UNREAD, /* whoever has the other end closes it */
        _EXPORT_MAX,
} ExportEnd;

typedef struct Exporting {
        World world;
        ExportEnd end;
        uint64_t n_parts; /* given */
        sd_event_source *source;
        Buffer text;
        bool given, at_end;
        unsigned n_done_at_end;
} Exporting;

static int on_export_text(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Exporting *x = userdata;
        char *room;
        ssize_t n;

        assert_return_code(buffer_reserve(&x->text, PART_SIZE, &room), 0);
        n = read(fd, room, PART_SIZE);
        assert_true(n >= 0);
        buffer_advance(&x->text, (size_t) n);
        if (n > 0)
                return 0;
        x->at_end = true;
        x->n_done_at_end = x->world.n_done;
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static void on_export(const Failure *failure, int fd, void *userdata)
{
        Exporting *x = userdata;

        if (failure) {
                assert_int_equal(fd, -EBADF);
                on_done(failure, &x->world);
                return;
        }
        assert_false(x->given);
        x->given = true;
        if (x->end == EXPORT_UNREAD) {
                assert_return_code(close(fd), errno);
                return;
        }
        assert_return_code(sd_event_add_io(x->world.service->event, &x->source, fd, EPOLLIN,
                                   on_export_text, x),
                0);
        assert_return_code(sd_event_source_set_io_fd_own(x->source, true), 0);
}

static void give_part(sd_bus_message *call, uint64_t next, size_t size)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        void *data;

        assert_return_code(sd_bus_message_new_method_return(call, &answer), 0);
        assert_return_code(sd_bus_message_append(answer, "t", next), 0);
        assert_return_code(sd_bus_message_append_array_space(answer, 'y', size, &data), 0);
        memset(data, (int) ('a' + next), size);
        assert_return_code(sd_bus_send(NULL, answer, NULL), 0);
}

static void export_parts(Hostile *h, sd_bus_message *call, const char *member)
{
        Exporting *x = h->userdata;
        bool last = x->n_parts + 1 == PARTS, half_way = x->n_parts == 2;

        if (streq(member, "GetSnapshot"))
                hostile_reply(call, "a{sv}", 0);
        else if (!streq(member, "ExportPart"))
                hostile_reply(call, "");
        else if (x->end == EXPORT_REFUSED || (x->end == EXPORT_ERROR && half_way))
                assert_return_code(
                        sd_bus_reply_method_errorf(call, ERROR_PREFIX "Busy", "Later."), 0);
        else if (x->end == EXPORT_EMPTY_PART && half_way)
                give_part(call, 99, 0);
        else if (x->end == EXPORT_SHORT_ANSWER && half_way)
                hostile_reply(call, "t", UINT64_C(3));
        else if (x->end == EXPORT_LEAVES && half_way)
                sd_bus_close(h->bus);
        else {
                x->n_parts++;
                give_part(call, last ? 0 : x->n_parts, PART_SIZE);
        }
}

static void export_begin(Exporting *x, ExportEnd end)
{
        *x = (Exporting){ .end = end, .text = BUFFER_INIT(2 * WHOLE) };
        world_begin(&x->world, export_parts);
        x->world.service->userdata = x;
        assert_return_code(mirror_open(x->world.mirror, HOSTILE_ID, 0), 0);
        assert_return_code(mirror_export(x->world.mirror, "json", on_export, x), 0);
}

static void export_done(Exporting *x)
{
        sd_event_source_disable_unref(x->source);
        buffer_done(&x->text);
        world_end(&x->world);
}

/* Whoever reads it knows at its end whether that was all. */
static void test_export(void **state)
{
        for (ExportEnd end = 0; end < _EXPORT_MAX; end++) {
                Exporting x;

                export_begin(&x, end);
                if (end == EXPORT_UNREAD)
                        hostile_run_until(x.world.service, x.n_parts == PARTS);
                else if (end == EXPORT_REFUSED)
                        hostile_run_until(x.world.service, x.world.n_done > 0);
                else
                        hostile_run_until(x.world.service, x.at_end);
                assert_int_equal(x.given, end != EXPORT_REFUSED);
                if (end == EXPORT_WHOLE)
                        assert_int_equal(x.text.size, WHOLE);
                else if (end != EXPORT_REFUSED && end != EXPORT_UNREAD) {
                        assert_int_equal(x.text.size, 2 * PART_SIZE);
                        assert_int_equal(x.n_done_at_end, 1);
                }
                for (size_t i = 0; i < x.text.size; i++)
                        assert_int_equal(x.text.data[i],
                                i / PART_SIZE + 1 == PARTS ? 'a' : 'b' + (int) (i / PART_SIZE));
                assert_int_equal(
                        x.world.n_done, end != EXPORT_WHOLE && end != EXPORT_UNREAD ? 1 : 0);
                export_done(&x);
        }
}

/* The mirror goes while the other end is not read: that is the end, at once. */
static void test_export_freed(void **state)
{
        Exporting x;

        export_begin(&x, EXPORT_WHOLE);
        hostile_run_until(x.world.service, x.given);
        x.world.mirror = mirror_free(x.world.mirror);
        hostile_run_until(x.world.service, x.at_end);
        assert_in_range(x.text.size, 0, WHOLE - 1);
        assert_int_equal(x.world.n_done, 0);
        export_done(&x);
}

/* ---- a reply that is followed ---- */

#define REPLY UINT64_C(7)

typedef struct Followed {
        Hostile *service;
        Buffer text[_CHANNEL_MAX];
        unsigned n_fetched, n_ended, n_broken;
} Followed;

#define FOLLOWED_INIT \
        { \
                .text = { BUFFER_INIT(KIB(4)), BUFFER_INIT(KIB(4)) }, \
        }

static void on_text(Channel channel, const char *text, size_t size, void *userdata)
{
        Followed *f = userdata;

        assert_return_code(buffer_append(&f->text[channel], text, size), 0);
}

static void on_ended(const Failure *failure, sd_bus_message *metadata, void *userdata)
{
        Followed *f = userdata;

        assert_null(failure);
        f->n_ended++;
}

static void on_broken(const Failure *failure, void *userdata)
{
        Followed *f = userdata;

        f->n_broken++;
}

static void on_rejoined(void *userdata)
{
}

static void say_delta(
        Hostile *h, uint64_t sequence, Channel channel, uint64_t offset, const char *text)
{
        hostile_say(h, HOSTILE_PATH, INTERFACE_CONVERSATION, "ReplyDelta", "ttsts", REPLY, sequence,
                channel_to_string(channel), offset, text);
}

/* Text was sent before Asked, so that the client reads it again; and more comes as deltas while
 * that is on its way, from the very place that was asked for. */
static void overtake(Hostile *h, sd_bus_message *call, const char *member)
{
        Followed *f = h->userdata;

        if (streq(member, "Ask")) {
                say_delta(h, 1, CHANNEL_REASONING, 0, "well");
                hostile_say(
                        h, HOSTILE_PATH, INTERFACE_CONVERSATION, "Asked", "tt", UINT64_C(6), REPLY);
                hostile_reply(call, "sa{sv}", "one two", 0);
        } else if (streq(member, "GetReply") && ++f->n_fetched == 1) {
                say_delta(h, 2, CHANNEL_CONTENT, 0, "one ");
                say_delta(h, 3, CHANNEL_CONTENT, 4, "two");
                hostile_reply(
                        call, "sstba{sv}", "streaming", "one two", UINT64_C(7), (int) false, 0);
        } else if (streq(member, "GetReply")) {
                hostile_reply(call, "sstba{sv}", "streaming", "well", UINT64_C(4), (int) false, 0);
                hostile_say(h, HOSTILE_PATH, INTERFACE_CONVERSATION, "ReplyEnd", "ttsa{sv}", REPLY,
                        UINT64_C(4), "stop", 0);
        }
}

static void ask(Followed *f, sd_bus **ret_bus, ReplyStream **ret)
{
        static const ReplyStreamOps ops = {
                .text = on_text,
                .ended = on_ended,
                .broken = on_broken,
                .rejoined = on_rejoined,
        };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        ClientDoor door;

        assert_int_equal(setenv("CONDUCTOR_BUS", f->service->address, 1), 0);
        assert_return_code(client_connect(NULL, ret_bus, &door, &failure), 0);
        assert_return_code(sd_bus_attach_event(*ret_bus, f->service->event, 0), 0);
        assert_return_code(
                client_new_call(*ret_bus, PATH_ROOT, INTERFACE_MANAGER, "Ask", &call), 0);
        assert_return_code(sd_bus_message_append(call, "s", "a question"), 0);
        assert_return_code(sd_bus_message_open_container(call, 'a', "{sv}"), 0);
        assert_return_code(reply_stream_new(*ret_bus, call, &ops, f, ret), 0);
}

static void followed_end(Followed *f)
{
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                buffer_done(&f->text[c]);
        hostile_free(f->service);
}

static void test_text_comes_once(void **state)
{
        Followed f = FOLLOWED_INIT;
        ReplyStream *stream;
        sd_bus *bus;

        f.service = hostile_new(overtake, &f);
        ask(&f, &bus, &stream);
        hostile_run_until(f.service, f.n_ended > 0);
        assert_string_equal(buffer_text(&f.text[CHANNEL_CONTENT]), "one two");
        assert_string_equal(buffer_text(&f.text[CHANNEL_REASONING]), "well");
        assert_int_equal(f.n_fetched, 2);
        reply_stream_free(stream);
        sd_bus_close_unref(bus);
        followed_end(&f);
}

/* Says that it has less than was told, and then always that there is more. */
static void have_less(Hostile *h, sd_bus_message *call, const char *member)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *refusal = NULL;
        Followed *f = h->userdata;

        if (streq(member, "Ask")) {
                hostile_say(
                        h, HOSTILE_PATH, INTERFACE_CONVERSATION, "Asked", "tt", UINT64_C(6), REPLY);
                say_delta(h, 1, CHANNEL_CONTENT, 0, "one");
        } else if (streq(member, "Follow")) {
                hostile_reply(call, "tu", UINT64_C(1), UINT32_C(64));
                hostile_say(h, HOSTILE_PATH, INTERFACE_CONVERSATION, "Dropped", "t", REPLY);
        } else if (streq(member, "GetReply") && ++f->n_fetched == 1) {
                assert_return_code(sd_bus_message_new_method_errorf(call, &refusal,
                                           ERROR_PREFIX "InvalidArgument", "Beyond its end."),
                        0);
                assert_return_code(sd_bus_send(h->bus, refusal, NULL), 0);
        } else if (streq(member, "GetReply"))
                hostile_reply(call, "sstba{sv}", "ended", f->n_fetched < 100 ? "more" : "",
                        UINT64_C(4), (int) (f->n_fetched < 100), 0);
}

static void test_less_than_told(void **state)
{
        Followed f = FOLLOWED_INIT;
        ReplyStream *stream;
        sd_bus *bus;

        f.service = hostile_new(have_less, &f);
        ask(&f, &bus, &stream);
        hostile_run_until(f.service, f.text[CHANNEL_CONTENT].size > 0);
        assert_return_code(reply_stream_rejoin(stream, bus), 0);
        hostile_run_until(f.service, f.n_ended > 0);
        assert_string_equal(buffer_text(&f.text[CHANNEL_CONTENT]), "one");
        assert_in_range(f.n_fetched, 3, 100);
        reply_stream_free(stream);
        sd_bus_close_unref(bus);
        followed_end(&f);
}

/* Answers, and goes away before it has said that this was all of the text. */
static void answer_and_leave(Hostile *h, sd_bus_message *call, const char *member)
{
        hostile_say(h, HOSTILE_PATH, INTERFACE_CONVERSATION, "Asked", "tt", UINT64_C(6), REPLY);
        hostile_reply(call, "sa{sv}", "one", 0);
        assert_return_code(sd_bus_flush(h->bus), 0);
        sd_bus_close(h->bus);
}

static void test_gone_before_the_end(void **state)
{
        Followed f = FOLLOWED_INIT;
        ReplyStream *stream;
        sd_bus *bus;

        f.service = hostile_new(answer_and_leave, &f);
        ask(&f, &bus, &stream);
        hostile_run_until(f.service, f.n_broken > 0);
        assert_int_equal(f.n_broken, 1);
        assert_int_equal(f.n_ended, 0);
        reply_stream_free(stream);
        sd_bus_close_unref(bus);
        followed_end(&f);
}

/* Goes away when text is missing, which the client asks for. */
static void leave_in_between(Hostile *h, sd_bus_message *call, const char *member)
{
        if (streq(member, "Ask")) {
                hostile_say(
                        h, HOSTILE_PATH, INTERFACE_CONVERSATION, "Asked", "tt", UINT64_C(6), REPLY);
                say_delta(h, 1, CHANNEL_CONTENT, 4, "two");
        } else
                sd_bus_close(h->bus);
}

/* Whoever made the connection has given it up, and another one cannot be made yet. */
static void test_cancel_between_connections(void **state)
{
        Followed f = FOLLOWED_INIT;
        ReplyStream *stream;
        sd_bus *bus;

        f.service = hostile_new(leave_in_between, &f);
        ask(&f, &bus, &stream);
        hostile_run_until(f.service, f.n_broken > 0);
        sd_bus_close_unref(bus);
        assert_return_code(reply_stream_cancel(stream), 0);
        reply_stream_free(stream);
        assert_int_equal(f.n_ended, 0);
        followed_end(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_messages_repeat),
                cmocka_unit_test(test_unsendable),
                cmocka_unit_test(test_not_made),
                cmocka_unit_test(test_export),
                cmocka_unit_test(test_export_freed),
                cmocka_unit_test(test_text_comes_once),
                cmocka_unit_test(test_less_than_told),
                cmocka_unit_test(test_gone_before_the_end),
                cmocka_unit_test(test_cancel_between_connections),
        };

        return cmocka_run_group_tests_name("tui-hostile", tests, NULL, NULL);
}
