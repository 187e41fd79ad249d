/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.gnome.Shell.SearchProvider2: messages in the overview's search. */

#include "client/desktop/search-bus.h"

typedef struct Provider {
        Session *session;
        Search *search;
} Provider;

/* provider lives as long as the session. */
int provider_add(Provider *provider);
