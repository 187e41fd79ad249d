/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A store in a folder of its own, and each request as a call that returns its completion. What a
 * call got is in the fixture until the next one. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "service/store/store.h"

typedef struct Fixture {
        char *folder;
        char *path; /* the database; its folder is made by the store */
        sd_event *event;
        Store *store;
        StoreIndex *index;

        bool opened;
        Failure failure; /* of the last call */
        StoreMessages *messages;
        char *text;
        StoreText part;
        uint64_t ids[64];
        size_t n_ids;
        StoreHit hits[64];
        size_t n_hits;

        unsigned notices[4];
        char *notice; /* the last one's detail */
} Fixture;

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* As a start and an end of the service: what was got is forgotten. */
FailureCode fixture_open(Fixture *f);
void fixture_close(Fixture *f);
void fixture_forget(Fixture *f);
/* The name of a file beside the database; the caller frees. */
char *fixture_beside(const Fixture *f, const char *suffix);
void fixture_wait_notice(Fixture *f, StoreNoticeKind kind);
/* Until the store has nothing to do. */
void fixture_settle(Fixture *f);

/* ---- a request of one's own ---- */

typedef struct Call {
        Fixture *f;
        bool done;
} Call;

#define CALL(fixture) \
        ({ \
                fixture_forget(fixture); \
                (Call){ .f = (fixture) }; \
        })

/* r: what the request returned. The code of the failure, FAILURE_NONE on success. */
FailureCode call_wait(Call *c, int r);

/* The completions; userdata is the Call. */
void on_call_done(const Failure *failure, void *userdata);
void on_call_messages(const Failure *failure, StoreMessages *messages, void *userdata);

/* ---- requests that are waited for ---- */

FailureCode do_create(Fixture *f, uint64_t number, const char *title);
FailureCode do_update(Fixture *f, const StoreConversation *c, StoreField fields);
FailureCode do_set_setting(Fixture *f, const char *key, const char *value);
FailureCode do_set_system(Fixture *f, uint64_t number, const char *system);
FailureCode do_get_system(Fixture *f, uint64_t number);
FailureCode do_add_all(Fixture *f, uint64_t number, StoreMessage *messages, size_t n, uint64_t head,
        const char *token);
FailureCode do_add(
        Fixture *f, uint64_t number, uint64_t id, uint64_t parent, Role role, const char *content);
FailureCode do_end(
        Fixture *f, uint64_t number, uint64_t reply, const char *content, EndReason reason);
FailureCode do_reopen(Fixture *f, uint64_t number, uint64_t reply);
FailureCode do_find_token(Fixture *f, uint64_t number, const char *token);
FailureCode do_page(Fixture *f, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes);
FailureCode do_all(Fixture *f, uint64_t number, uint64_t after, uint32_t limit);
FailureCode do_message(Fixture *f, uint64_t number, uint64_t id);
FailureCode do_context(Fixture *f, uint64_t number, uint64_t id);
FailureCode do_siblings(Fixture *f, uint64_t number, uint64_t id);
FailureCode do_head_below(Fixture *f, uint64_t number, uint64_t id);
FailureCode do_text(Fixture *f, uint64_t number, uint64_t reply, Channel channel, uint64_t offset,
        size_t maximum);
FailureCode do_search(
        Fixture *f, const char *query, StoreSearchFlags flags, uint64_t before, uint32_t limit);
FailureCode do_purge(Fixture *f, uint64_t number);
FailureCode do_purge_deleted(Fixture *f, usec_t before);

/* And that succeed; they return the new number or id. */
uint64_t make_conversation(Fixture *f, const char *title);
uint64_t add_message(Fixture *f, uint64_t number, uint64_t parent, Role role, const char *content);
uint64_t add_live(Fixture *f, uint64_t number, uint64_t parent);
