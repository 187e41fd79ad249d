/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A private door behind which the test itself answers, as no service does. It passes no
 * descriptors. */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/names.h"

#define HOSTILE_PATIENCE_S 30

#define HOSTILE_ID   "0123456789abcdef0123456789abcdef"
#define HOSTILE_PATH PATH_CONVERSATION "/" HOSTILE_ID

typedef struct Hostile Hostile;

/* Answers a call, or does not. */
typedef void (*hostile_answer_t)(Hostile *h, sd_bus_message *call, const char *member);

struct Hostile {
        sd_event *event;
        char *folder, *socket, *address; /* for CONDUCTOR_BUS */
        int fd;
        sd_event_source *source;
        sd_bus *bus; /* the one client's */
        hostile_answer_t answer;
        void *userdata;
};

Hostile *hostile_new(hostile_answer_t answer, void *userdata);
Hostile *hostile_free(Hostile *h);
/* With the values, as sd_bus_message_append() takes them. */
void hostile_reply(sd_bus_message *call, const char *types, ...);
void hostile_say(Hostile *h, const char *path, const char *interface, const char *member,
        const char *types, ...);

#define hostile_run_until(h, condition) \
        do { \
                while (!(condition)) \
                        assert_true( \
                                sd_event_run((h)->event, HOSTILE_PATIENCE_S * 1000000ULL) > 0); \
        } while (0)
