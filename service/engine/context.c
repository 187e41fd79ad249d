/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/context.h"

#define MESSAGE_TOKENS 5U   /* the marks around a message */
#define IMAGE_TOKENS   768U /* what Ollama counts for one; others are near */
#define ANSWER_TOKENS  1024U

static uint64_t bytes_to_tokens(uint64_t bytes)
{
        return (bytes * 2 + 6) / 7;
}

/* What is neither text nor an image is sent to no engine. */
static uint64_t message_estimate(const PromptMessage *m)
{
        uint64_t tokens = MESSAGE_TOKENS + bytes_to_tokens(m->size);

        for (size_t i = 0; i < m->n_attachments; i++)
                if (startswith(strempty(m->attachments[i].type), "image/"))
                        tokens += IMAGE_TOKENS;
                else if (startswith(strempty(m->attachments[i].type), "text/"))
                        tokens += bytes_to_tokens(m->attachments[i].size);
        return tokens;
}

uint64_t context_estimate(const Prompt *p, unsigned skip)
{
        uint64_t tokens = 0;

        if (!isempty(p->system))
                tokens += MESSAGE_TOKENS + bytes_to_tokens(strlen(p->system));
        for (size_t i = skip; i < p->n_messages; i++)
                tokens += message_estimate(p->messages + i);
        return tokens;
}

static size_t last_question(const Prompt *p)
{
        for (size_t i = p->n_messages; i > 0; i--)
                if (p->messages[i - 1].role == ROLE_USER)
                        return i - 1;
        return 0;
}

unsigned context_skip_exchange(const Prompt *p, unsigned skip)
{
        size_t last = last_question(p);

        for (size_t i = (size_t) skip + 1; i <= last; i++)
                if (p->messages[i].role == ROLE_USER)
                        return i;
        return skip;
}

unsigned context_fit(const Prompt *p, unsigned skip, uint64_t tokens)
{
        uint64_t estimate = context_estimate(p, skip);

        while (estimate > tokens) {
                unsigned next = context_skip_exchange(p, skip);

                if (next == skip)
                        break;
                for (; skip < next; skip++)
                        estimate -= message_estimate(p->messages + skip);
        }
        return skip;
}

uint64_t context_budget(uint64_t context_size, uint64_t max_tokens)
{
        uint64_t answer = max_tokens > 0 ? max_tokens : ANSWER_TOKENS;

        return context_size - MIN(answer, context_size / 4);
}
