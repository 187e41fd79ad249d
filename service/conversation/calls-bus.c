/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Methods that change a conversation: each hands its call over and is answered when what it did is
 * durable. Send is in send-bus.c. */

#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/conversation/conversation-face.h"

/* ---- answers ---- */

static void answer_nothing(const Failure *failure, Conversation *c, void *userdata)
{
        Call *call = ASSERT_PTR(userdata);

        if (failure)
                (void) call_fail(call, failure);
        else
                (void) call_reply(call, NULL);
}

void conversation_answer_ids(
        const Failure *failure, uint64_t message, uint64_t reply, void *userdata)
{
        Call *call = ASSERT_PTR(userdata);

        if (failure)
                (void) call_fail(call, failure);
        else
                (void) call_reply(call, "tt", message, reply);
}

static void answer_reply(const Failure *failure, uint64_t message, uint64_t reply, void *userdata)
{
        Call *call = ASSERT_PTR(userdata);

        if (failure)
                (void) call_fail(call, failure);
        else
                (void) call_reply(call, "t", reply);
}

int conversation_handed_over(int r, Call *call, const Failure *failure)
{
        if (r < 0)
                (void) call_fail(call, failure);
        return 1;
}

/* ---- one string, one switch ---- */

typedef int (*set_string_t)(
        Conversation *c, const char *value, conversation_done_t done, void *userdata, Failure *f);
typedef int (*set_bool_t)(
        Conversation *c, bool value, conversation_done_t done, void *userdata, Failure *f);

static int set_string(sd_bus_message *m, void *userdata, set_string_t set, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        const char *value;
        Call *call;
        int r;

        r = sd_bus_message_read(m, "s", &value);
        if (r < 0)
                return r;
        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = set(c, value, answer_nothing, call, &failure);
        return conversation_handed_over(r, call, &failure);
}

static int set_bool(sd_bus_message *m, void *userdata, set_bool_t set, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Call *call;
        int value, r;

        r = sd_bus_message_read(m, "b", &value);
        if (r < 0)
                return r;
        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = set(c, value, answer_nothing, call, &failure);
        return conversation_handed_over(r, call, &failure);
}

int conversation_method_set_title(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return set_string(m, userdata, conversation_set_title, error);
}

int conversation_method_set_model(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return set_string(m, userdata, conversation_set_model, error);
}

int conversation_method_set_system(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return set_string(m, userdata, conversation_set_system, error);
}

int conversation_method_archive(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return set_bool(m, userdata, conversation_set_archived, error);
}

int conversation_method_hide(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return set_bool(m, userdata, conversation_set_hidden, error);
}

/* ---- replies and branches ---- */

int conversation_method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        uint64_t reply;
        int r;

        r = sd_bus_message_read(m, "t", &reply);
        if (r < 0)
                return r;
        r = conversation_cancel(c, reply, &failure);
        if (r < 0)
                return bus_error_from_failure(error, &failure);
        return sd_bus_reply_method_return(m, NULL);
}

int conversation_method_regenerate(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        const char *model = NULL;
        uint64_t reply;
        Call *call;
        int r;

        r = sd_bus_message_read(m, "t", &reply);
        if (r < 0)
                return r;
        const BusOption options[] = {
                { "model", "s", &model },
        };
        r = bus_read_options(m, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = conversation_regenerate(c, reply, model, answer_reply, call, &failure);
        return conversation_handed_over(r, call, &failure);
}

int conversation_method_edit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        uint64_t message;
        const char *text;
        Call *call;
        int r;

        r = sd_bus_message_read(m, "ts", &message, &text);
        if (r < 0)
                return r;
        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = conversation_edit(c, message, text, conversation_answer_ids, call, &failure);
        return conversation_handed_over(r, call, &failure);
}

int conversation_method_continue(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        uint64_t reply;
        Call *call;
        int r;

        r = sd_bus_message_read(m, "t", &reply);
        if (r < 0)
                return r;
        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = conversation_continue(c, reply, answer_reply, call, &failure);
        return conversation_handed_over(r, call, &failure);
}

int conversation_method_select_branch(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        uint64_t message;
        Call *call;
        int r;

        r = sd_bus_message_read(m, "t", &message);
        if (r < 0)
                return r;
        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = conversation_select_branch(c, message, answer_nothing, call, &failure);
        return conversation_handed_over(r, call, &failure);
}
