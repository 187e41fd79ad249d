/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a person sends: kept until the service has it on disk, whatever happens to the connection.
 * Each has a token, by which the service knows what it has already. */

#include <fcntl.h>
#include <sys/random.h>

#include "client/tui/model/mirror-internal.h"
#include "common/event-util.h"
#include "common/log.h"
#include "common/utf8.h"

static PendingSend *pending_free(PendingSend *p)
{
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n_attachments; i++) {
                free(p->names[i]);
                safe_close(p->fds[i]);
        }
        free(p->names);
        free(p->fds);
        message_free(p->shown);
        free(p->model);
        free(p->text);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(PendingSend *, pending_free)

void sends_free(Mirror *m)
{
        PendingSend *p;

        m->unsendable = sd_event_source_disable_unref(m->unsendable);
        while ((p = m->sends)) {
                m->sends = p->next;
                pending_free(p);
        }
}

void sends_lost(Mirror *m)
{
        for (PendingSend *p = m->sends; p; p = p->next)
                p->on_its_way = false;
}

static void finish(Mirror *m, PendingSend *p, const Failure *failure)
{
        PendingSend **place = &m->sends;

        while (*place != p)
                place = &(*place)->next;
        *place = p->next;
        if (p->done)
                p->done(failure, p->userdata);
        pending_free(p);
        mirror_tell(m, MIRROR_MESSAGES);
}

static void finish_errno(Mirror *m, PendingSend *p, int error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (error == -EOPNOTSUPP)
                (void) failure_set(&failure, FAILURE_NOT_SUPPORTED,
                        "Files cannot be attached over this connection.");
        else
                (void) failure_set_errno(&failure, error, "The message cannot be sent");
        finish(m, p, &failure);
}

/* ---- making a conversation ---- */

static int adopt(Mirror *m, const PendingSend *p)
{
        int r;

        r = open_set(m, p->id);
        if (r < 0)
                return r;
        m->open.item.private = p->private;
        m->open.item.known = true;
        r = free_and_strdup(&m->open.item.model, strempty(p->model));
        if (r < 0)
                return r;
        /* Before the question is sent, so that nothing of the answer is missed. */
        r = live_follow(m);
        surface_update_focus(m);
        mirror_tell(m, MIRROR_OPEN | MIRROR_MESSAGES);
        return r;
}

static PendingSend *waiting_for(Mirror *m, unsigned generation)
{
        for (PendingSend *p = m->sends; p; p = p->next)
                if (p->generation == generation && !*p->id)
                        return p;
        return NULL;
}

static bool is_lost(const Mirror *m, const Failure *failure)
{
        return !m->bus || failure->code == FAILURE_NO_SERVICE;
}

static int on_created(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        unsigned generation = (unsigned) call->id;
        bool current = m->open.generation == generation;
        const char *path, *id;
        PendingSend *p;
        int r;

        if (failure) {
                if (is_lost(m, failure)) {
                        sends_lost(m);
                        return 0;
                }
                if (current) /* the next attempt is another */
                        *m->open.create = 0;
                while ((p = waiting_for(m, generation)))
                        finish(m, p, failure);
                return 0;
        }
        r = sd_bus_message_read(answer, "o", &path);
        id = r < 0 ? NULL : conversation_id_of(path);
        if (!id) {
                r = r < 0 ? r : -EBADMSG;
                while ((p = waiting_for(m, generation)))
                        finish_errno(m, p, r);
                return r;
        }
        while ((p = waiting_for(m, generation))) {
                (void) snprintf(p->id, sizeof p->id, "%s", id);
                p->on_its_way = false;
                if (current)
                        r = adopt(m, p);
                current = false;
        }
        /* Also where it cannot be shown. */
        sends_flush(m);
        return r;
}

static int create(Mirror *m, PendingSend *p)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = mirror_new_call(m, PATH_ROOT, INTERFACE_MANAGER, "CreateConversation", &call);
        if (r < 0)
                return r;
        /* By an id of ours: asked again after a connection that broke, it is the same one. */
        r = sd_bus_message_append(call, "a{sv}", 3, "id", "s", p->create, "private", "b",
                (int) p->private, "model", "s", strempty(p->model));
        if (r < 0)
                return r;
        return mirror_call(m, call, &(MirrorCall){ .answer = on_created, .id = p->generation });
}

/* ---- sending ---- */

static int read_promise(Mirror *m, const PendingSend *p, sd_bus_message *answer)
{
        ConversationPath path;
        uint64_t message, reply;
        int r;

        r = sd_bus_message_read(answer, "tt", &message, &reply);
        if (r < 0)
                return r;
        conversation_path_of(p->id, path);
        return reply_promised(m, path, reply, p->cancelling);
}

static int on_sent(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        PendingSend *p = call->userdata;
        bool here = streq(p->id, m->open.item.id);
        int r = 0, k;

        p->on_its_way = false;
        if (failure && is_lost(m, failure))
                return 0;
        if (!failure)
                r = read_promise(m, p, answer);
        finish(m, p, failure);
        /* What was sent is at the end; who read elsewhere goes there. */
        k = !failure && here && m->open.newer ? open_load_newest(m) : 0;
        return r < 0 ? r : k;
}

static int append_attachments(sd_bus_message *call, const PendingSend *p)
{
        int r;

        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", "attachments");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "a(sh)");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "(sh)");
        for (size_t i = 0; i < p->n_attachments && r >= 0; i++)
                r = sd_bus_message_append(call, "(sh)", p->names[i], p->fds[i]);
        for (unsigned i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(call);
        return r;
}

static int append_options(sd_bus_message *call, const PendingSend *p)
{
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(call, "{sv}", "token", "s", p->token);
        if (r >= 0)
                r = sd_bus_message_append(call, "{sv}", "queue", "b", 1);
        if (r >= 0 && p->is_edit)
                r = sd_bus_message_append(call, "{sv}", "parent", "t", p->parent);
        if (r >= 0 && p->n_attachments > 0)
                r = append_attachments(call, p);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(call);
}

static int send_one(Mirror *m, PendingSend *p)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        ConversationPath path;
        int r;

        conversation_path_of(p->id, path);
        r = mirror_new_call(m, path, INTERFACE_CONVERSATION, "Send", &call);
        if (r < 0)
                return r;
        r = sd_bus_message_append(call, "s", p->text);
        if (r < 0)
                return r;
        r = append_options(call, p);
        if (r < 0)
                return r;
        return mirror_call(m, call, &(MirrorCall){ .answer = on_sent, .userdata = p });
}

static bool is_being_created(const Mirror *m, unsigned generation)
{
        for (const PendingSend *p = m->sends; p; p = p->next)
                if (p->generation == generation && !*p->id && p->on_its_way)
                        return true;
        return false;
}

void sends_flush(Mirror *m)
{
        for (PendingSend *p = m->sends, *next; p && m->up; p = next) {
                int r;

                next = p->next;
                if (p->on_its_way || p->error < 0 ||
                        (!*p->id && is_being_created(m, p->generation)))
                        continue;
                p->on_its_way = true;
                r = *p->id ? send_one(m, p) : create(m, p);
                if (r < 0) {
                        p->on_its_way = false;
                        p->error = r;
                        event_source_arm(m->unsendable, "a message that cannot be sent");
                }
        }
}

static int on_unsendable(sd_event_source *source, void *userdata)
{
        Mirror *m = ASSERT_PTR(userdata);
        PendingSend *p = m->sends;

        while (p && p->error == 0)
                p = p->next;
        if (!p)
                return 0;
        event_source_arm(source, "a message that cannot be sent");
        finish_errno(m, p, p->error);
        return 0;
}

int sends_new(Mirror *m)
{
        int r;

        r = sd_event_add_defer(m->event, &m->unsendable, on_unsendable, m);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(m->unsendable, SD_EVENT_OFF);
}

/* ---- showing it ---- */

static bool is_of_open(const Mirror *m, const PendingSend *p)
{
        return *p->id ? streq(p->id, m->open.item.id) : p->generation == m->open.generation;
}

bool sends_of_open(const Mirror *m)
{
        for (const PendingSend *p = m->sends; p; p = p->next)
                if (is_of_open(m, p))
                        return true;
        return false;
}

/* Another wording of a message has its place elsewhere, and is seen when the service has it. */
static bool is_shown(const Mirror *m, const PendingSend *p)
{
        return p->shown && is_of_open(m, p) && !(p->is_edit && m->up);
}

static int make_shown(Mirror *m, PendingSend *p)
{
        int r;

        r = message_new(m, UNSENT_ID | ++m->n_unsent, 0, ROLE_USER, &p->shown);
        if (r < 0)
                return r;
        p->shown->item.created = message_time();
        return message_set_text(m, p->shown, CHANNEL_CONTENT, p->text, /* live= */ false);
}

void sends_arrived(Mirror *m, const char *beginning)
{
        size_t n = strlen(beginning);

        for (PendingSend *p = m->sends; p; p = p->next)
                if (p->shown && is_of_open(m, p) && strncmp(p->text, beginning, n) == 0) {
                        p->shown = message_free(p->shown);
                        return;
                }
}

MessageItem *const *mirror_messages(Mirror *m, size_t *ret_n)
{
        OpenConversation *o = &m->open;
        MessageItem **all;
        size_t n = o->n;

        for (const PendingSend *p = m->sends; p; p = p->next)
                n += is_shown(m, p);
        *ret_n = o->n;
        if (n == o->n)
                return o->messages;
        /* Who draws has the last call's still in hand: where nothing changed, it stays where it is.
         */
        all = n > m->shown_allocated ? reallocarray(m->shown, n, sizeof *all) : m->shown;
        if (!all)
                return o->messages;
        m->shown_allocated = MAX(n, m->shown_allocated);
        m->shown = all;
        if (o->n > 0)
                memcpy(all, o->messages, o->n * sizeof *all);
        n = o->n;
        for (PendingSend *p = m->sends; p; p = p->next)
                if (is_shown(m, p)) {
                        p->shown->item.parent = n > 0 ? all[n - 1]->id : 0;
                        p->shown->item.send = m->up ? SEND_ON_ITS_WAY : SEND_WAITING;
                        all[n++] = &p->shown->item;
                }
        *ret_n = n;
        return all;
}

/* ---- asking for it ---- */

static int make_token(char *ret, size_t size)
{
        uint8_t random[16];

        assert(size == 2 * sizeof random + 1);
        if (getrandom(random, sizeof random, 0) != (ssize_t) sizeof random)
                return -EIO;
        for (size_t i = 0; i < sizeof random; i++)
                (void) snprintf(ret + 2 * i, 3, "%02x", random[i]);
        return 0;
}

static int take_attachments(PendingSend *p, const SendRequest *request)
{
        if (request->n_attachments == 0)
                return 0;
        p->names = calloc(request->n_attachments, sizeof *p->names);
        p->fds = calloc(request->n_attachments, sizeof *p->fds);
        if (!p->names || !p->fds)
                return -ENOMEM;
        for (size_t i = 0; i < request->n_attachments; i++) {
                p->names[i] = strdup(request->names[i]);
                p->fds[i] = fcntl(request->fds[i], F_DUPFD_CLOEXEC, 3);
                p->n_attachments++;
                if (!p->names[i])
                        return -ENOMEM;
                if (p->fds[i] < 0)
                        return -errno;
        }
        return 0;
}

static int set_place(Mirror *m, PendingSend *p, const SendRequest *request)
{
        const Message *edited;
        int r;

        memcpy(p->id, m->open.item.id, sizeof p->id);
        p->generation = m->open.generation;
        if (!*p->id && !*m->open.create) {
                r = make_token(m->open.create, sizeof m->open.create);
                if (r < 0)
                        return r;
        }
        memcpy(p->create, m->open.create, sizeof p->create);
        if (request->edit == 0)
                return 0;
        edited = window_find(m, request->edit);
        if (!edited)
                return -ENOENT;
        p->is_edit = true;
        p->parent = edited->item.parent;
        return 0;
}

int mirror_send(Mirror *m, const SendRequest *request, mirror_done_t done, void *userdata)
{
        _cleanup_(pending_freep) PendingSend *p = NULL;
        PendingSend **place = &m->sends;
        int r;

        if (!utf8_is_valid(request->text, request->size) || memchr(request->text, 0, request->size))
                return -EINVAL;
        p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;
        p->done = done;
        p->userdata = userdata;
        p->private = m->open.private;
        p->text = strndup(request->text, request->size);
        if (!p->text)
                return -ENOMEM;
        r = make_token(p->token, sizeof p->token);
        if (r >= 0)
                r = free_and_strdup(&p->model, strempty(m->open.model));
        if (r >= 0)
                r = set_place(m, p, request);
        if (r >= 0)
                r = take_attachments(p, request);
        if (r >= 0)
                r = make_shown(m, p);
        if (r < 0)
                return r;
        while (*place)
                place = &(*place)->next;
        *place = TAKE_PTR(p);
        mirror_tell(m, MIRROR_MESSAGES);
        sends_flush(m);
        return 0;
}

/* ---- cancelling ---- */

/* question: 0 = all that are on their way from the open conversation. */
static bool is_cancelled(const Mirror *m, const PendingSend *p, uint64_t question)
{
        return is_of_open(m, p) && (question == 0 || (p->shown && p->shown->item.id == question));
}

/* The newest first, so that who puts them before what is written has them in their order. */
void sends_take_back(Mirror *m, uint64_t question)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        PendingSend *newest;

        (void) failure_set(&failure, FAILURE_CANCELLED, "Taken back; it is not sent.");
        do {
                newest = NULL;
                for (PendingSend *p = m->sends; p; p = p->next)
                        if (is_cancelled(m, p, question))
                                newest = p;
                if (newest)
                        finish(m, newest, &failure);
        } while (newest);
}

bool sends_cancel(Mirror *m, uint64_t question)
{
        bool any = false;

        for (PendingSend *p = m->sends; p; p = p->next) {
                if (!is_cancelled(m, p, question))
                        continue;
                p->cancelling = any = true;
                if (p->shown)
                        p->shown->item.cancelling = true;
        }
        return any;
}
