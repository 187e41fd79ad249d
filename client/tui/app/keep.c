/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What comes of what is kept on disk. */

#include "client/tui/app/app-internal.h"

/* A person is told first, who may do something about it, or leave again. */
bool app_leaves_without(App *app, const Failure *failure)
{
        if (app->told || app->by_signal) {
                failure_done(&app->unkept);
                failure_copy(&app->unkept, failure);
                return true;
        }
        app->told = true;
        app->leaving = false;
        app->draft_dirty = true;
        (void) sd_event_source_set_enabled(app->leave, SD_EVENT_OFF);
        app_say_failure(app, failure);
        return false;
}

static void on_failed(const Failure *failure, void *userdata)
{
        app_say_failure(ASSERT_PTR(userdata), failure);
}

/* It is tried again, with the next word or at the end. An input that is empty because its draft is
 * still to be read must not be written over that. */
static void on_unkept(const char *id, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        if (streq(id, app->draft_id) || !editor_is_empty(app->editor))
                app->draft_dirty = true;
}

static void on_draft(const char *id, const char *text, size_t size, void *userdata)
{
        app_put_draft(ASSERT_PTR(userdata), id, text, size);
}

static void on_idle(void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        const Failure *failure = keeper_failure(app->keeper);

        if (app->leaving && (!failure || app_leaves_without(app, failure)))
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
        .unkept = on_unkept,
        .draft = on_draft,
        .idle = on_idle,
};
