/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the doctor's examinations share: each says one line for each thing it looked at. */

#include "client/cli/cli.h"

typedef enum Finding {
        FINDING_OK,
        FINDING_WARN,
        FINDING_FAIL,
} Finding;

typedef struct Doctor {
        Cli *cli;
        sd_bus *session;    /* the session bus, NULL where there is none */
        json_object *lines; /* for --json= */
        unsigned fails;
        bool service_failed;
        bool broken; /* something could not be said */
} Doctor;

/* mend: the command that mends it, or NULL. */
void doctor_say(Doctor *d, Finding finding, const char *mend, const char *format, ...)
        _printf_(4, 5);

/* doctor-session.c: the folder of the session, its bus, the user manager, linger, the units, the
 * variables that the service does not see. */
void doctor_examine_session(Doctor *d);

/* doctor-service.c: the service's version, engines, models and keys; the store. */
void doctor_examine_service(Doctor *d);
