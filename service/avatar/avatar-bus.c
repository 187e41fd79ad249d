/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/avatar/avatar-bus.h"

#include "common/log.h"
#include "common/names.h"
#include "service/bus/property.h"
#include "service/manager.h"

#define GETTER(name, type, value) \
        BUS_DEFINE_GETTER(name, type, const Manager *m = ASSERT_PTR(userdata), value)

GETTER(property_mood, "s", avatar_mood(m->avatar))
GETTER(property_gesture, "s", avatar_gesture(m->avatar))
GETTER(property_activity, "s", avatar_activity_to_string(avatar_activity(m->avatar)))
GETTER(property_visible, "b", (int) avatar_visible(m->avatar))
GETTER(property_size, "s", avatar_size(m->avatar))
GETTER(property_position, "s", avatar_position(m->avatar))

/* clang-format off */
static const sd_bus_vtable avatar_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Mood", "s", property_mood, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Gesture", "s", property_gesture, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Activity", "s", property_activity, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Visible", "b", property_visible, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Size", "s", property_size, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Position", "s", property_position, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_SIGNAL_WITH_ARGS("Command", SD_BUS_ARGS("s", verb, "as", arguments), 0),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

static const BusInterface avatar_interfaces[] = {
        { INTERFACE_AVATAR, avatar_vtable },
};

const BusObject avatar_object = {
        .path = PATH_AVATAR,
        .interfaces = avatar_interfaces,
        .n_interfaces = ELEMENTSOF(avatar_interfaces),
};

static void on_changed(Avatar *a, AvatarChange what, void *userdata)
{
        static const struct {
                AvatarChange what;
                const char *name;
        } table[] = {
                { AVATAR_CHANGED_MOOD, "Mood" },
                { AVATAR_CHANGED_GESTURE, "Gesture" },
                { AVATAR_CHANGED_ACTIVITY, "Activity" },
                { AVATAR_CHANGED_VISIBLE, "Visible" },
                { AVATAR_CHANGED_SIZE, "Size" },
                { AVATAR_CHANGED_POSITION, "Position" },
        };
        Manager *m = ASSERT_PTR(userdata);
        const char *names[ELEMENTSOF(table) + 1] = { NULL };
        size_t n = 0;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (what & table[i].what)
                        names[n++] = table[i].name;
        r = doors_emit_properties(m->doors, PATH_AVATAR, INTERFACE_AVATAR, names);
        if (r < 0)
                log_warning_errno(r, "The avatar's properties could not be sent, ignoring: %m");
}

typedef struct Command {
        const char *verb;
        char *const *arguments;
} Command;

static int fill_command(sd_bus_message *m, void *userdata)
{
        const Command *c = ASSERT_PTR(userdata);
        int r;

        r = sd_bus_message_append(m, "s", c->verb);
        if (r < 0)
                return r;
        return sd_bus_message_append_strv(m, (char **) c->arguments);
}

static void on_command(Avatar *a, const char *verb, char *const *arguments, void *userdata)
{
        Manager *m = ASSERT_PTR(userdata);
        Command c = { verb, arguments };
        int r;

        r = doors_emit(
                m->doors, DOOR_BOTH, PATH_AVATAR, INTERFACE_AVATAR, "Command", fill_command, &c);
        if (r < 0)
                log_warning_errno(r, "The avatar's command could not be sent, ignoring: %m");
}

int avatar_face_install(Manager *m)
{
        avatar_set_observer(m->avatar,
                &(AvatarObserver){
                        .changed = on_changed,
                        .command = on_command,
                        .userdata = m,
                });
        return 0;
}
