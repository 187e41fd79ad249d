/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/store-fixture.h"

#include "tests/unit/folder.h"

void fixture_forget(Fixture *f)
{
        failure_done(&f->failure);
        store_messages_free(f->messages);
        f->messages = NULL;
        f->text = mfree(f->text);
        free(f->part.text);
        free(f->part.metadata);
        f->part = (StoreText){ 0 };
        for (size_t i = 0; i < f->n_hits; i++)
                free(f->hits[i].snippet);
        f->n_hits = f->n_ids = 0;
}

static void on_opened(const Failure *failure, StoreIndex *index, void *userdata)
{
        Fixture *f = userdata;

        assert_false(f->opened);
        f->opened = true;
        if (failure)
                failure_copy(&f->failure, failure);
        f->index = index;
}

static void on_notice(StoreNoticeKind kind, const char *detail, void *userdata)
{
        Fixture *f = userdata;

        assert_in_range(kind, 0, ELEMENTSOF(f->notices) - 1);
        f->notices[kind]++;
        assert_return_code(free_and_strdup(&f->notice, detail), ENOMEM);
}

void fixture_wait_notice(Fixture *f, StoreNoticeKind kind)
{
        while (f->notices[kind] == 0)
                assert_return_code(sd_event_run(f->event, UINT64_MAX), errno);
}

void fixture_settle(Fixture *f)
{
        while (store_pending(f->store) > 0)
                assert_return_code(sd_event_run(f->event, UINT64_MAX), errno);
}

FailureCode fixture_open(Fixture *f)
{
        fixture_forget(f);
        f->opened = false;
        memset(f->notices, 0, sizeof f->notices);
        if (!f->event)
                assert_return_code(sd_event_new(&f->event), errno);
        assert_return_code(
                store_open(&f->store, f->event, f->path, on_opened, on_notice, f), errno);
        while (!f->opened)
                assert_return_code(sd_event_run(f->event, UINT64_MAX), errno);
        return f->failure.code;
}

void fixture_close(Fixture *f)
{
        f->store = store_free(f->store);
        store_index_free(f->index);
        f->index = NULL;
}

int fixture_setup(void **state)
{
        Fixture *f = calloc(1, sizeof *f);

        assert_non_null(f);
        f->folder = folder_new();
        f->path = folder_below(f->folder, "state/conversations.db");
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        *state = f;
        return 0;
}

int fixture_teardown(void **state)
{
        Fixture *f = *state;

        fixture_close(f);
        fixture_forget(f);
        sd_event_unref(f->event);
        free(f->notice);
        (void) folder_free(f->folder);
        free(f->path);
        free(f);
        return 0;
}

char *fixture_beside(const Fixture *f, const char *suffix)
{
        char *name;

        assert_true(asprintf(&name, "%s%s", f->path, suffix) > 0);
        return name;
}

/* ---- calls ---- */

static void call_ended(Call *c, const Failure *failure)
{
        assert_false(c->done);
        c->done = true;
        if (failure)
                failure_copy(&c->f->failure, failure);
}

FailureCode call_wait(Call *c, int r)
{
        assert_return_code(r, -r);
        while (!c->done)
                assert_return_code(sd_event_run(c->f->event, UINT64_MAX), errno);
        return c->f->failure.code;
}

void on_call_done(const Failure *failure, void *userdata)
{
        call_ended(userdata, failure);
}

void on_call_messages(const Failure *failure, StoreMessages *messages, void *userdata)
{
        Call *c = userdata;

        assert_int_equal(!failure, messages != NULL);
        call_ended(c, failure);
        c->f->messages = messages;
}

static void on_call_ids(const Failure *failure, const uint64_t *ids, size_t n, void *userdata)
{
        Call *c = userdata;

        call_ended(c, failure);
        assert_in_range(n, 0, ELEMENTSOF(c->f->ids));
        if (n > 0)
                memcpy(c->f->ids, ids, n * sizeof *ids);
        c->f->n_ids = n;
}

static void on_call_token(const Failure *failure, uint64_t user, uint64_t reply, void *userdata)
{
        on_call_ids(failure, (uint64_t[]){ user, reply }, 2, userdata);
}

static void on_call_system(const Failure *failure, const char *system, void *userdata)
{
        Call *c = userdata;

        call_ended(c, failure);
        assert_return_code(free_and_strdup(&c->f->text, system), ENOMEM);
}

static void on_call_text(const Failure *failure, const StoreText *text, void *userdata)
{
        Call *c = userdata;

        call_ended(c, failure);
        if (!text)
                return;
        c->f->part = *text;
        c->f->part.text = strdup(text->text);
        c->f->part.metadata = strdup(text->metadata);
}

static void on_call_hits(const Failure *failure, const StoreHit *hits, size_t n, void *userdata)
{
        Call *c = userdata;

        call_ended(c, failure);
        assert_in_range(n, 0, ELEMENTSOF(c->f->hits));
        for (size_t i = 0; i < n; i++) {
                c->f->hits[i] = hits[i];
                c->f->hits[i].snippet = strdup(hits[i].snippet);
        }
        c->f->n_hits = n;
}

FailureCode do_create(Fixture *f, uint64_t number, const char *title)
{
        StoreConversation c = {
                .number = number,
                .title = (char *) title,
                .created = 1000 + number,
                .modified = 1000 + number,
        };
        Call call = CALL(f);

        assert_return_code(sd_id128_randomize(&c.id), errno);
        return call_wait(&call,
                store_create_conversation(f->store, &c, /* system= */ NULL, on_call_done, &call,
                        /* ret_slot= */ NULL));
}

uint64_t make_conversation(Fixture *f, const char *title)
{
        uint64_t number = store_next_number(f->store, /* private= */ false);

        assert_int_equal(do_create(f, number, title), FAILURE_NONE);
        return number;
}

FailureCode do_update(Fixture *f, const StoreConversation *c, StoreField fields)
{
        Call call = CALL(f);

        return call_wait(
                &call, store_update_conversation(f->store, c, fields, on_call_done, &call, NULL));
}

FailureCode do_set_setting(Fixture *f, const char *key, const char *value)
{
        Call call = CALL(f);

        return call_wait(&call, store_set_setting(f->store, key, value, on_call_done, &call, NULL));
}

FailureCode do_set_system(Fixture *f, uint64_t number, const char *system)
{
        Call call = CALL(f);

        return call_wait(
                &call, store_set_system(f->store, number, system, on_call_done, &call, NULL));
}

FailureCode do_get_system(Fixture *f, uint64_t number)
{
        Call call = CALL(f);

        return call_wait(&call, store_get_system(f->store, number, on_call_system, &call, NULL));
}

FailureCode do_add_all(Fixture *f, uint64_t number, StoreMessage *messages, size_t n, uint64_t head,
        const char *token)
{
        Call call = CALL(f);

        return call_wait(&call,
                store_add_messages(f->store, number, messages, n, head, /* modified= */ 5000 + head,
                        token, on_call_done, &call, NULL));
}

FailureCode do_add(
        Fixture *f, uint64_t number, uint64_t id, uint64_t parent, Role role, const char *content)
{
        StoreMessage m = {
                .id = id,
                .parent = parent,
                .role = role,
                .content = (char *) content,
                .content_size = strlen(content),
                .metadata = (char *) "{}",
                .reason = role == ROLE_ASSISTANT ? REASON_STOP : REASON_NONE,
                .created = 100 + id,
        };

        return do_add_all(f, number, &m, 1, id, /* token= */ NULL);
}

uint64_t add_message(Fixture *f, uint64_t number, uint64_t parent, Role role, const char *content)
{
        uint64_t id = store_next_id(f->store);

        assert_int_equal(do_add(f, number, id, parent, role, content), FAILURE_NONE);
        return id;
}

uint64_t add_live(Fixture *f, uint64_t number, uint64_t parent)
{
        StoreMessage m = {
                .id = store_next_id(f->store),
                .parent = parent,
                .role = ROLE_ASSISTANT,
                .live = true,
        };

        assert_int_equal(do_add_all(f, number, &m, 1, m.id, NULL), FAILURE_NONE);
        return m.id;
}

static void give_back(void *owner, Worker *worker)
{
        StoreMessage *m = owner;

        assert_non_null(m->content);
        m->content = NULL;
}

FailureCode do_end(
        Fixture *f, uint64_t number, uint64_t reply, const char *content, EndReason reason)
{
        StoreMessage m = {
                .id = reply,
                .content = (char *) content,
                .content_size = strlen(content),
                .reason = reason,
        };
        StoreLoan loan = { give_back, &m };
        Call call = CALL(f);
        FailureCode code;

        code = call_wait(
                &call, store_end_reply(f->store, number, &m, &loan, on_call_done, &call, NULL));
        assert_null(m.content); /* given back, once */
        return code;
}

FailureCode do_reopen(Fixture *f, uint64_t number, uint64_t reply)
{
        Call call = CALL(f);

        return call_wait(
                &call, store_reopen_reply(f->store, number, reply, on_call_done, &call, NULL));
}

FailureCode do_find_token(Fixture *f, uint64_t number, const char *token)
{
        Call call = CALL(f);

        return call_wait(
                &call, store_find_token(f->store, number, token, on_call_token, &call, NULL));
}

FailureCode do_page(Fixture *f, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes)
{
        Call call = CALL(f);

        return call_wait(&call,
                store_get_page(
                        f->store, number, id, limit, max_bytes, on_call_messages, &call, NULL));
}

FailureCode do_all(Fixture *f, uint64_t number, uint64_t after, uint32_t limit)
{
        Call call = CALL(f);

        return call_wait(&call,
                store_get_all(
                        f->store, number, after, limit, SIZE_MAX, on_call_messages, &call, NULL));
}

FailureCode do_message(Fixture *f, uint64_t number, uint64_t id)
{
        Call call = CALL(f);

        return call_wait(
                &call, store_get_message(f->store, number, id, on_call_messages, &call, NULL));
}

FailureCode do_context(Fixture *f, uint64_t number, uint64_t id)
{
        Call call = CALL(f);

        return call_wait(
                &call, store_get_context(f->store, number, id, on_call_messages, &call, NULL));
}

FailureCode do_siblings(Fixture *f, uint64_t number, uint64_t id)
{
        Call call = CALL(f);

        return call_wait(
                &call, store_list_siblings(f->store, number, id, on_call_ids, &call, NULL));
}

FailureCode do_head_below(Fixture *f, uint64_t number, uint64_t id)
{
        Call call = CALL(f);

        return call_wait(
                &call, store_find_head_below(f->store, number, id, on_call_ids, &call, NULL));
}

FailureCode do_search(
        Fixture *f, const char *query, StoreSearchFlags flags, uint64_t before, uint32_t limit)
{
        Call call = CALL(f);

        return call_wait(&call,
                store_search(f->store, query, flags, before, limit, on_call_hits, &call, NULL));
}

FailureCode do_text(Fixture *f, uint64_t number, uint64_t reply, Channel channel, uint64_t offset,
        size_t maximum)
{
        Call call = CALL(f);

        return call_wait(&call,
                store_get_text(f->store, number, reply, channel, offset, maximum, on_call_text,
                        &call, NULL));
}

FailureCode do_purge(Fixture *f, uint64_t number)
{
        Call call = CALL(f);

        return call_wait(&call, store_purge(f->store, number, on_call_done, &call, NULL));
}

FailureCode do_purge_deleted(Fixture *f, usec_t before)
{
        Call call = CALL(f);

        return call_wait(&call, store_purge_deleted(f->store, before, on_call_done, &call, NULL));
}
