/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a notification of a reply's end says. */

#include "common/macro.h"
#include "common/text.h"

#define NOTICE_BODY_MAX    200U /* characters, before they are escaped */
#define NOTICE_SUMMARY_MAX 80U

typedef enum NoticeFlags {
        NOTICE_QUIET = 1 << 0,  /* nothing of what was said: others may look on, or keep it */
        NOTICE_MARKUP = 1 << 1, /* the server reads the body as markup */
} NoticeFlags;

typedef struct NoticeFacts {
        const char *title, *text, *error; /* as they are; NULL: not known */
        EndReason reason;
        unsigned flags;
} NoticeFacts;

/* The caller frees both. */
int notice_words(const NoticeFacts *f, char **ret_summary, char **ret_body);
/* A reply that its person ended is no news. */
bool notice_is_news(EndReason reason);
