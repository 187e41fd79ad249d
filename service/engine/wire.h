/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The wire formats of the engines: bytes in, events out; prompts in, request bodies out. No I/O, no
 * loop: everything here is tested with plain buffers cut at every border. */

#include <stdatomic.h>

#include "common/buffer.h"
#include "common/failure.h"
#include "service/config/config.h"
#include "service/engine/prompt.h"

#define WIRE_LINE_MAX MIB(8)  /* one line of an engine's answer, or all of one without a stream */
#define WIRE_BODY_MAX MIB(16) /* a list of models */

/* ---- requests ---- */

typedef struct WireRequest {
        const char *model;
        const Prompt *prompt;
        unsigned skip;         /* so many of the prompt's oldest messages are left out */
        uint64_t context_size; /* ollama: num_ctx, when configured; 0 = not sent */
        uint64_t max_tokens;   /* 0 = not sent (anthropic: its default) */
        const char *keep_alive;
        bool no_stream_options;  /* openai: the server refused them before */
        const atomic_bool *stop; /* or NULL; once it is true, the building ends soon: -ECANCELED */
} WireRequest;

/* The JSON body of a chat request: its own words, and where the prompt's texts are that stand
 * between them. They are escaped as they are read, so no request is a second copy of a
 * conversation; the prompt must outlive it. */
typedef struct WireBody WireBody;

/* Images (attachment type image/…) go as the format has them; text attachments as a quoted block in
 * front of the message's text, with their name. FAILURE_TOO_LARGE over maximum bytes. */
int wire_build_chat(EngineType type, const WireRequest *request, size_t maximum, WireBody **ret,
        Failure *failure);
WireBody *wire_body_free(WireBody *b);
DEFINE_CLEANUP(WireBody *, wire_body_free)
/* Bytes, from its beginning to its end. */
size_t wire_body_size(const WireBody *b);
/* The next of them: as many as fit, fewer only at the end; or -ENOMEM. */
ssize_t wire_body_read(WireBody *b, char *to, size_t size);
/* The next ones are the first ones again. */
void wire_body_rewind(WireBody *b);

/* Path below the engine's url: "/api/chat", "/v1/chat/completions" (an url that ends in /v1 is
 * understood), "/v1/messages"; and of the model list. The caller frees. */
int wire_chat_url(EngineType type, const char *url, char **ret);
int wire_models_url(EngineType type, const char *url, char **ret);

/* ---- answers ---- */

typedef struct WireEnd {
        EndReason reason; /* STOP, LENGTH, INCOMPLETE, FILTERED, FAILED, TOOL */
        uint64_t tokens_in, tokens_out, context_used, context_size; /* 0 = not said */
        double tokens_per_second;                                   /* 0 = not said */
} WireEnd;

typedef struct WireOps {
        /* Valid UTF-8 without NUL; <think> in content is told as reasoning. */
        int (*text)(Channel channel, const char *text, size_t size, void *userdata);
} WireOps;

typedef struct WireDecoder WireDecoder;

/* Lines, events or one JSON object (from a server that ignores `stream`): the first byte decides,
 * as servers are careless with content_type, which is only named in failures. ops is copied. */
int wire_decoder_new(WireDecoder **ret, EngineType type, const char *content_type,
        const WireOps *ops, void *userdata);
WireDecoder *wire_decoder_free(WireDecoder *d);
DEFINE_CLEANUP(WireDecoder *, wire_decoder_free)

/* 0, or 1 when the answer is complete (further bytes are ignored: leave the transfer its last ones,
 * so that the connection can be kept), or negative with failure set: an
 * error object in the stream (FAILURE_ENGINE_REFUSED, FAILURE_CONTEXT_TOO_LONG), an over-long line
 * (FAILURE_TOO_LARGE), no JSON (FAILURE_ENGINE_FAILED). Text that came before was told. */
int wire_decoder_feed(WireDecoder *d, const char *data, size_t size, Failure *failure);
/* Needed after a 1 too: tells what was held back, and says how the answer ended. At the
 * connection's end without an end mark that is REASON_INCOMPLETE. */
int wire_decoder_finish(WireDecoder *d, WireEnd *ret, Failure *failure);

/* ---- errors and lists ---- */

/* An answer with a status of 400 and more: the failure's code and the server's own sentence, cut to
 * 300 bytes, made harmless (no control characters). Never contains a key. */
int wire_error(EngineType type, long status, const char *content_type, const char *body,
        size_t size, const char *engine, Failure *failure);

/* Did a 400/422 complain of stream_options (openai)? */
bool wire_error_is_stream_options(long status, const char *body, size_t size);

typedef struct WireModel {
        char *name;
        uint64_t context_size, size;
        usec_t modified;
        bool loaded, chat;
        char **capabilities;
} WireModel;
void wire_models_free(WireModel *m, size_t n);
/* A model list (ollama /api/tags, openai and anthropic /v1/models). Names that are not usable
 * (empty, control characters, over 256 bytes) are left out. */
int wire_parse_models(EngineType type, const char *body, size_t size, WireModel **ret,
        size_t *ret_n, Failure *failure);
/* ollama /api/ps: marks models as loaded and gives the real context size. */
int wire_parse_loaded(const char *body, size_t size, WireModel *models, size_t n);
/* ollama /api/show: context length and capabilities of one. */
int wire_parse_show(const char *body, size_t size, WireModel *model);
