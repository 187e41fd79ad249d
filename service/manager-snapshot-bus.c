/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GetSnapshot: all that a first screen needs, in one call. GetStatistics: what `conductor status`
 * shows. */

#include "build-config.h"
#include "service/bus/options.h"
#include "service/conversation/conversation-bus.h"
#include "service/manager-bus.h"

/* Opens and closes one {sv} entry whose value is a container or an array. */
static int open_entry(sd_bus_message *m, const char *key, const char *signature)
{
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", key);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'v', signature);
        if (r < 0)
                return r;
        return sd_bus_message_open_container(m, 'a', signature + 1);
}

static int close_entry(sd_bus_message *m)
{
        for (unsigned i = 0; i < 3; i++) {
                int r = sd_bus_message_close_container(m);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int append_recent(sd_bus_message *m, Manager *manager)
{
        Conversation *c = NULL;
        int r;

        r = open_entry(m, "conversations", "a(osstta{sv})");
        if (r < 0)
                return r;
        for (unsigned n = 0; n < MANAGER_RECENT_MAX;) {
                c = conversations_next(manager->conversations, c);
                if (!c)
                        break;
                if (conversation_deleted(c) > 0 || conversation_archived(c))
                        continue;
                r = manager_append_conversation(m, c);
                if (r < 0)
                        return r;
                n++;
        }
        return close_entry(m);
}

static int append_live_reply(sd_bus_message *m, Reply *reply)
{
        size_t content, reasoning;
        ReplyInfo info;
        int r;

        (void) reply_text(reply, CHANNEL_CONTENT, &content);
        (void) reply_text(reply, CHANNEL_REASONING, &reasoning);
        reply_get_info(reply, &info);

        r = sd_bus_message_open_container(m, 'r', "ottsa{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "otts", conversation_path(reply_conversation(reply)),
                reply_id(reply), reply_parent(reply),
                reply_state(reply) == REPLY_STREAMING ? "streaming" : "waiting");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "a{sv}", 5, "content", "t", (uint64_t) content, "reasoning",
                "t", (uint64_t) reasoning, "model", "s", strempty(info.model), "phase", "s",
                strempty(info.phase), "place", "u", (uint32_t) info.place);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int append_live(sd_bus_message *m, Manager *manager)
{
        Reply *reply = NULL;
        int r;

        r = open_entry(m, "replies", "a(ottsa{sv})");
        if (r < 0)
                return r;
        while ((reply = conversations_next_reply(manager->conversations, reply))) {
                r = append_live_reply(m, reply);
                if (r < 0)
                        return r;
        }
        return close_entry(m);
}

static int append_engines(sd_bus_message *m, Manager *manager)
{
        EngineInfo engine;
        int r;

        r = open_entry(m, "engines", "a(sssa{sv})");
        if (r < 0)
                return r;
        for (size_t i = 0; i < engines_count(manager->engines); i++) {
                engines_get(manager->engines, i, &engine);
                r = manager_append_engine(m, &engine);
                if (r < 0)
                        return r;
        }
        return close_entry(m);
}

static int append_avatar(sd_bus_message *m, const Avatar *a)
{
        int r;

        r = open_entry(m, "avatar", "a{sv}");
        if (r < 0)
                return r;
        r = bus_append_string(m, "mood", avatar_mood(a));
        if (r < 0)
                return r;
        r = bus_append_string(m, "gesture", avatar_gesture(a));
        if (r < 0)
                return r;
        r = bus_append_string(m, "activity", avatar_activity_to_string(avatar_activity(a)));
        if (r < 0)
                return r;
        r = bus_append_bool(m, "visible", avatar_visible(a));
        if (r < 0)
                return r;
        r = bus_append_string(m, "size", avatar_size(a));
        if (r < 0)
                return r;
        r = bus_append_string(m, "position", avatar_position(a));
        if (r < 0)
                return r;
        return close_entry(m);
}

static int append_snapshot(sd_bus_message *m, Manager *manager)
{
        int r;

        r = bus_append_string(m, "version", CONDUCTOR_VERSION);
        if (r < 0)
                return r;
        r = bus_append_string(m, "default_model", engines_default_model(manager->engines));
        if (r < 0)
                return r;
        r = bus_append_u32(m, "surfaces", surfaces_count(manager->surfaces));
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
        const struct {
                const char *key;
                uint64_t value;
        } numbers[] = {
                { "conversations", conversations_count(manager->conversations) },
                { "replies_live", conversations_live(manager->conversations) },
                { "replies_waiting", conversations_waiting(manager->conversations) },
                { "engine_requests", engines_live(manager->engines) },
                { "engine_queue", engines_waiting(manager->engines) },
                { "followers", conversation_face_followers(manager->conversation_face) },
                { "stalls", conversation_face_stalls(manager->conversation_face) },
                { "surfaces", surfaces_count(manager->surfaces) },
                { "private_connections", doors_private_connections(manager->doors) },
                { "calls", doors_calls(manager->doors) },
                { "messages_queued", doors_queued(manager->doors) },
                { "store_pending", store_pending(manager->store) },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                r = bus_append_u64(m, numbers[i].key, numbers[i].value);
                if (r < 0)
                        return r;
        }
        return bus_append_string(m, "version", CONDUCTOR_VERSION);
}

typedef int (*append_t)(sd_bus_message *m, Manager *manager);

static int reply_dictionary(sd_bus_message *m, Manager *manager, append_t append)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "{sv}");
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
