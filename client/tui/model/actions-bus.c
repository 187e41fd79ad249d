/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a person does to replies and conversations. What comes of it is told by signals. */

#include "client/tui/model/mirror-internal.h"

static int check_open(const Mirror *m)
{
        if (!m->up)
                return -ENOTCONN;
        return *m->open.item.id ? 0 : -ENOENT;
}

int mirror_regenerate(
        Mirror *m, uint64_t reply, const char *model, mirror_done_t done, void *userdata)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = check_open(m);
        if (r >= 0)
                r = mirror_new_call(m, m->open.path, INTERFACE_CONVERSATION, "Regenerate", &call);
        if (r < 0)
                return r;
        if (isempty(model))
                r = sd_bus_message_append(call, "ta{sv}", reply, 0);
        else
                r = sd_bus_message_append(call, "ta{sv}", reply, 1, "model", "s", model);
        return r < 0 ? r : reply_ask(m, call, done, userdata);
}

int mirror_continue(Mirror *m, uint64_t reply, mirror_done_t done, void *userdata)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = check_open(m);
        if (r >= 0)
                r = mirror_new_call(m, m->open.path, INTERFACE_CONVERSATION, "Continue", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "t", reply);
        return r < 0 ? r : reply_ask(m, call, done, userdata);
}

static int on_selected(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        return failure ? 0 : open_load_around(m, call->id);
}

int mirror_select_branch(Mirror *m, uint64_t message, mirror_done_t done, void *userdata)
{
        int r;

        r = check_open(m);
        if (r < 0)
                return r;
        /* As a page on its way: the head's change alone would show the branch's end. */
        return mirror_call_with(m, m->open.path, INTERFACE_CONVERSATION, "SelectBranch",
                &(MirrorCall){
                        .flags = CALL_OF_OPEN | CALL_PAGE,
                        .answer = on_selected,
                        .done = done,
                        .userdata = userdata,
                        .id = message,
                },
                "t", message);
}

/* ---- by id ---- */

static int path_for(const Mirror *m, const char *id, ConversationPath ret)
{
        if (!m->up)
                return -ENOTCONN;
        if (!conversation_id_is_valid(id))
                return -EINVAL;
        conversation_path_of(id, ret);
        return 0;
}

int mirror_rename(Mirror *m, const char *id, const char *title, mirror_done_t done, void *userdata)
{
        ConversationPath path;
        int r;

        r = path_for(m, id, path);
        if (r < 0)
                return r;
        return mirror_call_with(m, path, INTERFACE_CONVERSATION, "SetTitle",
                &(MirrorCall){ .done = done, .userdata = userdata }, "s", title);
}

int mirror_set_model(Mirror *m, const char *model, mirror_done_t done, void *userdata)
{
        int r;

        r = check_open(m);
        if (r == -ENOENT) /* a new one will have it */
                return free_and_strdup(&m->open.model, model);
        if (r < 0)
                return r;
        return mirror_call_with(m, m->open.path, INTERFACE_CONVERSATION, "SetModel",
                &(MirrorCall){ .done = done, .userdata = userdata }, "s", model);
}

int mirror_archive(Mirror *m, const char *id, bool archived, mirror_done_t done, void *userdata)
{
        ConversationPath path;
        int r;

        r = path_for(m, id, path);
        if (r < 0)
                return r;
        return mirror_call_with(m, path, INTERFACE_CONVERSATION, "Archive",
                &(MirrorCall){ .done = done, .userdata = userdata }, "b", (int) archived);
}

static int call_manager(
        Mirror *m, const char *member, const char *id, mirror_done_t done, void *userdata)
{
        if (!m->up)
                return -ENOTCONN;
        return mirror_call_with(m, PATH_ROOT, INTERFACE_MANAGER, member,
                &(MirrorCall){ .done = done, .userdata = userdata }, "s", id);
}

int mirror_delete(Mirror *m, const char *id, mirror_done_t done, void *userdata)
{
        return call_manager(m, "DeleteConversation", id, done, userdata);
}

int mirror_restore(Mirror *m, const char *id, mirror_done_t done, void *userdata)
{
        return call_manager(m, "RestoreConversation", id, done, userdata);
}
