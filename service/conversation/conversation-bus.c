/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/conversation-bus.h"

#include <sys/random.h>

#include "common/names.h"
#include "service/bus/error.h"
#include "service/bus/property.h"
#include "service/conversation/conversation-face.h"

/* ---- the object ---- */

Conversation *conversation_at(Manager *m, const char *path)
{
        const char *tail = startswith(path, PATH_CONVERSATION "/");
        Conversation *c;
        sd_id128_t id;

        if (!tail || sd_id128_from_string(tail, &id) < 0)
                return NULL;
        c = conversations_find(m->conversations, id);
        /* One object has one path: not also one in capital letters. */
        if (!c || conversation_deleted(c) > 0 || !streq(conversation_path(c), path))
                return NULL;
        return c;
}

/* Asked for what conversations have: not for another object's interface. */
static bool wants_conversation(sd_bus *bus)
{
        sd_bus_message *m = sd_bus_get_current_message(bus);
        const char *interface = m ? sd_bus_message_get_interface(m) : NULL;

        return streq_ptr(interface, INTERFACE_CONVERSATION) ||
                streq_ptr(interface, "org.freedesktop.DBus.Properties");
}

static int conversation_object_find(sd_bus *bus, const char *path, const char *interface,
        void *userdata, void **ret_found, sd_bus_error *error)
{
        Manager *m = ASSERT_PTR(userdata);
        const Failure failure = { .code = FAILURE_NO_SUCH_CONVERSATION };

        if (!startswith(path, PATH_CONVERSATION "/"))
                return 0; /* the folder of them all */
        if (!conversation_at(m, path)) {
                if (!wants_conversation(bus))
                        return 0;
                (void) bus_error_from_failure(error, &failure);
                /* Where sd-bus drops the sentence (a member that there is nowhere), it makes a
                 * standard name of this number, which it does not of all. */
                return -ENOENT;
        }
        *ret_found = m;
        return 1;
}

static int conversation_object_enumerate(
        sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error)
{
        Manager *m = ASSERT_PTR(userdata);
        size_t n = 0;
        char **paths;

        paths = calloc(conversations_count(m->conversations) + 1, sizeof *paths);
        if (!paths)
                return -ENOMEM;
        for (Conversation *c = conversations_next(m->conversations, NULL); c;
                c = conversations_next(m->conversations, c)) {
                if (conversation_deleted(c) > 0)
                        continue;
                paths[n] = strdup(conversation_path(c));
                if (!paths[n]) {
                        while (n > 0)
                                free(paths[--n]);
                        free(paths);
                        return -ENOMEM;
                }
                n++;
        }
        *ret = paths;
        return 0;
}

/* ---- properties ---- */

#define GETTER(name, type, get) \
        BUS_DEFINE_GETTER(name, type, \
                const Conversation *c = ASSERT_PTR(conversation_at(userdata, path)), get(c))

BUS_DEFINE_GETTER(property_id, "s", , strrchr(path, '/') + 1)
GETTER(property_title, "s", conversation_title)
GETTER(property_model, "s", conversation_model)
GETTER(property_state, "s", conversation_state)
GETTER(property_head, "t", conversation_head)
GETTER(property_messages, "t", conversation_messages)
GETTER(property_context_used, "t", conversation_context_used)
GETTER(property_context_size, "t", conversation_context_size)
GETTER(property_created, "t", conversation_created)
GETTER(property_modified, "t", conversation_modified)
GETTER(property_archived, "b", conversation_archived)
GETTER(property_private, "b", conversation_private)

/* clang-format off */
static const sd_bus_vtable conversation_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Send",
                SD_BUS_ARGS("s", text, "a{sv}", options),
                SD_BUS_RESULT("t", message, "t", reply),
                conversation_method_send, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Cancel",
                SD_BUS_ARGS("t", reply), SD_BUS_NO_RESULT,
                conversation_method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Regenerate",
                SD_BUS_ARGS("t", reply, "a{sv}", options), SD_BUS_RESULT("t", new_reply),
                conversation_method_regenerate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Edit",
                SD_BUS_ARGS("t", message, "s", text),
                SD_BUS_RESULT("t", new_message, "t", reply),
                conversation_method_edit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Continue",
                SD_BUS_ARGS("t", reply), SD_BUS_RESULT("t", continued),
                conversation_method_continue, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetMessages",
                SD_BUS_ARGS("t", last, "u", count),
                SD_BUS_RESULT("a(ttssa{sv})", messages),
                conversation_method_get_messages, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetMessagesAfter",
                SD_BUS_ARGS("t", after, "u", count),
                SD_BUS_RESULT("a(ttssa{sv})", messages),
                conversation_method_get_messages_after, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetReply",
                SD_BUS_ARGS("t", reply, "s", channel, "t", offset, "t", maximum),
                SD_BUS_RESULT("s", state, "s", text, "t", end, "b", more, "a{sv}", metadata),
                conversation_method_get_reply, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenStream",
                SD_BUS_ARGS("t", reply), SD_BUS_RESULT("h", stream),
                conversation_method_open_stream, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListBranches",
                SD_BUS_ARGS("t", message), SD_BUS_RESULT("at", branches),
                conversation_method_list_branches, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SelectBranch",
                SD_BUS_ARGS("t", message), SD_BUS_NO_RESULT,
                conversation_method_select_branch, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetTitle",
                SD_BUS_ARGS("s", title), SD_BUS_NO_RESULT,
                conversation_method_set_title, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetModel",
                SD_BUS_ARGS("s", model), SD_BUS_NO_RESULT,
                conversation_method_set_model, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetSystem",
                SD_BUS_ARGS("s", prompt), SD_BUS_NO_RESULT,
                conversation_method_set_system, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSystem",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("s", prompt),
                conversation_method_get_system, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Archive",
                SD_BUS_ARGS("b", archived), SD_BUS_NO_RESULT,
                conversation_method_archive, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Hide",
                SD_BUS_ARGS("b", hidden), SD_BUS_NO_RESULT,
                conversation_method_hide, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Export",
                SD_BUS_ARGS("s", format), SD_BUS_RESULT("h", stream),
                conversation_method_export, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ExportPart",
                SD_BUS_ARGS("s", format, "t", export), SD_BUS_RESULT("t", next, "ay", data),
                conversation_method_export_part, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Follow",
                SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("t", epoch, "u", window),
                conversation_method_follow, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Unfollow",
                SD_BUS_NO_ARGS, SD_BUS_NO_RESULT,
                conversation_method_unfollow, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Ack",
                SD_BUS_ARGS("t", reply, "t", sequence), SD_BUS_NO_RESULT,
                conversation_method_ack,
                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_METHOD_NO_REPLY),

        SD_BUS_PROPERTY("Id", "s", property_id, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Title", "s", property_title, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Model", "s", property_model, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("State", "s", property_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Head", "t", property_head, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Messages", "t", property_messages, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ContextUsed", "t", property_context_used, 0,
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ContextSize", "t", property_context_size, 0,
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Created", "t", property_created, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Modified", "t", property_modified, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Archived", "b", property_archived, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Private", "b", property_private, 0, SD_BUS_VTABLE_PROPERTY_CONST),

        SD_BUS_SIGNAL_WITH_ARGS("Asked", SD_BUS_ARGS("t", message, "t", reply), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ReplyDelta",
                SD_BUS_ARGS("t", reply, "t", sequence, "s", channel, "t", offset, "s", text), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ReplyEnd",
                SD_BUS_ARGS("t", reply, "t", sequence, "s", reason, "a{sv}", metadata), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Dropped", SD_BUS_ARGS("t", reply), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ReplyPhase",
                SD_BUS_ARGS("t", reply, "s", phase, "u", place), 0),
        SD_BUS_SIGNAL_WITH_ARGS("MessageAdded",
                SD_BUS_ARGS("t", message, "t", parent, "s", role, "s", text), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ReplyStarted",
                SD_BUS_ARGS("t", reply, "t", parent, "a{sv}", metadata), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ReplyProgress",
                SD_BUS_ARGS("t", reply, "s", channel, "t", offset, "s", text), 0),
        SD_BUS_SIGNAL_WITH_ARGS("AvatarCommand",
                SD_BUS_ARGS("t", reply, "t", offset, "s", verb, "as", arguments), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ReplyFinished",
                SD_BUS_ARGS("t", reply, "s", reason, "a{sv}", metadata), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ReplyFailed",
                SD_BUS_ARGS("t", reply, "s", error, "s", message), 0),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

static const BusInterface conversation_interfaces[] = {
        { INTERFACE_CONVERSATION, conversation_vtable, conversation_object_find },
};

const BusObject conversation_object = {
        .path = PATH_CONVERSATION,
        .interfaces = conversation_interfaces,
        .n_interfaces = ELEMENTSOF(conversation_interfaces),
        .enumerate = conversation_object_enumerate,
};

/* ---- the face ---- */

int conversation_face_new(ConversationFace **ret, Manager *m)
{
        ConversationFace *f;

        f = calloc(1, sizeof *f);
        if (!f)
                return -ENOMEM;
        f->manager = m;
        /* Only to differ from the last start's: the clock will do where there is no randomness. */
        if (getrandom(&f->epoch, sizeof f->epoch, GRND_NONBLOCK) != sizeof f->epoch)
                f->epoch = (uint64_t) time(NULL);
        conversation_signals_install(f);
        *ret = f;
        return 0;
}

ConversationFace *conversation_face_free(ConversationFace *f)
{
        if (!f)
                return NULL;
        conversation_signals_remove(f);
        worker_free(f->files);
        imports_free(f);
        sends_free(f);
        followers_free(f);
        pipes_free(f);
        parts_free(f);
        progress_free(f);
        while (f->reads)
                bus_read_free(f->reads);
        free(f);
        return NULL;
}

int conversation_face_files(ConversationFace *f, Worker **ret)
{
        int r;

        if (!f->files) {
                r = worker_new(&f->files, f->manager->event, "files", NULL);
                if (r < 0)
                        return r;
        }
        *ret = f->files;
        return 0;
}

unsigned conversation_face_pipes(const ConversationFace *f)
{
        return f->n_pipes;
}

unsigned conversation_face_reasons_to_stay(const ConversationFace *f)
{
        return f->n_active_followers + f->n_pipes + !!f->parts;
}
