/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service/bus/object.h"

typedef struct Manager Manager;

/* Manager.RegisterSurface, and the objects …/surface/<n> (userdata: the Manager). */
int surface_method_register(sd_bus_message *m, void *userdata, sd_bus_error *error);
extern const BusObject surface_object;
