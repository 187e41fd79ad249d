/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/answers-bus.h"

#include "client/bus/call.h"
#include "client/bus/read.h"
#include "client/desktop/shown.h"
#include "common/log.h"
#include "common/names.h"

#define ANSWER_SHOWN_MAX 1200U /* characters: what a runner can show */

typedef struct Answer {
        Session *session;
        char *question, *text;
        Place place;
        AnswerState state;
        sd_bus_slot *slot;
} Answer;

struct Answers {
        Session *session;
        Answer kept[ANSWERS_KEPT];
        size_t next;
};

static void answer_clear(Answer *a)
{
        if (a->state == ANSWER_COMING)
                session_release(a->session);
        sd_bus_slot_unref(a->slot);
        free(a->question);
        free(a->text);
        *a = (Answer){ 0 };
}

int answers_new(Session *session, Answers **ret)
{
        Answers *a = calloc(1, sizeof *a);

        if (!a)
                return -ENOMEM;
        a->session = session;
        *ret = a;
        return 0;
}

Answers *answers_free(Answers *a)
{
        if (!a)
                return NULL;
        for (size_t i = 0; i < ANSWERS_KEPT; i++)
                answer_clear(&a->kept[i]);
        free(a);
        return NULL;
}

static Answer *find(const Answers *a, const char *question)
{
        for (size_t i = 0; i < ANSWERS_KEPT; i++)
                if (streq_ptr(a->kept[i].question, question))
                        return (Answer *) &a->kept[i];
        return NULL;
}

AnswerState answers_find(
        const Answers *a, const char *question, const char **ret_text, Place *ret_place)
{
        const Answer *found = find(a, question);

        if (!found)
                return ANSWER_NONE;
        *ret_text = strempty(found->text);
        *ret_place = found->place;
        return found->state;
}

/* ---- what came ---- */

static int read_answer(Answer *a, sd_bus_message *m)
{
        const char *text, *conversation = "";
        uint64_t reply = 0;
        const Field fields[] = { { "conversation", 's', &conversation }, { "reply", 't', &reply } };
        int r;

        r = sd_bus_message_read(m, "s", &text);
        if (r >= 0)
                r = read_dictionary(m, fields, ELEMENTSOF(fields));
        if (r >= 0)
                r = place_of(conversation, reply, &a->place);
        return r < 0 ? r : shown_text(text, ANSWER_SHOWN_MAX, &a->text);
}

static int on_answered(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Answer *a = ASSERT_PTR(userdata);
        int r;

        r = error ? client_fail(&failure, -EIO, error) : read_answer(a, m);
        if (r < 0 && !error)
                (void) failure_set_errno(&failure, r, "The service's answer cannot be read");
        if (r < 0) {
                r = shown_text(failure_message(&failure), ANSWER_SHOWN_MAX, &a->text);
                if (r < 0)
                        log_warning_errno(r, "What is wrong cannot be shown, ignoring: %m");
                a->state = ANSWER_FAILED;
        } else
                a->state = ANSWER_HERE;
        session_release(a->session);
        return 0;
}

/* ---- asking ---- */

/* A place for one more: the oldest that has ended. */
static Answer *make_room(Answers *a)
{
        for (size_t i = 0; i < ANSWERS_KEPT; i++) {
                Answer *old = &a->kept[a->next];

                a->next = (a->next + 1) % ANSWERS_KEPT;
                if (old->state != ANSWER_COMING) {
                        answer_clear(old);
                        return old;
                }
        }
        return NULL;
}

static int ask(Answer *a)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = client_new_call(session_bus(a->session), PATH_ROOT, INTERFACE_MANAGER, "Ask", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "sa{sv}", a->question, 0);
        if (r < 0)
                return r;
        return sd_bus_call_async(
                session_bus(a->session), &a->slot, m, on_answered, a, /* usec= */ UINT64_MAX);
}

int answers_ask(Answers *a, const char *question)
{
        Answer *asked = find(a, question);
        int r;

        if (asked && asked->state != ANSWER_FAILED)
                return 0;
        if (asked)
                answer_clear(asked);
        else
                asked = make_room(a);
        if (!asked)
                return -EBUSY;
        asked->session = a->session;
        asked->question = strdup(question);
        r = asked->question ? ask(asked) : -ENOMEM;
        if (r < 0) {
                answer_clear(asked);
                return r;
        }
        asked->state = ANSWER_COMING;
        session_hold(a->session);
        return 0;
}
