/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the scripted engine does with one request: words "@name" or "@name=value" in the last user
 * message, on top of the server's defaults. README.md lists them. */

#include "common/macro.h"

typedef enum TextKind {
        TEXT_WORDS,   /* "word0 word1 …" */
        TEXT_CLOCK,   /* CLOCK_MONOTONIC in µs at the time of sending */
        TEXT_UNICODE, /* characters of two, three and four bytes */
        TEXT_NUL,     /* an escaped NUL in each token */
        TEXT_ESCAPE,  /* terminal escape sequences */
        TEXT_INVALID, /* bytes that are no UTF-8 */
        TEXT_ECHO,    /* what was asked: roles and sizes */
        TEXT_SAY,     /* the script's own text, in pieces of `size` bytes */
} TextKind;

typedef enum Fault {
        FAULT_NONE,
        FAULT_HTML,       /* a page instead of an answer */
        FAULT_CUT_JSON,   /* half a line, then a clean end */
        FAULT_ERROR,      /* an error object in the stream */
        FAULT_ERROR_LINE, /* "error: {…}", as older llama-servers wrote it */
        FAULT_EOF,        /* a clean end without an end mark */
        FAULT_SILENCE,    /* nothing more, the connection stays */
        FAULT_HOLD,       /* nothing more until POST /release */
        FAULT_STEP,       /* the same, and each POST /release lets one token more go */
        FAULT_RESET,      /* RST */
        FAULT_CLOSE,      /* FIN in the middle of the body */
        FAULT_HUGE,       /* one line of `huge` bytes */
        FAULT_SILENT,     /* not even a header */
} Fault;

typedef enum UsageKind {
        USAGE_NORMAL,
        USAGE_NONE,
        USAGE_FINISH, /* openai: in the chunk that has the finish reason */
} UsageKind;

typedef struct Script {
        TextKind text;
        char *say;
        size_t say_size;
        uint64_t tokens, reasoning, size, repeat;
        bool think;         /* reasoning goes inline, as <think>…</think> */
        bool old_reasoning; /* openai: delta.reasoning instead of reasoning_content */

        uint64_t rate;                         /* tokens a second; 0 = as fast as they are read */
        uint64_t first_msec, first_token_msec; /* before the header; between header and text */
        uint64_t cut;       /* bytes in each piece of the body; 0 = whole events */
        uint64_t drip_msec; /* one byte each so many ms */
        uint64_t pause;     /* openai, anthropic: a comment or a ping before every so many tokens */

        Fault fault;
        uint64_t fault_after, huge;
        uint64_t status;
        uint64_t retry_after, retry_date; /* seconds */
        uint64_t fail_first;
        char *error, *type, *finish, *location;

        bool no_length;         /* the body ends with the connection */
        bool no_keep;           /* Connection: close */
        bool no_stream;         /* one JSON object although a stream was asked for */
        bool no_done;           /* openai: without [DONE]; anthropic: without message_stop */
        bool no_blank;          /* SSE: without the last blank line */
        bool crlf;              /* SSE: lines end so */
        bool bom;               /* SSE: begins so */
        bool no_stream_options; /* openai: they are refused */
        UsageKind usage;
        uint64_t context; /* 0 = the server's */
} Script;

void script_done(Script *s);
#define _cleanup_script_ _cleanup_(script_done)

void script_init(Script *s);

/* Applies the directives in text on top of what s says. -EINVAL for one that is not known:
 * *ret_word is then a copy of it (the caller frees). */
int script_apply(Script *s, const char *text, char **ret_word);
