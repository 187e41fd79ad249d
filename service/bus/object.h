/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One static descriptor tree of all objects: registered on every connection, and printed as
 * introspection XML without any. */

#include <systemd/sd-bus.h>

#include "common/macro.h"

typedef struct BusInterface {
        const char *name;
        const sd_bus_vtable *vtable;
        sd_bus_object_find_t find; /* NULL: the object's path is fixed */
} BusInterface;

typedef struct BusObject BusObject;
struct BusObject {
        const char *path; /* or the prefix of all objects that find() knows */
        const BusInterface *interfaces;
        size_t n_interfaces;
        sd_bus_node_enumerator_t enumerate; /* the children below a prefix, or NULL */
        const BusObject *const *children;   /* NULL-ended, or NULL */
};

int bus_object_register(sd_bus *bus, const BusObject *root, void *userdata);

/* The arguments of PropertiesChanged: these properties of that object, NULL-ended, with the values
 * that they have now. userdata as at registration. -ENOENT for what is not there. */
int bus_object_append_changed(sd_bus_message *m, const BusObject *root, const char *path,
        const char *interface, const char *const *names, void *userdata);

/* Prints the XML of the object at path ("list" names all paths). -ENOENT. */
int bus_object_introspect(FILE *f, const BusObject *root, const char *path);
