/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lines that begin with a slash: any action by its name, some with words behind; and Tab, which
 * completes their names, models and files. */

#include "client/tui/app/app-internal.h"

typedef struct Command {
        const char *name;
        int (*run)(App *app, const char *words);
} Command;

static const Command commands[] = {
        { "model", app_use_model },
        { "rename", app_rename },
        { "search", app_pick_search },
        { "attach", app_pick_file },
        { "export", app_export },
};

static const char *skip_space(const char *s)
{
        return s + strspn(s, " \t\n");
}

/* Returns 1 when it was understood, 0 when not: the line stays then. */
int app_command(App *app, const char *line)
{
        size_t n = strcspn(line, " \t\n");
        _cleanup_free_ char *name = strndup(line, n), *words = strdup(skip_space(line + n)),
                            *whole = NULL;
        Action action;
        int r;

        if (!name || !words)
                return -ENOMEM;
        if (asprintf(&whole, "/%s", line) < 0) {
                whole = NULL;
                return -ENOMEM;
        }
        while (*words && strchr(" \t\n", words[strlen(words) - 1]))
                words[strlen(words) - 1] = '\0';
        /* The action may look at what is written. */
        r = editor_set_text(app->editor, "", 0);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(commands) && *words; i++)
                if (streq(commands[i].name, name)) {
                        r = commands[i].run(app, words);
                        return r < 0 ? r : 1;
                }
        action = action_from_string(name);
        if (action == ACTION_NONE) {
                app_say(app,
                        "There is no command /%s; Ctrl-P shows what there is. For a text "
                        "that begins with a slash, write //.",
                        name);
                /* The line itself went with the editor's text. */
                r = editor_set_text(app->editor, whole, strlen(whole));
                return r < 0 ? r : 0;
        }
        r = app_act(app, action);
        return r < 0 ? r : 1;
}

/* ---- Tab ---- */

/* Puts what all candidates share in the word's place. */
static void insert_common(App *app, size_t start, const char *const *candidates, size_t n)
{
        size_t common = strlen(candidates[0]), end = editor_cursor(app->editor);
        _cleanup_free_ char *word = NULL;

        for (size_t i = 1; i < n; i++) {
                size_t k = 0;

                while (k < common && candidates[i][k] == candidates[0][k])
                        k++;
                common = k;
        }
        while (common > 0 && ((unsigned char) candidates[0][common] & 0xc0) == 0x80)
                common--;
        if (common > end - start) {
                word = strndup(candidates[0], common);
                if (word)
                        (void) editor_replace(app->editor, start, end, word);
                app_edited(app);
        }
}

static void complete_command(App *app, const char *word, size_t size)
{
        const char *found[_ACTION_MAX];
        size_t n = 0;

        for (Action a = ACTION_NONE + 1; a < _ACTION_MAX; a++)
                if (strncmp(action_info(a)->name, word, size) == 0)
                        found[n++] = action_info(a)->name;
        if (n == 0)
                app_say(app, "No command begins so.");
        else
                insert_common(app, 1, found, n);
        if (n > 1)
                app_say(app, "%zu commands begin so; Ctrl-P shows them.", n);
}

static void on_names(const char *const *names, size_t n, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        const char *text, *start;
        size_t size, cursor;

        app->files = files_job_free(app->files);
        text = editor_text(app->editor, &size);
        cursor = editor_cursor(app->editor);
        start = text + cursor;
        while (start > text && !strchr(" \t\n/", start[-1]))
                start--;
        if (n == 0)
                app_say(app, "No file begins so.");
        else
                insert_common(app, (size_t) (start - text), names, n);
        if (n > 1)
                app_say(app, "%zu files begin so: %s, %s%s", n, names[0], names[1],
                        n > 2 ? ", …" : "");
        app_damage(app, DAMAGE_SOON);
}

static void complete_file(App *app, const char *word, size_t size)
{
        _cleanup_free_ char *copy = strndup(word, size);

        app->files = files_job_free(app->files);
        if (copy)
                (void) app_check(app, files_complete(app->event, copy, on_names, app, &app->files));
}

bool app_complete(App *app)
{
        size_t size, cursor, start;
        const char *text;

        text = editor_text(app->editor, &size);
        cursor = editor_cursor(app->editor);
        start = cursor;
        while (start > 0 && !strchr(" \t\n", text[start - 1]))
                start--;
        if (start == 0 && cursor > 0 && text[0] == '/' && !memchr(text + 1, '/', cursor - 1)) {
                complete_command(app, text + 1, cursor - 1);
                return true;
        }
        if (startswith(text, "/model ") && start >= 7)
                return app_pick_model(app) >= 0;
        if (cursor > start && (text[start] == '~' || memchr(text + start, '/', cursor - start))) {
                complete_file(app, text + start, cursor - start);
                return true;
        }
        return false;
}
