/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a person sends: kept until the service has it on disk, whatever happens to the connection.
 * Each has a token, by which the service knows what it has already. */

#include <fcntl.h>
#include <sys/random.h>

#include "client/tui/model/mirror-internal.h"
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
        free(p->model);
        free(p->text);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(PendingSend *, pending_free)

void sends_free(Mirror *m)
{
        PendingSend *p;

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
                while ((p = waiting_for(m, generation)))
                        finish(m, p, failure);
                return 0;
        }
        r = sd_bus_message_read(answer, "o", &path);
        if (r < 0)
                return r;
        id = conversation_id_of(path);
        if (!id)
                return -EBADMSG;
        while ((p = waiting_for(m, generation))) {
                (void) snprintf(p->id, sizeof p->id, "%s", id);
                p->on_its_way = false;
                if (current) {
                        current = false;
                        r = adopt(m, p);
                        if (r < 0)
                                return r;
                }
        }
        sends_flush(m);
        return 0;
}

static int create(Mirror *m, PendingSend *p)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = mirror_new_call(m, PATH_ROOT, INTERFACE_MANAGER, "CreateConversation", &call);
        if (r < 0)
                return r;
        if (isempty(p->model))
                r = sd_bus_message_append(call, "a{sv}", 1, "private", "b", (int) p->private);
        else
                r = sd_bus_message_append(
                        call, "a{sv}", 2, "private", "b", (int) p->private, "model", "s", p->model);
        if (r < 0)
                return r;
        return mirror_call(m, call, &(MirrorCall){ .answer = on_created, .id = p->generation });
}

/* ---- sending ---- */

static int on_sent(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        PendingSend *p = call->userdata;
        bool here = streq(p->id, m->open.item.id);

        p->on_its_way = false;
        if (failure && is_lost(m, failure))
                return 0;
        if (failure && here)
                m->open.cancel_wanted = false;
        finish(m, p, failure);
        /* What was sent is at the end; who read elsewhere goes there. */
        return !failure && here && m->open.newer ? open_load_newest(m) : 0;
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
                if (p->on_its_way || (!*p->id && is_being_created(m, p->generation)))
                        continue;
                p->on_its_way = true;
                r = *p->id ? send_one(m, p) : create(m, p);
                if (r < 0)
                        finish_errno(m, p, r);
        }
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

static int set_place(const Mirror *m, PendingSend *p, const SendRequest *request)
{
        const Message *edited;

        (void) snprintf(p->id, sizeof p->id, "%s", m->open.item.id);
        p->generation = m->open.generation;
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
        if (r < 0)
                return r;
        while (*place)
                place = &(*place)->next;
        *place = TAKE_PTR(p);
        sends_flush(m);
        return 0;
}

/* ---- cancelling ---- */

static bool is_sending(const Mirror *m)
{
        for (const PendingSend *p = m->sends; p; p = p->next)
                if (*p->id ? streq(p->id, m->open.item.id) : p->generation == m->open.generation)
                        return true;
        return false;
}

int mirror_cancel(Mirror *m)
{
        bool any = false;

        if (!m->up)
                return -ENOTCONN;
        for (size_t i = 0; i < m->open.n; i++)
                if (m->open.messages[i]->live) {
                        m->open.messages[i]->cancelling = true;
                        any = true;
                }
        if (!any) {
                m->open.cancel_wanted = is_sending(m);
                return 0;
        }
        mirror_tell(m, MIRROR_MESSAGES);
        return mirror_call_with(m, m->open.path, INTERFACE_CONVERSATION, "Cancel",
                &(MirrorCall){ .flags = CALL_OF_OPEN }, "t", UINT64_C(0));
}
