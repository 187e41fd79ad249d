/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/server-bus.h"

#include "client/desktop/names.h"
#include "common/log.h"
#include "common/paths.h"

#define NOTIFICATIONS "org.freedesktop.Notifications"
#define PATH          "/org/freedesktop/Notifications"

/* Keys of actions; `default` is a click on the text. */
#define KEY_DEFAULT "default"
#define KEY_OPEN    "open"
#define KEY_COPY    "copy"
#define KEY_REPLY   "inline-reply"

struct Server {
        Session *session;
        const ServerOps *ops;
        void *userdata;
        char *owner; /* whose signals count; NULL: not known */
        char *token; /* for the action that comes next */
        uint32_t token_id;
        unsigned can;
        bool known, missed; /* that nobody is there was said */
};

/* Each question has one of its own, which its slot frees. */
typedef struct Question {
        Server *server;
        union {
                server_able_t able;
                server_shown_t shown;
        };
        void *userdata;
} Question;

Server *server_free(Server *s)
{
        if (!s)
                return NULL;
        free(s->owner);
        free(s->token);
        free(s);
        return NULL;
}

int server_can(const Server *s)
{
        return s->known ? (int) s->can : -ENODATA;
}

static void free_question(void *userdata)
{
        free(userdata);
}

/* ---- what it can ---- */

static unsigned read_able(sd_bus_message *m)
{
        static const struct {
                const char *word;
                ServerCan can;
        } words[] = {
                { "actions", SERVER_ACTIONS },
                { "body-markup", SERVER_MARKUP },
                { "inline-reply", SERVER_REPLY },
        };
        _cleanup_(strv_freep) char **all = NULL;
        unsigned can = 0;
        int r;

        r = sd_bus_message_read_strv(m, &all);
        if (r < 0)
                log_debug_errno(r, "What the notification server can is not known: %m");
        for (char **word = all; word && *word; word++)
                for (size_t i = 0; i < ELEMENTSOF(words); i++)
                        if (streq(*word, words[i].word))
                                can |= words[i].can;
        return can;
}

static int on_able(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);
        Question *q = ASSERT_PTR(userdata);
        Server *s = q->server;
        int r;

        if (error) {
                if (!s->missed)
                        log_info("No notification server: %s", strempty(error->message));
                s->missed = true;
                q->able(-ENOENT, q->userdata);
                return 0;
        }
        r = free_and_strdup(&s->owner, sd_bus_message_get_sender(m));
        if (r < 0)
                return r;
        s->can = read_able(m);
        s->known = true;
        s->missed = false;
        q->able((int) s->can, q->userdata);
        return 0;
}

/* Takes the question. */
static int ask(
        Question *new, sd_bus_message *m, sd_bus_message_handler_t handler, sd_bus_slot **ret)
{
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        _cleanup_free_ Question *q = new;
        int r;

        r = sd_bus_call_async(session_bus(q->server->session), &slot, m, handler, q, /* usec= */ 0);
        if (r >= 0)
                r = sd_bus_slot_set_destroy_callback(slot, free_question);
        if (r < 0)
                return r;
        TAKE_PTR(q);
        *ret = TAKE_PTR(slot);
        return 0;
}

static Question *new_question(Server *s, void *userdata)
{
        Question *q = calloc(1, sizeof *q);

        if (q) {
                q->server = s;
                q->userdata = userdata;
        }
        return q;
}

int server_ask(Server *s, server_able_t able, void *userdata, sd_bus_slot **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Question *q;
        int r;

        r = sd_bus_message_new_method_call(
                session_bus(s->session), &m, NOTIFICATIONS, PATH, NOTIFICATIONS, "GetCapabilities");
        if (r < 0)
                return r;
        q = new_question(s, userdata);
        if (!q)
                return -ENOMEM;
        q->able = able;
        return ask(q, m, on_able, ret);
}

/* ---- showing ---- */

static int on_shown(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);
        Question *q = ASSERT_PTR(userdata);
        uint32_t id = 0;
        int r = 0;

        if (error)
                log_debug("It was not shown: %s", strempty(error->message));
        else
                r = sd_bus_message_read(m, "u", &id);
        if (r < 0)
                log_debug_errno(r, "The notification server's answer cannot be read: %m");
        q->shown(id, q->userdata);
        return 0;
}

static int append_actions(sd_bus_message *m, unsigned offer)
{
        int r;

        r = sd_bus_message_open_container(m, 'a', "s");
        if (r >= 0 && offer & OFFER_OPEN)
                r = sd_bus_message_append(m, "ssss", KEY_DEFAULT, "Open", KEY_OPEN, "Open");
        if (r >= 0 && offer & OFFER_COPY)
                r = sd_bus_message_append(m, "ss", KEY_COPY, "Copy");
        if (r >= 0 && offer & OFFER_REPLY)
                r = sd_bus_message_append(m, "ss", KEY_REPLY, "Reply");
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_hints(sd_bus_message *m, unsigned offer)
{
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}{sv}", "desktop-entry", "s", APPLICATION_ID,
                        "category", "s", "im.received", "urgency", "y", 1);
        if (r >= 0 && offer & OFFER_REPLY)
                r = sd_bus_message_append(m, "{sv}{sv}", "x-kde-reply-placeholder-text", "s",
                        "Ask on…", "x-kde-reply-submit-button-text", "s", "Send");
        if (r >= 0 && offer & OFFER_TRANSIENT)
                r = sd_bus_message_append(m, "{sv}", "transient", "b", true);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int server_show(Server *s, uint32_t replaces, const char *summary, const char *body, unsigned offer,
        server_shown_t shown, void *userdata, sd_bus_slot **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Question *q;
        int r;

        r = sd_bus_message_new_method_call(
                session_bus(s->session), &m, NOTIFICATIONS, PATH, NOTIFICATIONS, "Notify");
        if (r >= 0)
                r = sd_bus_message_append(
                        m, "susss", "Conductor", replaces, APPLICATION_ID, summary, body);
        if (r >= 0)
                r = append_actions(m, offer);
        if (r >= 0)
                r = append_hints(m, offer);
        if (r >= 0)
                r = sd_bus_message_append(m, "i", /* as long as the server likes: */ -1);
        if (r < 0)
                return r;
        q = new_question(s, userdata);
        if (!q)
                return -ENOMEM;
        q->shown = shown;
        return ask(q, m, on_shown, ret);
}

void server_close(Server *s, uint32_t id)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(session_bus(s->session), &m, NOTIFICATIONS, PATH,
                NOTIFICATIONS, "CloseNotification");
        if (r >= 0)
                r = sd_bus_message_append(m, "u", id);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, /* b= */ false);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, /* b= */ false);
        if (r >= 0)
                r = sd_bus_send(session_bus(s->session), m, NULL);
        if (r < 0)
                log_debug_errno(r, "A notification stays, ignoring: %m");
}

/* ---- what it says ---- */

static int on_closed(Server *s, sd_bus_message *m)
{
        uint32_t id;
        int r;

        r = sd_bus_message_read(m, "u", &id);
        if (r >= 0 && id > 0)
                s->ops->closed(id, s->userdata);
        return r;
}

static int on_token(Server *s, sd_bus_message *m)
{
        const char *token;
        int r;

        r = sd_bus_message_read(m, "us", &s->token_id, &token);
        if (r < 0 || strlen(token) > ACTIVATION_TOKEN_MAX)
                return r;
        return free_and_strdup(&s->token, token);
}

static int on_action(Server *s, sd_bus_message *m)
{
        const char *key;
        uint32_t id;
        int r;

        r = sd_bus_message_read(m, "us", &id, &key);
        if (r < 0)
                return r;
        if (streq(key, KEY_DEFAULT) || streq(key, KEY_OPEN))
                s->ops->action(id, SERVER_OPEN, s->token_id == id ? s->token : NULL, s->userdata);
        else if (streq(key, KEY_COPY))
                s->ops->action(id, SERVER_COPY, NULL, s->userdata);
        s->token = mfree(s->token);
        return 0;
}

static int on_replied(Server *s, sd_bus_message *m)
{
        const char *text;
        uint32_t id;
        int r;

        r = sd_bus_message_read(m, "us", &id, &text);
        if (r >= 0)
                s->ops->replied(id, text, s->userdata);
        return r;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        static const struct {
                const char *member;
                int (*handle)(Server *s, sd_bus_message *m);
        } handlers[] = {
                { "NotificationClosed", on_closed },
                { "ActivationToken", on_token },
                { "ActionInvoked", on_action },
                { "NotificationReplied", on_replied },
        };
        Server *s = ASSERT_PTR(userdata);
        int r = 0;

        if (!streq_ptr(sd_bus_message_get_sender(m), s->owner))
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(handlers); i++)
                if (streq_ptr(sd_bus_message_get_member(m), handlers[i].member))
                        r = handlers[i].handle(s, m);
        if (r < 0)
                log_debug_errno(r, "A notification server's signal cannot be read, ignoring: %m");
        return 0;
}

/* Another server knows nothing of what the one before has shown. */
static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Server *s = ASSERT_PTR(userdata);

        s->known = false;
        s->owner = mfree(s->owner);
        s->ops->closed(0, s->userdata);
        return 0;
}

int server_new(Session *session, const ServerOps *ops, void *userdata, Server **ret)
{
        _cleanup_(server_freep) Server *s = NULL;
        sd_bus *bus = session_bus(session);
        int r;

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->session = session;
        s->ops = ops;
        s->userdata = userdata;
        r = sd_bus_match_signal_async(
                bus, NULL, NOTIFICATIONS, PATH, NOTIFICATIONS, NULL, on_signal, NULL, s);
        if (r >= 0)
                r = sd_bus_add_match_async(bus, NULL,
                        "type='signal',sender='org.freedesktop.DBus',"
                        "member='NameOwnerChanged',arg0='" NOTIFICATIONS "'",
                        on_owner_changed, NULL, s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}
