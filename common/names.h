/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names of the contract: bus, objects, interfaces. */

#define BUS_NAME   "org.aiway.Conductor1"
#define BUS_PREFIX "/org/aiway/Conductor1"

#define PATH_ROOT         BUS_PREFIX
#define PATH_CONVERSATION BUS_PREFIX "/conversation"
#define PATH_SURFACE      BUS_PREFIX "/surface"
#define PATH_AVATAR       BUS_PREFIX "/avatar"

#define INTERFACE_MANAGER      BUS_NAME ".Manager"
#define INTERFACE_CONVERSATION BUS_NAME ".Conversation"
#define INTERFACE_SURFACE      BUS_NAME ".Surface"
#define INTERFACE_AVATAR       BUS_NAME ".Avatar"

#define ERROR_PREFIX BUS_NAME ".Error."
