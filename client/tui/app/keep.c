/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What comes of what is kept on disk. */

#include "client/tui/app/app-internal.h"

static void on_failed(const Failure *failure, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        app_say_failure(app, failure);
        if (!app->leaving)
                return;
        if (app->by_signal) {
                failure_done(&app->unkept);
                failure_copy(&app->unkept, failure);
                return;
        }
        /* A person can still do something about it, or leave again. */
        app->leaving = false;
        app->draft_dirty = true;
        (void) sd_event_source_set_enabled(app->leave, SD_EVENT_OFF);
}

static void on_draft(const char *id, const char *text, size_t size, void *userdata)
{
        app_put_draft(ASSERT_PTR(userdata), id, text, size);
}

static void on_idle(void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        if (app->leaving)
                (void) sd_event_exit(app->event, 0);
}

/* ---- of conversations that are gone ---- */

static void on_gone(const char *ids, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        history_forget(app->drafts, ids);
        (void) app_check(app, keeper_forget(app->keeper, ids));
}

/* Once, with the first connection: what was written and sent in conversations that the service has
 * removed for good is removed here, too. */
void app_look_through_drafts(App *app)
{
        _cleanup_free_ char *ids = TAKE_PTR(app->kept_ids);

        if (!isempty(ids))
                (void) app_check(app, mirror_find_gone(app->mirror, ids, on_gone, app));
}

const KeeperOps app_keeper_ops = {
        .failed = on_failed,
        .draft = on_draft,
        .idle = on_idle,
};
