/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A reply's way from its question to the engine, and its text's way back. */

#include "common/event-util.h"
#include "common/log.h"
#include "common/message-ids.h"
#include "common/utf8.h"
#include "service/conversation/conversation-internal.h"

/* ---- text ---- */

static int on_filtered_text(const char *text, size_t size, void *userdata)
{
        return reply_append(ASSERT_PTR(userdata), CHANNEL_CONTENT, text, size);
}

static int on_filtered_command(const char *verb, char *const *arguments, void *userdata)
{
        Reply *r = ASSERT_PTR(userdata);
        int error;

        if (r->flags & REPLY_CLOSED)
                return -ECANCELED;
        if (r->n_commands == AVATAR_COMMANDS_MAX)
                return 0;
        r->n_commands++;
        error = avatar_apply(r->avatar, verb, arguments);
        if (error < 0)
                log_debug_errno(error, "Failed to carry out an avatar's command, ignoring: %m");
        conversations_tell(
                r->parent, avatar_command, r, r->text[CHANNEL_CONTENT].size, verb, arguments);
        return 0;
}

static const AvatarFilterOps filter_ops = {
        .text = on_filtered_text,
        .command = on_filtered_command,
};

static int feed(Reply *r, Channel channel, const char *text, size_t size)
{
        if (channel == CHANNEL_CONTENT && r->avatar)
                return avatar_filter_feed(&r->filter, text, size, &filter_ops, r);
        return reply_append(r, channel, text, size);
}

/* Text could not be taken. */
static void text_refused(Reply *r, int error)
{
        EndReason reason = REASON_LENGTH;

        if (error == -ECANCELED) /* it ended while it was told of its text */
                return;
        if (error == -EFBIG)
                log_info("A reply reached the limit of %zu bytes: it ends here.", REPLY_TEXT_MAX);
        else {
                (void) failure_set_errno(&r->failure, error, "The reply's text could not be kept");
                reason = REASON_FAILED;
        }
        if (r->phase == REPLY_PHASE_FINISHING)
                r->info.reason = reason;
        else
                reply_finish(r, reason);
}

void reply_close_text(Reply *r)
{
        int error = 0;

        if (r->avatar)
                error = avatar_filter_flush(&r->filter, &filter_ops, r);
        r->flags |= REPLY_CLOSED;
        if (error < 0)
                text_refused(r, error);
}

/* ---- what came before the question was durable ---- */

bool reply_has_held(const Reply *r)
{
        for (Channel channel = 0; channel < _CHANNEL_MAX; channel++)
                if (r->held[channel].size > 0)
                        return true;
        return false;
}

static void drop_held(Reply *r, Channel channel)
{
        buffer_done(&r->held[channel]);
        r->fed[channel] = 0;
}

/* A part of it. */
static int feed_held(Reply *r)
{
        size_t left = REPLY_HELD_TURN;

        for (Channel channel = _CHANNEL_MAX; channel-- > 0;) {
                size_t at = r->fed[channel], size = r->held[channel].size;
                const char *text = buffer_text(&r->held[channel]) + at;
                size_t n = utf8_cut(text, size - at, left);
                int error;

                if (size == 0)
                        continue;
                error = feed(r, channel, text, n);
                if (error < 0)
                        return error;
                left -= n;
                r->fed[channel] += n;
                if (r->fed[channel] < size)
                        return 0;
                drop_held(r, channel);
        }
        return 0;
}

/* Nobody may have seen it until now. What comes meanwhile goes behind it, and the end, too. */
static void feed_more(Reply *r)
{
        int error;

        if (r->flags & REPLY_CLOSED)
                return;
        error = feed_held(r);
        if (error < 0) {
                for (Channel channel = 0; channel < _CHANNEL_MAX; channel++)
                        drop_held(r, channel);
                text_refused(r, error);
        }
        /* Whoever was told may have done away with the conversation. */
        if (r->flags & REPLY_CLOSED)
                return;
        if (reply_has_held(r))
                event_source_arm(r->parent->feed, "a reply's text");
        else if (r->phase == REPLY_PHASE_FINISHING)
                reply_close(r);
}

int replies_feed(sd_event_source *source, void *userdata)
{
        Conversations *cs = ASSERT_PTR(userdata);
        Reply *r = cs->replies;

        while (r && !((r->flags & REPLY_DURABLE) && reply_has_held(r)))
                r = r->all_next;
        if (!r)
                return 0;
        /* For the others that have some. */
        event_source_arm(source, "a reply's text");
        (void) reply_ref(r);
        feed_more(r);
        reply_unref(r);
        return 0;
}

static void tell_phase(Reply *r)
{
        if (!(r->flags & REPLY_DURABLE) || r->phase != REPLY_PHASE_ASKING ||
                r->info.first_token > 0)
                return;
        if (!isempty(r->phase_text) || r->info.place > 0)
                conversations_tell(r->parent, reply_phase, r);
}

void reply_became_durable(Reply *r)
{
        _cleanup_(reply_unrefp) _unused_ Reply *pin = reply_ref(r);

        reply_log(r, LOG_INFO, MESSAGE_REPLY_STARTED, "started");
        conversations_tell(r->parent, reply_started, r);
        tell_phase(r);
        conversation_update_state(r->conversation);
        replies_update_avatar(r->parent, AVATAR_IDLE);

        feed_more(r);
}

/* ---- the engine ---- */

static void set_string(char **p, const char *value)
{
        if (free_and_strdup(p, value) < 0)
                log_oom();
}

static void remember_model(Reply *r)
{
        Conversations *cs = r->parent;
        _cleanup_free_ char *name = NULL;
        int error;

        /* Of a private conversation nothing is kept. */
        if (conversation_private(r->conversation))
                return;
        if (asprintf(&name, "%s/%s", strempty(r->engine_name), strempty(r->model)) < 0) {
                log_oom();
                return;
        }
        if (streq_ptr(name, cs->last_model))
                return;

        error = store_set_setting(cs->store, "last_model", name, NULL, NULL, NULL);
        if (error >= 0)
                error = engines_set_last_model(cs->engines, name);
        if (error < 0)
                log_warning_errno(
                        error, "Failed to remember the model that was used last, ignoring: %m");
        free(cs->last_model);
        cs->last_model = TAKE_PTR(name);
}

static void on_routed(const char *engine, const char *model, void *userdata)
{
        Reply *r = ASSERT_PTR(userdata);

        set_string(&r->engine_name, engine);
        set_string(&r->model, model);
        remember_model(r);
}

static void on_place(unsigned place, void *userdata)
{
        Reply *r = ASSERT_PTR(userdata);

        r->info.place = place;
        tell_phase(r);
}

static void on_phase(const char *phase, void *userdata)
{
        Reply *r = ASSERT_PTR(userdata);

        set_string(&r->phase_text, phase);
        tell_phase(r);
}

static void on_text(Channel channel, const char *text, size_t size, void *userdata)
{
        _cleanup_(reply_unrefp) Reply *r = reply_ref(ASSERT_PTR(userdata));
        int error;

        if (r->info.first_token == 0)
                r->info.first_token = usec_now(CLOCK_MONOTONIC) - r->started;
        r->info.place = 0;
        if ((r->flags & REPLY_DURABLE) && !reply_has_held(r))
                error = feed(r, channel, text, size);
        else
                error = buffer_append(&r->held[channel], text, size);
        if (error < 0)
                text_refused(r, error);
}

static void on_ended(const EngineOutcome *outcome, void *userdata)
{
        _cleanup_(reply_unrefp) Reply *r = reply_ref(ASSERT_PTR(userdata));

        if (outcome->engine)
                set_string(&r->engine_name, outcome->engine);
        if (outcome->model)
                set_string(&r->model, outcome->model);
        set_string(&r->note, outcome->note);
        r->info.tokens_in = outcome->tokens_in;
        r->info.tokens_out = outcome->tokens_out;
        r->info.context_used = outcome->context_used;
        r->info.context_size = outcome->context_size;
        r->info.estimated = outcome->context_estimated;
        r->info.tokens_per_second = outcome->tokens_per_second;
        r->info.elapsed = outcome->elapsed;
        r->info.first_token = outcome->first_token;
        r->info.dropped_messages = outcome->dropped_messages;
        if (outcome->dropped_messages > 0)
                conversation_set_flag(r->conversation, CONVERSATION_CUT_TOLD, true);
        if (outcome->reason == REASON_FAILED)
                failure_copy(&r->failure, &outcome->failure);
        reply_finish(r, outcome->reason);
}

static const EngineReplyOps engine_ops = {
        .routed = on_routed,
        .place = on_place,
        .phase = on_phase,
        .text = on_text,
        .ended = on_ended,
};

void reply_disconnect(Reply *r)
{
        r->engine = engine_reply_free(r->engine);
        r->slot = store_slot_free(r->slot);
        r->question = mfree(r->question);
}

static int ask(Reply *r, StoreMessages *messages, const char *system)
{
        bool title = !(r->conversation->flags & CONVERSATION_TITLE_SET);
        Prompt *prompt;
        int error;

        if (conversations_live(r->parent) >= REPLIES_LIVE_MAX)
                return failure_set(&r->failure, FAILURE_BUSY,
                        "%u replies are live, which is the limit. Try again when one has ended.",
                        REPLIES_LIVE_MAX);
        error = question_new_prompt(&prompt, messages, system, &r->question,
                r->flags & REPLY_CONTINUES ? PROMPT_CONTINUES : 0, title ? &r->title : NULL);
        r->question = mfree(r->question);
        if (error < 0)
                return failure_set_errno(
                        &r->failure, error, "The question could not be put together");
        prompt->cut_told = r->conversation->flags & CONVERSATION_CUT_TOLD;
        r->phase = REPLY_PHASE_ASKING;
        return engines_ask(r->parent->engines, strempty(r->asked_model), prompt, &engine_ops, r,
                &r->engine, &r->failure);
}

/* ---- the context ---- */

static void context_failed(Reply *r, const Failure *failure)
{
        if (failure)
                failure_copy(&r->failure, failure);
        reply_finish(r, REASON_FAILED);
}

static void on_context(const Failure *failure, StoreMessages *messages, void *userdata)
{
        _cleanup_(reply_unrefp) Reply *r = reply_ref(ASSERT_PTR(userdata));
        int error = 0;

        r->slot = store_slot_free(r->slot);
        if (!failure) {
                error = ask(r, messages, NULL);
                store_messages_free(messages);
        }
        if (failure || error < 0)
                context_failed(r, failure);
}

static void on_system(const Failure *failure, const char *system, void *userdata)
{
        _cleanup_(reply_unrefp) Reply *r = reply_ref(ASSERT_PTR(userdata));

        r->slot = store_slot_free(r->slot);
        if (failure || ask(r, NULL, system) < 0)
                context_failed(r, failure);
}

static bool is_first(const Reply *r)
{
        for (const Reply *p = r->conversation->replies; p != r; p = p->next)
                if (reply_is_live(p))
                        return false;
        return true;
}

int reply_begin(Reply *r, Failure *failure)
{
        Store *store = r->parent->store;
        uint64_t number = r->conversation->number;
        int error;

        if (r->phase != REPLY_PHASE_QUEUED || !is_first(r))
                return 0;
        r->phase = REPLY_PHASE_LOADING;
        if (r->context > 0)
                error = store_get_context(store, number, r->context, on_context, r, &r->slot);
        else
                error = store_get_system(store, number, on_system, r, &r->slot);
        if (error < 0)
                return failure_set_errno(failure, error, "The conversation could not be read");
        return 0;
}

void conversation_begin_next(Conversation *c)
{
        for (Reply *r = c->replies; r; r = r->next) {
                if (!reply_is_live(r))
                        continue;
                if (reply_begin(r, &r->failure) < 0)
                        reply_finish(r, REASON_FAILED);
                return;
        }
}
