/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names that a desktop knows these programs by; packaging/desktop/ has the same. */

#define APPLICATION_ID   "org.aiway.Conductor" /* of the .desktop file, the icon and the bus name */
#define APPLICATION_PATH "/org/aiway/Conductor"

#define ACTIVATION_TOKEN_MAX 256U /* bytes; of a longer one nobody would know what it is */

#define SEARCH_NAME   "org.aiway.Conductor1.Search"
#define PROVIDER_PATH "/org/aiway/Conductor1/SearchProvider"
#define RUNNER_PATH   "/org/aiway/Conductor1/Runner"
