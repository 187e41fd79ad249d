/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What happens to conversations, told to all: signals at once, PropertiesChanged once for each
 * conversation and turn of the loop, with the values of that moment. */

#include "common/log.h"
#include "common/names.h"
#include "common/utf8.h"
#include "service/bus/append.h"
#include "service/conversation/conversation-face.h"
#include "service/manager-bus.h"

#define MESSAGE_ADDED_TEXT_MAX 256U /* bytes of the message in MessageAdded */

static void emit(ConversationFace *f, const char *path, const char *interface, const char *member,
        doors_fill_t fill, void *userdata)
{
        int r;

        if (!f->manager->doors)
                return;
        r = doors_emit(f->manager->doors, DOOR_BOTH, path, interface, member, fill, userdata);
        if (r < 0)
                log_warning_errno(r, "Cannot send %s, ignoring: %m", member);
}

static void emit_conversation(
        ConversationFace *f, Conversation *c, const char *member, doors_fill_t fill, void *userdata)
{
        emit(f, conversation_path(c), INTERFACE_CONVERSATION, member, fill, userdata);
}

/* ---- properties ---- */

static void announce_one(ConversationFace *f, const Change *change)
{
        static const struct {
                ConversationChange what;
                const char *property;
        } table[] = {
                { CONVERSATION_CHANGED_TITLE, "Title" },
                { CONVERSATION_CHANGED_MODEL, "Model" },
                { CONVERSATION_CHANGED_STATE, "State" },
                { CONVERSATION_CHANGED_HEAD, "Head" },
                { CONVERSATION_CHANGED_MESSAGES, "Messages" },
                { CONVERSATION_CHANGED_CONTEXT, "ContextUsed" },
                { CONVERSATION_CHANGED_CONTEXT, "ContextSize" },
                { CONVERSATION_CHANGED_MODIFIED, "Modified" },
                { CONVERSATION_CHANGED_ARCHIVED, "Archived" },
        };
        const char *names[ELEMENTSOF(table) + 1] = { NULL };
        Conversation *c;
        size_t n = 0;
        int r;

        c = conversations_find_number(f->manager->conversations, change->conversation);
        if (!c || conversation_deleted(c) > 0)
                return;
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (change->what & table[i].what)
                        names[n++] = table[i].property;
        r = doors_emit_properties(
                f->manager->doors, conversation_path(c), INTERFACE_CONVERSATION, names);
        if (r < 0)
                log_warning_errno(r, "Cannot send PropertiesChanged, ignoring: %m");
}

static int on_announce(sd_event_source *source, void *userdata)
{
        ConversationFace *f = ASSERT_PTR(userdata);

        if (f->manager->doors) {
                for (size_t i = 0; i < f->n_changes; i++)
                        announce_one(f, &f->changes[i]);
                if (f->replies_changed)
                        manager_emit_property(f->manager, "LiveReplies");
        }
        f->n_changes = 0;
        f->changes = mfree(f->changes);
        f->replies_changed = false;
        return 0;
}

static void schedule_announce(ConversationFace *f)
{
        int r;

        if (f->announce)
                r = sd_event_source_set_enabled(f->announce, SD_EVENT_ONESHOT);
        else
                r = sd_event_add_defer(f->manager->event, &f->announce, on_announce, f);
        if (r < 0)
                log_warning_errno(r, "Cannot announce changed properties: %m");
}

static void note_change(ConversationFace *f, Conversation *c, ConversationChange what)
{
        uint64_t number = conversation_number(c);
        Change *changes;

        for (size_t i = 0; i < f->n_changes; i++)
                if (f->changes[i].conversation == number) {
                        f->changes[i].what |= what;
                        return;
                }
        changes = reallocarray(f->changes, f->n_changes + 1, sizeof *changes);
        if (!changes) {
                (void) log_oom();
                return;
        }
        f->changes = changes;
        f->changes[f->n_changes++] = (Change){ .conversation = number, .what = what };
        schedule_announce(f);
}

static void note_replies(ConversationFace *f)
{
        f->replies_changed = true;
        schedule_announce(f);
}

/* ---- conversations ---- */

static int fill_added(sd_bus_message *m, void *userdata)
{
        Conversation *c = ASSERT_PTR(userdata);

        return sd_bus_message_append(m, "os", conversation_path(c), conversation_title(c));
}

static void on_added(Conversation *c, void *userdata)
{
        emit(ASSERT_PTR(userdata), PATH_ROOT, INTERFACE_MANAGER, "ConversationAdded", fill_added,
                c);
}

static int fill_removed(sd_bus_message *m, void *userdata)
{
        return sd_bus_message_append(m, "o", conversation_path(userdata));
}

static void on_removed(Conversation *c, void *userdata)
{
        ConversationFace *f = ASSERT_PTR(userdata);

        emit(f, PATH_ROOT, INTERFACE_MANAGER, "ConversationRemoved", fill_removed, c);
        /* They are told how what was live has ended. */
        if (!conversation_live_reply(c))
                followers_end(f, conversation_number(c));
}

static void on_changed(Conversation *c, ConversationChange what, void *userdata)
{
        note_change(ASSERT_PTR(userdata), c, what);
}

/* ---- messages ---- */

typedef struct AddedMessage {
        uint64_t id, parent;
        Role role;
        const char *text;
        size_t size;
} AddedMessage;

static int fill_message_added(sd_bus_message *m, void *userdata)
{
        const AddedMessage *a = ASSERT_PTR(userdata);
        int r;

        r = sd_bus_message_append(m, "tts", a->id, a->parent, role_to_string(a->role));
        if (r < 0)
                return r;
        return bus_append_text(m, a->text, a->size);
}

static void on_message_added(Conversation *c, uint64_t id, uint64_t parent, Role role,
        const char *text, size_t size, void *userdata)
{
        AddedMessage a = {
                .id = id,
                .parent = parent,
                .role = role,
                .text = text,
                .size = utf8_cut(text, size, MESSAGE_ADDED_TEXT_MAX),
        };

        emit_conversation(ASSERT_PTR(userdata), c, "MessageAdded", fill_message_added, &a);
}

/* ---- replies ---- */

static int fill_metadata(sd_bus_message *m, const Reply *r)
{
        ReplyInfo info;

        reply_get_info(r, &info);
        return metadata_append_reply(m, &info);
}

static int fill_reply_started(sd_bus_message *m, void *userdata)
{
        const Reply *r = ASSERT_PTR(userdata);
        int error;

        error = sd_bus_message_append(m, "tt", reply_id(r), reply_parent(r));
        if (error < 0)
                return error;
        return fill_metadata(m, r);
}

static void on_reply_started(Reply *r, void *userdata)
{
        ConversationFace *f = ASSERT_PTR(userdata);

        emit_conversation(f, reply_conversation(r), "ReplyStarted", fill_reply_started, r);
        progress_reply_started(f, r);
        followers_reply_started(f, r);
        note_replies(f);
}

static void on_reply_phase(Reply *r, void *userdata)
{
        followers_reply_phase(ASSERT_PTR(userdata), r);
}

static int fill_reply_failed(sd_bus_message *m, void *userdata)
{
        ReplyInfo info;

        reply_get_info(userdata, &info);
        return sd_bus_message_append(m, "tss", reply_id(userdata),
                failure_code_to_string(info.failure ? info.failure->code : FAILURE_INTERNAL),
                info.failure ? failure_message(info.failure) : "The reply failed.");
}

static int fill_reply_finished(sd_bus_message *m, void *userdata)
{
        ReplyInfo info;
        int error;

        reply_get_info(userdata, &info);
        error = sd_bus_message_append(
                m, "ts", reply_id(userdata), end_reason_to_string(info.reason));
        if (error < 0)
                return error;
        return fill_metadata(m, userdata);
}

/* Every reply ends with one ReplyFinished; a failed one says why after it. */
/* Somebody looks at it while it ends. */
static void mark_read(Conversation *c)
{
        int r = conversation_mark_read(c);

        if (r < 0)
                log_warning_errno(r, "Cannot mark a conversation as read, ignoring: %m");
}

static void on_reply_ended(Reply *r, void *userdata)
{
        ConversationFace *f = ASSERT_PTR(userdata);
        Conversation *c = reply_conversation(r);
        ReplyInfo info;

        reply_get_info(r, &info);
        emit_conversation(f, c, "ReplyFinished", fill_reply_finished, r);
        if (conversation_deleted(c) > 0 && !conversation_live_reply(c))
                followers_end(f, conversation_number(c));
        if (info.reason == REASON_FAILED)
                emit_conversation(f, c, "ReplyFailed", fill_reply_failed, r);
        note_replies(f);
        if (surfaces_any_focus(f->manager->surfaces, conversation_path(c)))
                mark_read(c);
}

static void on_reply_stored(Reply *r, void *userdata)
{
        ConversationFace *f = ASSERT_PTR(userdata);

        manager_notice(f->manager, LOG_NOTICE, "A reply is stored now",
                "The reply that could not be stored is on the disk now, with all of its text.");
        note_replies(f);
}

typedef struct AvatarCommand {
        uint64_t reply, offset;
        const char *verb;
        char *const *arguments;
} AvatarCommand;

static int fill_avatar_command(sd_bus_message *m, void *userdata)
{
        const AvatarCommand *a = ASSERT_PTR(userdata);
        int r;

        r = sd_bus_message_append(m, "tts", a->reply, a->offset, a->verb);
        if (r < 0)
                return r;
        return sd_bus_message_append_strv(m, (char **) a->arguments);
}

static void on_avatar_command(
        Reply *r, uint64_t offset, const char *verb, char *const *arguments, void *userdata)
{
        AvatarCommand a = { reply_id(r), offset, verb, arguments };

        emit_conversation(ASSERT_PTR(userdata), reply_conversation(r), "AvatarCommand",
                fill_avatar_command, &a);
}

static void on_notice(int level, const char *title, const char *text, void *userdata)
{
        const ConversationFace *f = ASSERT_PTR(userdata);

        manager_notice(f->manager, level, title, text);
}

void conversation_signals_install(ConversationFace *f)
{
        const ConversationsObserver observer = {
                .added = on_added,
                .removed = on_removed,
                .changed = on_changed,
                .message_added = on_message_added,
                .reply_started = on_reply_started,
                .reply_phase = on_reply_phase,
                .reply_ended = on_reply_ended,
                .reply_stored = on_reply_stored,
                .avatar_command = on_avatar_command,
                .notice = on_notice,
                .userdata = f,
        };

        conversations_set_observer(f->manager->conversations, &observer);
}

void conversation_signals_remove(ConversationFace *f)
{
        const ConversationsObserver none = { 0 };

        if (f->manager->conversations)
                conversations_set_observer(f->manager->conversations, &none);
        sd_event_source_disable_unref(f->announce);
        free(f->changes);
}
