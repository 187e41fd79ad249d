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
        ConversationFace;               /* conversation-bus.h: followers, pipes, signals */
typedef struct Lifecycle Lifecycle;     /* lifecycle.h: signals, idle, status, leaving */
typedef struct ConfigWatch ConfigWatch; /* config-watch.h: inotify */

typedef struct Manager {
        sd_event *event;
        Lifecycle *lifecycle;
        Config *config;
        ConfigWatch *config_watch;
        Store *store;
        Engines *engines;
        Avatar *avatar;
        Surfaces *surfaces;
        Conversations *conversations;
        ConversationFace *conversation_face;
        Doors *doors;
        struct Asking *asks; /* under way (manager-ask-bus.c) */
        char *default_told;  /* DefaultModel, as it was told last */
        int listen_fd;       /* systemd's, until the doors have it */
} Manager;

int manager_new(Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free)
/* Runs until the service leaves. Returns the process's exit status. */
int manager_run(Manager *m);

/* Reads the configuration again, off the loop. done(failure or NULL) comes later, exactly once on
 * success of the call. */
typedef void (*manager_reloaded_t)(const Failure *failure, void *userdata);
int manager_reload(Manager *m, manager_reloaded_t done, void *userdata);

/* Manager.Notice to all, and the journal. level: LOG_ERR … LOG_INFO. */
void manager_notice(Manager *m, int level, const char *title, const char *text);

/* The descriptor tree of all objects (manager-objects.c). */
extern const BusObject manager_object;
