/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an engine is asked, out of what is stored. Texts and attachments change hands, they are not
 * copied: a long conversation is in memory once. */

#include "service/conversation/conversation-internal.h"

static int take_attachments(PromptMessage *to, StoreMessage *from)
{
        PromptAttachment *all;
        size_t n = to->n_attachments + from->n_attachments;

        if (from->n_attachments == 0)
                return 0;
        all = reallocarray(to->attachments, n, sizeof *all);
        if (!all)
                return -ENOMEM;
        to->attachments = all;
        for (size_t i = 0; i < from->n_attachments; i++) {
                StoreAttachment *a = &from->attachments[i];

                all[to->n_attachments++] = (PromptAttachment){
                        .name = TAKE_PTR(a->name),
                        .type = TAKE_PTR(a->type),
                        .data = TAKE_PTR(a->data),
                        .size = a->size,
                        .counted = a->counted,
                };
                a->counted = 0;
        }
        return 0;
}

/* Two messages of one role in a row (a reply that failed without a word lies between them): many
 * models refuse that, so they become one. */
static int join_text(PromptMessage *to, const char *text, size_t size)
{
        static const char gap[] = "\n\n";
        size_t n_gap = to->size > 0 && size > 0 ? strlen(gap) : 0;
        char *joined;

        joined = realloc(to->text, to->size + n_gap + size + 1);
        if (!joined)
                return -ENOMEM;
        memcpy(joined + to->size, gap, n_gap);
        memcpy(joined + to->size + n_gap, text, size);
        to->text = joined;
        to->size += n_gap + size;
        joined[to->size] = 0;
        return 0;
}

static PromptMessage *last_message(Prompt *p)
{
        return p->n_messages > 0 ? &p->messages[p->n_messages - 1] : NULL;
}

/* The prompt's array has room for one more. */
static int add_text(Prompt *p, Role role, char **text, size_t size)
{
        PromptMessage *last = last_message(p);

        if (last && last->role == role)
                return join_text(last, *text, size);
        p->messages[p->n_messages++] = (PromptMessage){
                .role = role,
                .text = TAKE_PTR(*text),
                .size = size,
        };
        return 0;
}

static int add_message(Prompt *p, StoreMessage *m)
{
        int r;

        if (m->content_size == 0 && m->n_attachments == 0)
                return 0;
        if (!m->content) {
                m->content = strdup("");
                if (!m->content)
                        return -ENOMEM;
        }
        r = add_text(p, m->role, &m->content, m->content_size);
        if (r < 0)
                return r;
        return take_attachments(last_message(p), m);
}

static int make_title(const Prompt *p, char **ret)
{
        for (size_t i = 0; i < p->n_messages; i++) {
                const PromptMessage *m = &p->messages[i];

                if (m->role != ROLE_USER)
                        continue;
                if (m->size == 0 && m->n_attachments > 0)
                        return title_from_text(
                                m->attachments[0].name, strlen(m->attachments[0].name), ret);
                return title_from_text(m->text, m->size, ret);
        }
        *ret = strdup("");
        return *ret ? 0 : -ENOMEM;
}

int question_new_prompt(Prompt **ret, StoreMessages *messages, const char *system, char **question,
        PromptFlags flags, char **ret_title)
{
        _cleanup_(prompt_freep) Prompt *p = NULL;
        _cleanup_free_ char *title = NULL;
        size_t n = messages ? messages->n_messages : 0;
        int r;

        p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;
        p->system = strdup(strempty(messages ? messages->system : system));
        p->messages = calloc(n + 1, sizeof *p->messages);
        if (!p->system || !p->messages)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++) {
                r = add_message(p, &messages->messages[i]);
                if (r < 0)
                        return r;
        }
        if (*question) {
                r = add_text(p, ROLE_USER, question, strlen(*question));
                if (r < 0)
                        return r;
        }
        p->continues = (flags & PROMPT_CONTINUES) && last_message(p) &&
                last_message(p)->role == ROLE_ASSISTANT;
        if (ret_title) {
                r = make_title(p, &title);
                if (r < 0)
                        return r;
                *ret_title = TAKE_PTR(title);
        }
        *ret = TAKE_PTR(p);
        return 0;
}
