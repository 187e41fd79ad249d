/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What service and engines both say about a message. */

#include "common/macro.h"

typedef enum Role {
        ROLE_SYSTEM,
        ROLE_USER,
        ROLE_ASSISTANT,
        _ROLE_MAX,
        _ROLE_INVALID = -EINVAL,
} Role;

const char *role_to_string(Role r); /* "user" */
Role role_from_string(const char *s);

/* A reply's two streams of text, each with offsets of its own (bytes of UTF-8). */
typedef enum Channel {
        CHANNEL_CONTENT,
        CHANNEL_REASONING,
        _CHANNEL_MAX,
        _CHANNEL_INVALID = -EINVAL,
} Channel;

const char *channel_to_string(Channel c); /* "content", "reasoning" */
Channel channel_from_string(const char *s);

/* How a reply ended; REASON_NONE while it lives. */
typedef enum EndReason {
        REASON_NONE,
        REASON_STOP,
        REASON_LENGTH,
        REASON_CANCELLED,
        REASON_INTERRUPTED, /* the service died under it, or was stopped */
        REASON_INCOMPLETE,  /* the engine ended without an end mark */
        REASON_FILTERED,
        REASON_FAILED,
        REASON_TOOL,
        _REASON_MAX,
        _REASON_INVALID = -EINVAL,
} EndReason;

const char *end_reason_to_string(EndReason r); /* "stop"; REASON_NONE is "" */
EndReason end_reason_from_string(const char *s);
