/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Numbers of the interface (dbus/) that clients know. */

#include "common/macro.h"

#define CONVERSATION_ID 32U    /* hex digits */
#define ENTRIES_MAX     1000U  /* of one list or page */
#define REPLY_PART_MAX  MIB(1) /* of one answer of GetReply */
#define QUERY_MAX       1024U  /* bytes of a search's words */

/* A service's window is 64 deltas and 256 KiB: half of it, so that it never runs dry. */
#define ACK_DELTAS 32U
#define ACK_BYTES  KIB(128)
