/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "common/macro.h"

/* Defines a property's getter: a declaration of the object out of userdata and path (nothing for
 * what is no object's), and the value, of this D-Bus type. */
#define BUS_DEFINE_GETTER(name, type, object, value) \
        static int name(sd_bus *bus, const char *path, const char *interface, \
                const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) \
        { \
                object; \
                return sd_bus_message_append(reply, type, value); \
        }
