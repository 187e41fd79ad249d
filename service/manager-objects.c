/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/names.h"
#include "service/avatar/avatar-bus.h"
#include "service/bus/log-control.h"
#include "service/conversation/conversation-bus.h"
#include "service/manager-bus.h"
#include "service/surface/surface-bus.h"

static const BusInterface manager_interfaces[] = {
        { INTERFACE_MANAGER, manager_vtable },
};

/* LogControl1 has a path of its own, as the interface asks for; it is a child here so that there is
 * one tree. */
static const BusObject *const manager_children[] = {
        &conversation_object,
        &surface_object,
        &avatar_object,
        &log_control_object,
        NULL,
};

const BusObject manager_object = {
        .path = PATH_ROOT,
        .interfaces = manager_interfaces,
        .n_interfaces = ELEMENTSOF(manager_interfaces),
        .children = manager_children,
};
