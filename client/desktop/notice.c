/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/notice.h"

#include "client/desktop/shown.h"

bool notice_is_news(EndReason reason)
{
        return reason != REASON_NONE && reason != REASON_CANCELLED && reason >= 0;
}

/* What a person should know before the text itself. */
static const char *prefix(EndReason reason)
{
        switch (reason) {
        case REASON_INTERRUPTED:
                return "Interrupted: ";
        case REASON_INCOMPLETE:
                return "Cut off: ";
        case REASON_FILTERED:
                return "Filtered: ";
        case REASON_LENGTH:
                return "Stopped at its limit: ";
        case REASON_FAILED:
                return "Failed: ";
        case REASON_NONE:
        case REASON_STOP:
        case REASON_CANCELLED:
        case REASON_TOOL:
        case _REASON_MAX:
        case _REASON_INVALID:
                break;
        }
        return "";
}

static int body(const NoticeFacts *f, char **ret)
{
        _cleanup_free_ char *all = NULL, *line = NULL;
        int r;

        if (f->flags & NOTICE_QUIET) {
                all = strdup("");
        } else if (asprintf(&all, "%s%s", prefix(f->reason),
                           strempty(f->reason == REASON_FAILED ? f->error : f->text)) < 0)
                all = NULL;
        if (!all)
                return -ENOMEM;
        r = shown_line(all, NOTICE_BODY_MAX, &line);
        if (r < 0)
                return r;
        if (f->flags & NOTICE_MARKUP)
                return shown_escape(line, ret);
        *ret = TAKE_PTR(line);
        return 0;
}

int notice_words(const NoticeFacts *f, char **ret_summary, char **ret_body)
{
        _cleanup_free_ char *summary = NULL;
        const char *plain = f->reason == REASON_FAILED ? "An answer failed" : "An answer is ready";
        bool quiet = f->flags & NOTICE_QUIET || isempty(f->title);
        int r;

        r = shown_line(quiet ? plain : f->title, NOTICE_SUMMARY_MAX, &summary);
        if (r >= 0)
                r = body(f, ret_body);
        if (r < 0)
                return r;
        *ret_summary = TAKE_PTR(summary);
        return 0;
}
