/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is written and sent: drafts, attachments, what was sent before. */

#include <inttypes.h>
#include <sys/mman.h>

#include "client/tui/app/app-internal.h"
#include "common/fd.h"

/* ---- drafts ---- */

/* What was sent and is not yet the service's is kept with what is written. */
static int collect_draft(const App *app, Buffer *ret)
{
        const char *text;
        size_t size;
        int r = 0;

        for (const Outgoing *o = app->outgoing; o && r >= 0; o = o->next)
                if (streq(o->draft, app->draft_id)) {
                        r = buffer_append(ret, o->text, o->size);
                        if (r >= 0)
                                r = buffer_append(ret, "\n", 1);
                }
        text = editor_text(app->editor, &size);
        return r < 0 ? r : buffer_append(ret, text, size);
}

static int save_draft(App *app)
{
        _cleanup_buffer_ Buffer draft = BUFFER_INIT(HELD_BYTES);
        int r;

        (void) sd_event_source_set_enabled(app->draft_save, SD_EVENT_OFF);
        /* What is written anew is a message that there is; what is private is not kept. */
        if (!app->draft_dirty || app->editing != 0 || app->private || app->unsure)
                return 0;
        r = collect_draft(app, &draft);
        if (r >= 0)
                r = keeper_write_draft(app->keeper, app->draft_id, buffer_text(&draft), draft.size);
        app->draft_dirty = r < 0;
        return r;
}

int app_save_draft(App *app)
{
        int r = save_draft(app);

        if (r < 0)
                app_say(app, "What is written cannot be kept on disk: %s.", strerrordesc_np(-r));
        return r;
}

void app_edited(App *app)
{
        int enabled = SD_EVENT_OFF;

        app->told = false;
        if (app->avatar)
                (void) avatar_set_activity(app->avatar,
                        editor_is_empty(app->editor) ? "idle" : "listening", app_now(app));
        (void) sd_event_source_get_enabled(app->draft_save, &enabled);
        if (app->draft_dirty && enabled != SD_EVENT_OFF)
                return;
        app->draft_dirty = true;
        (void) sd_event_source_set_time(app->draft_save, app_now(app) + DRAFT_USEC);
        (void) sd_event_source_set_enabled(app->draft_save, SD_EVENT_ONESHOT);
}

/* What was written meanwhile is kept from now on, or not at all. */
static void note_privacy(App *app, const ConversationItem *c)
{
        bool unsure = app->unsure;

        if (!c || !c->known)
                return;
        app->private = c->private;
        app->unsure = false;
        (void) app_check(app, keeper_settle(app->keeper, c->id, c->private));
        if (unsure && app->draft_dirty) {
                app->draft_dirty = false;
                app_edited(app);
        }
}

/* What was sent to make it belongs to it now. */
static void name_outgoing(App *app, const char *id)
{
        for (Outgoing *o = app->outgoing; o; o = o->next)
                if (isempty(o->id) && isempty(o->draft)) {
                        (void) snprintf(o->id, sizeof o->id, "%s", id);
                        history_adopt(app->drafts, o->text, id);
                }
}

/* The service does not have it any more, and nobody can open it again to find what was written.
 * What may be private comes back with the next private one, all else goes along. */
static bool put_by_gone(App *app)
{
        const char *text;
        size_t size;
        int r;

        text = editor_text(app->editor, &size);
        if (size == 0)
                return true;
        if (!app->private && !app->unsure)
                return false;
        r = app_hold_private(app, text, size);
        app_say(app,
                r < 0 ? "This conversation is gone, and what was written in it."
                      : "This conversation is gone; what was written in it is there again with "
                        "/new-private.");
        return true;
}

/* Another conversation is open: its draft takes the place of the one before. */
void app_switch_draft(App *app)
{
        const ConversationItem *c = mirror_open_conversation(app->mirror);
        const char *id = c ? c->id : "";
        bool gone = app->draft_loaded && !c, kept;

        if (app->draft_loaded && streq(id, app->draft_id)) {
                note_privacy(app, c);
                return;
        }
        /* The first question made it: what is written meanwhile is the next one. */
        if (app->making && c && isempty(app->draft_id)) {
                app->making = false;
                memcpy(app->draft_id, c->id, sizeof app->draft_id);
                name_outgoing(app, c->id);
                return;
        }
        kept = gone ? put_by_gone(app) : app_put_by(app);
        app->draft_loaded = true;
        app->making = false;
        (void) snprintf(app->draft_id, sizeof app->draft_id, "%s", id);
        app->editing = 0;
        app->history = 0;
        app->draft_dirty = !kept;
        app->private = c ? c->private : mirror_new_is_private(app->mirror);
        app->unsure = c && !c->known;
        /* Rather in the wrong place than nowhere. */
        if (kept) {
                (void) editor_set_text(app->editor, "", 0);
                editor_forget_steps(app->editor);
        }
        (void) app_check(app, app_read_draft(app));
}

/* What was typed meanwhile is below it. */
static int put_above(App *app, const char *text, size_t size)
{
        _cleanup_buffer_ Buffer both = BUFFER_INIT(EDITOR_TEXT_MAX);
        const char *typed;
        size_t n;
        int r;

        typed = editor_text(app->editor, &n);
        r = buffer_append(&both, text, size);
        if (r >= 0 && n > 0)
                r = buffer_append(&both, "\n", 1);
        if (r >= 0)
                r = buffer_append(&both, typed, n);
        if (r >= 0)
                r = editor_set_text(app->editor, both.data, both.size);
        app_damage(app, DAMAGE_NOW);
        return r;
}

/* It was read from disk. */
int app_put_draft(App *app, const char *id, const char *text, size_t size)
{
        if (size == 0 || !streq(id, app->draft_id) || app->private || app->editing != 0)
                return 0;
        /* What is on its way is not written any more. */
        for (const Outgoing *o = app->outgoing; o; o = o->next)
                if (streq(o->draft, id) && size > o->size && text[o->size] == '\n' &&
                        memcmp(text, o->text, o->size) == 0) {
                        text += o->size + 1;
                        size -= o->size + 1;
                }
        app->unsure = false; /* it was kept */
        return put_above(app, text, size);
}

/* It was not on disk; so it is still to be kept. */
bool app_put_held(App *app, const char *id, const char *text, size_t size)
{
        if (!app_is_written(app, id) || put_above(app, text, size) < 0)
                return false;
        app_edited(app);
        return true;
}

void app_stop_editing(App *app)
{
        app->editing = 0;
        app->draft_dirty = false;
        (void) editor_set_text(app->editor, "", 0);
        (void) app_check(app, app_read_draft(app));
}

/* ---- attachments ---- */

static void attachments_done(Attachments *a)
{
        for (size_t i = 0; i < a->n; i++) {
                free(a->names[i]);
                (void) safe_close(a->fds[i]);
        }
        a->n = 0;
}

void app_detach_all(App *app)
{
        attachments_done(&app->attachments);
}

void app_attach_fd(App *app, const char *name, int fd)
{
        _cleanup_close_ int owned = fd;
        _cleanup_free_ char *copy = NULL;

        if (app->attachments.n == ATTACHMENTS_MAX) {
                app_say(app, "A message has at most %u attachments.", ATTACHMENTS_MAX);
                return;
        }
        copy = strdup(name);
        if (!copy) {
                (void) app_check(app, -ENOMEM);
                return;
        }
        app->attachments.names[app->attachments.n] = TAKE_PTR(copy);
        app->attachments.fds[app->attachments.n++] = TAKE_FD(owned);
        app_damage(app, DAMAGE_NOW);
}

static int attach_paste(App *app, const char *text, size_t size)
{
        _cleanup_close_ int fd = -EBADF;
        char name[32];
        int r;

        fd = memfd_create("paste", MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = fd_write(fd, text, size);
        if (r < 0)
                return r;
        (void) snprintf(name, sizeof name, "pasted-%u.txt", ++app->n_pastes);
        app_attach_fd(app, name, TAKE_FD(fd));
        return 0;
}

void app_paste(App *app, const char *text, size_t size)
{
        if (app->picker) {
                (void) app_check(app, editor_paste(picker_editor(app->picker), text, size));
                (void) app_check(app, picker_changed(app->picker));
                return;
        }
        app->place = CONTEXT_INPUT;
        /* Over ssh no descriptors pass: there it stays text, which is folded on the screen. */
        if (size > PASTE_ATTACH_BYTES && !app->options->client.host) {
                (void) app_check(app, attach_paste(app, text, size));
                return;
        }
        (void) app_check(app, editor_paste(app->editor, text, size));
        app_edited(app);
}

/* ---- sending ---- */

/* Takes itself out of the app's list. */
static Outgoing *outgoing_free(Outgoing *o)
{
        if (!o)
                return NULL;
        for (Outgoing **p = &o->app->outgoing; *p; p = &(*p)->next)
                if (*p == o) {
                        *p = o->next;
                        break;
                }
        attachments_done(&o->attachments);
        free(o->text);
        free(o);
        return NULL;
}
DEFINE_CLEANUP(Outgoing *, outgoing_free)

void app_forget_outgoing(App *app)
{
        while (app->outgoing)
                outgoing_free(app->outgoing);
}

/* Not sent, so not lost: it is written again, before what is written meanwhile. */
static int give_back(App *app, Outgoing *o)
{
        _cleanup_free_ char *both = NULL;
        const char *text;
        size_t size;
        int n, r;

        text = editor_text(app->editor, &size);
        n = asprintf(
                &both, "%s%s%.*s", o->text, size > 0 && o->size > 0 ? "\n" : "", (int) size, text);
        if (n < 0) {
                both = NULL;
                return -ENOMEM;
        }
        r = editor_set_text(app->editor, both, (size_t) n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < o->attachments.n; i++)
                app_attach_fd(app, o->attachments.names[i], TAKE_FD(o->attachments.fds[i]));
        return 0;
}

/* What is private comes into no other conversation, where it would be kept. */
static bool is_elsewhere(const App *app, const Outgoing *o)
{
        const char *id = isempty(o->id) ? o->draft : o->id;

        return o->private && !((app->private || app->unsure) && streq(id, app->draft_id));
}

/* The service has it on its disk. */
static void forget_draft_of(App *app, const Outgoing *o)
{
        if (o->private)
                return;
        (void) app_check(app, keeper_draft_sent(app->keeper, o->draft, o->text, o->size));
        if (o->remembered)
                (void) app_check(app, keeper_write_history(app->keeper, o->id, o->text, o->size));
}

static void on_sent(const Failure *failure, void *userdata)
{
        _cleanup_(outgoing_freep) Outgoing *o = ASSERT_PTR(userdata);
        App *app = o->app;

        if (!failure) {
                forget_draft_of(app, o);
                return;
        }
        if (is_elsewhere(app, o)) {
                if (app_hold_private(app, o->text, o->size) < 0)
                        (void) TAKE_PTR(o);
                app_say(app, "Not sent; it is there again with /new-private: %s",
                        failure_message(failure));
                return;
        }
        app_say_failure(app, failure);
        /* Else it stays on its way, and so in what is kept. */
        if (give_back(app, o) < 0)
                (void) TAKE_PTR(o);
        app_edited(app);
}

static int send_text(App *app, const char *text, size_t size)
{
        const ConversationItem *c = mirror_open_conversation(app->mirror);
        SendRequest request = {
                .text = text,
                .size = size,
                .edit = app->editing,
                .names = (const char *const *) app->attachments.names,
                .fds = app->attachments.fds,
                .n_attachments = app->attachments.n,
        };
        _cleanup_(outgoing_freep) Outgoing *o = NULL;
        Outgoing **place = &app->outgoing;
        int r;

        o = calloc(1, sizeof *o);
        if (!o)
                return -ENOMEM;
        o->app = app;
        o->size = size;
        o->text = strndup(text, size);
        if (!o->text)
                return -ENOMEM;
        memcpy(o->draft, app->draft_id, sizeof o->draft);
        memcpy(o->id, app->draft_id, sizeof o->id);
        o->private = app->private || app->unsure;
        r = mirror_send(app->mirror, &request, on_sent, o);
        if (r < 0)
                return r;
        o->attachments = app->attachments;
        app->attachments.n = 0;
        app->making = !c;
        r = o->private ? 0 : history_remember(app->drafts, o->id, text, size);
        o->remembered = r > 0;
        while (*place)
                place = &(*place)->next;
        *place = TAKE_PTR(o);
        return 0;
}

/* What it may open brings its own text with it. */
static int send_command(App *app, const char *line)
{
        int r;

        app->draft_dirty = true; /* the line itself is no draft */
        r = app_command(app, line);
        if (r <= 0)
                return r;
        app->history = 0;
        (void) app_save_draft(app);
        return 0;
}

int app_send(App *app)
{
        const char *text;
        size_t size, skip;
        int r;

        text = editor_text(app->editor, &size);
        if (size == 0 && app->attachments.n == 0)
                return 0;
        if (size > 0 && text[0] == '/' && text[1] != '/')
                return send_command(app, text + 1);
        skip = size > 1 && text[0] == '/' ? 1 : 0;
        r = send_text(app, text + skip, size - skip);
        if (r < 0)
                return r;
        transcript_end(app->transcript);
        app->history = 0;
        if (app->editing != 0) {
                app_stop_editing(app);
                return 0;
        }
        (void) editor_set_text(app->editor, "", 0);
        /* With what is on its way, until the service has that on its disk. */
        app->draft_dirty = true;
        (void) app_save_draft(app);
        return 0;
}

/* ---- what was sent before ---- */

int app_history(App *app, int by)
{
        size_t nth = app->history;
        const char *text = "";

        if (by < 0) {
                if (nth == 0 && !editor_is_empty(app->editor))
                        return 0;
                text = history_get(app->drafts, app->draft_id, nth);
                if (!text)
                        return 0;
                nth++;
        } else {
                if (nth == 0)
                        return 0;
                nth--;
                if (nth > 0)
                        text = strempty(history_get(app->drafts, app->draft_id, nth - 1));
        }
        app->history = nth;
        return editor_set_text(app->editor, text, strlen(text));
}

int app_edit_message(App *app, const MessageItem *message)
{
        const char *text;
        size_t size;
        int r;

        if (message && message->send != SEND_DONE) {
                app_say(app, "This is not yet sent; Escape takes it back.");
                return 0;
        }
        if (!message || message->role != ROLE_USER) {
                app_say(app,
                        "Only a message of yours can be written anew; go to one with Ctrl-Up.");
                return 0;
        }
        if (app->editing == message->id)
                return 0;
        if (!app_put_by(app))
                return 0;
        (void) editor_set_text(app->editor, "", 0);
        app->editing = message->id;
        app->place = CONTEXT_INPUT;
        app_read_held(app); /* it was left while it was written anew */
        if (!editor_is_empty(app->editor))
                return 0;
        text = document_source(message->channels[CHANNEL_CONTENT], &size);
        r = editor_set_text(app->editor, text, size);
        if (r < 0)
                app_stop_editing(app);
        return r;
}
