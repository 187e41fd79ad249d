/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Says that a reply has ended in a conversation that nobody looks at: one notification for each
 * conversation. It comes with the service and goes with it, unless a notification of its own is
 * open: some servers take those away with their sender. */

#include "client/desktop/copy.h"
#include "client/desktop/session-bus.h"

#define NOTES_MAX 32U /* conversations; the oldest notification is closed */

typedef struct Notifier Notifier;

/* copy outlives it. */
int notifier_new(Session *session, const Copy *copy, Notifier **ret);
Notifier *notifier_free(Notifier *n);
DEFINE_CLEANUP(Notifier *, notifier_free)
