/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What comes of what is kept on disk, and of what is not. */

#include <inttypes.h>

#include "client/tui/app/app-internal.h"

/* Names that no file has. */
#define PRIVATE_KEY "private"
#define EDIT_KEY    "edit-%" PRIu64 /* of a message that is written anew */

/* ---- to the keeper ---- */

/* Whose text it is that is written. */
static void make_key(const App *app, char ret[static DRAFT_ID])
{
        if (app->editing != 0)
                (void) snprintf(ret, DRAFT_ID, EDIT_KEY, app->editing);
        else if (app->private && isempty(app->draft_id))
                (void) snprintf(ret, DRAFT_ID, "%s", PRIVATE_KEY);
        else
                memcpy(ret, app->draft_id, sizeof app->draft_id);
}

bool app_is_written(const App *app, const char *key)
{
        char own[DRAFT_ID];

        make_key(app, own);
        return streq(key, own);
}

void app_read_held(App *app)
{
        char key[DRAFT_ID];

        make_key(app, key);
        keeper_read_held(app->keeper, key);
}

int app_hold_private(App *app, const char *text, size_t size)
{
        return keeper_hold(app->keeper, PRIVATE_KEY, HELD_PRIVATE, text, size);
}

int app_read_draft(App *app)
{
        if (!app->private)
                return keeper_read_draft(app->keeper, app->draft_id);
        app_read_held(app);
        return 0;
}

bool app_put_by(App *app)
{
        bool edits = app->editing != 0;
        char key[DRAFT_ID];
        const char *text;
        size_t size;
        int r;

        if (!edits && !app->private && !app->unsure)
                return app_save_draft(app) >= 0;
        make_key(app, key);
        text = editor_text(app->editor, &size);
        r = keeper_hold(
                app->keeper, key, edits || app->private ? HELD_PRIVATE : HELD_UNSURE, text, size);
        if (r < 0)
                app_say(app, "What was written is lost: %s.", strerrordesc_np(-r));
        app->draft_dirty = false;
        return true;
}

int app_keep(App *app)
{
        int r = app_save_draft(app), k = keeper_retry(app->keeper);

        return r < 0 ? r : k;
}

/* What was written in conversations that were left before it was known whether they are private. */
void app_settle_drafts(App *app)
{
        const ConversationItem *list;
        size_t n;

        list = mirror_list(app->mirror, &n);
        for (size_t i = 0; i < n && keeper_is_unsure(app->keeper); i++)
                if (list[i].known)
                        (void) app_check(
                                app, keeper_settle(app->keeper, list[i].id, list[i].private));
}

/* ---- from the keeper ---- */

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
        (void) sd_event_source_set_enabled(app->leave, SD_EVENT_OFF);
        app_say_failure(app, failure);
        return false;
}

static void on_failed(const Failure *failure, void *userdata)
{
        app_say_failure(ASSERT_PTR(userdata), failure);
}

/* It is tried again, with the next word or at the end. */
static void on_unkept(const char *id, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        if (streq(id, app->draft_id))
                app->draft_dirty = true;
}

static int on_draft(const char *id, const char *text, size_t size, void *userdata)
{
        return app_put_draft(ASSERT_PTR(userdata), id, text, size);
}

static bool on_held(const char *id, const char *text, size_t size, void *userdata)
{
        return app_put_held(ASSERT_PTR(userdata), id, text, size);
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
        .held = on_held,
        .idle = on_idle,
};
