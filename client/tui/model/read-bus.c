/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service's answers, read. */

#include "client/tui/model/mirror-internal.h"

/* ---- of messages ---- */

static int read_attachment(sd_bus_message *m, void *item, void *userdata)
{
        const char *name, *type;
        Attachment *a = item;
        int r;

        r = sd_bus_message_read(m, "sst", &name, &type, &a->size);
        if (r < 0)
                return r;
        a->name = strdup(name);
        a->type = strdup(type);
        return a->name && a->type ? 0 : -ENOMEM;
}

static int read_attachments(sd_bus_message *m, void *value)
{
        static const Rows rows = { "sst", sizeof(Attachment), read_attachment };
        Meta *meta = value;

        return read_rows(m, &rows, &meta->attachments, &meta->n_attachments);
}

int read_meta(sd_bus_message *m, Meta *ret)
{
        const Field fields[] = {
                { "reason", 's', &ret->reason },
                { "reasoning", 's', &ret->reasoning },
                { "model", 's', &ret->model },
                { "engine", 's', &ret->engine },
                { "phase", 's', &ret->phase },
                { "note", 's', &ret->note },
                { "message", 's', &ret->error },
                { "created", 't', &ret->created },
                { "place", 't', &ret->place },
                { "elapsed_us", 't', &ret->elapsed },
                { "first_token_us", 't', &ret->first_token },
                { "tokens_in", 't', &ret->tokens_in },
                { "tokens_out", 't', &ret->tokens_out },
                { "context_used", 't', &ret->context_used },
                { "context_size", 't', &ret->context_size },
                { "dropped_messages", 't', &ret->dropped },
                { "content_size", 't', &ret->content_size },
                { "reasoning_size", 't', &ret->reasoning_size },
                { "branches", 't', &ret->branches },
                { "tokens_per_second", 'd', &ret->tokens_per_second },
                { "live", 'b', &ret->live },
                { "estimated", 'b', &ret->estimated },
                { "attachments", '*', ret, read_attachments },
        };

        return read_dictionary(m, fields, ELEMENTSOF(fields));
}

/* ---- of conversations ---- */

static int read_conversation(sd_bus_message *m, void *item, void *userdata)
{
        ConversationItem *ret = item;
        const char *path, *title, *model, *state = NULL, *id;
        uint64_t created, modified, messages = 0, unread = 0;
        int archived = 0, private = 0, r;
        const Field fields[] = {
                { "state", 's', &state },
                { "messages", 't', &messages },
                { "unread", 't', &unread },
                { "archived", 'b', &archived },
                { "private", 'b', &private },
        };

        r = sd_bus_message_read(m, "osstt", &path, &title, &model, &created, &modified);
        if (r < 0)
                return r;
        r = read_dictionary(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return r;
        id = conversation_id_of(path);
        if (!id)
                return -EBADMSG;
        r = conversation_item_copy(
                &(ConversationItem){
                        .title = (char *) title,
                        .model = (char *) model,
                        .created = created,
                        .modified = modified,
                        .state = conversation_state_from_string(state),
                        .messages = messages,
                        .unread = unread,
                        .archived = archived,
                        .private = private,
                        .known = true,
                },
                ret);
        if (r >= 0)
                (void) snprintf(ret->id, sizeof ret->id, "%s", id);
        return r;
}

int read_conversations(sd_bus_message *m, ConversationItem **ret, size_t *ret_n)
{
        static const Rows rows = { "osstta{sv}", sizeof(ConversationItem), read_conversation };
        ConversationItem *items = NULL;
        size_t n = 0;
        int r;

        r = read_rows(m, &rows, &items, &n);
        if (r < 0) {
                list_clear_items(items, n);
                return r;
        }
        *ret = items;
        *ret_n = n;
        return 0;
}

/* ---- of engines ---- */

static int read_engine(sd_bus_message *m, void *item, void *userdata)
{
        const char *name, *type, *state;
        EngineItem *e = item;
        int r;

        r = sd_bus_message_read(m, "sss", &name, &type, &state);
        if (r >= 0)
                r = sd_bus_message_skip(m, "a{sv}");
        if (r < 0)
                return r;
        e->name = strdup(name);
        e->state = strdup(state);
        return e->name && e->state ? 0 : -ENOMEM;
}

int read_engines(sd_bus_message *m, EngineItem **ret, size_t *ret_n)
{
        static const Rows rows = { "sssa{sv}", sizeof(EngineItem), read_engine };
        EngineItem *items = NULL;
        size_t n = 0;
        int r;

        r = read_rows(m, &rows, &items, &n);
        if (r < 0) {
                engines_clear(items, n);
                return r;
        }
        *ret = items;
        *ret_n = n;
        return 0;
}
