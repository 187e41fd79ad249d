/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/application-bus.h"

#include "client/bus/read.h"
#include "client/desktop/launch-bus.h"
#include "client/desktop/names.h"

#define ACTION_NEW      "new-conversation"
#define ACTION_CONTINUE "continue"

static int launch_with(Session *s, sd_bus_message *m, const char *const *arguments)
{
        const char *token = NULL, *startup_id = NULL;
        const Field fields[] = {
                { "activation-token", 's', &token },
                { "desktop-startup-id", 's', &startup_id },
        };
        int r;

        r = read_dictionary(m, fields, ELEMENTSOF(fields));
        return r < 0 ? r : launch_client(s, arguments, token ? token : startup_id, m);
}

static int method_activate(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return launch_with(ASSERT_PTR(userdata), m, (const char *const[]){ NULL });
}

/* It opens no files: the entry has no MimeType=. */
static int method_open(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        int r = sd_bus_message_skip(m, "as");

        return r < 0 ? r : launch_with(ASSERT_PTR(userdata), m, (const char *const[]){ NULL });
}

static int method_action(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
                r = sd_bus_message_skip(m, "av");
        if (r < 0)
                return r;
        if (streq(name, ACTION_NEW))
                return launch_with(ASSERT_PTR(userdata), m, (const char *const[]){ NULL });
        if (streq(name, ACTION_CONTINUE))
                return launch_with(
                        ASSERT_PTR(userdata), m, (const char *const[]){ "--continue", NULL });
        return sd_bus_error_setf(
                error, SD_BUS_ERROR_INVALID_ARGS, "There is no action '%s'.", name);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_NAMES("Activate", "a{sv}", SD_BUS_PARAM(platform_data), NULL, ,
                method_activate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("Open", "asa{sv}", SD_BUS_PARAM(uris) SD_BUS_PARAM(platform_data),
                NULL, , method_open, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("ActivateAction", "sava{sv}",
                SD_BUS_PARAM(action_name) SD_BUS_PARAM(parameter) SD_BUS_PARAM(platform_data), NULL,
                , method_action, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int application_add(Session *session)
{
        return sd_bus_add_object_vtable(session_bus(session), NULL, APPLICATION_PATH,
                "org.freedesktop.Application", vtable, session);
}
