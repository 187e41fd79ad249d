/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/think.h"

#define TAG_OPEN  "<think>"
#define TAG_CLOSE "</think>"

static bool is_space(char c)
{
        return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static size_t count_space(const char *text, size_t size)
{
        size_t n = 0;

        while (n < size && is_space(text[n]))
                n++;
        return n;
}

/* It is no tag: what was held is content, and all that follows too. */
static int give_up(Think *t, think_text_t tell, void *userdata)
{
        size_t n = t->n_held;

        t->state = THINK_CONTENT;
        t->n_held = 0;
        return n > 0 ? tell(CHANNEL_CONTENT, t->held, n, userdata) : 0;
}

/* Looks for the opening tag. Returns the bytes used, or a negative result. */
static ssize_t feed_start(
        Think *t, const char *text, size_t size, think_text_t tell, void *userdata)
{
        for (size_t i = 0; i < size; i++) {
                size_t space, tag;
                int r;

                if (t->state == THINK_CLOSED && t->n_held == 0 && is_space(text[i]))
                        continue;

                t->held[t->n_held++] = text[i];
                space = count_space(t->held, t->n_held);
                tag = t->n_held - space;
                if (memcmp(t->held + space, TAG_OPEN, tag) != 0 || t->n_held == sizeof t->held) {
                        r = give_up(t, tell, userdata);
                        return r < 0 ? r : (ssize_t) i + 1;
                }
                if (tag == strlen(TAG_OPEN)) {
                        t->state = THINK_OPENED;
                        t->n_held = 0;
                        return i + 1;
                }
        }
        return size;
}

/* Tells reasoning up to the closing tag. The tag begins with the only '<' that it has, so that
 * after a mismatch only the present byte can begin it. */
static ssize_t feed_inside(
        Think *t, const char *text, size_t size, think_text_t tell, void *userdata)
{
        size_t i = 0;
        int r;

        while (i < size) {
                const char *lt;
                size_t n;

                if (t->matched > 0 && text[i] == TAG_CLOSE[t->matched]) {
                        i++;
                        if (++t->matched < strlen(TAG_CLOSE))
                                continue;
                        t->matched = 0;
                        t->state = THINK_CLOSED;
                        return i;
                }
                if (t->matched > 0) {
                        n = t->matched;
                        t->matched = 0;
                        r = tell(CHANNEL_REASONING, TAG_CLOSE, n, userdata);
                        if (r < 0)
                                return r;
                }

                lt = memchr(text + i, '<', size - i);
                n = lt ? (size_t) (lt - text) - i : size - i;
                if (n > 0) {
                        r = tell(CHANNEL_REASONING, text + i, n, userdata);
                        if (r < 0)
                                return r;
                }
                i += n;
                if (lt) {
                        t->matched = 1;
                        i++;
                }
        }
        return i;
}

int think_feed(Think *t, const char *text, size_t size, think_text_t tell, void *userdata)
{
        while (size > 0) {
                ssize_t n = 0;

                switch (t->state) {
                case THINK_START:
                case THINK_CLOSED:
                        n = feed_start(t, text, size, tell, userdata);
                        break;
                case THINK_OPENED:
                        n = count_space(text, size);
                        if ((size_t) n < size)
                                t->state = THINK_INSIDE;
                        break;
                case THINK_INSIDE:
                        n = feed_inside(t, text, size, tell, userdata);
                        break;
                case THINK_CONTENT:
                        return tell(CHANNEL_CONTENT, text, size, userdata);
                }
                if (n < 0)
                        return n;
                text += n;
                size -= n;
        }
        return 0;
}

int think_flush(Think *t, think_text_t tell, void *userdata)
{
        size_t n = t->matched;

        if (t->state == THINK_START || t->state == THINK_CLOSED)
                return give_up(t, tell, userdata);
        t->matched = 0;
        return n > 0 ? tell(CHANNEL_REASONING, TAG_CLOSE, n, userdata) : 0;
}
