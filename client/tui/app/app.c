/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/app/app.h"

#include <signal.h>
#include <stdarg.h>
#include <time.h>

#include "build-config.h"
#include "client/tui/app/app-internal.h"

/* ---- frames ---- */

usec_t app_now(App *app)
{
        uint64_t now;

        return sd_event_now(app->event, CLOCK_MONOTONIC, &now) >= 0 ? now : 0;
}

void app_damage(App *app, Damage damage)
{
        usec_t due = app->painted + FRAME_USEC;
        int enabled;

        if (app->held || app->child)
                return; /* all of it is drawn when the terminal is back */
        if (damage == DAMAGE_NOW || due <= app_now(app)) {
                (void) sd_event_source_set_enabled(app->paint, SD_EVENT_ONESHOT);
                return;
        }
        if (sd_event_source_get_enabled(app->frame, &enabled) >= 0 && enabled != SD_EVENT_OFF)
                return;
        (void) sd_event_source_set_time(app->frame, due);
        (void) sd_event_source_set_enabled(app->frame, SD_EVENT_ONESHOT);
}

static void arm(sd_event_source *source, usec_t due)
{
        if (due == USEC_INFINITY) {
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
                return;
        }
        (void) sd_event_source_set_time(source, due);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Whether a number on the screen is another one each second. */
static bool counts_seconds(const App *app)
{
        usec_t retry = 0;

        if (mirror_link(app->mirror, NULL, &retry) == LINK_DOWN)
                return retry > 0;
        return mirror_live(app->mirror) || transcript_is_waiting(app->transcript);
}

static int on_paint(sd_event_source *source, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        usec_t now = app_now(app);

        (void) sd_event_source_set_enabled(app->frame, SD_EVENT_OFF);
        app->painted = now;
        app_draw(app);
        if (terminal_show(app->terminal) == -EBUSY)
                app->held = true;
        arm(app->seconds, counts_seconds(app) ? now + USEC_PER_SEC : USEC_INFINITY);
        arm(app->walk, app->avatar ? avatar_next(app->avatar) : USEC_INFINITY);
        return 0;
}

static int on_frame(sd_event_source *source, uint64_t usec, void *userdata)
{
        return on_paint(source, userdata);
}

static int on_walk(sd_event_source *source, uint64_t usec, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        if (avatar_advance(app->avatar, app_now(app)))
                app_damage(app, DAMAGE_SOON);
        else
                arm(app->walk, avatar_next(app->avatar));
        return 0;
}

/* ---- sentences ---- */

static int on_notice_end(sd_event_source *source, uint64_t usec, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        app->notice = mfree(app->notice);
        app_damage(app, DAMAGE_SOON);
        return 0;
}

void app_say(App *app, const char *format, ...)
{
        char *text;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0)
                return;
        free(app->notice);
        app->notice = text;
        arm(app->notice_end, app_now(app) + NOTICE_USEC + (usec_t) n * NOTICE_BYTE_USEC);
        app_damage(app, DAMAGE_SOON);
}

void app_say_failure(App *app, const Failure *failure)
{
        app_say(app, "%s", failure_message(failure));
}

void app_done(const Failure *failure, void *userdata)
{
        if (failure)
                app_say_failure(ASSERT_PTR(userdata), failure);
}

int app_check(App *app, int r)
{
        if (r == -ENOTCONN)
                app_say(app, "The service is not reached; try again when it is back.");
        else if (r < 0)
                app_say(app, "That could not be done: %s", strerrordesc_np(-r));
        return 0;
}

/* ---- what the service says ---- */

/* At the message that was asked for, as at a search hit. */
static int open_at(App *app, const char *id)
{
        uint64_t message = app->options->message;
        int r;

        r = mirror_open(app->mirror, id, message);
        if (r < 0 || message == 0)
                return r;
        app->place = CONTEXT_TRANSCRIPT;
        return transcript_show(app->transcript, message);
}

/* The conversation that was asked for by the beginning of its id, as `conductor list` shows it, or
 * the newest. */
static void open_wanted(App *app)
{
        const char *word = strempty(app->options->conversation);
        const ConversationItem *list;
        size_t n;

        list = mirror_list(app->mirror, &n);
        if (!app->go_on || mirror_link(app->mirror, NULL, NULL) != LINK_UP)
                return;
        for (size_t i = 0; i < n; i++)
                if (startswith(list[i].id, word)) {
                        app->go_on = false;
                        (void) app_check(app, open_at(app, list[i].id));
                        return;
                }
        if (mirror_list_has_more(app->mirror)) {
                (void) app_check(app, mirror_list_more(app->mirror));
                return;
        }
        app->go_on = false;
        if (isempty(word))
                app_say(app, "There is no conversation to go on with; this is a new one.");
        else
                app_say(app, "No conversation's id begins with '%s'; this is a new one.", word);
}

/* The engines are asked once, so that the status line can name the model. */
static void on_first_models(
        const Failure *failure, const ModelItem *models, size_t n, void *userdata)
{
        app_damage(ASSERT_PTR(userdata), DAMAGE_SOON);
}

static void on_link(App *app)
{
        if (mirror_link(app->mirror, NULL, NULL) != LINK_UP)
                return;
        if (isempty(mirror_default_model(app->mirror)))
                (void) mirror_list_models(app->mirror, on_first_models, app);
        app_look_through_drafts(app);
        if (app->look) {
                app->look = false;
                (void) app_check(app, app_pick_search(app, app->options->search));
        }
}

static void set_title(App *app)
{
        const ConversationItem *c = mirror_open_conversation(app->mirror);
        _cleanup_free_ char *title = NULL;

        if (asprintf(&title, "Conductor%s%s", c && *c->title ? ": " : "",
                    c && *c->title ? c->title : "") < 0) {
                title = NULL;
                return;
        }
        (void) terminal_set_title(app->terminal, title);
}

static void on_changed(MirrorChange change, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        if (change & MIRROR_LINK)
                on_link(app);
        if (change & MIRROR_LIST) {
                app_settle_drafts(app);
                open_wanted(app);
        }
        if (change & MIRROR_OPEN) {
                app_switch_draft(app);
                transcript_reset(app->transcript);
                set_title(app);
        }
        if (change & (MIRROR_MESSAGES | MIRROR_TEXT | MIRROR_FIRST_TEXT))
                transcript_update(app->transcript);
        app_damage(app, change & MIRROR_FIRST_TEXT ? DAMAGE_NOW : DAMAGE_SOON);
}

static void on_notice(const char *level, const char *title, const char *text, void *userdata)
{
        app_say(ASSERT_PTR(userdata), "%s: %s", title, text);
}

static void on_avatar(const char *verb, const char *word, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        usec_t now = app_now(app);

        if (!app->avatar)
                return;
        if (streq(verb, "activity"))
                (void) avatar_set_activity(app->avatar, word, now);
        else if (streq(verb, "mood"))
                (void) avatar_set_mood(app->avatar, word, now);
        else if (streq(verb, "gesture"))
                (void) avatar_set_gesture(app->avatar, word, now);
        else if (streq(verb, "move"))
                (void) avatar_set_position(app->avatar, word, now);
        else if (streq(verb, "size"))
                (void) avatar_set_size(app->avatar, word, now);
        else if (streq(verb, "show") || streq(verb, "hide"))
                avatar_set_visible(app->avatar, app->settings.avatar && streq(verb, "show"), now);
        app_damage(app, DAMAGE_SOON);
}

/* ---- what the terminal says ---- */

static void on_key(Key key, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        (void) app_check(app, app_key(app, key));
        app_damage(app, DAMAGE_NOW);
}

static void on_paste(const char *text, size_t size, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        app_paste(app, text, size);
        app_damage(app, DAMAGE_NOW);
}

static bool area_has(Area a, int row, int column)
{
        return row >= a.row && row < a.row + a.rows && column >= a.column &&
                column < a.column + a.columns;
}

static void on_mouse(MouseButton button, int row, int column, void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        bool in_list = area_has(app->list_area, row, column);
        const ConversationItem *list;
        size_t n;
        ssize_t i;

        if (app->picker) {
                if (button == MOUSE_WHEEL_UP || button == MOUSE_WHEEL_DOWN)
                        picker_move(app->picker, button == MOUSE_WHEEL_UP ? -1 : 1);
        } else if (button == MOUSE_WHEEL_UP || button == MOUSE_WHEEL_DOWN) {
                int by = button == MOUSE_WHEEL_UP ? -3 : 3;

                if (in_list)
                        (void) app_act(app, by < 0 ? ACTION_LIST_UP : ACTION_LIST_DOWN);
                else
                        (void) transcript_scroll(app->transcript, by);
        } else if (button == MOUSE_LEFT && in_list) {
                i = list_at(&app->list, app->mirror, app->list_area, row - app->list_area.row);
                list = mirror_list(app->mirror, &n);
                if (i >= 0 && (size_t) i < n) {
                        app->list.selected = (size_t) i;
                        (void) app_check(app, mirror_open(app->mirror, list[i].id, 0));
                }
        } else if (button == MOUSE_LEFT)
                app->place = area_has(app->transcript_area, row, column) ? CONTEXT_TRANSCRIPT
                                                                         : CONTEXT_INPUT;
        app_damage(app, DAMAGE_NOW);
}

static void on_focus(bool focused, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        mirror_set_focus(app->mirror, focused);
        if (app->avatar)
                avatar_set_focused(app->avatar, focused, app_now(app));
        app_damage(app, DAMAGE_SOON);
}

static void on_resized(int rows, int columns, void *userdata)
{
        app_damage(ASSERT_PTR(userdata), DAMAGE_NOW);
}

static void on_drained(void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        if (!app->held)
                return;
        app->held = false;
        app_damage(app, DAMAGE_SOON);
}

/* Its widths of characters may be known only now. */
static void on_terminal_changed(void *userdata)
{
        App *app = ASSERT_PTR(userdata);
        MessageItem *const *messages;
        size_t n;

        messages = mirror_messages(app->mirror, &n);
        for (size_t i = 0; i < n; i++)
                for (Channel c = 0; c < _CHANNEL_MAX; c++)
                        document_forget_layouts(messages[i]->channels[c]);
        transcript_update(app->transcript);
        app_damage(app, DAMAGE_NOW);
}

static int on_leave(sd_event_source *source, uint64_t usec, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        (void) failure_set(&app->unkept, FAILURE_INTERNAL,
                "The disk does not answer; what was written may not be kept.");
        return sd_event_exit(app->event, 0);
}

/* While it is not known whether the conversation is private, nothing of it goes to the disk. */
static int keep_draft(App *app, Failure *failure)
{
        int r;

        r = app_keep(app);
        if (r < 0)
                return failure_set_errno(failure, r, "What is written cannot be kept on disk");
        if (keeper_is_unsure(app->keeper) ||
                (app->unsure && app->draft_dirty && !app->private && !editor_is_empty(app->editor)))
                return failure_set(failure, FAILURE_NO_SERVICE,
                        "The service has not said whether a conversation is private, so what is "
                        "written in it cannot be kept; who leaves again loses it.");
        return 0;
}

/* Who presses the key once more than is needed, while it is being written, still wants it kept. */
static bool is_in_haste(App *app)
{
        uint64_t due = 0;

        (void) sd_event_source_get_time(app->leave, &due);
        return app_now(app) + KEEP_USEC < due + LEAVE_USEC;
}

void app_leave(App *app)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        bool again = app->leaving;

        if (again && is_in_haste(app))
                return;
        app->leaving = true;
        if (keep_draft(app, &failure) < 0 && !app_leaves_without(app, &failure))
                return;
        if (keeper_is_idle(app->keeper))
                (void) sd_event_exit(app->event, 0);
        else if (again)
                (void) on_leave(app->leave, 0, app);
        else
                arm(app->leave, app_now(app) + KEEP_USEC);
}

static void on_closed(int error, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        if (error < 0)
                (void) failure_set_errno(&app->unkept, error, "The terminal cannot be taken back");
        app->by_signal = true;
        app_leave(app);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        App *app = ASSERT_PTR(userdata);

        /* Typed for the editor or the pager, which has the terminal. */
        if (app->child && (si->ssi_signo == SIGINT || si->ssi_signo == SIGQUIT))
                return 0;
        app->by_signal = true;
        app_leave(app);
        return 0;
}

/* ---- the whole ---- */

static void app_done_all(App *app)
{
        sd_event_source_disable_unref(app->paint);
        sd_event_source_disable_unref(app->frame);
        sd_event_source_disable_unref(app->seconds);
        sd_event_source_disable_unref(app->walk);
        sd_event_source_disable_unref(app->notice_end);
        sd_event_source_disable_unref(app->draft_save);
        sd_event_source_disable_unref(app->child);
        sd_event_source_disable_unref(app->leave);
        files_job_free(app->export);
        free(app->export_path);
        failure_done(&app->export_cut);
        files_job_free(app->files);
        app_detach_all(app);
        picker_free(app->picker);
        transcript_free(app->transcript);
        mirror_free(app->mirror);
        app_forget_outgoing(app);
        terminal_free(app->terminal);
        ssh_words_free(app->ssh_words);
        avatar_free(app->avatar);
        sprites_free(app->sprites);
        editor_free(app->editor);
        keeper_free(app->keeper);
        drafts_free(app->drafts);
        settings_done(&app->settings);
        free(app->child_file);
        for (size_t i = 0; i < KEY_NAMES; i++)
                free(app->key_names[i]);
        failure_done(&app->unkept);
        free(app->kept_ids);
        free(app->notice);
        free(app->model);
        free(app->file_name);
        free(app->hits);
        free(app->words);
        sd_event_unref(app->event);
}

static int add_timer(App *app, sd_event_time_handler_t handler, sd_event_source **ret)
{
        int r;

        r = sd_event_add_time(app->event, ret, CLOCK_MONOTONIC, USEC_INFINITY, 1, handler, app);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int on_draft_save(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) app_save_draft(ASSERT_PTR(userdata));
        return 0;
}

static int add_sources(App *app)
{
        static const int signals[] = { SIGTERM, SIGINT, SIGQUIT };
        sigset_t set;
        int r;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGCHLD);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&set, signals[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                _cleanup_(sd_event_source_unrefp) sd_event_source *source = NULL;

                r = sd_event_add_signal(app->event, &source, signals[i], on_signal, app);
                /* Before the end of a child for which it was typed. */
                if (r >= 0)
                        r = sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IMPORTANT);
                if (r >= 0)
                        r = sd_event_source_set_floating(source, true);
                if (r < 0)
                        return r;
        }
        r = sd_event_add_defer(app->event, &app->paint, on_paint, app);
        if (r >= 0)
                r = sd_event_source_set_enabled(app->paint, SD_EVENT_OFF);
        if (r >= 0)
                r = add_timer(app, on_frame, &app->frame);
        if (r >= 0)
                r = add_timer(app, on_frame, &app->seconds);
        if (r >= 0)
                r = add_timer(app, on_walk, &app->walk);
        if (r >= 0)
                r = add_timer(app, on_notice_end, &app->notice_end);
        if (r >= 0)
                r = add_timer(app, on_draft_save, &app->draft_save);
        if (r >= 0)
                r = add_timer(app, on_leave, &app->leave);
        return r;
}

static int load_avatar(App *app)
{
        const char *folder = getenv("CONDUCTOR_AVATAR_DIR");
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r;

        r = sprites_load(isempty(folder) ? CONDUCTOR_AVATAR_DIR : folder,
                terminal_is_ascii(app->terminal) ? SPRITES_ASCII : 0, &app->sprites, &failure);
        if (r < 0) {
                /* She is missed, but everything works without. */
                app_say_failure(app, &failure);
                return 0;
        }
        r = avatar_new(app->sprites, &app->avatar);
        if (r < 0)
                return r;
        avatar_set_visible(app->avatar, app->settings.avatar, app_now(app));
        return 0;
}

/* The hints name the keys as they are configured. */
static int name_keys(App *app)
{
        static const Action actions[KEY_NAMES] = {
                ACTION_HELP,
                ACTION_PALETTE,
                ACTION_NEWLINE,
                ACTION_RETRY,
                ACTION_CONTINUE,
        };
        TranscriptKeys keys;
        int r;

        for (size_t i = 0; i < KEY_NAMES; i++) {
                r = keymap_keys(app->settings.keymap, actions[i], &app->key_names[i]);
                if (r < 0)
                        return r;
                app->key_names[i][strcspn(app->key_names[i], ",")] = '\0';
        }
        keys = (TranscriptKeys){
                .help = app->key_names[0],
                .palette = app->key_names[1],
                .newline = app->key_names[2],
                .retry = app->key_names[3],
                .resume = app->key_names[4],
        };
        transcript_set_keys(app->transcript, &keys);
        return 0;
}

static int open_drafts(App *app)
{
        _cleanup_buffer_ Buffer ids = BUFFER_INIT(KIB(64));
        int r;

        r = drafts_new(app->options->client.host ? DRAFTS_REMOTE : 0, &app->drafts);
        if (r < 0)
                return r;
        r = keeper_new(app->event, app->drafts, &app_keeper_ops, app, &app->keeper);
        if (r >= 0 && history_is_untidy(app->drafts))
                r = keeper_tidy_history(app->keeper);
        if (r >= 0)
                r = drafts_list(app->drafts, &ids);
        return r < 0 ? r : buffer_steal(&ids, &app->kept_ids, NULL);
}

/* It is there with the first picture: later ones are read by the keeper. */
static int load_first_draft(App *app, const char *id)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(DRAFT_MAX);
        int r;

        r = draft_read(app->drafts, id, &text);
        if (r == -ENOMEM)
                return r;
        if (r < 0) { /* the keeper says so, and writes nothing over it */
                buffer_clear(&text);
                (void) app_check(app, keeper_read_draft(app->keeper, id));
        }
        (void) snprintf(app->draft_id, sizeof app->draft_id, "%s", id);
        app->draft_loaded = true;
        app->unsure = *id && text.size == 0; /* what was kept may be */
        return editor_set_text(app->editor, buffer_text(&text), text.size);
}

static void on_ssh_words(const char *line, void *userdata)
{
        app_say(ASSERT_PTR(userdata), "%s", line);
}

static int open_rooms(App *app, Failure *failure)
{
        static const TerminalOps terminal_ops = {
                .input = { .key = on_key, .paste = on_paste, .mouse = on_mouse, .focus = on_focus },
                .resized = on_resized,
                .drained = on_drained,
                .changed = on_terminal_changed,
                .closed = on_closed,
        };
        TerminalOptions terminal_options;
        int r;

        r = settings_read(&app->settings);
        if (r < 0)
                return r;
        app->mirror_ops = (MirrorOps){
                .changed = on_changed,
                .notice = on_notice,
                .avatar = on_avatar,
                .layout = terminal_locale_is_utf8() ? 0 : LAYOUT_ASCII,
        };
        app->mouse = app->settings.mouse;
        app->list_shown = app->settings.list;
        r = editor_new(&app->editor);
        if (r >= 0)
                r = open_drafts(app);
        if (r >= 0 && app->options->client.host)
                r = ssh_words_new(app->event, on_ssh_words, app, &app->ssh_words);
        /* Before the terminal is taken: ssh may have a question. */
        if (r >= 0)
                r = mirror_new(app->event, &app->options->client, &app->mirror_ops, app,
                        &app->mirror, failure);
        if (r >= 0)
                r = transcript_new(app->mirror, &app->transcript);
        if (r < 0)
                return r;
        terminal_options = (TerminalOptions){ app->settings.theme, app->settings.mouse };
        r = terminal_open(
                app->event, &terminal_ops, &terminal_options, app, &app->terminal, failure);
        if (r < 0)
                return r;
        app->screen = terminal_screen(app->terminal);
        r = name_keys(app);
        if (r < 0)
                return r;
        if (terminal_is_ascii(app->terminal))
                app->transcript_flags |= TRANSCRIPT_ASCII;
        transcript_set_flags(app->transcript, app->transcript_flags);
        return load_avatar(app);
}

static int begin(App *app)
{
        const char *id = app->options->conversation;
        bool whole = id && strlen(id) == sizeof app->draft_id - 1;
        int r;

        app->go_on = app->options->go_on || (id && !whole);
        app->look = app->options->search != NULL;
        if (app->options->model) {
                r = free_and_strdup(&app->model, app->options->model);
                if (r < 0)
                        return r;
        }
        r = load_first_draft(app, whole ? id : "");
        if (r < 0)
                return r;
        if (whole)
                r = open_at(app, id);
        else
                r = mirror_open_new(app->mirror, strempty(app->model), false);
        if (r < 0)
                return r;
        mirror_set_focus(app->mirror, terminal_has_focus(app->terminal));
        if (app->settings.complaint)
                app_say(app, "%s", app->settings.complaint);
        app_damage(app, DAMAGE_NOW);
        return 0;
}

int app_run(const AppOptions *options, Failure *failure)
{
        _cleanup_(app_done_all) App app = {
                .options = options,
                .place = CONTEXT_INPUT,
        };
        int r;

        r = sd_event_default(&app.event);
        if (r >= 0)
                r = add_sources(&app);
        if (r >= 0)
                r = open_rooms(&app, failure);
        if (r >= 0)
                r = begin(&app);
        if (r < 0)
                return failure_set_errno(failure, r, "conductor-tui cannot start");
        r = sd_event_loop(app.event);
        if (r >= 0 && app.child_file)
                return failure_set(failure, FAILURE_CANCELLED,
                        "The editor is still open; what it writes stays in %s.", app.child_file);
        if (r >= 0 && app.export)
                return failure_set(failure, FAILURE_CANCELLED,
                        "The export was not at its end; what is in %s is cut off, export it anew.",
                        app.export_path);
        if (r >= 0 && failure_is_set(&app.unkept))
                return failure_set(failure, app.unkept.code, "%s", failure_message(&app.unkept));
        return r;
}
