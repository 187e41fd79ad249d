/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GetSnapshot: all that a first screen needs, in one call. GetStatistics: what `conductor status`
 * shows. */

#include "build-config.h"
#include "service/bus/append.h"
#include "service/conversation/conversation-bus.h"
#include "service/manager-bus.h"

/* Opens an entry whose value is an array: three containers. */
static int open_array(sd_bus_message *m, const char *key, const char *signature)
{
        int r;

        r = bus_open_entry(m, key, signature);
        if (r < 0)
                return r;
        return sd_bus_message_open_container(m, 'a', signature + 1);
}

static int append_recent(sd_bus_message *m, Manager *manager)
{
        Conversation *c = NULL;
        int r;

        r = open_array(m, "conversations", "a(osstta{sv})");
        if (r < 0)
                return r;
        for (unsigned n = 0; n < MANAGER_RECENT_MAX;) {
                c = conversations_next(manager->conversations, c);
                if (!c)
                        break;
                if (conversation_deleted(c) > 0 || conversation_archived(c))
                        continue;
                r = manager_append_conversation(manager, m, c);
                if (r < 0)
                        return r;
                n++;
        }
        return bus_close_containers(m, 3);
}

static int append_live_reply(sd_bus_message *m, Reply *reply)
{
        size_t content, reasoning;
        ReplyInfo info;
        int r;

        (void) reply_text(reply, CHANNEL_CONTENT, &content);
        (void) reply_text(reply, CHANNEL_REASONING, &reasoning);
        reply_get_info(reply, &info);

        const BusEntry more[] = {
                { "content", 't', .t = content },
                { "reasoning", 't', .t = reasoning },
                { "model", 's', .s = strempty(info.model) },
                { "phase", 's', .s = strempty(info.phase) },
                { "place", 'u', .u = info.place },
        };
        r = bus_open_row(m, "otts", conversation_path(reply_conversation(reply)), reply_id(reply),
                reply_parent(reply),
                reply_state(reply) == REPLY_STREAMING ? "streaming" : "waiting");
        if (r < 0)
                return r;
        r = bus_append_entries(m, more, ELEMENTSOF(more));
        if (r < 0)
                return r;
        return bus_close_containers(m, 2);
}

static int append_live(sd_bus_message *m, Manager *manager)
{
        Reply *reply = NULL;
        int r;

        r = open_array(m, "replies", "a(ottsa{sv})");
        if (r < 0)
                return r;
        while ((reply = conversations_next_reply(manager->conversations, reply))) {
                r = append_live_reply(m, reply);
                if (r < 0)
                        return r;
        }
        return bus_close_containers(m, 3);
}

static int append_engines(sd_bus_message *m, Manager *manager)
{
        EngineInfo engine;
        int r;

        r = open_array(m, "engines", "a(sssa{sv})");
        if (r < 0)
                return r;
        for (size_t i = 0; i < engines_count(manager->engines); i++) {
                engines_get(manager->engines, i, &engine);
                r = manager_append_engine(m, &engine);
                if (r < 0)
                        return r;
        }
        return bus_close_containers(m, 3);
}

static int append_avatar(sd_bus_message *m, const Avatar *a)
{
        const BusEntry avatar[] = {
                { "mood", 's', .s = avatar_mood(a) },
                { "gesture", 's', .s = avatar_gesture(a) },
                { "activity", 's', .s = avatar_activity_to_string(avatar_activity(a)) },
                { "visible", 'b', .b = avatar_visible(a) },
                { "size", 's', .s = avatar_size(a) },
                { "position", 's', .s = avatar_position(a) },
        };
        int r;

        r = open_array(m, "avatar", "a{sv}");
        if (r < 0)
                return r;
        r = bus_append_entries(m, avatar, ELEMENTSOF(avatar));
        if (r < 0)
                return r;
        return bus_close_containers(m, 3);
}

static int append_snapshot(sd_bus_message *m, Manager *manager)
{
        const BusEntry first[] = {
                { "version", 's', .s = CONDUCTOR_VERSION },
                { "default_model", 's', .s = engines_default_model(manager->engines) },
                { "surfaces", 'u', .u = surfaces_count(manager->surfaces) },
        };
        int r;

        r = bus_append_entries(m, first, ELEMENTSOF(first));
        if (r < 0)
                return r;
        r = append_recent(m, manager);
        if (r < 0)
                return r;
        r = append_live(m, manager);
        if (r < 0)
                return r;
        r = append_engines(m, manager);
        if (r < 0)
                return r;
        return append_avatar(m, manager->avatar);
}

static int append_statistics(sd_bus_message *m, Manager *manager)
{
        const BusEntry statistics[] = {
                { "conversations", 't', .t = conversations_count(manager->conversations) },
                { "replies_live", 't', .t = conversations_live(manager->conversations) },
                { "replies_waiting", 't', .t = conversations_waiting(manager->conversations) },
                { "engine_requests", 't', .t = engines_live(manager->engines) },
                { "engine_queue", 't', .t = engines_waiting(manager->engines) },
                { "followers", 't', .t = conversation_face_followers(manager->conversation_face) },
                { "stalls", 't', .t = conversation_face_stalls(manager->conversation_face) },
                { "surfaces", 't', .t = surfaces_count(manager->surfaces) },
                { "private_connections", 't', .t = doors_private_connections(manager->doors) },
                { "calls", 't', .t = doors_calls(manager->doors) },
                { "messages_queued", 't', .t = doors_queued(manager->doors) },
                { "store_pending", 't', .t = store_pending(manager->store) },
                { "store_commits", 't', .t = store_commits(manager->store) },
                { "version", 's', .s = CONDUCTOR_VERSION },
        };

        return bus_append_entries(m, statistics, ELEMENTSOF(statistics));
}

typedef int (*append_t)(sd_bus_message *m, Manager *manager);

static int reply_dictionary(sd_bus_message *m, Manager *manager, append_t append)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = bus_open_answer(m, "{sv}", &reply);
        if (r < 0)
                return r;
        r = append(reply, manager);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_send(NULL, reply, NULL);
}

int manager_method_get_snapshot(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return reply_dictionary(m, ASSERT_PTR(userdata), append_snapshot);
}

int manager_method_get_statistics(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return reply_dictionary(m, ASSERT_PTR(userdata), append_statistics);
}
