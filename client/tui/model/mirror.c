/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The whole of it: made, ended, and what is said of the link. */

#include "client/tui/model/mirror-internal.h"
#include "common/log.h"

int mirror_new(sd_event *event, const ClientOptions *options, const MirrorOps *ops, void *userdata,
        Mirror **ret, Failure *failure)
{
        _cleanup_(mirror_freep) Mirror *m = NULL;
        int r;

        m = calloc(1, sizeof *m);
        if (!m)
                return failure_set_errno(failure, -ENOMEM, "Connecting");
        m->event = sd_event_ref(event);
        m->ops = ops;
        m->userdata = userdata;
        m->avatar.visible = -1; /* either is news */
        r = sends_new(m);
        if (r < 0)
                return failure_set_errno(failure, r, "Connecting");
        r = link_new(event, options, &mirror_link_ops, m, &m->link, failure);
        if (r < 0)
                return r;
        link_start(m->link);
        m->started = true;
        *ret = TAKE_PTR(m);
        return 0;
}

Mirror *mirror_free(Mirror *m)
{
        if (!m)
                return NULL;
        mirror_drop_calls(m, CALL_ANY);
        exports_free(m);
        sends_free(m);
        gone_free(m);
        free(m->shown);
        mirror_stop_listening(m);
        link_free(m->link);
        window_clear(m);
        open_done(&m->open);
        list_clear_items(m->list, m->n_list);
        engines_clear(m->engines, m->n_engines);
        avatar_state_done(&m->avatar);
        sd_event_unref(m->event);
        free(m->service);
        free(m->default_model);
        free(m->surface);
        free(m);
        return NULL;
}

usec_t mirror_now(const Mirror *m)
{
        usec_t now = 0;
        int r = sd_event_now(m->event, CLOCK_MONOTONIC, &now);

        if (r < 0)
                log_debug_errno(r, "The loop has no time, ignoring: %m");
        return now;
}

LinkState mirror_link(const Mirror *m, const char **ret_sentence, usec_t *ret_retry)
{
        return link_state(m->link, ret_sentence, ret_retry);
}

const char *mirror_default_model(const Mirror *m)
{
        return strempty(m->default_model);
}

const char *mirror_model(const Mirror *m)
{
        const ConversationItem *open = mirror_open_conversation(m);
        const char *model = open ? open->model : m->open.model;

        return isempty(model) ? mirror_default_model(m) : model;
}
