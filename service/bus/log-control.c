/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/log-control.h"

#include "common/log.h"
#include "service/bus/error.h"
#include "service/bus/property.h"

#define LOG_IDENTIFIER "conductord"

BUS_DEFINE_GETTER(property_level, "s", , log_level_to_string(log_get_max_level()))

static int set_level(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *value, void *userdata, sd_bus_error *error)
{
        const char *name;
        int level, r;

        r = sd_bus_message_read(value, "s", &name);
        if (r < 0)
                return r;
        level = log_level_from_string(name);
        if (level < 0)
                return bus_error_invalid(error,
                        "There is no such log level. "
                        "The levels are emerg, alert, crit, err, warning, notice, info and debug.");

        log_set_max_level(level);
        return 0;
}

BUS_DEFINE_GETTER(property_target, "s", , log_get_target())

static int set_target(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *value, void *userdata, sd_bus_error *error)
{
        const char *name;
        int r;

        r = sd_bus_message_read(value, "s", &name);
        if (r < 0)
                return r;
        if (!streq(name, log_get_target()) && !streq(name, "auto"))
                return bus_error_invalid(error,
                        "The log goes where the service was started to write it: \"%s\". "
                        "It cannot be changed while it runs.",
                        log_get_target());
        return 0;
}

BUS_DEFINE_GETTER(property_identifier, "s", , LOG_IDENTIFIER)

static const sd_bus_vtable log_control_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY(
                "LogLevel", "s", property_level, set_level, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY(
                "LogTarget", "s", property_target, set_target, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY(
                "SyslogIdentifier", "s", property_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

static const BusInterface log_control_interfaces[] = {
        { LOG_CONTROL_INTERFACE, log_control_vtable },
};

const BusObject log_control_object = {
        .path = LOG_CONTROL_PATH,
        .interfaces = log_control_interfaces,
        .n_interfaces = ELEMENTSOF(log_control_interfaces),
};
