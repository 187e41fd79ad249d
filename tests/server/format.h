/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The three wire formats, as real servers write them. */

#include "common/buffer.h"
#include "tests/server/script.h"
#include "tests/server/server.h"

typedef enum Format { FORMAT_OLLAMA, FORMAT_OPENAI, FORMAT_ANTHROPIC } Format;

typedef struct Reply {
        Format format;
        const Script *script;
        const char *model;
        bool include_usage; /* openai: stream_options asked for it */
        uint64_t tokens_in, tokens_out;
        usec_t begin;
        unsigned block; /* anthropic: index of the open block */
        bool block_open, reasoning_block;
} Reply;

const char *format_stream_type(Format f);

/* Each appends whole events. */
int format_begin(Reply *r, Buffer *b);
int format_text(Reply *r, Buffer *b, const char *text, size_t size);
int format_reasoning(Reply *r, Buffer *b, const char *text, size_t size);
int format_pause(Reply *r, Buffer *b); /* a comment or a ping */
int format_end(Reply *r, Buffer *b);
int format_error_event(Reply *r, Buffer *b, const char *message);

/* What stands before and after the text of one event: for a line of any size. */
int format_text_begin(Reply *r, Buffer *b);
int format_text_end(Reply *r, Buffer *b);

/* The whole answer as one object, and the body of an error with a status. */
int format_whole(Reply *r, Buffer *b, const char *reasoning, const char *text, size_t size);
int format_error(Format f, Buffer *b, unsigned status, const char *message);
int format_overflow(Format f, Buffer *b, uint64_t tokens, uint64_t context);
