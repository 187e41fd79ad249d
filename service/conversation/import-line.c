/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/import-line.h"

#include <inttypes.h>

#include "common/base64.h"
#include "common/json-util.h"
#include "common/utf8.h"
#include "service/conversation/attachment.h"
#include "service/conversation/conversations.h"
#include "service/conversation/reply.h"

void import_state_done(ImportState *s)
{
        free(s->ids);
        *s = (ImportState){ 0 };
}

#define bad(failure, ...) failure_set(failure, FAILURE_INVALID_ARGUMENT, __VA_ARGS__)

/* ---- members ---- */

typedef enum MemberFlags {
        MEMBER_OPTIONAL = 1 << 0, /* "" when it is not there */
        MEMBER_LINE = 1 << 1,     /* no control characters */
} MemberFlags;

static int read_text(struct json_object *o, const char *key, size_t maximum, MemberFlags flags,
        char **ret, size_t *ret_size, Failure *failure)
{
        const char *text = "";
        size_t size = 0;
        char *copy;
        int r;

        r = json_get_string(o, key, &text, &size);
        if (r == -ENOENT && !(flags & MEMBER_OPTIONAL))
                return bad(failure, "\"%s\" is missing.", key);
        if (r < 0 && r != -ENOENT)
                return bad(failure, "\"%s\" must be a string.", key);
        if (size > maximum)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "\"%s\" has %zu bytes, which is over the limit of %zu.", key, size,
                        maximum);
        if (!utf8_is_valid(text, size) || (flags & MEMBER_LINE && !utf8_is_clean_line(text, size)))
                return bad(failure, "\"%s\" has characters that it must not have.", key);
        copy = strndup(text, size);
        if (!copy)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        *ret = copy;
        if (ret_size)
                *ret_size = size;
        return 0;
}

static int read_number(struct json_object *o, const char *key, uint64_t *ret, Failure *failure)
{
        struct json_object *member;

        if (!json_object_object_get_ex(o, key, &member))
                return bad(failure, "\"%s\" is missing.", key);
        if (!json_object_is_type(member, json_type_int) || json_get_u64(o, key, ret) < 0 ||
                *ret > INT64_MAX)
                return bad(failure, "\"%s\" must be a whole number from 0 to %" PRId64 ".", key,
                        INT64_MAX);
        return 0;
}

static int read_bool(struct json_object *o, const char *key, bool *ret, Failure *failure)
{
        int r;

        r = json_get_bool(o, key, ret);
        if (r < 0 && r != -ENOENT)
                return bad(failure, "\"%s\" must be true or false.", key);
        return 0;
}

static int count_size(ImportState *s, size_t size, Failure *failure)
{
        if (size > IMPORT_CONVERSATION_MAX - s->size)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "The conversation is larger than %zu MiB, which is the limit of an import.",
                        IMPORT_CONVERSATION_MAX / MIB(1));
        s->size += size;
        return 0;
}

/* ---- conversation ---- */

static int line_conversation(ImportState *s, struct json_object *o, Failure *failure)
{
        StoreConversation *c = &s->imported->conversation;
        _cleanup_free_ char *id = NULL;
        size_t system_size = 0;
        uint64_t version;
        int r;

        if (s->began)
                return bad(failure, "A conversation begins before the last one has its end.");
        r = read_number(o, "version", &version, failure);
        if (r < 0)
                return r;
        if (version != EXPORT_VERSION)
                return failure_set(failure, FAILURE_NOT_SUPPORTED,
                        "This is version %" PRIu64 " of the format; only version %u is known.",
                        version, EXPORT_VERSION);
        r = read_text(o, "id", 32, 0, &id, NULL, failure);
        if (r < 0)
                return r;
        if (sd_id128_from_string(id, &c->id) < 0 || sd_id128_is_null(c->id))
                return bad(failure, "\"id\" must be 32 hex digits.");
        r = read_text(o, "title", CONVERSATION_TITLE_MAX, MEMBER_OPTIONAL | MEMBER_LINE, &c->title,
                NULL, failure);
        if (r < 0)
                return r;
        r = read_text(o, "model", IMPORT_MODEL_MAX, MEMBER_OPTIONAL | MEMBER_LINE, &c->model, NULL,
                failure);
        if (r < 0)
                return r;
        r = read_text(o, "system", IMPORT_SYSTEM_MAX, MEMBER_OPTIONAL, &s->imported->system,
                &system_size, failure);
        if (r < 0)
                return r;
        r = read_number(o, "created", &c->created, failure);
        if (r < 0)
                return r;
        r = read_number(o, "modified", &c->modified, failure);
        if (r < 0)
                return r;
        r = read_number(o, "head", &s->head, failure);
        if (r < 0)
                return r;
        r = read_bool(o, "archived", &c->archived, failure);
        if (r < 0)
                return r;
        r = read_bool(o, "hidden", &c->hidden, failure);
        if (r < 0)
                return r;
        c->title_set = !isempty(c->title);
        s->began = true;
        return count_size(s, system_size, failure);
}

/* ---- message ---- */

/* The place of a message by the file's id, from 1; 0 = there is none before. */
static size_t find_place(const ImportState *s, uint64_t id)
{
        size_t low = 0, high = s->imported->n_messages;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (s->ids[middle] == id)
                        return middle + 1;
                if (s->ids[middle] < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return 0;
}

static int read_place(
        ImportState *s, struct json_object *o, uint64_t *ret_id, uint64_t *ret_parent, Failure *f)
{
        const size_t n = s->imported->n_messages;
        uint64_t id, parent, place = 0;
        int r;

        r = read_number(o, "id", &id, f);
        if (r < 0)
                return r;
        if (id == 0 || (n > 0 && id <= s->ids[n - 1]))
                return bad(f, "The messages' ids must increase from 1 on.");
        r = read_number(o, "parent", &parent, f);
        if (r < 0)
                return r;
        if (parent > 0) {
                place = find_place(s, parent);
                if (place == 0)
                        return bad(
                                f, "The parent %" PRIu64 " is no message before this one.", parent);
        }
        *ret_id = id;
        *ret_parent = place;
        return 0;
}

static int read_metadata(struct json_object *o, char **ret, Failure *failure)
{
        struct json_object *metadata = NULL;
        const char *text = "";
        size_t size = 0;
        char *copy;
        int r;

        r = json_get_object(o, "metadata", &metadata);
        if (r < 0 && r != -ENOENT)
                return bad(failure, "\"metadata\" must be an object.");
        if (metadata) {
                text = json_object_to_json_string_length(
                        metadata, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
                if (!text)
                        return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        }
        if (size > IMPORT_METADATA_MAX)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "\"metadata\" has more than %zu bytes.", IMPORT_METADATA_MAX);
        if (!utf8_is_valid(text, size))
                return bad(failure, "\"metadata\" has characters that it must not have.");
        copy = strndup(text, size);
        if (!copy)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        *ret = copy;
        return 0;
}

/* What a reply alone has. One that was live when it was exported was interrupted by that. */
static int read_reply(struct json_object *o, StoreMessage *m, Failure *failure)
{
        const char *reason = "";
        size_t size;
        int r;

        r = read_text(o, "reasoning", REPLY_TEXT_MAX, MEMBER_OPTIONAL, &m->reasoning,
                &m->reasoning_size, failure);
        if (r < 0)
                return r;
        r = json_get_string(o, "reason", &reason, &size);
        if (r < 0 && r != -ENOENT)
                return bad(failure, "\"reason\" must be a string.");
        m->reason = *reason ? end_reason_from_string(reason) : REASON_INTERRUPTED;
        if (m->reason <= REASON_NONE || m->reason >= _REASON_MAX)
                return bad(failure, "\"reason\" is none that is known.");
        return read_metadata(o, &m->metadata, failure);
}

static int read_message(struct json_object *o, StoreMessage *m, Failure *failure)
{
        const char *role;
        size_t size;
        int r;

        if (json_get_string(o, "role", &role, &size) < 0)
                return bad(failure, "\"role\" must be a string.");
        m->role = role_from_string(role);
        if (m->role < 0)
                return bad(failure, "\"role\" is none that is known.");
        r = read_number(o, "created", &m->created, failure);
        if (r < 0)
                return r;
        r = read_text(o, "content",
                m->role == ROLE_ASSISTANT ? REPLY_TEXT_MAX : CONVERSATION_MESSAGE_MAX, 0,
                &m->content, &m->content_size, failure);
        if (r < 0)
                return r;
        if (m->role == ROLE_ASSISTANT)
                return read_reply(o, m, failure);
        m->reasoning = strdup("");
        m->metadata = strdup("");
        if (!m->reasoning || !m->metadata)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        return 0;
}

static int reserve_message(ImportState *s)
{
        Imported *c = s->imported;
        size_t n = MAX(c->allocated * 2, (size_t) 64);
        StoreMessage *messages;
        uint64_t *ids;

        if (c->n_messages < c->allocated)
                return 0;
        ids = reallocarray(s->ids, n, sizeof *ids);
        if (!ids)
                return -ENOMEM;
        s->ids = ids;
        messages = reallocarray(c->messages, n, sizeof *messages);
        if (!messages)
                return -ENOMEM;
        c->messages = messages;
        c->allocated = n;
        return 0;
}

static int line_message(ImportState *s, struct json_object *o, Failure *failure)
{
        Imported *c = s->imported;
        uint64_t id = 0, parent = 0;
        StoreMessage *m;
        int r;

        r = read_place(s, o, &id, &parent, failure);
        if (r < 0)
                return r;
        if (reserve_message(s) < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        s->ids[c->n_messages] = id;
        m = &c->messages[c->n_messages++];
        *m = (StoreMessage){ .parent = parent };
        r = read_message(o, m, failure);
        if (r < 0)
                return r;
        return count_size(
                s, m->content_size + m->reasoning_size + strlen(m->metadata) + sizeof *m, failure);
}

/* ---- attachment ---- */

static int decode_data(struct json_object *o, StoreAttachment *a, Failure *failure)
{
        const char *data;
        size_t size;
        int r;

        if (json_get_string(o, "data", &data, &size) < 0)
                return bad(failure, "\"data\" must be a string.");
        if (size / 4 * 3 > CONVERSATION_ATTACHMENT_MAX + 2)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "An attachment has more than %zu bytes.", CONVERSATION_ATTACHMENT_MAX);
        r = base64_decode(data, size, &a->data, &a->size);
        if (r == -ENOMEM)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        if (r < 0)
                return bad(failure, "\"data\" is no base64.");
        if (a->size > CONVERSATION_ATTACHMENT_MAX)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "An attachment has more than %zu bytes.", CONVERSATION_ATTACHMENT_MAX);
        return 0;
}

static int line_attachment(ImportState *s, struct json_object *o, Failure *failure)
{
        const size_t n = s->imported->n_messages;
        StoreAttachment *attachments, *a;
        StoreMessage *m;
        uint64_t id;
        int r;

        r = read_number(o, "message", &id, failure);
        if (r < 0)
                return r;
        if (n == 0 || s->ids[n - 1] != id)
                return bad(failure, "An attachment belongs to the message before it.");
        m = &s->imported->messages[n - 1];
        if (m->n_attachments >= CONVERSATION_ATTACHMENTS_MAX)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "A message has at most %u attachments.", CONVERSATION_ATTACHMENTS_MAX);
        attachments = reallocarray(m->attachments, m->n_attachments + 1, sizeof *attachments);
        if (!attachments)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        m->attachments = attachments;
        a = &attachments[m->n_attachments++];
        *a = (StoreAttachment){ 0 };
        r = read_text(o, "name", ATTACHMENT_NAME_MAX, 0, &a->name, NULL, failure);
        if (r < 0)
                return r;
        if (!attachment_name_is_valid(a->name))
                return bad(failure, "\"name\" is no name of an attachment.");
        r = decode_data(o, a, failure);
        if (r < 0)
                return r;
        /* Not the file's word: it decides what is sent to an engine, and how. */
        a->type = strdup(attachment_guess_type(a->data, a->size));
        if (!a->type)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        return count_size(s, a->size, failure);
}

/* ---- end ---- */

static int line_end(ImportState *s, struct json_object *o, Failure *failure)
{
        StoreConversation *c = &s->imported->conversation;
        uint64_t n;
        int r;

        r = read_number(o, "messages", &n, failure);
        if (r < 0)
                return r;
        if (n != s->imported->n_messages)
                return bad(failure, "The conversation should have %" PRIu64 " messages; %zu came.",
                        n, s->imported->n_messages);
        c->messages = n;
        /* Without a head (exported while its first message came) the newest message is it. */
        c->head = s->head > 0 ? find_place(s, s->head) : n;
        if (c->head == 0 && s->head > 0)
                return bad(failure, "The conversation's head is none of its messages.");
        return 1;
}

int import_line(ImportState *s, const char *line, size_t size, Failure *failure)
{
        static const struct {
                const char *type;
                int (*read)(ImportState *s, struct json_object *o, Failure *failure);
        } kinds[] = {
                { "conversation", line_conversation },
                { "message", line_message },
                { "attachment", line_attachment },
                { "end", line_end },
        };
        _cleanup_(json_putp) struct json_object *o = NULL;
        const char *type;
        size_t type_size;
        int r;

        r = json_parse(line, size, &o);
        if (r == -ENOMEM)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        if (r < 0 || !json_object_is_type(o, json_type_object))
                return bad(failure, "This is no JSON object. Only jsonl exports can be imported.");
        if (json_get_string(o, "type", &type, &type_size) < 0)
                return bad(failure, "\"type\" is missing. Only jsonl exports can be imported.");
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                if (!streq(kinds[i].type, type))
                        continue;
                if (i > 0 && !s->began)
                        return bad(failure, "A conversation must begin with its own line.");
                return kinds[i].read(s, o, failure);
        }
        return bad(failure, "\"type\" is none that is known.");
}
