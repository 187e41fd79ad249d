/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "common/base64.h"
#include "common/utf8.h"
#include "service/engine/wire-private.h"

#define PIECE_MAX  KIB(768) /* looked at in one go */
#define COPIED_MAX 256U     /* of a text: to remember where it is would take as much */

/* ---- writing ---- */

static void out_check(WireOut *o, int r)
{
        if (o->error >= 0 && r < 0)
                o->error = r;
}

void wire_out(WireOut *o, const char *json)
{
        if (o->error >= 0)
                out_check(o, buffer_append_string(&o->body->words, json));
}

void wire_out_string(WireOut *o, const char *text, size_t size)
{
        if (o->error >= 0)
                out_check(o, json_append_string(&o->body->words, text, size));
}

void wire_out_number(WireOut *o, uint64_t number)
{
        if (o->error >= 0)
                out_check(o, buffer_append_format(&o->body->words, "%" PRIu64, number));
}

/* Before each piece of what is large. */
static bool out_goes_on(WireOut *o)
{
        if (o->stop && atomic_load(o->stop))
                out_check(o, -ECANCELED);
        return o->error >= 0;
}

/* A piece of a string whose quotes stand elsewhere. */
static void out_piece(WireOut *o, const char *text, size_t size)
{
        size_t encoded = 0, n;

        if (o->error >= 0 && size <= COPIED_MAX) {
                out_check(o, json_append_escaped(&o->body->words, text, size));
                return;
        }
        for (size_t done = 0; done < size && out_goes_on(o); done += n) {
                n = utf8_cut(text + done, size - done, PIECE_MAX);
                encoded += json_escaped_size(text + done, n);
        }
        if (o->error >= 0)
                out_check(o, wire_body_insert(o->body, WIRE_ESCAPED, text, size, encoded));
}

void wire_out_prompt(WireOut *o, const char *text, size_t size)
{
        wire_out(o, "\"");
        out_piece(o, text, size);
        wire_out(o, "\"");
}

void wire_out_base64(WireOut *o, const PromptAttachment *a)
{
        if (out_goes_on(o))
                out_check(o,
                        wire_body_insert(
                                o->body, WIRE_BASE64, a->data, a->size, BASE64_SIZE(a->size)));
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

static void out_fence(WireOut *o, size_t length)
{
        Buffer *words = &o->body->words;
        char *end;

        if (o->error < 0)
                return;
        out_check(o, buffer_reserve(words, length, &end));
        if (o->error < 0)
                return;
        memset(end, '`', length);
        buffer_advance(words, length);
}

static void out_file(WireOut *o, const PromptAttachment *a)
{
        size_t fence = fence_length(a->data, a->size);
        const char *name = strempty(a->name);

        if (!utf8_is_valid(a->data, a->size)) {
                out_check(o,
                        failure_set(o->failure, FAILURE_NOT_SUPPORTED,
                                "the attachment '%s' is neither text nor an image, and the engine "
                                "takes nothing else. Convert it to text first.",
                                name));
                return;
        }

        out_piece(o, "File \"", strlen("File \""));
        out_piece(o, name, strlen(name));
        out_piece(o, "\":\n", strlen("\":\n"));
        out_fence(o, fence);
        out_piece(o, "\n", 1);
        out_piece(o, a->data, a->size);
        if (a->size > 0 && ((const char *) a->data)[a->size - 1] != '\n')
                out_piece(o, "\n", 1);
        out_fence(o, fence);
        out_piece(o, "\n\n", 2);
}

void wire_out_text(WireOut *o, const PromptMessage *m)
{
        wire_out(o, "\"");
        for (size_t i = 0; i < m->n_attachments && o->error >= 0; i++)
                if (!wire_is_image(&m->attachments[i]))
                        out_file(o, &m->attachments[i]);
        out_piece(o, strempty(m->text), m->size);
        wire_out(o, "\"");
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

void wire_out_messages(WireOut *o, const WireRequest *request,
        void (*out_message)(WireOut *o, const PromptMessage *m))
{
        const char *system = request->prompt->system;
        const PromptMessage *m = NULL;
        bool first = true;

        wire_out(o, ",\"messages\":[");
        if (!isempty(system)) {
                wire_out(o, "{\"role\":\"system\",\"content\":");
                wire_out_prompt(o, system, strlen(system));
                wire_out(o, "}");
                first = false;
        }
        while ((m = wire_next_message(request, m))) {
                if (!first)
                        wire_out(o, ",");
                first = false;
                out_message(o, m);
        }
        wire_out(o, "]");
}

/* What the messages take at least, in one go: grown step by step, the words would leave their
 * smaller steps behind in the allocator. */
static int reserve(const WireRequest *request, Buffer *words)
{
        static const char least[] = "{\"role\":\"\",\"content\":\"\"}";
        size_t size = 0;

        for (const PromptMessage *m = NULL; (m = wire_next_message(request, m));)
                size += strlen(least) + (m->size <= COPIED_MAX ? m->size : 0);
        return buffer_reserve(words, size, /* ret= */ NULL);
}

int wire_build_chat(EngineType type, const WireRequest *request, size_t maximum, WireBody **ret,
        Failure *failure)
{
        _cleanup_(wire_body_freep) WireBody *body = NULL;
        const WireFormat *format = wire_format_of(type);
        WireOut out = { .failure = failure, .stop = request->stop };

        assert(format);
        out_check(&out, wire_body_new(&body, maximum));
        out.body = body;
        if (out.error >= 0)
                out_check(&out, reserve(request, &body->words));
        if (out.error >= 0)
                format->build(request, &out);
        if (out.error >= 0) {
                *ret = TAKE_PTR(body);
                return 0;
        }
        if (out.error == -EFBIG)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "the conversation with its attachments is over %zu MiB, too large for one "
                        "request. Leave some attachments out, or start a new conversation.",
                        maximum / MIB(1));
        return failure_set_errno(failure, out.error, "Failed to build the request");
}
