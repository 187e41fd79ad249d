/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "common/base64.h"
#include "common/utf8.h"
#include "service/engine/wire-private.h"

/* ---- writing ---- */

static void out_check(WireOut *o, int r)
{
        if (o->error >= 0 && r < 0)
                o->error = r;
}

void wire_out(WireOut *o, const char *json)
{
        if (o->error >= 0)
                out_check(o, buffer_append_string(o->body, json));
}

void wire_out_string(WireOut *o, const char *text, size_t size)
{
        if (o->error >= 0)
                out_check(o, json_append_string(o->body, text, size));
}

void wire_out_number(WireOut *o, uint64_t number)
{
        if (o->error >= 0)
                out_check(o, buffer_append_format(o->body, "%" PRIu64, number));
}

void wire_out_base64(WireOut *o, const PromptAttachment *a)
{
        if (o->error >= 0)
                out_check(o, base64_append(o->body, a->data, a->size));
}

/* ---- attachments ---- */

bool wire_is_image(const PromptAttachment *a)
{
        const char *name = startswith(strempty(a->type), "image/");

        return name && *name &&
                name[strspn(name,
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-")] == 0;
}

bool wire_has_images(const PromptMessage *m)
{
        for (size_t i = 0; i < m->n_attachments; i++)
                if (wire_is_image(&m->attachments[i]))
                        return true;
        return false;
}

static bool has_files(const PromptMessage *m)
{
        for (size_t i = 0; i < m->n_attachments; i++)
                if (!wire_is_image(&m->attachments[i]))
                        return true;
        return false;
}

/* A fence that the text does not contain. */
static size_t fence_length(const char *text, size_t size)
{
        size_t longest = 2, run = 0;

        for (size_t i = 0; i < size; i++) {
                run = text[i] == '`' ? run + 1 : 0;
                longest = MAX(longest, run);
        }
        return longest + 1;
}

static int append_fence(Buffer *text, size_t length)
{
        char *end;
        int r;

        r = buffer_reserve(text, length, &end);
        if (r < 0)
                return r;
        memset(end, '`', length);
        buffer_advance(text, length);
        return 0;
}

static int append_file(Buffer *text, const PromptAttachment *a, Failure *failure)
{
        size_t fence = fence_length(a->data, a->size);
        int r;

        if (!utf8_is_valid(a->data, a->size))
                return failure_set(failure, FAILURE_NOT_SUPPORTED,
                        "the attachment '%s' is neither text nor an image, and the engine takes "
                        "nothing else. Convert it to text first.",
                        strempty(a->name));

        r = buffer_append_format(text, "File \"%s\":\n", strempty(a->name));
        if (r >= 0)
                r = append_fence(text, fence);
        if (r >= 0)
                r = buffer_append_string(text, "\n");
        if (r >= 0)
                r = buffer_append(text, a->data, a->size);
        if (r >= 0 && a->size > 0 && ((const char *) a->data)[a->size - 1] != '\n')
                r = buffer_append_string(text, "\n");
        if (r >= 0)
                r = append_fence(text, fence);
        if (r >= 0)
                r = buffer_append_string(text, "\n\n");
        return r;
}

void wire_out_text(WireOut *o, const PromptMessage *m)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(o->body->maximum);

        if (!has_files(m)) {
                wire_out_string(o, strempty(m->text), m->size);
                return;
        }

        for (size_t i = 0; i < m->n_attachments && o->error >= 0; i++)
                if (!wire_is_image(&m->attachments[i]))
                        out_check(o, append_file(&text, &m->attachments[i], o->failure));
        out_check(o, buffer_append(&text, m->text, m->size));
        wire_out_string(o, buffer_text(&text), text.size);
}

/* ---- messages ---- */

const PromptMessage *wire_next_message(const WireRequest *request, const PromptMessage *after)
{
        const Prompt *p = request->prompt;
        size_t i = after ? (size_t) (after - p->messages) + 1 : request->skip;

        for (; i < p->n_messages; i++)
                if (p->messages[i].size > 0 || p->messages[i].n_attachments > 0)
                        return &p->messages[i];
        return NULL;
}

int wire_build_chat(EngineType type, const WireRequest *request, Buffer *body, Failure *failure)
{
        const WireFormat *format = wire_format_of(type);
        size_t start = body->size;
        WireOut out = { .body = body, .failure = failure };

        assert(format);
        format->build(request, &out);
        if (out.error >= 0)
                return 0;

        body->size = start;
        if (body->data)
                body->data[start] = 0;
        if (out.error == -EFBIG)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "the conversation with its attachments is over %zu MiB, too large for one "
                        "request. Leave some attachments out, or start a new conversation.",
                        body->maximum / MIB(1));
        return failure_set_errno(failure, out.error, "Failed to build the request");
}
