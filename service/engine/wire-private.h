/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the wire files share; for nobody else. wire.c moves bytes and ends answers, wire-TYPE.c
 * knows one format, wire-error.c and wire-models.c read errors and lists, wire-request.c writes
 * what the formats have in common, wire-body.c is what it writes to. */

#include "common/json-util.h"
#include "service/engine/wire.h"

typedef struct WireOut WireOut;

typedef struct WireFormat {
        /* Appends the body of a request. */
        void (*build)(const WireRequest *request, WireOut *out);
        /* One line or event of a stream. 0, or negative with d->failure set. */
        int (*event)(WireDecoder *d, struct json_object *o);
        /* An answer that is no stream. */
        int (*whole)(WireDecoder *d, struct json_object *o);
} WireFormat;

extern const WireFormat wire_format_ollama, wire_format_openai, wire_format_anthropic;
/* NULL for a type that has none. */
const WireFormat *wire_format_of(EngineType type);

/* ---- for the decoders ---- */

/* The string member, told as text as it came: cut characters, NUL and <think> are seen to. 1 when
 * there is one that is not empty, 0 when not. */
int wire_tell_member(WireDecoder *d, Channel channel, struct json_object *o, const char *key);
typedef struct WireReason {
        const char *word;
        EndReason reason;
} WireReason;

/* How an answer ended, in our terms; REASON_STOP for a word that is not in the table. */
EndReason wire_reason(const WireReason *table, size_t n, const char *word);
/* Where the format says how the answer ended: a reason is set when the server said one. */
WireEnd *wire_end(WireDecoder *d);
/* What it will have been if the server then only says that it stopped: a call, a refusal. */
void wire_hint(WireDecoder *d, EndReason reason);
/* The format's end mark came. */
void wire_complete(WireDecoder *d);
/* The answer is an error object: fails. */
int wire_fail(WireDecoder *d, struct json_object *o);

/* An error object, however this server writes it. */
bool wire_is_error(struct json_object *o);
/* Sets the failure for an error object in a stream. */
int wire_error_object(struct json_object *o, Failure *failure);

/* ---- for the builders ---- */

typedef enum WireForm {
        WIRE_ESCAPED, /* a piece of a JSON string */
        WIRE_BASE64,
} WireForm;

/* What is the prompt's and stands in a body, in another form. */
typedef struct WirePart {
        WireForm form;
        const char *data;
        size_t size;
        size_t words; /* so many of the body's own come before it */
} WirePart;

struct WireBody {
        Buffer words; /* its maximum is what the inserted parts leave of the body's */
        WirePart *parts;
        size_t n_parts, allocated;
        size_t inserted; /* bytes of all parts in their forms */

        /* How far it was read: */
        size_t words_read;
        size_t part, part_read; /* so much of this part has been encoded, */
        Buffer encoded;         /* and this of it last */
        size_t encoded_read;
};

int wire_body_new(WireBody **ret, size_t maximum);
/* Behind what is there. encoded_size: how many bytes data will be. data is not copied. -EFBIG. */
int wire_body_insert(
        WireBody *b, WireForm form, const void *data, size_t size, size_t encoded_size);

/* A body in the making. After the first error nothing more is appended. */
struct WireOut {
        WireBody *body;
        int error;
        Failure *failure;
        const atomic_bool *stop;
};

void wire_out(WireOut *o, const char *json);
/* What is short, or not the prompt's: it is copied. */
void wire_out_string(WireOut *o, const char *text, size_t size);
void wire_out_number(WireOut *o, uint64_t number);
/* The prompt's, as a string. */
void wire_out_prompt(WireOut *o, const char *text, size_t size);
void wire_out_base64(WireOut *o, const PromptAttachment *a);
/* The message's text as a string, its text attachments in front of it. */
void wire_out_text(WireOut *o, const PromptMessage *m);

/* The prompt's messages as they are sent: those after skip, without the empty ones. NULL = no more.
 */
const PromptMessage *wire_next_message(const WireRequest *request, const PromptMessage *after);

/* ,"messages":[…] for a format that has the system prompt as the first of them. */
void wire_out_messages(WireOut *o, const WireRequest *request,
        void (*out_message)(WireOut *o, const PromptMessage *m));

/* By its type, which is then fit for a data URI. */
bool wire_is_image(const PromptAttachment *a);
bool wire_has_images(const PromptMessage *m);
