/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service's answers, read: what is not known in them is passed over. */

#include "client/tui/model/mirror-internal.h"

static const Field *find_field(const Field *fields, size_t n, const char *key)
{
        for (size_t i = 0; i < n; i++)
                if (streq(fields[i].key, key))
                        return fields + i;
        return NULL;
}

static int read_number(sd_bus_message *m, char type, uint64_t *ret)
{
        uint32_t small;
        int r;

        if (type == SD_BUS_TYPE_UINT64)
                return sd_bus_message_read_basic(m, type, ret);
        r = sd_bus_message_read_basic(m, type, &small);
        if (r > 0)
                *ret = small;
        return r;
}

/* Inside of the variant. Another type than the expected one is passed over. */
static int read_value(sd_bus_message *m, const Field *f)
{
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (f->type == '*')
                return f->read(m, f->value);
        if (f->type == 't' && (type == SD_BUS_TYPE_UINT64 || type == SD_BUS_TYPE_UINT32))
                return read_number(m, type, f->value);
        if (f->type == type || (f->type == 's' && type == SD_BUS_TYPE_OBJECT_PATH))
                return sd_bus_message_read_basic(m, type, f->value);
        return sd_bus_message_skip(m, NULL);
}

static int read_entry(sd_bus_message *m, const Field *fields, size_t n)
{
        const char *key, *contents;
        const Field *f;
        char type;
        int r;

        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &key);
        if (r < 0)
                return r;
        f = find_field(fields, n, key);
        if (!f)
                return sd_bus_message_skip(m, "v");
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, contents);
        if (r < 0)
                return r;
        r = read_value(m, f);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

int read_dictionary(sd_bus_message *m, const Field *fields, size_t n)
{
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = read_entry(m, fields, n);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

/* ---- of messages ---- */

static int read_attachments(sd_bus_message *m, void *value)
{
        Meta *meta = value;
        const char *name, *type;
        uint64_t size;
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "(sst)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(sst)", &name, &type, &size)) > 0) {
                Attachment *more, a = { .size = size };

                more = reallocarray(meta->attachments, meta->n_attachments + 1, sizeof *more);
                if (!more)
                        return -ENOMEM;
                meta->attachments = more;
                a.name = strdup(name);
                a.type = strdup(type);
                /* Counted first: a half-made one is freed with the others. */
                meta->attachments[meta->n_attachments++] = a;
                if (!a.name || !a.type)
                        return -ENOMEM;
        }
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
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
                { "attachments", '*', ret, read_attachments },
        };

        return read_dictionary(m, fields, ELEMENTSOF(fields));
}

/* ---- of conversations ---- */

static int read_conversation(sd_bus_message *m, ConversationItem *ret)
{
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
                },
                ret);
        if (r >= 0)
                (void) snprintf(ret->id, sizeof ret->id, "%s", id);
        return r;
}

static int read_rows(sd_bus_message *m, ConversationItem **items, size_t *n)
{
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "(osstta{sv})");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_STRUCT, "osstta{sv}")) > 0) {
                ConversationItem *more = reallocarray(*items, *n + 1, sizeof *more);

                if (!more)
                        return -ENOMEM;
                *items = more;
                r = read_conversation(m, more + *n);
                if (r < 0)
                        return r;
                (*n)++;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int read_conversations(sd_bus_message *m, ConversationItem **ret, size_t *ret_n)
{
        ConversationItem *items = NULL;
        size_t n = 0;
        int r;

        r = read_rows(m, &items, &n);
        if (r < 0) {
                list_clear_items(items, n);
                return r;
        }
        *ret = items;
        *ret_n = n;
        return 0;
}

/* ---- of engines ---- */

static int read_engine(sd_bus_message *m, EngineItem *ret)
{
        const char *name, *type, *state, *error = "";
        uint64_t live = 0, queued = 0;
        const Field fields[] = {
                { "last_error", 's', &error },
                { "live", 't', &live },
                { "waiting", 't', &queued },
        };
        int r;

        r = sd_bus_message_read(m, "sss", &name, &type, &state);
        if (r < 0)
                return r;
        r = read_dictionary(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return r;
        *ret = (EngineItem){
                .name = strdup(name),
                .type = strdup(type),
                .state = strdup(state),
                .last_error = strdup(error),
                .live = (unsigned) live,
                .waiting = (unsigned) queued,
        };
        return 0;
}

static int read_engine_rows(sd_bus_message *m, EngineItem **items, size_t *n)
{
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "(sssa{sv})");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_STRUCT, "sssa{sv}")) > 0) {
                EngineItem *more = reallocarray(*items, *n + 1, sizeof *more);

                if (!more)
                        return -ENOMEM;
                *items = more;
                r = read_engine(m, more + *n);
                if (r < 0)
                        return r;
                /* Counted first: a half-made one is freed with the others. */
                more += (*n)++;
                if (!more->name || !more->type || !more->state || !more->last_error)
                        return -ENOMEM;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int read_engines(sd_bus_message *m, EngineItem **ret, size_t *ret_n)
{
        EngineItem *items = NULL;
        size_t n = 0;
        int r;

        r = read_engine_rows(m, &items, &n);
        if (r < 0) {
                engines_clear(items, n);
                return r;
        }
        *ret = items;
        *ret_n = n;
        return 0;
}
