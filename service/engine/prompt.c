/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/prompt.h"

#include "common/attachment-memory.h"

static void prompt_message_done(PromptMessage *m)
{
        for (size_t i = 0; i < m->n_attachments; i++) {
                free(m->attachments[i].name);
                free(m->attachments[i].type);
                free(m->attachments[i].data);
                attachment_memory_give(m->attachments[i].counted);
        }
        free(m->attachments);
        free(m->text);
}

size_t prompt_size(const Prompt *p)
{
        size_t sum = 0;

        for (size_t i = 0; i < p->n_messages; i++) {
                sum += p->messages[i].size;
                for (size_t k = 0; k < p->messages[i].n_attachments; k++)
                        sum += p->messages[i].attachments[k].size;
        }
        return sum;
}

Prompt *prompt_share(Prompt *p)
{
        p->n_shared++;
        return p;
}

Prompt *prompt_free(Prompt *p)
{
        if (!p)
                return NULL;
        if (p->n_shared > 0) {
                p->n_shared--;
                return NULL;
        }

        for (size_t i = 0; i < p->n_messages; i++)
                prompt_message_done(&p->messages[i]);
        free(p->messages);
        free(p->system);
        return mfree(p);
}
