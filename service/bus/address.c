/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/address.h"

/* A path inside a D-Bus address. */
static int escape_path(const char *path, char **ret)
{
        static const char hex[] = "0123456789abcdef";
        char *escaped;
        size_t n = 0;

        escaped = malloc(strlen(path) * 3 + 1);
        if (!escaped)
                return -ENOMEM;
        for (const char *s = path; *s; s++) {
                if (!strchr("%,;:=\\*", *s)) {
                        escaped[n++] = *s;
                        continue;
                }
                escaped[n++] = '%';
                escaped[n++] = hex[(unsigned char) *s >> 4];
                escaped[n++] = hex[(unsigned char) *s & 15];
        }
        escaped[n] = 0;

        *ret = escaped;
        return 0;
}

int address_in_runtime(const char *name, char **ret)
{
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        _cleanup_free_ char *folder = NULL;
        char *address;
        int r;

        if (isempty(runtime) || runtime[0] != '/')
                return -ENXIO;
        r = escape_path(runtime, &folder);
        if (r < 0)
                return r;
        if (asprintf(&address, "unix:path=%s/%s", folder, name) < 0)
                return -ENOMEM;

        *ret = address;
        return 0;
}

int address_of_session(char **ret)
{
        const char *address = getenv("DBUS_SESSION_BUS_ADDRESS");
        char *copy;

        if (isempty(address))
                return address_in_runtime("bus", ret);
        copy = strdup(address);
        if (!copy)
                return -ENOMEM;

        *ret = copy;
        return 0;
}

int address_connect(const char *address, sd_bus *bus, const char *description, sd_event *event)
{
        int r;

        r = sd_bus_set_address(bus, address);
        if (r < 0)
                return r;
        (void) sd_bus_set_description(bus, description);
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        return sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
}
