/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Other programs that get the terminal for a while ($EDITOR, $PAGER), and exports to files. */

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client/tui/app/app-internal.h"
#include "common/utf8.h"

#define FILE_STEP KIB(64) /* of a file, in one read */

/* A shell's line, as people write them into $EDITOR and $PAGER, with one argument more, or with
 * stdin as given. */
static int spawn(const char *line, const char *argument, int input, pid_t *ret)
{
        _cleanup_free_ char *whole = NULL;
        char *argv[] = { (char *) "sh", (char *) "-c", NULL, (char *) "sh", (char *) argument,
                NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        int r;

        if (asprintf(&whole, "%s \"$@\"", line) < 0) {
                whole = NULL;
                return -ENOMEM;
        }
        argv[2] = whole;
        (void) sigemptyset(&none);
        (void) posix_spawn_file_actions_init(&actions);
        (void) posix_spawnattr_init(&attributes);
        (void) posix_spawnattr_setsigmask(&attributes, &none);
        (void) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        r = input < 0 ? 0 : -posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        if (r >= 0)
                r = -posix_spawnp(ret, "sh", &actions, &attributes, argv, environ);
        (void) posix_spawn_file_actions_destroy(&actions);
        (void) posix_spawnattr_destroy(&attributes);
        return r;
}

/* The terminal is its own until it ends. */
static int run(
        App *app, const char *line, const char *argument, int input, sd_event_child_handler_t done)
{
        pid_t pid;
        int r;

        r = terminal_release(app->terminal);
        if (r >= 0)
                r = spawn(line, argument, input, &pid);
        if (r >= 0) {
                r = sd_event_add_child(app->event, &app->child, pid, WEXITED, done, app);
                if (r < 0)
                        (void) kill(pid, SIGKILL); /* two would write to the terminal */
        }
        if (r < 0)
                (void) terminal_take(app->terminal);
        return r;
}

/* Ctrl-C and Ctrl-\ that were typed for the other program, and came behind its end. */
static void forget_typed_signals(void)
{
        const struct timespec at_once = { 0 };
        sigset_t typed;

        (void) sigemptyset(&typed);
        (void) sigaddset(&typed, SIGINT);
        (void) sigaddset(&typed, SIGQUIT);
        while (sigtimedwait(&typed, NULL, &at_once) > 0)
                ;
}

static const char *first_set(const char *name, const char *other, const char *otherwise)
{
        const char *value = getenv(name);

        if (isempty(value) && other)
                value = getenv(other);
        return isempty(value) ? otherwise : value;
}

/* What a shell says of a program that is not there, or is none. */
static bool was_not_found(const siginfo_t *si)
{
        return si->si_code == CLD_EXITED && (si->si_status == 126 || si->si_status == 127);
}

static void finish(App *app)
{
        app->child = sd_event_source_disable_unref(app->child);
        (void) terminal_take(app->terminal);
        forget_typed_signals();
        app_damage(app, DAMAGE_NOW);
}

/* ---- $EDITOR ---- */

/* More than the input takes: what is too much is for take_text() to say, which knows a line end
 * that is not the person's. */
static int read_file(const char *path, char **ret, size_t *ret_size)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(EDITOR_TEXT_MAX + 2 * FILE_STEP);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        char *room;
        int r;

        if (fd < 0)
                return -errno;
        for (;;) {
                ssize_t n;

                r = buffer_reserve(&b, FILE_STEP, &room);
                if (r < 0)
                        return r;
                n = read(fd, room, FILE_STEP);
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return buffer_steal(&b, ret, ret_size);
                buffer_advance(&b, (size_t) n);
        }
}

static int take_text(App *app)
{
        _cleanup_buffer_ Buffer repaired = BUFFER_INIT(EDITOR_TEXT_MAX);
        _cleanup_free_ char *text = NULL;
        Utf8Repair repair = { 0 };
        size_t size;
        int r;

        r = read_file(app->child_file, &text, &size);
        if (r < 0)
                return r;
        /* The line end that every editor adds is not the person's. */
        if (size > 0 && text[size - 1] == '\n')
                size--;
        r = utf8_repair(&repair, text, size, &repaired);
        if (r >= 0)
                r = utf8_repair_flush(&repair, &repaired);
        if (r < 0)
                return r;
        r = editor_set_text(app->editor, buffer_text(&repaired), repaired.size);
        if (r >= 0)
                app_edited(app);
        return r;
}

static void remove_draft_file(App *app)
{
        (void) unlink(app->child_file);
        app->child_file = mfree(app->child_file);
}

/* What a person wrote is not removed when it cannot be taken. */
static void take_back(App *app)
{
        int r = take_text(app);

        if (r >= 0) {
                remove_draft_file(app);
                return;
        }
        app_say(app, "What was written stays in %s: it cannot be taken back (%s).", app->child_file,
                strerrordesc_np(-r));
        app->child_file = mfree(app->child_file);
}

static const char *editor(void)
{
        return first_set("VISUAL", "EDITOR", "vi");
}

/* Should the terminal not come back, that is kept which the editor wrote. */
static int on_editor_end(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        if (si->si_code == CLD_EXITED && si->si_status == 0)
                take_back(app);
        else {
                if (was_not_found(si))
                        app_say(app, "There is no editor '%s'; set $EDITOR to one.", editor());
                else
                        app_say(app, "The editor failed; the text is as it was.");
                remove_draft_file(app);
        }
        finish(app);
        return 0;
}

/* In the runtime folder: in memory, and nobody else's. */
static int write_draft_file(App *app, char **ret)
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        const char *text;
        size_t size;
        int r;

        r = client_runtime_directory(&folder);
        if (r < 0)
                return r;
        if (asprintf(&path, "%s/conductor-XXXXXX.md", folder) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        fd = mkostemps(path, strlen(".md"), O_CLOEXEC);
        if (fd < 0)
                return -errno;
        text = editor_text(app->editor, &size);
        if (write(fd, text, size) != (ssize_t) size) {
                r = errno > 0 ? -errno : -EIO;
                (void) unlink(path);
                return r;
        }
        *ret = TAKE_PTR(path);
        return 0;
}

int app_edit_in_editor(App *app)
{
        int r;

        if (app->child)
                return 0;
        r = write_draft_file(app, &app->child_file);
        if (r < 0)
                return r;
        r = run(app, editor(), app->child_file, -EBADF, on_editor_end);
        if (r < 0)
                remove_draft_file(app);
        return r;
}

/* ---- $PAGER ---- */

static const char *pager(void)
{
        return first_set("PAGER", NULL, "less");
}

static int on_pager_end(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        finish(app);
        if (was_not_found(si))
                app_say(app, "There is no pager '%s'; set $PAGER to one.", pager());
        return 0;
}

static void on_pager_pipe(const Failure *failure, int fd, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        _cleanup_close_ int owned = fd;

        if (failure)
                app_say_failure(app, failure);
        else if (!app->child)
                (void) app_check(app, run(app, pager(), NULL, owned, on_pager_end));
}

int app_read_in_pager(App *app)
{
        if (!mirror_open_conversation(app->mirror)) {
                app_say(app, "There is nothing to read yet.");
                return 0;
        }
        return mirror_export(app->mirror, "markdown", on_pager_pipe, app);
}

/* ---- exports ---- */

static void on_written(const Failure *failure, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        app->export = files_job_free(app->export);
        if (failure)
                app_say_failure(app, failure);
        else if (failure_is_set(&app->export_cut))
                app_say(app, "What is in %s is cut off; export it anew: %s", app->export_path,
                        failure_message(&app->export_cut));
        else
                app_say(app, "Exported to %s.", app->export_path);
        failure_done(&app->export_cut);
        app->export_path = mfree(app->export_path);
}

static void on_export_pipe(const Failure *failure, int fd, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        _cleanup_close_ int owned = fd;
        int r;

        if (failure && app->export) {
                failure_done(&app->export_cut);
                failure_copy(&app->export_cut, failure);
                return;
        }
        if (failure) {
                app_say_failure(app, failure);
                app->export_path = mfree(app->export_path);
                return;
        }
        r = files_write(app->event, app->export_path, owned, on_written, app, &app->export);
        if (r < 0)
                app->export_path = mfree(app->export_path);
        (void) app_check(app, r);
}

static const char *format_of(const char *path)
{
        const char *dot = strrchr(path, '.');

        if (dot && streq(dot, ".json"))
                return "json";
        if (dot && streq(dot, ".jsonl"))
                return "jsonl";
        return "markdown";
}

int app_export(App *app, const char *path)
{
        int r;

        if (!mirror_open_conversation(app->mirror)) {
                app_say(app, "There is nothing to export yet.");
                return 0;
        }
        if (app->export_path) {
                app_say(app, "An export is being written already.");
                return 0;
        }
        app->export_path = strdup(path);
        if (!app->export_path)
                return -ENOMEM;
        r = mirror_export(app->mirror, format_of(path), on_export_pipe, app);
        if (r < 0)
                app->export_path = mfree(app->export_path);
        return r;
}
