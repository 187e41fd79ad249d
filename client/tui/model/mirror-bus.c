/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The connection's life: what is asked for when it comes, and the signals on it. */

#include "client/tui/model/mirror-internal.h"
#include "common/log.h"

#define MATCH "type='signal',sender='" BUS_NAME "',"
#define MATCH_CONVERSATION(member) \
        MATCH "interface='" INTERFACE_CONVERSATION "',member='" member "'"

/* All of the service's signals but ReplyProgress, whose text is other readers', and those that are
 * sent to this connection alone. */
static const char *const matches[] = {
        MATCH "interface='" INTERFACE_MANAGER "'",
        MATCH "interface='" INTERFACE_AVATAR "'",
        MATCH "interface='org.freedesktop.DBus.Properties'",
        MATCH_CONVERSATION("MessageAdded"),
        MATCH_CONVERSATION("ReplyStarted"),
        MATCH_CONVERSATION("ReplyFinished"),
        MATCH_CONVERSATION("ReplyFailed"),
};

/* ---- signals of the manager ---- */

static int on_added(Mirror *m, sd_bus_message *signal)
{
        return list_refresh(m);
}

static int on_removed(Mirror *m, sd_bus_message *signal)
{
        const char *path, *id;
        int r;

        r = sd_bus_message_read(signal, "o", &path);
        if (r < 0)
                return r;
        id = conversation_id_of(path);
        if (!id)
                return -EBADMSG;
        list_remove(m, id);
        mirror_tell(m, MIRROR_LIST);
        if (!streq(id, m->open.item.id))
                return 0;
        m->ops->notice("warning", "Deleted elsewhere",
                "`conductor restore` brings this conversation back.", m->userdata);
        return mirror_open_new(m, NULL, /* private= */ false);
}

static int on_engine_changed(Mirror *m, sd_bus_message *signal)
{
        const char *name, *state;
        int r;

        r = sd_bus_message_read(signal, "ss", &name, &state);
        if (r < 0)
                return r;
        for (size_t i = 0; i < m->n_engines && r >= 0; i++)
                if (streq(m->engines[i].name, name))
                        r = free_and_strdup(&m->engines[i].state, state);
        mirror_tell(m, MIRROR_ENGINES);
        return r < 0 ? r : engines_refresh(m);
}

static int on_notice(Mirror *m, sd_bus_message *signal)
{
        const char *level, *title, *text;
        int r;

        r = sd_bus_message_read(signal, "sss", &level, &title, &text);
        if (r >= 0)
                m->ops->notice(level, title, text, m->userdata);
        return r;
}

int mirror_handle_signal(Mirror *m, sd_bus_message *signal, const SignalHandler *handlers, size_t n)
{
        const char *member = sd_bus_message_get_member(signal);

        for (size_t i = 0; i < n; i++)
                if (streq(member, handlers[i].member))
                        return handlers[i].handle(m, signal);
        return 0;
}

static int manager_signal(Mirror *m, sd_bus_message *signal)
{
        static const SignalHandler handlers[] = {
                { "ConversationAdded", on_added },
                { "ConversationRemoved", on_removed },
                { "EngineChanged", on_engine_changed },
                { "Notice", on_notice },
        };

        return mirror_handle_signal(m, signal, handlers, ELEMENTSOF(handlers));
}

/* ---- signals of others ---- */

static int manager_properties(Mirror *m, sd_bus_message *signal)
{
        const char *model = NULL;
        const Field fields[] = { { "DefaultModel", 's', &model } };
        int r;

        r = read_dictionary(signal, fields, ELEMENTSOF(fields));
        if (r < 0 || !model)
                return r;
        r = free_and_strdup(&m->default_model, model);
        mirror_tell(m, MIRROR_ENGINES);
        return r;
}

static int properties_signal(Mirror *m, sd_bus_message *signal)
{
        const char *interface, *id = conversation_id_of(sd_bus_message_get_path(signal));
        int r;

        r = sd_bus_message_read(signal, "s", &interface);
        if (r < 0)
                return r;
        if (streq(interface, INTERFACE_CONVERSATION) && id)
                return conversation_read_properties(m, id, signal);
        if (streq(interface, INTERFACE_MANAGER))
                return manager_properties(m, signal);
        return streq(interface, INTERFACE_AVATAR) ? avatar_properties(m, signal) : 0;
}

/* What the list shows of a conversation that is not open. */
static void note_in_list(Mirror *m, ConversationItem *c, const char *member)
{
        bool open = streq(c->id, m->open.item.id);

        if (streq(member, "ReplyFailed"))
                c->failed = true;
        else if (streq(member, "ReplyStarted"))
                c->failed = false;
        else if (streq(member, "ReplyFinished") && !(open && m->focused))
                c->unread++;
        else
                return;
        mirror_tell(m, MIRROR_LIST);
}

static int conversation_signal(Mirror *m, sd_bus_message *signal)
{
        const char *id = conversation_id_of(sd_bus_message_get_path(signal)),
                   *member = sd_bus_message_get_member(signal);
        ConversationItem *c;

        if (!id)
                return 0;
        /* The frequent one costs no look into the list. */
        c = streq(member, "ReplyDelta") ? NULL : list_find(m, id);
        if (c)
                note_in_list(m, c, member);
        return streq(id, m->open.item.id) ? live_signal(m, signal) : 0;
}

/* Anybody on a bus can send anything. */
static bool is_service(const Mirror *m, sd_bus_message *signal)
{
        return !m->service || streq_ptr(sd_bus_message_get_sender(signal), m->service);
}

static int on_message(sd_bus_message *signal, void *userdata, sd_bus_error *error)
{
        static const struct {
                const char *interface;
                int (*handle)(Mirror *m, sd_bus_message *signal);
        } handlers[] = {
                { INTERFACE_CONVERSATION, conversation_signal },
                { INTERFACE_MANAGER, manager_signal },
                { INTERFACE_AVATAR, avatar_command },
                { "org.freedesktop.DBus.Properties", properties_signal },
        };
        Mirror *m = ASSERT_PTR(userdata);
        int r;

        /* What was said before the snapshot is in it. */
        if (!m->up || !is_service(m, signal))
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(handlers); i++) {
                if (sd_bus_message_is_signal(signal, handlers[i].interface, NULL) <= 0)
                        continue;
                r = handlers[i].handle(m, signal);
                if (r < 0)
                        log_warning_errno(
                                r, "%s cannot be used: %m", sd_bus_message_get_member(signal));
                return 0;
        }
        return 0;
}

/* ---- the snapshot ---- */

static int read_list(sd_bus_message *answer, void *userdata)
{
        Mirror *m = userdata;
        ConversationItem *items;
        size_t n;
        int r;

        r = read_conversations(answer, &items, &n);
        if (r < 0)
                return r;
        list_replace(m, items, n);
        m->more = n >= MIRROR_PAGE;
        return 0;
}

static int read_engine_list(sd_bus_message *answer, void *userdata)
{
        EngineItem *items;
        size_t n;
        int r;

        r = read_engines(answer, &items, &n);
        if (r >= 0)
                engines_replace(userdata, items, n);
        return r;
}

static int read_avatar(sd_bus_message *answer, void *userdata)
{
        return avatar_read_snapshot(userdata, answer);
}

static int read_snapshot(Mirror *m, sd_bus_message *answer)
{
        const char *model = "";
        const Field fields[] = {
                { "default_model", 's', &model },
                { "conversations", '*', m, read_list },
                { "engines", '*', m, read_engine_list },
                { "avatar", '*', m, read_avatar },
        };
        int r;

        r = read_dictionary(answer, fields, ELEMENTSOF(fields));
        if (r < 0)
                return r;
        r = free_and_strdup(&m->default_model, model);
        if (r < 0)
                return r;
        return free_and_strdup(
                &m->service, m->door == CLIENT_PRIVATE ? NULL : sd_bus_message_get_sender(answer));
}

static int begin(Mirror *m)
{
        int r;

        r = surface_register(m);
        if (r < 0)
                return r;
        if (*m->open.item.id) {
                r = open_load(m);
                if (r < 0)
                        return r;
        }
        sends_flush(m);
        return 0;
}

static int on_snapshot(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        _cleanup_failure_ Failure unread = FAILURE_NULL;
        int r;

        if (failure) {
                link_failed(m->link, failure);
                return 0;
        }
        r = read_snapshot(m, answer);
        if (r >= 0) {
                link_succeeded(m->link);
                m->up = true;
                r = begin(m);
        }
        if (r < 0) {
                (void) failure_set_errno(&unread, r, "The service's answer cannot be used");
                link_failed(m->link, &unread);
                return 0;
        }
        mirror_tell(m, MIRROR_LINK | MIRROR_LIST | MIRROR_OPEN | MIRROR_ENGINES);
        return 0;
}

/* ---- the link ---- */

void mirror_stop_listening(Mirror *m)
{
        m->filter = sd_bus_slot_unref(m->filter);
}

static int ask_all(Mirror *m)
{
        int r = 0;

        r = sd_bus_add_filter(m->bus, &m->filter, on_message, m);
        for (size_t i = 0; i < ELEMENTSOF(matches) && m->door != CLIENT_PRIVATE && r >= 0; i++)
                r = sd_bus_call_method_async(m->bus, /* ret_slot= */ NULL, "org.freedesktop.DBus",
                        "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch",
                        /* callback= */ NULL, /* userdata= */ NULL, "s", matches[i]);
        if (r < 0)
                return r;
        return mirror_call_with(m, PATH_ROOT, INTERFACE_MANAGER, "GetSnapshot",
                &(MirrorCall){ .answer = on_snapshot }, "");
}

static void on_opened(sd_bus *bus, ClientDoor door, void *userdata)
{
        Mirror *m = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r;

        m->bus = bus;
        m->door = door;
        r = ask_all(m);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "The service cannot be asked");
                link_failed(m->link, &failure);
        }
}

static void on_closed(void *userdata)
{
        Mirror *m = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        const char *sentence;

        m->bus = NULL;
        m->up = false;
        mirror_stop_listening(m);
        m->surface = mfree(m->surface);
        m->list_stale = false;
        open_reset_stream(&m->open);
        (void) link_state(m->link, &sentence, NULL);
        (void) failure_set(&failure, FAILURE_NO_SERVICE, "%s", sentence);
        mirror_fail_calls(m, &failure);
        sends_lost(m);
        mirror_tell(m, MIRROR_LINK);
}

const LinkOps mirror_link_ops = { .opened = on_opened, .closed = on_closed };
