/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a notification is made, one question after the other: does anybody look at the conversation?
 * What does the reply say? Is the session locked? What can the server? Then it is shown. */

#include "client/bus/call.h"
#include "client/bus/read.h"
#include "client/desktop/launch-bus.h"
#include "client/desktop/notice.h"
#include "client/desktop/notifier-internal-bus.h"
#include "common/log.h"
#include "common/names.h"

/* What has just ended is among the newest. */
#define LISTED     20U
#define TEXT_READ  KIB(4)
#define COPY_MAX   MIB(1)
#define ANSWER_MAX MIB(1)

/* ---- the list ---- */

Note *note_find(const Notifier *n, const char *path)
{
        for (Note *note = n->notes; note; note = note->next)
                if (streq(note->path, path))
                        return note;
        return NULL;
}

Note *note_with(const Notifier *n, uint32_t id)
{
        for (Note *note = n->notes; note; note = note->next)
                if (id > 0 && note->id == id)
                        return note;
        return NULL;
}

Note *note_free(Note *note)
{
        if (!note)
                return NULL;
        sd_bus_slot_unref(note->slot);
        lock_free(note->lock);
        free(note->path);
        free(note->error);
        free(note->title);
        free(note->text);
        free(note);
        return NULL;
}

void note_drop(Note *note)
{
        Notifier *n = note->notifier;
        Note **place = &n->notes;

        /* It would stay on the screen without anybody who knows it. */
        if (note->flags & NOTE_SHOWING) {
                note->flags = (note->flags & ~NOTE_AGAIN) | NOTE_SEEN;
                return;
        }
        while (*place != note)
                place = &(*place)->next;
        *place = note->next;
        if (note->id > 0)
                server_close(n->server, note->id);
        note_free(note);
        notifier_check(n);
}

static int add(Notifier *n, const char *path, Note **ret)
{
        _cleanup_free_ Note *note = calloc(1, sizeof *note);
        Note *oldest = NULL;
        size_t count = 0;

        if (!note)
                return -ENOMEM;
        note->path = strdup(path);
        if (!note->path)
                return -ENOMEM;
        for (Note *other = n->notes; other; other = other->next, count++)
                if (!(other->flags & NOTE_SHOWING))
                        oldest = other;
        note->notifier = n;
        note->next = n->notes;
        *ret = n->notes = TAKE_PTR(note);
        if (count >= NOTES_MAX && oldest)
                note_drop(oldest);
        return 0;
}

static void give_up(Note *note, int r, const char *what)
{
        log_warning_errno(r, "Nobody is told that a reply has ended, for %s failed: %m", what);
        note_drop(note);
}

static int ask_service(Note *note, sd_bus_message *m, sd_bus_message_handler_t handler)
{
        int r;

        /* A service that has left must not be started again by it. */
        r = sd_bus_message_set_auto_start(m, /* b= */ false);
        if (r < 0)
                return r;
        note->slot = sd_bus_slot_unref(note->slot);
        return sd_bus_call_async(
                session_bus(note->notifier->session), &note->slot, m, handler, note, /* usec= */ 0);
}

/* ---- 5: it is shown ---- */

static int look(Note *note);

static void on_shown(uint32_t id, void *userdata)
{
        Note *note = ASSERT_PTR(userdata);
        unsigned flags = note->flags;
        int r;

        note->flags &= ~(NOTE_SHOWING | NOTE_AGAIN | NOTE_SEEN);
        note->slot = sd_bus_slot_unref(note->slot);
        note->id = id;
        if (id == 0 || flags & NOTE_SEEN) {
                note_drop(note);
                return;
        }
        if (!(flags & NOTE_AGAIN))
                return;
        r = look(note);
        if (r < 0)
                give_up(note, r, "asking");
}

static unsigned offers(const Note *note, unsigned can)
{
        unsigned offer = note->flags & NOTE_PRIVATE ? OFFER_TRANSIENT : 0;

        if (!(can & SERVER_ACTIONS))
                return offer;
        offer |= OFFER_OPEN;
        /* Nothing of it gets out, and nothing in, while somebody else may sit there. */
        if (note->flags & NOTE_LOCKED)
                return offer;
        if (note->notifier->copy->path && note->reason != REASON_FAILED)
                offer |= OFFER_COPY;
        if (can & SERVER_REPLY)
                offer |= OFFER_REPLY;
        return offer;
}

static int show(Note *note, unsigned can)
{
        _cleanup_free_ char *summary = NULL, *body = NULL;
        bool quiet = note->flags & (NOTE_PRIVATE | NOTE_LOCKED);
        int r;

        r = notice_words(
                &(NoticeFacts){
                        .title = note->title,
                        .text = note->text,
                        .error = note->error,
                        .reason = note->reason,
                        .flags = (quiet ? NOTICE_QUIET : 0) |
                                (can & SERVER_MARKUP ? NOTICE_MARKUP : 0),
                },
                &summary, &body);
        if (r < 0)
                return r;
        note->slot = sd_bus_slot_unref(note->slot);
        r = server_show(note->notifier->server, note->id, summary, body, offers(note, can),
                on_shown, note, &note->slot);
        if (r >= 0)
                note->flags |= NOTE_SHOWING;
        return r;
}

/* ---- 4: what the server can ---- */

static void on_able(int can, void *userdata)
{
        Note *note = ASSERT_PTR(userdata);
        int r;

        if (can < 0) {
                note_drop(note); /* nobody is there to tell it, which was said */
                return;
        }
        r = show(note, (unsigned) can);
        if (r < 0)
                give_up(note, r, "the notification");
}

static int meet_server(Note *note)
{
        Server *server = note->notifier->server;
        int can = server_can(server);

        if (can >= 0)
                return show(note, (unsigned) can);
        note->slot = sd_bus_slot_unref(note->slot);
        return server_ask(server, on_able, note, &note->slot);
}

/* ---- 3: whether the session is locked ---- */

static void on_lock_known(bool locked, void *userdata)
{
        Note *note = ASSERT_PTR(userdata);
        int r;

        note->lock = lock_free(note->lock);
        if (locked)
                note->flags |= NOTE_LOCKED;
        r = meet_server(note);
        if (r < 0)
                give_up(note, r, "asking the notification server");
}

static int ask_lock(Note *note)
{
        int r;

        r = lock_ask(session_event(note->notifier->session), on_lock_known, note, &note->lock);
        return r == 0 ? meet_server(note) : r;
}

/* ---- 2: what it says ---- */

static int on_text(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Note *note = ASSERT_PTR(userdata);
        const char *text;
        int r = 0;

        /* That it has ended is news also without its text. */
        if (sd_bus_message_is_method_error(m, NULL) <= 0 &&
                sd_bus_message_read(m, "ss", NULL, &text) >= 0)
                r = free_and_strdup(&note->text, text);
        if (r >= 0)
                r = ask_lock(note);
        if (r < 0)
                give_up(note, r, "reading the reply");
        return 0;
}

static int new_text_call(const Note *note, size_t maximum, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = client_new_call(session_bus(note->notifier->session), note->path,
                INTERFACE_CONVERSATION, "GetReply", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "tstt", note->reply,
                        channel_to_string(CHANNEL_CONTENT), UINT64_C(0), (uint64_t) maximum);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static int read_text(Note *note)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = new_text_call(note, TEXT_READ, &m);
        return r < 0 ? r : ask_service(note, m, on_text);
}

/* ---- 1: who looks at it ---- */

typedef struct Listed {
        Note *note;
        bool found, focus;
} Listed;

static int read_listed(sd_bus_message *m, void *item, void *userdata)
{
        Listed *listed = userdata;
        const char *path, *title;
        int private = false, focus = false, r;
        const Field fields[] = { { "private", 'b', &private }, { "focus", 'b', &focus } };

        r = sd_bus_message_read(m, "osstt", &path, &title, NULL, NULL, NULL);
        if (r >= 0)
                r = read_dictionary(m, fields, ELEMENTSOF(fields));
        if (r < 0 || !streq(path, listed->note->path))
                return r;
        listed->found = true;
        listed->focus = focus;
        if (private)
                listed->note->flags |= NOTE_PRIVATE;
        return free_and_strdup(&listed->note->title, title);
}

static int on_listed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Note *note = ASSERT_PTR(userdata);
        Listed listed = { .note = note };
        const Rows rows = { "osstta{sv}", sizeof(char), read_listed, &listed };
        _cleanup_free_ char *items = NULL;
        size_t n = 0;
        int r;

        if (sd_bus_message_is_method_error(m, NULL) > 0) {
                log_debug("Who looks at the conversation is not known; nobody is told.");
                note_drop(note);
                return 0;
        }
        r = read_rows(m, &rows, &items, &n);
        if (r >= 0 && !listed.found && !(note->flags & NOTE_ARCHIVED)) {
                note->flags |= NOTE_ARCHIVED;
                r = look(note);
        } else if (r >= 0 && (!listed.found || listed.focus)) {
                note_drop(note);
                return 0;
        } else if (r >= 0)
                r = read_text(note);
        if (r < 0)
                give_up(note, r, "asking the service");
        return 0;
}

static int look(Note *note)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = client_new_call(session_bus(note->notifier->session), PATH_ROOT, INTERFACE_MANAGER,
                "ListConversations", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 2, "limit", "u", LISTED, "archived", "b",
                        (note->flags & NOTE_ARCHIVED) != 0);
        return r < 0 ? r : ask_service(note, m, on_listed);
}

int note_begin(Notifier *n, const char *path, uint64_t reply, EndReason reason, const char *error)
{
        Note *note = note_find(n, path);
        int r;

        if (!note) {
                r = add(n, path, &note);
                if (r < 0)
                        return r;
        }
        note->reply = reply;
        note->reason = reason;
        note->text = mfree(note->text);
        r = free_and_strdup(&note->error, error);
        if (r < 0)
                return r;
        if (note->flags & NOTE_SHOWING) {
                note->flags |= NOTE_AGAIN;
                return 0;
        }
        note->flags = 0;
        note->lock = lock_free(note->lock);
        r = look(note);
        if (r < 0)
                note_drop(note);
        return r;
}

/* ---- what comes of it ---- */

static int on_copied(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Notifier *n = ASSERT_PTR(userdata);
        const char *text;
        int r;

        r = -sd_bus_message_get_errno(m);
        if (r >= 0)
                r = sd_bus_message_read(m, "ss", NULL, &text);
        if (r >= 0)
                r = launch_with_input(n->session, n->copy->command, text);
        if (r < 0)
                log_warning_errno(r, "A reply cannot be copied: %m");
        session_release(n->session);
        return 0;
}

/* Servers close a notification with its action, so it goes on without the note. */
int note_copy(const Note *note)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Notifier *n = note->notifier;
        int r;

        if (!n->copy->path)
                return -ENOENT;
        r = new_text_call(note, COPY_MAX, &m);
        if (r >= 0)
                r = sd_bus_call_async(
                        session_bus(n->session), NULL, m, on_copied, n, /* usec= */ 0);
        if (r < 0)
                return r;
        session_hold(n->session);
        return 0;
}

static int on_answered(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);

        if (error)
                log_warning("What was typed cannot be sent: %s", strempty(error->message));
        session_release(ASSERT_PTR(userdata));
        return 0;
}

int note_answer(const Note *note, const char *text)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Session *s = note->notifier->session;
        int r;

        if (isempty(text) || strlen(text) > ANSWER_MAX)
                return -EINVAL;
        r = client_new_call(session_bus(s), note->path, INTERFACE_CONVERSATION, "Send", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "sa{sv}", text, 1, "queue", "b", true);
        if (r >= 0)
                r = sd_bus_call_async(session_bus(s), NULL, m, on_answered, s, /* usec= */ 0);
        if (r < 0)
                return r;
        session_hold(s);
        return 0;
}
