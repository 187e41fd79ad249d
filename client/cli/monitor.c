/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor monitor: every event of the service, one JSON object a line, until it is ended. */

#include <systemd/sd-event.h>
#include <time.h>

#include "client/bus/message-json.h"
#include "client/cli/verbs.h"
#include "common/json-util.h"
#include "common/names.h"

typedef struct Monitor {
        Cli *cli;
        sd_event *event;
} Monitor;

static int add_member(json_object *o, const char *key, json_object *value)
{
        if (value && json_object_object_add(o, key, value) >= 0)
                return 0;
        json_object_put(value);
        return -ENOMEM;
}

static int event_to_json(sd_bus_message *m, json_object **ret)
{
        _cleanup_(json_putp) json_object *o = json_object_new_object();
        json_object *arguments;
        struct timespec now;
        uint64_t usec;
        int r;

        r = message_to_json_array(m, &arguments);
        if (r < 0)
                return r;
        (void) clock_gettime(CLOCK_REALTIME, &now);
        usec = (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
        if (!o) {
                json_object_put(arguments);
                return -ENOMEM;
        }
        r = add_member(o, "time", json_object_new_uint64(usec));
        if (r >= 0)
                r = add_member(o, "path", json_object_new_string(sd_bus_message_get_path(m)));
        if (r >= 0)
                r = add_member(
                        o, "interface", json_object_new_string(sd_bus_message_get_interface(m)));
        if (r >= 0)
                r = add_member(o, "member", json_object_new_string(sd_bus_message_get_member(m)));
        if (r >= 0)
                r = add_member(o, "arguments", arguments);
        else
                json_object_put(arguments);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}

/* One line each, also where --json=pretty was given. */
static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Monitor *monitor = ASSERT_PTR(userdata);
        Cli line = { .json = JSON_SHORT };
        json_object *o = NULL;
        int r;

        if (sd_bus_message_is_signal(m, NULL, NULL) <= 0 ||
                !startswith(strempty(sd_bus_message_get_path(m)), BUS_PREFIX))
                return 0;
        r = event_to_json(m, &o);
        if (r < 0) {
                cli_error("conductor: an event cannot be read: %s", strerror(-r));
                return 0;
        }
        r = cli_print_json(&line, o);
        return r != EXIT_DONE ? sd_event_exit(monitor->event, r) : 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Monitor *monitor = ASSERT_PTR(userdata);

        cli_error("conductor: the connection to the service has ended.");
        return sd_event_exit(monitor->event, EXIT_NO_SERVICE);
}

static int run(Monitor *m)
{
        int r;

        r = sd_event_new(&m->event);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(m->cli->bus, m->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        /* A private connection is sent everything and has no rules to add. */
        r = m->cli->door == CLIENT_PRIVATE
                ? sd_bus_add_filter(m->cli->bus, NULL, on_signal, m)
                : sd_bus_add_match(m->cli->bus, NULL,
                          "type='signal',sender='" BUS_NAME "',path_namespace='" BUS_PREFIX "'",
                          on_signal, m);
        if (r < 0)
                return r;
        r = sd_bus_match_signal(m->cli->bus, NULL, "org.freedesktop.DBus.Local",
                "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected",
                on_disconnected, m);
        if (r < 0)
                return r;
        return sd_event_loop(m->event);
}

int verb_monitor(Cli *cli, int argc, char *argv[])
{
        Monitor m = { .cli = cli };
        int r;

        r = cli_connect(cli);
        if (r != EXIT_DONE)
                return r;
        r = run(&m);
        (void) sd_bus_detach_event(cli->bus);
        sd_event_unref(m.event);
        if (r < 0) {
                cli_error("conductor: events cannot be watched: %s", strerror(-r));
                return EXIT_FAILED;
        }
        return r;
}
