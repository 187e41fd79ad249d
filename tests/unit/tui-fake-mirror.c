/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tui-fake-mirror.h"

Mirror *fake_mirror_new(void)
{
        Mirror *m = calloc(1, sizeof *m);

        assert_non_null(m);
        m->link = LINK_UP;
        m->retry = USEC_INFINITY;
        m->default_model = "";
        return m;
}

static void message_free(MessageItem *item)
{
        if (!item)
                return;
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                document_free(item->channels[c]);
        free(item);
}

void fake_mirror_free(Mirror *m)
{
        for (size_t i = 0; i < m->total; i++)
                message_free(m->messages[i]);
        free(m->messages);
        free(m);
}

static MessageItem *make_message(uint64_t id, Role role, const char *text)
{
        MessageItem *item = calloc(1, sizeof *item);
        bool user = role == ROLE_USER;

        assert_non_null(item);
        item->id = id;
        item->parent = id - 1;
        item->role = role;
        item->model = (char *) (user ? NULL : "fake/model");
        item->reason = user ? REASON_NONE : REASON_STOP;
        assert_int_equal(document_new(user ? STYLE_USER : STYLE_NORMAL, user ? LAYOUT_PLAIN : 0,
                                 MIB(16), &item->channels[CHANNEL_CONTENT]),
                0);
        assert_int_equal(
                document_new(STYLE_REASONING, 0, MIB(16), &item->channels[CHANNEL_REASONING]), 0);
        assert_int_equal(document_append(item->channels[CHANNEL_CONTENT], text, strlen(text)), 0);
        assert_int_equal(document_finish(item->channels[CHANNEL_CONTENT]), 0);
        return item;
}

MessageItem *fake_add(Mirror *m, Role role, const char *text)
{
        MessageItem **bigger = reallocarray(m->messages, m->total + 1, sizeof *bigger);

        assert_non_null(bigger);
        m->messages = bigger;
        m->messages[m->total] = make_message(m->total + 1, role, text);
        m->n++;
        return m->messages[m->total++];
}

void fake_think(MessageItem *item, const char *text)
{
        assert_int_equal(document_append(item->channels[CHANNEL_REASONING], text, strlen(text)), 0);
}

static void make_window(Mirror *m, size_t first, size_t end)
{
        for (size_t i = m->first; i < m->first + m->n; i++)
                if (i < first || i >= end) {
                        message_free(m->messages[i]);
                        m->messages[i] = NULL;
                }
        for (size_t i = first; i < end; i++)
                if (!m->messages[i]) {
                        char text[128];

                        (void) snprintf(text, sizeof text,
                                "Message number %zu\n\nwith a second paragraph", i + 1);
                        m->messages[i] = make_message(
                                i + 1, i % 2 == 0 ? ROLE_USER : ROLE_ASSISTANT, text);
                }
        m->first = first;
        m->n = end - first;
}

void fake_fill(Mirror *m, size_t total)
{
        m->messages = calloc(total, sizeof *m->messages);
        assert_non_null(m->messages);
        m->total = total;
        make_window(m, total - MIRROR_PAGE, total);
}

/* ---- what views ask ---- */

LinkState mirror_link(const Mirror *m, const char **ret_sentence, usec_t *ret_retry)
{
        if (ret_sentence)
                *ret_sentence = m->sentence;
        if (ret_retry)
                *ret_retry = m->retry;
        return m->link;
}

const char *mirror_model(const Mirror *m)
{
        const ConversationItem *open = mirror_open_conversation(m);

        return open && !isempty(open->model) ? open->model : mirror_default_model(m);
}

const char *mirror_default_model(const Mirror *m)
{
        return m->default_model;
}

const ConversationItem *mirror_list(const Mirror *m, size_t *ret_n)
{
        *ret_n = m->n_list;
        return m->list;
}

bool mirror_list_has_more(const Mirror *m)
{
        return m->list_has_more;
}

int mirror_list_more(Mirror *m)
{
        m->n_list_more++;
        return 0;
}

const EngineItem *mirror_engines(const Mirror *m, size_t *ret_n)
{
        *ret_n = m->n_engines;
        return m->engines;
}

const ConversationItem *mirror_open_conversation(const Mirror *m)
{
        return m->open;
}

void mirror_context(const Mirror *m, uint64_t *ret_used, uint64_t *ret_size)
{
        *ret_used = m->used;
        *ret_size = m->size;
}

MessageItem *const *mirror_messages(Mirror *m, size_t *ret_n)
{
        *ret_n = m->n;
        return m->n > 0 ? m->messages + m->first : NULL;
}

bool mirror_has_older(const Mirror *m)
{
        return m->first > 0;
}

bool mirror_has_newer(const Mirror *m)
{
        return m->first + m->n < m->total;
}

bool mirror_is_loading(const Mirror *m)
{
        return m->loading;
}

MessageItem *mirror_live(const Mirror *m)
{
        return m->live;
}

int mirror_open(Mirror *m, const char *id, uint64_t message)
{
        assert_string_equal(id, m->open->id);
        assert_int_equal(message, 0);
        m->n_opened++;
        make_window(m, m->total - MIRROR_PAGE, m->total);
        return 0;
}

int mirror_load_older(Mirror *m)
{
        size_t first = m->first > MIRROR_PAGE ? m->first - MIRROR_PAGE : 0;

        m->n_older++;
        make_window(m, first, MIN(m->first + m->n, first + MIRROR_KEPT));
        return 0;
}

int mirror_load_newer(Mirror *m)
{
        size_t end = MIN(m->first + m->n + MIRROR_PAGE, m->total);

        m->n_newer++;
        make_window(m, MAX(m->first, end > MIRROR_KEPT ? end - MIRROR_KEPT : 0), end);
        return 0;
}
