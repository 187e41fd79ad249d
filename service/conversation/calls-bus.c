/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Methods that change a conversation: each hands its call over and is answered when what it did is
 * durable. Send is in send-bus.c. */

#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/conversation/conversation-face.h"

/* ---- answers ---- */

static void answer_nothing(const Failure *failure, Conversation *c, void *userdata)
{
        (void) call_finish(ASSERT_PTR(userdata), failure, NULL);
}

void conversation_answer_ids(
        const Failure *failure, uint64_t message, uint64_t reply, void *userdata)
{
        call_set_ahead(ASSERT_PTR(userdata));
        (void) call_finish(userdata, failure, "tt", message, reply);
}

static void answer_reply(const Failure *failure, uint64_t message, uint64_t reply, void *userdata)
{
        call_set_ahead(ASSERT_PTR(userdata));
        (void) call_finish(userdata, failure, "t", reply);
}

/* What every handler below goes on with, once it has read its arguments. */
static int take_call(sd_bus_message *m, Manager *manager, Conversation **ret, Call **ret_call,
        sd_bus_error *error)
{
        int r;

        r = call_new(manager->doors, m, ret_call, error);
        if (r < 0)
                return r;
        *ret = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        return 0;
}

/* ---- one string, one switch ---- */

typedef int (*set_string_t)(
        Conversation *c, const char *value, conversation_done_t done, void *userdata, Failure *f);
typedef int (*set_bool_t)(
        Conversation *c, bool value, conversation_done_t done, void *userdata, Failure *f);

static int set_string(sd_bus_message *m, void *userdata, set_string_t set, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        const char *value;
        Conversation *c;
        Call *call;
        int r;

        r = sd_bus_message_read(m, "s", &value);
        if (r < 0)
                return r;
        r = take_call(m, ASSERT_PTR(userdata), &c, &call, error);
        if (r < 0)
                return r;
        r = set(c, value, answer_nothing, call, &failure);
        return call_handed_over(call, r, &failure);
}

static int set_bool(sd_bus_message *m, void *userdata, set_bool_t set, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Conversation *c;
        Call *call;
        int value, r;

        r = sd_bus_message_read(m, "b", &value);
        if (r < 0)
                return r;
        r = take_call(m, ASSERT_PTR(userdata), &c, &call, error);
        if (r < 0)
                return r;
        r = set(c, value, answer_nothing, call, &failure);
        return call_handed_over(call, r, &failure);
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
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        const char *model = NULL;
        uint64_t reply;
        Conversation *c;
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
        r = take_call(m, ASSERT_PTR(userdata), &c, &call, error);
        if (r < 0)
                return r;
        r = conversation_regenerate(c, reply, model, answer_reply, call, &failure);
        return call_handed_over(call, r, &failure);
}

int conversation_method_edit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        uint64_t message;
        const char *text;
        Conversation *c;
        Call *call;
        int r;

        r = sd_bus_message_read(m, "ts", &message, &text);
        if (r < 0)
                return r;
        r = take_call(m, ASSERT_PTR(userdata), &c, &call, error);
        if (r < 0)
                return r;
        r = conversation_edit(c, message, text, conversation_answer_ids, call, &failure);
        return call_handed_over(call, r, &failure);
}

int conversation_method_continue(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        uint64_t reply;
        Conversation *c;
        Call *call;
        int r;

        r = sd_bus_message_read(m, "t", &reply);
        if (r < 0)
                return r;
        r = take_call(m, ASSERT_PTR(userdata), &c, &call, error);
        if (r < 0)
                return r;
        r = conversation_continue(c, reply, answer_reply, call, &failure);
        return call_handed_over(call, r, &failure);
}

int conversation_method_select_branch(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        uint64_t message;
        Conversation *c;
        Call *call;
        int r;

        r = sd_bus_message_read(m, "t", &message);
        if (r < 0)
                return r;
        r = take_call(m, ASSERT_PTR(userdata), &c, &call, error);
        if (r < 0)
                return r;
        r = conversation_select_branch(c, message, answer_nothing, call, &failure);
        return call_handed_over(call, r, &failure);
}
