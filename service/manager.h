/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Owner of the loop, the doors and the rooms. The bus faces get it as their userdata. */

#include <systemd/sd-event.h>

#include "service/avatar/avatar.h"
#include "service/bus/doors.h"
#include "service/config/config.h"
#include "service/conversation/conversations.h"
#include "service/engine/engines.h"
#include "service/store/store.h"
#include "service/surface/surface.h"

typedef struct ConversationFace
        ConversationFace; /* conversation-bus.h: followers, pipes, signals */

typedef struct Manager {
        sd_event *event;
        Config *config;
        Store *store;
        Engines *engines;
        Avatar *avatar;
        Surfaces *surfaces;
        Conversations *conversations;
        ConversationFace *conversation_face;
        Doors *doors;
        struct Lifecycle *lifecycle; /* manager.c's own: idle timer, signals, inotify, notify */
} Manager;

int manager_new(Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free)
/* Runs until the service leaves. Returns 0 or a negative errno for the exit status. */
int manager_run(Manager *m);

/* Reads the configuration again, off the loop. done(failure or NULL). */
int manager_reload(
        Manager *m, void (*done)(const Failure *failure, void *userdata), void *userdata);

/* Manager.Notice to all, and the journal. level: LOG_ERR … LOG_INFO. */
void manager_notice(Manager *m, int level, const char *title, const char *text);

/* The descriptor tree of all objects (manager-objects.c). */
extern const BusObject manager_object;
