/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The boxes that open over the rest: actions, models, search hits, files, titles. */

#include <time.h>

#include "client/tui/app/app-internal.h"

/* Closes what is open and opens another. */
static int open_picker(App *app, const char *title, const char *line, const PickerOps *ops)
{
        app->picker = picker_free(app->picker);
        return picker_new(title, line, ops, app, &app->picker);
}

static void close_picker(App *app)
{
        app->picker = picker_free(app->picker);
        app_damage(app, DAMAGE_NOW);
}

static void on_cancelled(void *userdata)
{
        close_picker(ASSERT_PTR(userdata));
}

/* ---- actions and keys ---- */

static void on_action(const PickerItem *item, const char *line, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        Action action = item ? (Action) item->number : ACTION_NONE;

        close_picker(app);
        if (action == ACTION_NONE)
                return;
        /* What belongs to a place is done there. */
        if (action_info(action)->context == CONTEXT_INPUT)
                app->place = CONTEXT_INPUT;
        (void) app_check(app, app_act(app, action));
}

/* Where a key does it; NULL: everywhere. */
static const char *place_name(KeyContext context)
{
        static const char *const names[_CONTEXT_MAX] = {
                [CONTEXT_INPUT] = "writing",
                [CONTEXT_TRANSCRIPT] = "reading",
                [CONTEXT_LIST] = "in the list",
        };

        return names[context];
}

static int pick_from_table(App *app, const char *title, bool keys_first)
{
        static const PickerOps ops = { .picked = on_action, .cancelled = on_cancelled };
        int r;

        r = open_picker(app, title, "", &ops);
        for (Action a = ACTION_NONE + 1; a < _ACTION_MAX && r >= 0; a++) {
                _cleanup_free_ char *keys = NULL, *text = NULL;
                const ActionInfo *info = action_info(a);

                r = keymap_keys(app->settings.keymap, a, &keys);
                if (r < 0)
                        break;
                if (keys_first && isempty(keys))
                        continue;
                if (asprintf(&text, "%-18s %s", keys_first ? keys : info->name, info->description) <
                        0) {
                        text = NULL;
                        return -ENOMEM;
                }
                r = picker_add(app->picker, text, keys_first ? place_name(info->context) : keys,
                        info->name, a);
        }
        return r;
}

int app_pick_action(App *app)
{
        return pick_from_table(app, "Actions", /* keys_first= */ false);
}

int app_show_keys(App *app)
{
        return pick_from_table(app, "Keys", /* keys_first= */ true);
}

/* ---- models ---- */

int app_use_model(App *app, const char *model)
{
        int r;

        if (mirror_open_conversation(app->mirror))
                return mirror_set_model(app->mirror, model, app_done, app);
        r = free_and_strdup(&app->model, model);
        if (r < 0)
                return r;
        return mirror_open_new(app->mirror, model, app->private);
}

static void on_model(const PickerItem *item, const char *line, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        _cleanup_free_ char *model = strdup(item ? strempty(item->value) : line);

        close_picker(app);
        if (model && *model)
                (void) app_check(app, app_use_model(app, model));
}

static const PickerOps model_ops = { .picked = on_model, .cancelled = on_cancelled };

static int add_model(App *app, const ModelItem *m)
{
        char detail[64];

        if (!m->chat)
                return 0;
        (void) snprintf(detail, sizeof detail, "%s%s%s", m->loaded ? "loaded" : "",
                m->loaded && !streq(m->state, "ready") ? ", " : "",
                streq(m->state, "ready") ? "" : m->state);
        return picker_add(app->picker, m->model, detail, m->model, 0);
}

static void on_models(const Failure *failure, const ModelItem *models, size_t n, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        int r = 0;

        if (!picker_is(app->picker, &model_ops))
                return;
        if (failure) {
                close_picker(app);
                app_say_failure(app, failure);
                return;
        }
        picker_clear(app->picker);
        picker_set_message(app->picker,
                n == 0 ? "No engine has a model; see conductor doctor."
                       : "None has these letters.");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = add_model(app, &models[i]);
        app_damage(app, DAMAGE_NOW);
}

int app_pick_model(App *app)
{
        int r;

        r = open_picker(app, "Model", "", &model_ops);
        if (r < 0)
                return r;
        picker_set_message(app->picker, "Asking the engines…");
        return mirror_list_models(app->mirror, on_models, app);
}

/* ---- search ---- */

static int open_hit(App *app)
{
        const Hit *h = &app->hits[app->hit];
        int r;

        r = mirror_open(app->mirror, h->id, h->message);
        if (r < 0)
                return r;
        app->place = CONTEXT_TRANSCRIPT;
        r = transcript_show(app->transcript, h->message);
        return r < 0 ? r : transcript_highlight(app->transcript, app->words);
}

int app_open_hit(App *app, int by)
{
        if (app->n_hits == 0) {
                app_say(app, "Search first, with Ctrl-F.");
                return 0;
        }
        if ((by < 0 && app->hit == 0) || (by > 0 && app->hit + 1 == app->n_hits)) {
                app_say(app, by < 0 ? "This is the first hit." : "This is the last hit.");
                return 0;
        }
        app->hit = by < 0 ? app->hit - 1 : app->hit + 1;
        return open_hit(app);
}

static void on_hit(const PickerItem *item, const char *line, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        uint64_t message = item ? item->number : 0;

        if (free_and_strdup(&app->words, line) < 0)
                return;
        close_picker(app);
        for (size_t i = 0; i < app->n_hits; i++)
                if (app->hits[i].message == message) {
                        app->hit = i;
                        (void) app_check(app, open_hit(app));
                        return;
                }
}

static const char search_hint[] = "Words that a message has; the last may be a beginning.";

static void on_search_typed(const char *line, void *userdata);

static const PickerOps search_ops = {
        .picked = on_hit,
        .typed = on_search_typed,
        .cancelled = on_cancelled,
};

static int add_hit(App *app, const SearchHit *h)
{
        time_t seconds = (time_t) (h->created / USEC_PER_SEC);
        _cleanup_free_ char *detail = NULL;
        char date[32] = "";
        struct tm tm;

        if (localtime_r(&seconds, &tm))
                (void) strftime(date, sizeof date, "%F", &tm);
        if (asprintf(&detail, "%s\t%s", *h->title ? h->title : "(no title)", date) < 0) {
                detail = NULL;
                return -ENOMEM;
        }
        return picker_add(app->picker, h->snippet, detail, h->id, h->message);
}

static void on_hits(const Failure *failure, const SearchHit *hits, size_t n, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        Hit *copy;
        int r = 0;

        if (!picker_is(app->picker, &search_ops) || editor_is_empty(picker_editor(app->picker)))
                return;
        picker_clear(app->picker);
        app->n_hits = 0;
        picker_set_message(app->picker, failure ? "The search failed." : "Nothing was found.");
        if (failure)
                app_say_failure(app, failure);
        copy = reallocarray(app->hits, n > 0 ? n : 1, sizeof *copy);
        if (!copy)
                return;
        app->hits = copy;
        for (size_t i = 0; i < n && r >= 0; i++) {
                memcpy(copy[i].id, hits[i].id, sizeof copy[i].id);
                copy[i].message = hits[i].message;
                r = add_hit(app, &hits[i]);
                app->n_hits = i + 1;
        }
        app_damage(app, DAMAGE_NOW);
}

static void on_search_typed(const char *line, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        if (isempty(line)) {
                picker_clear(app->picker);
                picker_set_message(app->picker, search_hint);
                return;
        }
        (void) app_check(app, mirror_search(app->mirror, line, on_hits, app));
}

int app_pick_search(App *app, const char *words)
{
        int r;

        r = open_picker(app, "Search all conversations", words, &search_ops);
        if (r < 0)
                return r;
        picker_set_message(app->picker, search_hint);
        on_search_typed(words, app);
        return 0;
}

/* ---- titles and paths ---- */

int app_rename(App *app, const char *title)
{
        const ConversationItem *c = mirror_open_conversation(app->mirror);

        if (!c) {
                app_say(app, "A conversation has a title once something was asked.");
                return 0;
        }
        return mirror_rename(app->mirror, c->id, title, app_done, app);
}

static void on_title(const PickerItem *item, const char *line, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        (void) app_check(app, app_rename(app, line));
        close_picker(app);
}

int app_pick_title(App *app)
{
        static const PickerOps ops = { .picked = on_title, .cancelled = on_cancelled };
        const ConversationItem *c = mirror_open_conversation(app->mirror);

        if (!c)
                return app_rename(app, "");
        return open_picker(app, "Title", c->title, &ops);
}

static void on_export_path(const PickerItem *item, const char *line, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        (void) app_check(app, app_export(app, line));
        close_picker(app);
}

int app_pick_export(App *app)
{
        static const PickerOps ops = { .picked = on_export_path, .cancelled = on_cancelled };

        return open_picker(app, "Export to a file (.md, .json or .jsonl)", "conversation.md", &ops);
}

/* ---- files ---- */

static void on_file_open(int fd, const Failure *failure, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        _cleanup_free_ char *name = app->file_name;

        app->files = files_job_free(app->files);
        app->file_name = NULL;
        if (failure)
                app_say_failure(app, failure);
        else
                app_attach_fd(app, strempty(name), fd);
}

static int attach_file(App *app, const char *path)
{
        const char *slash = strrchr(path, '/');
        int r;

        if (app->options->client.host) {
                app_say(app, "Files cannot be attached over ssh; paste their text instead.");
                return 0;
        }
        app->files = files_job_free(app->files);
        r = free_and_strdup(&app->file_name, slash ? slash + 1 : path);
        if (r < 0)
                return r;
        return files_open(app->event, path, on_file_open, app, &app->files);
}

static void on_file(const PickerItem *item, const char *line, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        _cleanup_free_ char *folder = NULL, *path = NULL;
        const char *slash = strrchr(line, '/');

        folder = strndup(line, slash ? (size_t) (slash - line) + 1 : 0);
        if (!folder || asprintf(&path, "%s%s", item ? folder : line, item ? item->text : "") < 0)
                path = NULL;
        close_picker(app); /* what is typed now is no file's name */
        if (!path)
                (void) app_check(app, -ENOMEM);
        else if (*path && path[strlen(path) - 1] == '/')
                (void) app_check(app, app_pick_file(app, path));
        else if (*path)
                (void) app_check(app, attach_file(app, path));
}

static void on_file_typed(const char *line, void *userdata);

static const PickerOps file_ops = {
        .picked = on_file,
        .typed = on_file_typed,
        .cancelled = on_cancelled,
};

static void on_file_names(const char *const *names, size_t n, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        int r = 0;

        app->files = files_job_free(app->files);
        if (!picker_is(app->picker, &file_ops))
                return;
        picker_clear(app->picker);
        picker_set_message(app->picker, "No file begins so.");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = picker_add(app->picker, names[i], NULL, names[i], 0);
        app_damage(app, DAMAGE_NOW);
}

static void on_file_typed(const char *line, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        app->files = files_job_free(app->files);
        (void) app_check(app, files_complete(app->event, line, on_file_names, app, &app->files));
}

int app_pick_file(App *app, const char *word)
{
        int r;

        r = open_picker(app, "Attach a file", word, &file_ops);
        if (r < 0)
                return r;
        on_file_typed(word, app);
        return 0;
}

/* ---- what was sent before ---- */

static void on_former(const PickerItem *item, const char *line, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        const char *text = item ? history_get(app->drafts, "", (size_t) item->number) : NULL;

        close_picker(app);
        if (!text)
                return;
        (void) app_check(app, editor_set_text(app->editor, text, strlen(text)));
        app_edited(app);
}

int app_pick_history(App *app)
{
        static const PickerOps ops = { .picked = on_former, .cancelled = on_cancelled };
        const char *text;
        int r;

        r = open_picker(app, "Sent before", "", &ops);
        if (r < 0)
                return r;
        picker_set_message(app->picker, "Nothing was sent yet.");
        for (size_t i = 0; (text = history_get(app->drafts, "", i)) && r >= 0; i++)
                r = picker_add(app->picker, text, NULL, NULL, i);
        return r;
}
