/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One message: its texts, and what is said of it. */

#include <time.h>

#include "client/tui/model/mirror-internal.h"

static void free_attachments(Attachment *a, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(a[i].name);
                free(a[i].type);
        }
        free(a);
}

void meta_done(Meta *meta)
{
        free_attachments(meta->attachments, meta->n_attachments);
        meta->attachments = NULL;
        meta->n_attachments = 0;
}

static int new_document(const Mirror *m, Role role, Channel c, Document **ret)
{
        static const StyleRole roles[_ROLE_MAX] = {
                [ROLE_SYSTEM] = STYLE_DIM,
                [ROLE_USER] = STYLE_USER,
                [ROLE_ASSISTANT] = STYLE_NORMAL,
        };
        bool reply = role == ROLE_ASSISTANT;

        return document_new(c == CHANNEL_REASONING ? STYLE_REASONING : roles[role],
                m->ops->layout | (reply ? 0 : LAYOUT_PLAIN),
                reply ? REPLY_TEXT_MAX : MESSAGE_TEXT_MAX, ret);
}

int message_new(const Mirror *m, uint64_t id, uint64_t parent, Role role, Message **ret)
{
        _cleanup_(message_freep) Message *msg = NULL;
        int r;

        msg = calloc(1, sizeof *msg);
        if (!msg)
                return -ENOMEM;
        msg->item.id = id;
        msg->item.parent = parent;
        msg->item.role = role;
        for (Channel c = 0; c < _CHANNEL_MAX; c++) {
                r = new_document(m, role, c, &msg->item.channels[c]);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(msg);
        return 0;
}

Message *message_free(Message *msg)
{
        MessageItem *i;

        if (!msg)
                return NULL;
        i = &msg->item;
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                document_free(i->channels[c]);
        free_attachments(i->attachments, i->n_attachments);
        free(i->siblings);
        free(i->model);
        free(i->engine);
        free(i->note);
        free(i->error);
        free(i->phase);
        free(msg);
        return NULL;
}

uint64_t message_size(const Message *msg, Channel c)
{
        size_t size;

        (void) document_source(msg->item.channels[c], &size);
        return size;
}

int message_set_text(const Mirror *m, Message *msg, Channel c, const char *text, bool live)
{
        Document *d = msg->item.channels[c], *other = NULL;
        size_t size = strlen(text), known;
        const char *have = document_source(d, &known);
        int r;

        if (memcmp(text, have, MIN(size, known)) == 0 && (size >= known || live)) {
                r = size > known ? document_append(d, text + known, size - known) : 0;
                return r < 0 || live ? r : document_finish(d);
        }
        /* The service died before all that it had sent was on disk: what it has is what counts. */
        r = new_document(m, msg->item.role, c, &other);
        if (r < 0)
                return r;
        document_free(d);
        msg->item.channels[c] = other;
        r = document_append(other, text, size);
        return r < 0 || live ? r : document_finish(other);
}

int message_add_text(Message *msg, Channel c, uint64_t offset, const char *text)
{
        uint64_t size = message_size(msg, c);
        size_t n = strlen(text), known;

        if (offset > size)
                return -ESPIPE;
        known = size - offset;
        if (known >= n)
                return 0;
        return document_append(msg->item.channels[c], text + known, n - known);
}

static int set_string(char **p, const char *s)
{
        return isempty(s) || streq_ptr(*p, s) ? 0 : free_and_strdup(p, s);
}

int message_set_meta(Message *msg, Meta *meta)
{
        const struct {
                char **place;
                const char *value;
        } strings[] = {
                { &msg->item.model, meta->model },
                { &msg->item.engine, meta->engine },
                { &msg->item.note, meta->note },
                { &msg->item.phase, meta->phase },
                { &msg->item.error, meta->error },
        };
        const struct {
                uint64_t *place;
                uint64_t value;
        } numbers[] = {
                { &msg->item.created, meta->created },
                { &msg->item.elapsed, meta->elapsed },
                { &msg->item.tokens_in, meta->tokens_in },
                { &msg->item.tokens_out, meta->tokens_out },
                { &msg->item.dropped, meta->dropped },
                { &msg->item.context_used, meta->context_used },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(strings); i++) {
                r = set_string(strings[i].place, strings[i].value);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                if (numbers[i].value > 0)
                        *numbers[i].place = numbers[i].value;
        if (meta->tokens_per_second > 0)
                msg->item.tokens_per_second = meta->tokens_per_second;
        if (meta->context_used > 0)
                msg->item.estimated = meta->estimated;
        msg->item.place = (unsigned) MIN(meta->place, (uint64_t) UINT32_MAX);
        if (meta->n_attachments > 0) {
                free_attachments(msg->item.attachments, msg->item.n_attachments);
                msg->item.attachments = TAKE_PTR(meta->attachments);
                msg->item.n_attachments = meta->n_attachments;
                meta->n_attachments = 0;
        }
        return 0;
}

/* The signals do not say when; the page that is read later does. */
usec_t message_time(void)
{
        struct timespec ts;

        if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
                return 0;
        return (usec_t) ts.tv_sec * USEC_PER_SEC;
}

const char *message_activity(const MessageItem *m)
{
        return document_is_empty(m->channels[CHANNEL_CONTENT]) ? "reasoning" : "streaming";
}

void message_begin(Message *msg, usec_t now)
{
        MessageItem *i = &msg->item;

        i->live = true;
        i->reason = REASON_NONE;
        i->cancelling = false;
        i->error = mfree(i->error);
        i->started = now;
        i->flow_since = 0;
        if (i->created == 0)
                i->created = message_time();
        i->first_text = message_size(msg, CHANNEL_CONTENT) + message_size(msg, CHANNEL_REASONING) >
                        0
                ? now
                : 0;
}

/* Once a second, so that what is made of it does not flicker with each token. */
void message_measure(Message *msg, usec_t now)
{
        uint64_t size = message_size(msg, CHANNEL_CONTENT) + message_size(msg, CHANNEL_REASONING);
        MessageItem *i = &msg->item;
        uint64_t seconds;

        if (i->flow_since == 0) {
                i->flow_since = now;
                i->flow_first = i->flow_size = size;
                i->flow_seconds = 0;
                return;
        }
        seconds = (now - i->flow_since) / USEC_PER_SEC;
        if (seconds > i->flow_seconds) {
                i->flow_seconds = seconds;
                i->flow_size = size;
        }
}

int message_end(Message *msg, EndReason reason, Meta *meta)
{
        MessageItem *i = &msg->item;
        int r;

        i->live = false;
        i->cancelling = false;
        i->reason = reason < 0 ? REASON_INCOMPLETE : reason;
        i->phase = mfree(i->phase);
        r = message_set_meta(msg, meta);
        for (Channel c = 0; c < _CHANNEL_MAX && r >= 0; c++)
                r = document_finish(i->channels[c]);
        i->phase = mfree(i->phase);
        return r;
}
