/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A failure that a person will read: a code that a program can act on and a sentence that says what
 * to do next. It travels up from where the reason is known to the D-Bus reply, the CLI and the
 * journal. Functions that take a Failure* also return a negative errno; the Failure is set exactly
 * when they fail. A Failure* argument may be NULL. */

#include "common/macro.h"

/* The name on the bus is org.aiway.Conductor1.Error.<string>; see common/failure.c for the table.
 */
typedef enum FailureCode {
        FAILURE_NONE,
        FAILURE_INVALID_ARGUMENT,
        FAILURE_NO_SUCH_CONVERSATION,
        FAILURE_NO_SUCH_MESSAGE,
        FAILURE_NO_SUCH_MODEL,
        FAILURE_ENGINE_UNREACHABLE, /* no connection, or it broke */
        FAILURE_ENGINE_REFUSED,     /* it answered with an error */
        FAILURE_ENGINE_FAILED,      /* what it sent is not what its protocol promises */
        FAILURE_ENGINE_STALLED,     /* no byte within the limit */
        FAILURE_KEY_REFUSED,        /* 401, 403, or a key that cannot be read */
        FAILURE_CONTEXT_TOO_LONG,
        FAILURE_BUSY,
        FAILURE_TOO_LARGE,
        FAILURE_NOT_SUPPORTED,
        FAILURE_CANCELLED,
        FAILURE_STORE_FULL,   /* no space left for the database */
        FAILURE_STORE_FAILED, /* the database cannot be read or written */
        FAILURE_CONFIGURATION,
        FAILURE_NO_MEMORY,
        FAILURE_NO_SERVICE, /* clients only: no bus, no service on it, or it went away */
        FAILURE_INTERNAL,
        _FAILURE_MAX,
} FailureCode;

typedef struct Failure {
        FailureCode code;
        char *message; /* NULL stands for the code's default sentence */
} Failure;

#define FAILURE_NULL ((Failure){ 0 })

void failure_done(Failure *f);
#define _cleanup_failure_ _cleanup_(failure_done)

static inline bool failure_is_set(const Failure *f)
{
        return f && f->code != FAILURE_NONE;
}

/* Sets *f unless it is set already (the first reason is the true one). Returns the code's errno. */
int failure_set(Failure *f, FailureCode code, const char *format, ...) _printf_(3, 4);

/* Turns a negative errno into a failure; text says what was being tried. Returns error. */
int failure_set_errno(Failure *f, int error, const char *format, ...) _printf_(3, 4);

/* Deep copy; on -ENOMEM *ret keeps the code without a message. */
void failure_copy(Failure *ret, const Failure *f);

/* "NoSuchConversation"; never NULL. */
const char *failure_code_to_string(FailureCode code);
/* FAILURE_INTERNAL for a name that is not ours. */
FailureCode failure_code_from_string(const char *name);
int failure_code_to_errno(FailureCode code);

/* The sentence to show; never NULL. */
const char *failure_message(const Failure *f);
