/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/fake-store-disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

FakeStore fake_store;
FakeDisk fake_disk;

char *fake_copy(const char *s, size_t size)
{
        char *p = malloc(size + 1);

        assert_non_null(p);
        if (size > 0)
                memcpy(p, s, size);
        p[size] = 0;
        return p;
}

char *fake_copy_string(const char *s)
{
        return fake_copy(strempty(s), strlen(strempty(s)));
}

void *fake_grow(void *array, size_t n, size_t size)
{
        void *p = reallocarray(array, n + 1, size);

        assert_non_null(p);
        return p;
}

StoreMessage fake_copy_message(const StoreMessage *m, bool data)
{
        StoreMessage n = *m;

        n.content = fake_copy(m->content, m->content_size);
        n.reasoning = fake_copy(m->reasoning, m->reasoning_size);
        n.metadata = fake_copy_string(m->metadata);
        n.attachments = m->n_attachments ? calloc(m->n_attachments, sizeof *n.attachments) : NULL;
        for (size_t i = 0; i < m->n_attachments; i++)
                n.attachments[i] = (StoreAttachment){
                        .name = fake_copy_string(m->attachments[i].name),
                        .type = fake_copy_string(m->attachments[i].type),
                        .data = data ? fake_copy(m->attachments[i].data, m->attachments[i].size)
                                     : NULL,
                        .size = m->attachments[i].size,
                };
        return n;
}

StoreMessage *fake_find_row(uint64_t number, uint64_t id)
{
        for (size_t i = 0; i < fake_disk.n_rows; i++)
                if (fake_disk.rows[i].number == number && fake_disk.rows[i].m.id == id)
                        return &fake_disk.rows[i].m;
        return NULL;
}

Thread *fake_find_thread(uint64_t number)
{
        for (size_t i = 0; i < fake_disk.n_threads; i++)
                if (fake_disk.threads[i].c.number == number)
                        return &fake_disk.threads[i];
        return NULL;
}

const StoreMessage *fake_store_message(uint64_t number, uint64_t id)
{
        return fake_find_row(number, id);
}

const StoreConversation *fake_store_conversation(uint64_t number)
{
        Thread *t = fake_find_thread(number);

        return t ? &t->c : NULL;
}

unsigned fake_store_count(uint64_t number)
{
        unsigned n = 0;

        for (size_t i = 0; i < fake_disk.n_rows; i++)
                n += fake_disk.rows[i].number == number;
        return n;
}

void fake_remove_thread(uint64_t number)
{
        size_t n = 0;

        for (size_t i = 0; i < fake_disk.n_rows; i++)
                if (fake_disk.rows[i].number == number)
                        store_message_done(&fake_disk.rows[i].m);
                else
                        fake_disk.rows[n++] = fake_disk.rows[i];
        fake_disk.n_rows = n;
        n = 0;
        for (size_t i = 0; i < fake_disk.n_threads; i++)
                if (fake_disk.threads[i].c.number == number) {
                        free(fake_disk.threads[i].c.title);
                        free(fake_disk.threads[i].c.model);
                        free(fake_disk.threads[i].system);
                } else
                        fake_disk.threads[n++] = fake_disk.threads[i];
        fake_disk.n_threads = n;
}

static void clear_disk(void)
{
        while (fake_disk.n_threads > 0)
                fake_remove_thread(fake_disk.threads[0].c.number);
        for (size_t i = 0; i < fake_disk.n_tokens; i++)
                free(fake_disk.tokens[i].token);
        free(fake_disk.rows);
        free(fake_disk.threads);
        free(fake_disk.tokens);
        memset(&fake_disk, 0, sizeof fake_disk);
}

/* ---- between two lives of the room ---- */

static int compare_modified(const void *a, const void *b)
{
        const StoreConversation *x = a, *y = b;

        return x->modified > y->modified ? -1 : x->modified < y->modified;
}

void fake_store_age(uint64_t number, usec_t by)
{
        fake_find_thread(number)->c.deleted -= by;
}

StoreIndex *fake_store_open(void)
{
        StoreIndex *index = calloc(1, sizeof *index);

        assert_non_null(index);
        index->conversations = calloc(fake_disk.n_threads + 1, sizeof *index->conversations);
        assert_non_null(index->conversations);
        index->default_model = fake_copy_string("");
        index->last_model = fake_copy_string(fake_store.last_model);
        for (size_t i = 0; i < fake_disk.n_threads; i++) {
                StoreConversation *c = &index->conversations[index->n_conversations++];

                *c = fake_disk.threads[i].c;
                c->title = fake_copy_string(c->title);
                c->model = fake_copy_string(c->model);
        }
        qsort(index->conversations, index->n_conversations, sizeof *index->conversations,
                compare_modified);
        for (size_t i = 0; i < fake_disk.n_rows; i++)
                if (fake_disk.rows[i].m.live) {
                        fake_disk.rows[i].m.live = false;
                        fake_disk.rows[i].m.reason = REASON_INTERRUPTED;
                }
        return index;
}

void fake_store_lose(uint64_t number)
{
        fake_remove_thread(number);
}

void fake_store_cut(uint64_t number, uint64_t head, uint64_t messages)
{
        Thread *t = fake_find_thread(number);

        t->c.head = head;
        t->c.messages = messages;
}

void fake_store_recover(uint64_t number, const char *title)
{
        fake_disk.threads = fake_grow(
                fake_disk.threads, fake_disk.n_threads, sizeof *fake_disk.threads);
        fake_disk.threads[fake_disk.n_threads++] = (Thread){
                .c = {
                        .number = number,
                        .title = fake_copy_string(title),
                        .model = fake_copy_string(""),
                        .modified = 1,
                },
        };
        assert_true(sd_id128_randomize(&fake_disk.threads[fake_disk.n_threads - 1].c.id) >= 0);
}

static store_salvaged_t salvaged;
static void *salvaged_userdata;

void store_set_salvaged(Store *s, store_salvaged_t callback, void *userdata)
{
        salvaged = callback;
        salvaged_userdata = userdata;
}

void fake_store_salvage(void)
{
        assert_non_null(salvaged);
        salvaged(fake_store_open(), salvaged_userdata);
}

void fake_store_clear(void)
{
        clear_disk();
        free(fake_store.last_model);
        memset(&fake_store, 0, sizeof fake_store);
}
