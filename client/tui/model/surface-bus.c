/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* This client as a surface, and the avatar's state. */

#include "client/tui/model/mirror-internal.h"
#include "common/log.h"

/* ---- the surface ---- */

static int on_registered(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        const char *path;
        int r;

        if (failure) {
                if (m->bus)
                        log_warning("No surface: %s", failure_message(failure));
                return 0;
        }
        r = sd_bus_message_read(answer, "o", &path);
        if (r < 0)
                return r;
        r = free_and_strdup(&m->surface, path);
        if (r >= 0)
                surface_update_focus(m);
        return r;
}

int surface_register(Mirror *m)
{
        return mirror_call_with(m, PATH_ROOT, INTERFACE_MANAGER, "RegisterSurface",
                &(MirrorCall){ .answer = on_registered }, "sasa{sv}", "conductor-tui", 2, "text",
                "avatar", 0);
}

void surface_update_focus(Mirror *m)
{
        ConversationItem *c = list_find(m, m->open.item.id);
        bool shown = m->focused && *m->open.item.id;
        int r;

        if (shown && c && c->unread > 0) {
                c->unread = 0;
                mirror_tell(m, MIRROR_LIST);
        }
        if (!m->up || !m->surface)
                return;
        r = mirror_call_with(m, m->surface, "org.freedesktop.DBus.Properties", "Set",
                &(MirrorCall){ 0 }, "ssv", INTERFACE_SURFACE, "Focus", "o",
                shown ? m->open.path : "/");
        if (r < 0)
                log_debug_errno(r, "The focus cannot be said, ignoring: %m");
}

void mirror_set_focus(Mirror *m, bool focused)
{
        if (m->focused == focused)
                return;
        m->focused = focused;
        surface_update_focus(m);
}

/* ---- the avatar ---- */

void avatar_state_done(AvatarState *a)
{
        free(a->mood);
        free(a->gesture);
        free(a->activity);
        free(a->size);
        free(a->position);
}

static int change_word(Mirror *m, char **place, const char *verb, const char *word)
{
        int r;

        if (!word || streq_ptr(*place, word))
                return 0;
        r = free_and_strdup(place, word);
        /* A gesture ends by itself, and not in its middle because a reply has ended. */
        if (r >= 0 && !(streq(verb, "gesture") && streq(word, "none")))
                m->ops->avatar(verb, word, m->userdata);
        return r;
}

static void change_visible(Mirror *m, int visible)
{
        if (visible == m->avatar.visible)
                return;
        m->avatar.visible = visible;
        m->ops->avatar(visible ? "show" : "hide", "", m->userdata);
}

typedef struct AvatarWords {
        const char *mood, *gesture, *activity, *size, *position;
        int visible;
} AvatarWords;

/* What a command said already is not said again. */
static int change(Mirror *m, const AvatarWords *w)
{
        const struct {
                char **place;
                const char *verb, *word;
        } words[] = {
                { &m->avatar.mood, "mood", w->mood },
                { &m->avatar.size, "size", w->size },
                { &m->avatar.position, "move", w->position },
                { &m->avatar.activity, "activity", w->activity },
                { &m->avatar.gesture, "gesture", w->gesture },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(words) && r >= 0; i++)
                r = change_word(m, words[i].place, words[i].verb, words[i].word);
        change_visible(m, w->visible);
        return r;
}

int avatar_read_snapshot(Mirror *m, sd_bus_message *snapshot)
{
        AvatarWords w = { .visible = m->avatar.visible };
        const Field fields[] = {
                { "mood", 's', &w.mood },
                { "gesture", 's', &w.gesture },
                { "activity", 's', &w.activity },
                { "size", 's', &w.size },
                { "position", 's', &w.position },
                { "visible", 'b', &w.visible },
        };
        int r;

        r = read_dictionary(snapshot, fields, ELEMENTSOF(fields));
        return r < 0 ? r : change(m, &w);
}

int avatar_properties(Mirror *m, sd_bus_message *signal)
{
        AvatarWords w = { .visible = m->avatar.visible };
        const Field fields[] = {
                { "Mood", 's', &w.mood },
                { "Gesture", 's', &w.gesture },
                { "Activity", 's', &w.activity },
                { "Size", 's', &w.size },
                { "Position", 's', &w.position },
                { "Visible", 'b', &w.visible },
        };
        int r;

        r = read_dictionary(signal, fields, ELEMENTSOF(fields));
        return r < 0 ? r : change(m, &w);
}

/* A command is carried out each time, also when it changes nothing: one can wave twice. */
int avatar_command(Mirror *m, sd_bus_message *signal)
{
        AvatarState *a = &m->avatar;
        const struct {
                const char *verb;
                char **place;
        } words[] = { { "mood", &a->mood }, { "gesture", &a->gesture }, { "size", &a->size },
                { "move", &a->position } };
        const char *verb, *word = "";
        int r;

        if (!streq(sd_bus_message_get_member(signal), "Command"))
                return 0;
        r = sd_bus_message_read(signal, "s", &verb);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(signal, SD_BUS_TYPE_ARRAY, "s");
        if (r >= 0)
                r = sd_bus_message_read(signal, "s", &word);
        if (r < 0)
                return r;
        if (streq(verb, "show") || streq(verb, "hide")) {
                change_visible(m, streq(verb, "show"));
                return 0;
        }
        if (isempty(word)) { /* "wave" alone */
                word = verb;
                verb = "gesture";
        }
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(verb, words[i].verb)) {
                        r = free_and_strdup(words[i].place, word);
                        if (r >= 0)
                                m->ops->avatar(verb, word, m->userdata);
                }
        return r;
}
