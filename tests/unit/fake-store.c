/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake-store-disk.h"

/* ---- requests ---- */

typedef struct Request Request;
struct StoreSlot {
        Request *request;
};

struct Request {
        Request *next;
        StoreSlot *slot;
        FakeKind kind;
        uint64_t number, id, offset;
        Channel channel;
        StoreConversation c;
        StoreField fields;
        StoreMessage *messages;
        size_t n_messages;
        char *text, *token;
        usec_t before;
        bool cancelled;
        union {
                store_done_t done;
                store_token_done_t token_done;
                store_messages_done_t messages_done;
                store_ids_done_t ids_done;
                void (*system_done)(const Failure *failure, const char *system, void *userdata);
        };
        void *userdata;
};

static Request *requests;
static sd_event_source *deliver;

static void request_free(Request *q)
{
        for (size_t i = 0; i < q->n_messages; i++)
                store_message_done(&q->messages[i]);
        free(q->messages);
        free(q->c.title);
        free(q->c.model);
        free(q->text);
        free(q->token);
        if (q->slot)
                q->slot->request = NULL;
        free(q);
}

StoreSlot *store_slot_free(StoreSlot *slot)
{
        if (!slot)
                return NULL;
        if (slot->request) {
                slot->request->slot = NULL;
                slot->request->cancelled = true;
        }
        free(slot);
        return NULL;
}

static Request *submit(FakeKind kind, uint64_t number, void *userdata, StoreSlot **ret_slot)
{
        Request *q, **p;

        if (fake_store.refuse_mask & 1U << kind)
                return NULL;
        q = calloc(1, sizeof *q);
        assert_non_null(q);
        q->kind = kind;
        q->number = number;
        q->userdata = userdata;
        if (ret_slot) {
                assert_null(*ret_slot);
                *ret_slot = calloc(1, sizeof **ret_slot);
                assert_non_null(*ret_slot);
                (*ret_slot)->request = q;
                q->slot = *ret_slot;
        }
        for (p = &requests; *p;)
                p = &(*p)->next;
        *p = q;
        if (!fake_store.held)
                fake_store_release();
        return q;
}

static void add_row(uint64_t number, const StoreMessage *m)
{
        fake_disk.rows = fake_grow(fake_disk.rows, fake_disk.n_rows, sizeof *fake_disk.rows);
        fake_disk.rows[fake_disk.n_rows++] = (Row){ number, fake_copy_message(m, true) };
}

static FailureCode do_create(Request *q)
{
        fake_disk.threads = fake_grow(
                fake_disk.threads, fake_disk.n_threads, sizeof *fake_disk.threads);
        fake_disk.threads[fake_disk.n_threads++] = (Thread){ q->c, q->text };
        q->c.title = q->c.model = q->text = NULL;
        return FAILURE_NONE;
}

static FailureCode do_update(Request *q)
{
        Thread *t = fake_find_thread(q->number);

        if (!t)
                return FAILURE_NO_SUCH_CONVERSATION;
        if (q->fields & STORE_TITLE) {
                (void) free_and_strdup(&t->c.title, q->c.title);
                t->c.title_set = q->c.title_set;
        }
        if (q->fields & STORE_MODEL)
                (void) free_and_strdup(&t->c.model, q->c.model);
        if (q->fields & STORE_HEAD)
                t->c.head = q->c.head;
        if (q->fields & STORE_MODIFIED)
                t->c.modified = q->c.modified;
        if (q->fields & STORE_DELETED)
                t->c.deleted = q->c.deleted;
        if (q->fields & STORE_ARCHIVED)
                t->c.archived = q->c.archived;
        if (q->fields & STORE_HIDDEN)
                t->c.hidden = q->c.hidden;
        if (q->fields & STORE_READ)
                t->c.read = q->c.read;
        if (q->fields & STORE_CONTEXT) {
                t->c.context_used = q->c.context_used;
                t->c.context_size = q->c.context_size;
        }
        return FAILURE_NONE;
}

static FailureCode do_add(Request *q)
{
        Thread *t = fake_find_thread(q->number);

        if (!t)
                return FAILURE_NO_SUCH_CONVERSATION;
        for (size_t i = 0; i < q->n_messages; i++) {
                const StoreMessage *m = &q->messages[i];

                if (m->parent > 0 && !fake_find_row(q->number, m->parent))
                        return FAILURE_NO_SUCH_MESSAGE;
                assert_true(m->parent < m->id);
                add_row(q->number, m);
        }
        t->c.head = q->id;
        t->c.modified = q->before;
        t->c.messages += q->n_messages;
        if (!isempty(q->token)) {
                fake_disk.tokens = fake_grow(
                        fake_disk.tokens, fake_disk.n_tokens, sizeof *fake_disk.tokens);
                fake_disk.tokens[fake_disk.n_tokens++] = (Token){ q->number, q->messages[0].id,
                        q->messages[1].id, fake_copy_string(q->token) };
        }
        return FAILURE_NONE;
}

static FailureCode do_create_whole(Request *q)
{
        FailureCode code;

        q->id = q->c.head;
        q->before = q->c.modified;
        q->c.head = q->c.messages = 0;
        code = do_create(q);
        return code == FAILURE_NONE && q->n_messages > 0 ? do_add(q) : code;
}

static FailureCode do_append(Request *q)
{
        StoreMessage *m = fake_find_row(q->number, q->id);
        char **text;
        size_t *size, more = strlen(q->text);

        assert_non_null(m);
        assert_true(m->live);
        text = q->channel == CHANNEL_CONTENT ? &m->content : &m->reasoning;
        size = q->channel == CHANNEL_CONTENT ? &m->content_size : &m->reasoning_size;
        assert_int_equal(*size, q->offset);
        *text = realloc(*text, *size + more + 1);
        assert_non_null(*text);
        memcpy(*text + *size, q->text, more + 1);
        *size += more;
        return FAILURE_NONE;
}

static FailureCode do_end(Request *q)
{
        StoreMessage *m = fake_find_row(q->number, q->id), *end = &q->messages[0];

        if (!m)
                return FAILURE_NO_SUCH_MESSAGE;
        free(m->content);
        free(m->reasoning);
        free(m->metadata);
        m->content = TAKE_PTR(end->content);
        m->content_size = end->content_size;
        m->reasoning = TAKE_PTR(end->reasoning);
        m->reasoning_size = end->reasoning_size;
        m->metadata = TAKE_PTR(end->metadata);
        m->reason = end->reason;
        m->live = false;
        return FAILURE_NONE;
}

static FailureCode do_reopen(Request *q)
{
        StoreMessage *m = fake_find_row(q->number, q->id);

        if (!m || m->live)
                return FAILURE_NO_SUCH_MESSAGE;
        m->live = true;
        m->reason = REASON_NONE;
        return FAILURE_NONE;
}

static FailureCode do_purge_deleted(Request *q)
{
        for (size_t i = fake_disk.n_threads; i-- > 0;) {
                const StoreConversation *c = &fake_disk.threads[i].c;

                if (c->deleted > 0 && c->deleted < q->before)
                        fake_remove_thread(c->number);
        }
        return FAILURE_NONE;
}

static FailureCode do_set_system(Request *q)
{
        assert_int_equal(free_and_strdup(&fake_find_thread(q->number)->system, q->text), 0);
        return FAILURE_NONE;
}

static FailureCode do_setting(Request *q)
{
        assert_int_equal(free_and_strdup(&fake_store.last_model, q->text), 0);
        return FAILURE_NONE;
}

static FailureCode do_purge(Request *q)
{
        fake_remove_thread(q->number);
        return FAILURE_NONE;
}

static FailureCode (*const writes[FAKE_FIRST_READ])(Request *q) = {
        [FAKE_CREATE] = do_create,
        [FAKE_CREATE_WHOLE] = do_create_whole,
        [FAKE_UPDATE] = do_update,
        [FAKE_SET_SYSTEM] = do_set_system,
        [FAKE_SETTING] = do_setting,
        [FAKE_ADD] = do_add,
        [FAKE_APPEND] = do_append,
        [FAKE_END] = do_end,
        [FAKE_REOPEN] = do_reopen,
        [FAKE_PURGE] = do_purge,
        [FAKE_PURGE_DELETED] = do_purge_deleted,
};

static StoreMessages *read_branch(Request *q)
{
        StoreMessages *result = calloc(1, sizeof *result);
        uint64_t id = q->id;

        assert_non_null(result);
        if (!fake_find_row(q->number, id)) {
                free(result);
                return NULL;
        }
        while (id > 0) {
                const StoreMessage *m = fake_find_row(q->number, id);

                assert_non_null(m);
                result->messages = fake_grow(
                        result->messages, result->n_messages, sizeof *result->messages);
                memmove(result->messages + 1, result->messages,
                        result->n_messages * sizeof *result->messages);
                result->messages[0] = fake_copy_message(m, q->kind != FAKE_GET_PAGE);
                result->n_messages++;
                id = q->kind == FAKE_GET_CONTEXT ? m->parent : 0;
        }
        if (q->kind == FAKE_GET_CONTEXT)
                result->system = fake_copy_string(fake_find_thread(q->number)->system);
        return result;
}

static void find_token(Request *q, const Failure *failure)
{
        uint64_t user = 0, reply = 0;

        for (size_t i = 0; i < fake_disk.n_tokens; i++)
                if (fake_disk.tokens[i].number == q->number &&
                        streq(fake_disk.tokens[i].token, q->token)) {
                        user = fake_disk.tokens[i].user;
                        reply = fake_disk.tokens[i].reply;
                }
        q->token_done(failure, user, reply, q->userdata);
}

static const Failure no_message = { FAILURE_NO_SUCH_MESSAGE, NULL };

static void find_head(Request *q, const Failure *failure)
{
        uint64_t id = q->id;

        if (!failure && !fake_find_row(q->number, q->id))
                failure = &no_message;
        for (size_t i = 0; i < fake_disk.n_rows; i++)
                if (fake_disk.rows[i].number == q->number && fake_disk.rows[i].m.parent == id)
                        id = fake_disk.rows[i].m.id;
        q->ids_done(failure, &id, failure ? 0 : 1, q->userdata);
}

static void get_messages(Request *q, const Failure *failure)
{
        StoreMessages *m = failure ? NULL : read_branch(q);

        q->messages_done(failure ? failure : m ? NULL : &no_message, m, q->userdata);
}

static void get_system(Request *q, const Failure *failure)
{
        const Thread *t = fake_find_thread(q->number);

        q->system_done(failure, t ? strempty(t->system) : "", q->userdata);
}

static void (*const reads[_FAKE_MAX])(Request *q, const Failure *failure) = {
        [FAKE_FIND_TOKEN] = find_token,
        [FAKE_GET_PAGE] = get_messages,
        [FAKE_GET_CONTEXT] = get_messages,
        [FAKE_GET_MESSAGE] = get_messages,
        [FAKE_GET_SYSTEM] = get_system,
        [FAKE_FIND_HEAD] = find_head,
};

static void carry_out(Request *q)
{
        Failure failure = FAILURE_NULL;
        bool write = q->kind < FAKE_FIRST_READ;

        fake_store.counts[q->kind]++;
        if (fake_store.fail_mask & 1U << q->kind)
                failure.code = FAILURE_STORE_FAILED;
        else if (write && fake_store.full)
                failure.code = FAILURE_STORE_FULL;
        else if (write)
                failure.code = writes[q->kind](q);
        if (q->cancelled)
                return;
        if (!write)
                reads[q->kind](q, failure_is_set(&failure) ? &failure : NULL);
        else if (q->done)
                q->done(failure_is_set(&failure) ? &failure : NULL, q->userdata);
}

static int on_deliver(sd_event_source *source, void *userdata)
{
        Request *q;

        while (!fake_store.held && (q = requests)) {
                requests = q->next;
                if (fake_store.hold_after & 1U << q->kind) {
                        fake_store.hold_after = 0;
                        fake_store.held = true;
                }
                carry_out(q);
                request_free(q);
        }
        return 0;
}

void fake_store_release(void)
{
        fake_store.held = false;
        if (!deliver)
                assert_true(sd_event_add_defer(world.event, &deliver, on_deliver, NULL) >= 0);
        assert_true(sd_event_source_set_enabled(deliver, SD_EVENT_ONESHOT) >= 0);
}

unsigned fake_store_waiting(void)
{
        unsigned n = 0;

        for (const Request *q = requests; q; q = q->next)
                n++;
        return n;
}

/* ---- the face ---- */

uint64_t store_next_number(Store *s, bool private)
{
        return ++fake_disk.number | (private ? STORE_PRIVATE : 0);
}

uint64_t store_next_id(Store *s)
{
        return ++fake_disk.id;
}

static int create(FakeKind kind, const StoreConversation *c, const char *system, store_done_t done,
        void *userdata, StoreSlot **ret_slot, Request **ret)
{
        Request *q = submit(kind, c->number, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        q->c = *c;
        q->c.title = fake_copy_string(c->title);
        q->c.model = fake_copy_string(c->model);
        q->text = fake_copy_string(system);
        q->done = done;
        *ret = q;
        return 0;
}

int store_create_conversation(Store *s, const StoreConversation *c, const char *system,
        store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        Request *q;

        return create(FAKE_CREATE, c, system, done, userdata, ret_slot, &q);
}

/* The attachments are taken over, also where there is no request. */
static void take_messages(Request *q, StoreMessage *messages, size_t n_messages)
{
        if (q) {
                q->messages = calloc(MAX(n_messages, (size_t) 1), sizeof *q->messages);
                assert_non_null(q->messages);
                q->n_messages = n_messages;
        }
        for (size_t i = 0; i < n_messages; i++) {
                if (q)
                        q->messages[i] = fake_copy_message(&messages[i], true);
                store_attachments_free(messages[i].attachments, messages[i].n_attachments);
                messages[i].attachments = NULL;
                messages[i].n_attachments = 0;
        }
}

int store_create_whole(Store *s, const StoreConversation *c, const char *system,
        StoreMessage *messages, size_t n_messages, store_done_t done, void *userdata,
        StoreSlot **ret_slot)
{
        Request *q = NULL;
        int r;

        r = create(FAKE_CREATE_WHOLE, c, system, done, userdata, ret_slot, &q);
        take_messages(q, messages, n_messages);
        return r;
}

int store_update_conversation(Store *s, const StoreConversation *c, StoreField fields,
        store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        Request *q = submit(FAKE_UPDATE, c->number, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        q->c = *c;
        q->c.title = fake_copy_string(c->title);
        q->c.model = fake_copy_string(c->model);
        q->fields = fields;
        q->done = done;
        return 0;
}

int store_set_system(Store *s, uint64_t number, const char *system, store_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        Request *q = submit(FAKE_SET_SYSTEM, number, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        q->text = fake_copy_string(system);
        q->done = done;
        return 0;
}

int store_set_setting(Store *s, const char *key, const char *value, store_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        Request *q = submit(FAKE_SETTING, 0, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        assert_string_equal(key, "last_model");
        q->text = fake_copy_string(value);
        q->done = done;
        return 0;
}

int store_add_messages(Store *s, uint64_t number, StoreMessage *messages, size_t n_messages,
        uint64_t head, usec_t modified, const char *token, store_done_t done, void *userdata,
        StoreSlot **ret_slot)
{
        Request *q = submit(FAKE_ADD, number, userdata, ret_slot);

        take_messages(q, messages, n_messages);
        if (!q)
                return -ENOMEM;
        q->id = head;
        q->before = modified;
        q->token = fake_copy_string(token);
        q->done = done;
        return 0;
}

int store_find_token(Store *s, uint64_t number, const char *token, store_token_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        Request *q = submit(FAKE_FIND_TOKEN, number, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        q->token = fake_copy_string(token);
        q->token_done = done;
        return 0;
}

int store_append_reply(Store *s, uint64_t number, uint64_t reply, Channel channel, uint64_t offset,
        const char *text, size_t size, store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        Request *q = submit(FAKE_APPEND, number, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        q->id = reply;
        q->channel = channel;
        q->offset = offset;
        q->text = fake_copy(text, size);
        q->done = done;
        return 0;
}

Worker *store_worker(Store *s)
{
        return NULL;
}

int store_end_reply(Store *s, uint64_t number, const StoreMessage *reply, const StoreLoan *loan,
        store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        Request *q = submit(FAKE_END, number, userdata, ret_slot);

        if (!q) {
                loan->release(loan->owner, NULL);
                return -ENOMEM;
        }
        q->id = reply->id;
        q->messages = calloc(1, sizeof *q->messages);
        assert_non_null(q->messages);
        q->messages[0] = fake_copy_message(reply, false);
        loan->release(loan->owner, NULL);
        q->n_messages = 1;
        q->done = done;
        return 0;
}

static int simple(FakeKind kind, uint64_t number, uint64_t id, store_done_t done, void *userdata,
        StoreSlot **ret_slot)
{
        Request *q = submit(kind, number, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        q->id = id;
        q->done = done;
        return 0;
}

int store_reopen_reply(Store *s, uint64_t number, uint64_t reply, store_done_t done, void *userdata,
        StoreSlot **ret_slot)
{
        return simple(FAKE_REOPEN, number, reply, done, userdata, ret_slot);
}

int store_purge(Store *s, uint64_t number, store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        return simple(FAKE_PURGE, number, 0, done, userdata, ret_slot);
}

int store_purge_deleted(
        Store *s, usec_t before, store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        Request *q = submit(FAKE_PURGE_DELETED, 0, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        q->before = before;
        q->done = done;
        return 0;
}

static int read_messages(FakeKind kind, uint64_t number, uint64_t id, store_messages_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        Request *q = submit(kind, number, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        q->id = id;
        q->messages_done = done;
        return 0;
}

int store_get_page(Store *s, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes,
        store_messages_done_t done, void *userdata, StoreSlot **ret_slot)
{
        assert_int_equal(limit, 1);
        return read_messages(FAKE_GET_PAGE, number, id, done, userdata, ret_slot);
}

int store_get_context(Store *s, uint64_t number, uint64_t id, store_messages_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        return read_messages(FAKE_GET_CONTEXT, number, id, done, userdata, ret_slot);
}

int store_get_message(Store *s, uint64_t number, uint64_t id, store_messages_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        return read_messages(FAKE_GET_MESSAGE, number, id, done, userdata, ret_slot);
}

int store_find_head_below(Store *s, uint64_t number, uint64_t id, store_ids_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        Request *q = submit(FAKE_FIND_HEAD, number, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        q->id = id;
        q->ids_done = done;
        return 0;
}

int store_get_system(Store *s, uint64_t number,
        void (*done)(const Failure *failure, const char *system, void *userdata), void *userdata,
        StoreSlot **ret_slot)
{
        Request *q = submit(FAKE_GET_SYSTEM, number, userdata, ret_slot);

        if (!q)
                return -ENOMEM;
        q->system_done = done;
        return 0;
}

void fake_store_close(void)
{
        for (Request *q; (q = requests);) {
                requests = q->next;
                request_free(q);
        }
        deliver = sd_event_source_disable_unref(deliver);
}
