/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/figures.h"

/* Where no reply was counted yet; of English text, and the bounds for a count that is none. */
#define BYTES_PER_TOKEN     4.0
#define BYTES_PER_TOKEN_MIN 1.0
#define BYTES_PER_TOKEN_MAX 16.0

static uint64_t channel_size(const MessageItem *item, Channel c)
{
        size_t size;

        (void) document_source(item->channels[c], &size);
        return size;
}

/* What the next question takes with it: no reasoning. */
static uint64_t asked_bytes(const MessageItem *item)
{
        uint64_t bytes = channel_size(item, CHANNEL_CONTENT);

        for (size_t i = 0; i < item->n_attachments; i++)
                if (startswith(item->attachments[i].type, "text/"))
                        bytes += item->attachments[i].size;
        return bytes;
}

static double bytes_per_token(const MessageItem *counted)
{
        double bytes;

        if (!counted || counted->estimated || counted->tokens_out == 0)
                return BYTES_PER_TOKEN;
        bytes = (double) (channel_size(counted, CHANNEL_CONTENT) +
                channel_size(counted, CHANNEL_REASONING));
        bytes /= (double) counted->tokens_out;
        return MIN(MAX(bytes, BYTES_PER_TOKEN_MIN), BYTES_PER_TOKEN_MAX);
}

/* Of the first n messages, and of so many bytes more: counted from the last reply on that says how
 * much it was. Returns the bytes of a token. */
static double estimate_used(Mirror *m, size_t n, uint64_t bytes, Figures *f)
{
        const MessageItem *counted = NULL;
        MessageItem *const *messages;
        size_t all;
        double ratio;

        messages = mirror_messages(m, &all);
        for (size_t i = n; i-- > 0 && !counted;)
                if (messages[i]->context_used > 0)
                        counted = messages[i];
                else
                        bytes += asked_bytes(messages[i]);
        ratio = bytes_per_token(counted);
        if (counted || !mirror_has_older(m))
                f->used = (counted ? counted->context_used : 0) +
                        (uint64_t) ((double) bytes / ratio);
        if (f->size > 0)
                f->used = MIN(f->used, f->size);
        f->used_estimated = true;
        return ratio;
}

static void estimate_live(Mirror *m, const MessageItem *live, usec_t now, Figures *f)
{
        MessageItem *const *messages;
        uint64_t passed, seconds;
        double ratio;
        size_t n;

        messages = mirror_messages(m, &n);
        while (n > 0 && messages[n - 1] != live)
                n--;
        ratio = estimate_used(m, n > 0 ? n - 1 : 0, live->flow_size, f);

        f->per_second_estimated = true;
        if (live->flow_since == 0 || now < live->flow_since)
                return;
        /* Where nothing comes any more it is less with each second. */
        passed = (now - live->flow_since) / USEC_PER_SEC;
        seconds = MAX(live->flow_seconds, passed > 0 ? passed - 1 : 0);
        if (seconds > 0)
                f->per_second = (double) (live->flow_size - live->flow_first) / ratio /
                        (double) seconds;
}

/* Nobody counted it to its end. */
static bool is_cut(const MessageItem *item)
{
        return item->context_used == 0 &&
                (item->reason == REASON_CANCELLED || item->reason == REASON_INTERRUPTED ||
                        item->reason == REASON_INCOMPLETE);
}

void figures_of(Mirror *m, usec_t now, Figures *ret)
{
        const MessageItem *live = mirror_live(m);
        MessageItem *const *messages;
        size_t n;

        assert(ret);

        *ret = (Figures){ 0 };
        mirror_context(m, &ret->used, &ret->size);
        if (live) {
                estimate_live(m, live, now, ret);
                return;
        }
        messages = mirror_messages(m, &n);
        if (n == 0)
                return;
        ret->per_second = messages[n - 1]->tokens_per_second;
        if (is_cut(messages[n - 1]))
                (void) estimate_used(m, n, 0, ret);
        else
                ret->used_estimated = messages[n - 1]->estimated;
}
