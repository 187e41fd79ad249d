/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/cli/rejoin.h"

#include "client/bus/link.h"

/* With the pauses between them half a minute, in which a laptop has found another network. */
#define TRIES_MAX 8U

struct Rejoin {
        Link *link;
        ReplyStream *stream;
        unsigned tries;
        void (*given_up)(void *userdata);
        void *userdata;
};

static void on_opened(sd_bus *bus, ClientDoor door, void *userdata)
{
        Rejoin *j = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r;

        r = reply_stream_rejoin(j->stream, bus);
        if (r >= 0)
                return;
        (void) failure_set_errno(&failure, r, "The reply cannot be followed");
        link_failed(j->link, &failure);
}

static void on_closed(void *userdata)
{
        Rejoin *j = ASSERT_PTR(userdata);

        if (++j->tries == TRIES_MAX)
                j->given_up(j->userdata);
}

int rejoin_new(sd_event *event, const char *host, ReplyStream *stream,
        void (*given_up)(void *userdata), void *userdata, Rejoin **ret)
{
        static const LinkOps ops = { .opened = on_opened, .closed = on_closed };
        const ClientOptions options = { .host = host };
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(rejoin_freep) Rejoin *j = NULL;
        int r;

        j = calloc(1, sizeof *j);
        if (!j)
                return -ENOMEM;
        j->stream = stream;
        j->given_up = given_up;
        j->userdata = userdata;
        r = link_new(event, &options, &ops, j, &j->link, &failure);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(j);
        return 0;
}

Rejoin *rejoin_free(Rejoin *j)
{
        if (!j)
                return NULL;
        link_free(j->link);
        free(j);
        return NULL;
}

void rejoin_start(Rejoin *j)
{
        link_start(j->link);
}

void rejoin_failed(Rejoin *j, const Failure *failure)
{
        link_failed(j->link, failure);
}

void rejoin_succeeded(Rejoin *j)
{
        link_succeeded(j->link);
}

void rejoin_progressed(Rejoin *j)
{
        j->tries = 0;
}
