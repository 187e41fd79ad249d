/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.freedesktop.Application: what the .desktop file's entry and its actions start. */

#include "client/desktop/session-bus.h"

int application_add(Session *session);
