/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.freedesktop.LogControl1, for `systemctl --user service-log-level conductor.service debug`. */

#include "service/bus/object.h"

#define LOG_CONTROL_PATH      "/org/freedesktop/LogControl1"
#define LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"

extern const BusObject log_control_object; /* uses no userdata */
