/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Takes <think>…</think> out of a reply's content: what is between is told as reasoning. Only where
 * nothing but white space came before it: a reply that talks about the tag keeps it as text, and so
 * does one that begins with something which only resembles it ("<thi", "<thinker>"). White space
 * around the block goes. A block that is never closed is reasoning to its end. */

#include "common/text.h"

typedef int (*think_text_t)(Channel channel, const char *text, size_t size, void *userdata);

typedef enum ThinkState {
        THINK_START,  /* nothing but white space came */
        THINK_OPENED, /* after the tag: white space goes */
        THINK_INSIDE,
        THINK_CLOSED,  /* after the block: white space goes, another block may follow */
        THINK_CONTENT, /* for good */
} ThinkState;

/* Zeroed at a reply's start. */
typedef struct Think {
        ThinkState state;
        char held[64]; /* white space and the beginning of what may be the opening tag */
        size_t n_held;
        size_t matched; /* bytes of the closing tag */
} Think;

/* 0 or the callback's negative result. Text is told in pieces as large as possible. */
int think_feed(Think *t, const char *text, size_t size, think_text_t tell, void *userdata);
/* The reply ended: what was held back is text after all. */
int think_flush(Think *t, think_text_t tell, void *userdata);
