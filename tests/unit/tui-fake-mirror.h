/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A mirror without a bus: what a test puts into it is what the views see. */

#include "client/tui/model/mirror.h"

#define FAKE_ENGINES 2

struct Mirror {
        LinkState link;
        const char *sentence;
        usec_t retry;
        const char *default_model;
        bool loading;

        ConversationItem *list;
        size_t n_list;
        bool list_has_more;
        const ConversationItem *open;
        EngineItem engines[FAKE_ENGINES];
        size_t n_engines;
        uint64_t used, size;
        MessageItem *live;

        /* messages + first, n of them, are those loaded; the others come page by page when they
         * are asked for, and those far away go. */
        MessageItem **messages;
        size_t total, first, n;

        unsigned n_older, n_newer, n_opened, n_list_more;
};

Mirror *fake_mirror_new(void);
void fake_mirror_free(Mirror *m);

/* At the end; ids begin with 1. */
MessageItem *fake_add(Mirror *m, Role role, const char *text);
void fake_think(MessageItem *item, const char *text);

/* So many messages, of which the last page is loaded. */
void fake_fill(Mirror *m, size_t total);
