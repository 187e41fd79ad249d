/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store.h"

#include "common/attachment-memory.h"

void store_index_free(StoreIndex *i)
{
        if (!i)
                return;

        for (size_t n = 0; n < i->n_conversations; n++) {
                free(i->conversations[n].title);
                free(i->conversations[n].model);
        }
        free(i->conversations);
        free(i->default_model);
        free(i->last_model);
        free(i);
}

void store_attachments_free(StoreAttachment *a, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(a[i].name);
                free(a[i].type);
                free(a[i].data);
                attachment_memory_give(a[i].counted);
        }
        free(a);
}

void store_message_done(StoreMessage *m)
{
        free(m->content);
        free(m->reasoning);
        free(m->metadata);
        store_attachments_free(m->attachments, m->n_attachments);
        *m = (StoreMessage){ 0 };
}

void store_messages_free(StoreMessages *m)
{
        if (!m)
                return;

        for (size_t i = 0; i < m->n_messages; i++)
                store_message_done(&m->messages[i]);
        free(m->messages);
        free(m->system);
        free(m);
}
