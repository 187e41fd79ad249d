/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service/bus/object.h"

typedef struct Manager Manager;

/* Installs itself as the avatar's observer: Command and PropertiesChanged. */
int avatar_face_install(Manager *m);
extern const BusObject avatar_object; /* …/avatar; userdata: the Manager */
