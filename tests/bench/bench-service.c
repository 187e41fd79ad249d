/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The floor of what starts: links what the service links, opens the bus and the service's database,
 * takes the name that it is given, if any, and says that it is ready. */

#include <curl/curl.h>
#include <json-c/json_c_version.h>
#include <sqlite3.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "common/macro.h"

static int run(const char *name)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *path = NULL;
        sqlite3 *database = NULL;
        int r;

        if (asprintf(&path, "%s/conductor/conversations.db", strempty(getenv("XDG_STATE_HOME"))) <
                0)
                return -ENOMEM;
        r = sd_event_default(&event);
        if (r < 0)
                return r;
        r = sd_bus_open_user(&bus);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        if (sqlite3_open(path, &database) != SQLITE_OK ||
                sqlite3_exec(database, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) !=
                        SQLITE_OK)
                return -EIO;
        /* Without a use the linker would leave these libraries out. */
        if (!curl_version() || !json_c_version())
                return -ELIBACC;
        if (name) {
                r = sd_bus_request_name(bus, name, 0);
                if (r < 0)
                        return r;
        }
        (void) sd_notify(0, "READY=1");
        r = sd_event_loop(event);
        (void) sqlite3_close(database);
        return r;
}

int main(int argc, char *argv[])
{
        return run(argc > 1 ? argv[1] : NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
