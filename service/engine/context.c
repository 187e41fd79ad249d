/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/context.h"

#define MESSAGE_TOKENS 5U   /* the marks around a message */
#define IMAGE_TOKENS   768U /* what Ollama counts for one; others are near */
#define ANSWER_TOKENS  1024U

/* In a shorter prompt an engine's own words around it weigh too much. */
#define CALIBRATE_BYTES 2000U

/* Rounded up. */
static uint64_t bytes_to_tokens(uint64_t bytes, double ratio)
{
        uint64_t tokens = (uint64_t) ((double) bytes / ratio);

        return (double) tokens * ratio < (double) bytes ? tokens + 1 : tokens;
}

/* What is neither text nor an image is sent to no engine. */
static uint64_t message_estimate(const PromptMessage *m, double ratio)
{
        uint64_t tokens = MESSAGE_TOKENS + bytes_to_tokens(m->size, ratio);

        for (size_t i = 0; i < m->n_attachments; i++)
                if (startswith(strempty(m->attachments[i].type), "image/"))
                        tokens += IMAGE_TOKENS;
                else if (startswith(strempty(m->attachments[i].type), "text/"))
                        tokens += bytes_to_tokens(m->attachments[i].size, ratio);
        return tokens;
}

uint64_t context_estimate(const Prompt *p, unsigned skip, double ratio)
{
        uint64_t tokens = 0;

        if (!isempty(p->system))
                tokens += MESSAGE_TOKENS + bytes_to_tokens(strlen(p->system), ratio);
        for (size_t i = skip; i < p->n_messages; i++)
                tokens += message_estimate(p->messages + i, ratio);
        return tokens;
}

/* The text's bytes and, with the text at no token at all, the rest. False: it has images, of which
 * each engine makes another number. */
static bool count_text(const Prompt *p, unsigned skip, uint64_t *ret_bytes, uint64_t *ret_rest)
{
        uint64_t bytes = strlen(strempty(p->system)), n = !isempty(p->system);

        for (size_t i = skip; i < p->n_messages; i++) {
                const PromptMessage *m = p->messages + i;

                n++;
                bytes += m->size;
                for (size_t k = 0; k < m->n_attachments; k++)
                        if (startswith(strempty(m->attachments[k].type), "image/"))
                                return false;
                        else if (startswith(strempty(m->attachments[k].type), "text/"))
                                bytes += m->attachments[k].size;
        }
        *ret_bytes = bytes;
        *ret_rest = n * MESSAGE_TOKENS;
        return true;
}

double context_calibrate(const Prompt *p, unsigned skip, uint64_t tokens, double ratio)
{
        uint64_t bytes, rest;
        double counted;

        if (!count_text(p, skip, &bytes, &rest) || bytes < CALIBRATE_BYTES || tokens <= rest)
                return ratio;
        counted = (double) bytes / (double) (tokens - rest);
        if (counted < CONTEXT_RATIO_MIN || counted > CONTEXT_RATIO_MAX)
                return ratio;
        return counted < ratio ? counted : (3 * ratio + counted) / 4;
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

unsigned context_fit(const Prompt *p, unsigned skip, double ratio, uint64_t tokens)
{
        uint64_t estimate = context_estimate(p, skip, ratio);

        while (estimate > tokens) {
                unsigned next = context_skip_exchange(p, skip);

                if (next == skip)
                        break;
                for (; skip < next; skip++)
                        estimate -= message_estimate(p->messages + skip, ratio);
        }
        return skip;
}

uint64_t context_budget(uint64_t context_size, uint64_t max_tokens)
{
        uint64_t answer = max_tokens > 0 ? max_tokens : ANSWER_TOKENS;

        return context_size - MIN(answer, context_size / 4);
}
