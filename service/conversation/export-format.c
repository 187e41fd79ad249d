/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/export-format.h"

#include <inttypes.h>
#include <time.h>

#include "common/base64.h"
#include "common/json-util.h"

/* ---- json and jsonl ---- */

/* ,"key":"text" */
static int append_member(Buffer *b, const char *key, const char *text, size_t size)
{
        int r;

        r = buffer_append_format(b, ",\"%s\":", key);
        if (r < 0)
                return r;
        return json_append_string(b, text, size);
}

static int append_text_member(Buffer *b, const char *key, const char *text)
{
        return append_member(b, key, strempty(text), strlen(strempty(text)));
}

static const char *bool_word(bool value)
{
        return value ? "true" : "false";
}

int export_json_head(Buffer *b, ExportFormat format, const ExportHead *head, const char *system)
{
        int r;

        r = buffer_append_format(b,
                format == EXPORT_JSONL ? "{\"type\":\"conversation\",\"version\":%u,\"id\":\"%s\""
                                       : "{\"version\":%u,\"conversation\":{\"id\":\"%s\"",
                EXPORT_VERSION, SD_ID128_TO_STRING(head->id));
        if (r < 0)
                return r;
        r = append_text_member(b, "title", head->title);
        if (r < 0)
                return r;
        r = append_text_member(b, "model", head->model);
        if (r < 0)
                return r;
        r = buffer_append_format(b,
                ",\"created\":%" PRIu64 ",\"modified\":%" PRIu64 ",\"head\":%" PRIu64
                ",\"archived\":%s,\"hidden\":%s",
                head->created, head->modified, head->head, bool_word(head->archived),
                bool_word(head->hidden));
        if (r < 0)
                return r;
        r = append_text_member(b, "system", system);
        if (r < 0)
                return r;
        return buffer_append_string(b, format == EXPORT_JSONL ? "}\n" : "},\n\"messages\":[");
}

/* What a reply has beyond other messages. The stored metadata is a JSON object of our own making;
 * it is put on one line whatever it looked like. */
static int append_reply_members(Buffer *b, const StoreMessage *m)
{
        _cleanup_(json_putp) struct json_object *metadata = NULL;
        const char *text;
        int r;

        r = append_member(b, "reasoning", strempty(m->reasoning), m->reasoning_size);
        if (r < 0)
                return r;
        r = append_text_member(b, "reason", end_reason_to_string(m->reason));
        if (r < 0)
                return r;
        if (isempty(m->metadata) || json_parse(m->metadata, strlen(m->metadata), &metadata) < 0 ||
                !json_object_is_type(metadata, json_type_object))
                return 0;
        r = buffer_append_string(b, ",\"metadata\":");
        if (r < 0)
                return r;
        text = json_object_to_json_string_ext(
                metadata, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        return text ? buffer_append_string(b, text) : -ENOMEM;
}

int export_json_message(Buffer *b, ExportFormat format, const StoreMessage *m, bool first)
{
        int r;

        r = buffer_append_string(b,
                format == EXPORT_JSONL ? "{\"type\":\"message\","
                        : first        ? "\n{"
                                       : ",\n{");
        if (r < 0)
                return r;
        r = buffer_append_format(b,
                "\"id\":%" PRIu64 ",\"parent\":%" PRIu64 ",\"role\":\"%s\",\"created\":%" PRIu64,
                m->id, m->parent, role_to_string(m->role), m->created);
        if (r < 0)
                return r;
        r = append_member(b, "content", strempty(m->content), m->content_size);
        if (r < 0)
                return r;
        if (m->role == ROLE_ASSISTANT) {
                r = append_reply_members(b, m);
                if (r < 0)
                        return r;
        }
        return buffer_append_string(b, format == EXPORT_JSONL ? "}\n" : ",\"attachments\":[");
}

int export_json_attachment(Buffer *b, ExportFormat format, const StoreMessage *m, size_t attachment)
{
        const StoreAttachment *a = &m->attachments[attachment];
        int r;

        if (format == EXPORT_JSONL)
                r = buffer_append_format(
                        b, "{\"type\":\"attachment\",\"message\":%" PRIu64 ",\"name\":", m->id);
        else
                r = buffer_append_string(b, attachment == 0 ? "{\"name\":" : ",{\"name\":");
        if (r < 0)
                return r;
        r = json_append_string(b, a->name, strlen(a->name));
        if (r < 0)
                return r;
        r = append_text_member(b, "mime", a->type);
        if (r < 0)
                return r;
        r = buffer_append_string(b, ",\"data\":\"");
        if (r < 0)
                return r;
        r = base64_append(b, a->data, a->size);
        if (r < 0)
                return r;
        return buffer_append_string(b, format == EXPORT_JSONL ? "\"}\n" : "\"}");
}

int export_json_message_end(Buffer *b, ExportFormat format)
{
        return format == EXPORT_JSONL ? 0 : buffer_append_string(b, "]}");
}

int export_json_end(Buffer *b, ExportFormat format, uint64_t messages)
{
        if (format == EXPORT_JSONL)
                return buffer_append_format(
                        b, "{\"type\":\"end\",\"messages\":%" PRIu64 "}\n", messages);
        return buffer_append_string(b, "\n]}\n");
}

/* ---- markdown ---- */

int export_markdown_head(Buffer *b, const ExportHead *head, const char *system)
{
        time_t seconds = head->created / USEC_PER_SEC;
        char created[64] = "";
        struct tm tm;
        int r;

        /* Not strftime(), which reads the file of the local time zone. */
        if (gmtime_r(&seconds, &tm))
                (void) snprintf(created, sizeof created, "%04d-%02d-%02d %02d:%02d UTC",
                        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min);
        r = buffer_append_format(b, "# %s\n\n%s, conversation %s\n",
                isempty(head->title) ? "Conversation" : head->title, created,
                SD_ID128_TO_STRING(head->id));
        if (r < 0 || isempty(system))
                return r;
        r = buffer_append_string(b, "\n## System\n\n");
        if (r < 0)
                return r;
        r = buffer_append_string(b, system);
        if (r < 0)
                return r;
        return buffer_append_string(b, "\n");
}

static const char *markdown_role(Role role)
{
        switch (role) {
        case ROLE_USER:
                return "User";
        case ROLE_ASSISTANT:
                return "Assistant";
        case ROLE_SYSTEM:
        case _ROLE_MAX:
        case _ROLE_INVALID:
                return "System";
        }
        return "System";
}

int export_markdown_message(Buffer *b, const StoreMessage *m)
{
        int r;

        r = buffer_append_format(b, "\n## %s\n\n", markdown_role(m->role));
        if (r < 0)
                return r;
        for (size_t i = 0; i < m->n_attachments; i++) {
                const StoreAttachment *a = &m->attachments[i];

                r = buffer_append_format(b, "- attached: %s (%s, %zu bytes)\n%s", a->name, a->type,
                        a->size, i + 1 == m->n_attachments ? "\n" : "");
                if (r < 0)
                        return r;
        }
        r = buffer_append(b, strempty(m->content), m->content_size);
        if (r < 0)
                return r;
        r = buffer_append_string(b, "\n");
        if (r < 0)
                return r;
        if (m->role != ROLE_ASSISTANT || m->reason == REASON_STOP)
                return 0;
        return buffer_append_format(b, "\n*(%s)*\n",
                m->reason == REASON_NONE ? "not ended yet" : end_reason_to_string(m->reason));
}
