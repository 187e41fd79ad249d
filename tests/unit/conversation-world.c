/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>

#include "common/log.h"
#include "conversation-fakes.h"

World world;

/* ---- the room ---- */

static void note(const char *format, ...) _printf_(1, 2);
static void note(const char *format, ...)
{
        char *line;
        va_list ap;

        va_start(ap, format);
        assert_true(vasprintf(&line, format, ap) >= 0);
        va_end(ap);
        assert_true(buffer_append_string(&world.log, line) >= 0);
        free(line);
}

static void on_added(Conversation *c, void *userdata)
{
        note("added\n");
}

static void on_removed(Conversation *c, void *userdata)
{
        note("removed\n");
}

static void on_changed(Conversation *c, ConversationChange what, void *userdata)
{
        if (what & CONVERSATION_CHANGED_STATE)
                note("state %s\n", conversation_state(c));
        if (what & CONVERSATION_CHANGED_TITLE)
                note("title %s\n", conversation_title(c));
}

static void on_message_added(Conversation *c, uint64_t id, uint64_t parent, Role role,
        const char *text, size_t size, void *userdata)
{
        note("message %" PRIu64 " below %" PRIu64 " %s: %.*s\n", id, parent, role_to_string(role),
                (int) MIN(size, (size_t) 80), text);
}

static void on_reply_started(Reply *r, void *userdata)
{
        note("started %" PRIu64 " below %" PRIu64 "\n", reply_id(r), reply_parent(r));
}

static void on_reply_text(Reply *r, void *userdata)
{
        size_t size;

        (void) reply_text(r, CHANNEL_CONTENT, &size);
        note("text %" PRIu64 " to %zu\n", reply_id(r), size);
}

static void on_reply_ended(Reply *r, void *userdata)
{
        ReplyInfo info;

        reply_get_info(r, &info);
        note("ended %" PRIu64 " %s\n", reply_id(r), end_reason_to_string(info.reason));
}

static void on_reply_stored(Reply *r, void *userdata)
{
        note("stored %" PRIu64 "\n", reply_id(r));
}

static void on_command(
        Reply *r, uint64_t offset, const char *verb, char *const *arguments, void *userdata)
{
        note("command %s %s at %" PRIu64 "\n", verb, arguments[0] ? arguments[0] : "-", offset);
}

static void on_notice(int level, const char *title, const char *text, void *userdata)
{
        note("notice %s\n", title);
}

static const ConversationsObserver observer = {
        .added = on_added,
        .removed = on_removed,
        .changed = on_changed,
        .message_added = on_message_added,
        .reply_started = on_reply_started,
        .reply_text = on_reply_text,
        .reply_ended = on_reply_ended,
        .reply_stored = on_reply_stored,
        .avatar_command = on_command,
        .notice = on_notice,
};

char *world_take_log(void)
{
        char *log;

        assert_true(buffer_steal(&world.log, &log, NULL) >= 0);
        return log;
}

void world_settle(void)
{
        while (sd_event_run(world.event, 0) > 0)
                ;
}

static void start_room(void)
{
        assert_int_equal(conversations_new(&world.cs, world.event, NULL, NULL, world.avatar,
                                 fake_store_open()),
                0);
        conversations_set_observer(world.cs, &observer);
}

static void stop_room(void)
{
        world.cs = conversations_free(world.cs);
        fake_store_close();
        fake_engines_clear();
}

int world_set_up(void **state)
{
        log_set_max_level(LOG_CRIT);
        memset(&world, 0, sizeof world);
        world.log = BUFFER_INIT(MIB(1));
        assert_true(sd_event_new(&world.event) >= 0);
        assert_int_equal(avatar_new(&world.avatar), 0);
        start_room();
        return 0;
}

int world_tear_down(void **state)
{
        stop_room();
        fake_store_clear();
        told_clear(&world.told);
        avatar_free(world.avatar);
        sd_event_unref(world.event);
        buffer_done(&world.log);
        return 0;
}

void world_restart(void)
{
        stop_room();
        start_room();
}

void told_clear(Told *t)
{
        free(t->sentence);
        *t = (Told){ 0 };
}

static void take_failure(Told *t, const Failure *failure)
{
        assert_false(t->called);
        t->called = true;
        if (failure) {
                assert_true(failure_is_set(failure));
                t->code = failure->code;
                t->sentence = strdup(failure_message(failure));
        }
}

void world_told(const Failure *failure, uint64_t message, uint64_t reply, void *userdata)
{
        Told *t = userdata;

        take_failure(t, failure);
        t->message = message;
        t->reply = reply;
}

void world_done(const Failure *failure, Conversation *c, void *userdata)
{
        take_failure(userdata, failure);
}

Conversation *world_create(void)
{
        told_clear(&world.told);
        assert_int_equal(conversations_create(world.cs, &(ConversationOptions){ 0 }, world_done,
                                 &world.told, NULL),
                0);
        world_settle();
        assert_true(world.told.called);
        assert_int_equal(world.told.code, FAILURE_NONE);
        free(world_take_log());
        return conversations_next(world.cs, NULL);
}

int world_start_send(Conversation *c, const char *text, const SendOptions *options, Told *told)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r;

        told_clear(told);
        r = conversation_send(c, text, options, world_told, told, &failure);
        assert_false(told->called);
        assert_int_equal(r < 0, failure_is_set(&failure));
        if (r < 0) {
                take_failure(told, &failure);
                told->called = false;
        }
        return r;
}

int world_send_with(Conversation *c, const char *text, const SendOptions *options)
{
        int r;

        r = world_start_send(c, text, options, &world.told);
        world_settle();
        assert_int_equal(world.told.called, r >= 0);
        return r;
}

int world_send(Conversation *c, const char *text)
{
        return world_send_with(c, text, &(SendOptions){ 0 });
}
