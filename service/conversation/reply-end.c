/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Saving a reply while it lives, and its end. What cannot be written stays in memory and is tried
 * again when a later write succeeds. */

#include <inttypes.h>

#include "common/log.h"
#include "common/message-ids.h"
#include "common/utf8.h"
#include "service/conversation/conversation-internal.h"

/* What has come is on the disk a second later: what is left of it is for the disk. */
#define SAVE_USEC     (700 * USEC_PER_MSEC)
#define SAVE_ACCURACY (100 * USEC_PER_MSEC)
#define SAVE_TURN_MAX MIB(1) /* is copied in one turn of the loop */
#define CHARACTER_MAX 4U     /* bytes of one in UTF-8 */

void reply_log(const Reply *r, int level, const char *message_id, const char *what)
{
        char id[SD_ID128_STRING_MAX], conversation[64], reply[48];
        const char *const fields[] = { conversation, reply, NULL };

        /* Of what is private not even the name is written. */
        if (conversation_private(r->conversation))
                return;
        (void) sd_id128_to_string(r->conversation->id, id);
        (void) snprintf(conversation, sizeof conversation, "CONDUCTOR_CONVERSATION=%s", id);
        (void) snprintf(reply, sizeof reply, "CONDUCTOR_REPLY=%" PRIu64, r->id);
        log_struct(level, message_id, fields, "Reply %" PRIu64 " in conversation %s %s", r->id, id,
                what);
}

/* ---- while it streams ---- */

static bool has_unsaved(const Reply *r)
{
        if (r->phase != REPLY_PHASE_ASKING || !(r->flags & REPLY_DURABLE))
                return false;
        for (Channel channel = 0; channel < _CHANNEL_MAX; channel++)
                if (r->saved[channel] < r->text[channel].size)
                        return true;
        return false;
}

static int on_save(sd_event_source *source, uint64_t usec, void *userdata);

/* In so much time, unless it is to come anyway. */
static int save_in(Conversations *cs, usec_t usec)
{
        int enabled, r;

        if (!cs->save) {
                r = sd_event_add_time_relative(
                        cs->event, &cs->save, CLOCK_MONOTONIC, usec, SAVE_ACCURACY, on_save, cs);
                if (r >= 0)
                        (void) sd_event_source_set_description(cs->save, "reply-save");
                return r;
        }
        r = sd_event_source_get_enabled(cs->save, &enabled);
        if (r < 0 || enabled != SD_EVENT_OFF)
                return r;
        r = sd_event_source_set_time_relative(cs->save, usec);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(cs->save, SD_EVENT_ONESHOT);
}

static void save_again(Conversations *cs, usec_t usec)
{
        int r;

        r = save_in(cs, usec);
        if (r < 0)
                log_error_errno(r, "Failed to set the time to save live replies, ignoring: %m");
}

void replies_save_later(Conversations *cs)
{
        save_again(cs, SAVE_USEC);
}

static void on_saved(const Failure *failure, void *userdata)
{
        ReplySave *s = ASSERT_PTR(userdata);
        Reply *r = s->reply;

        s->slot = store_slot_free(s->slot);
        /* It goes with the next text: what is saved behind a gap is of no use to anybody. */
        if (failure)
                r->saved[s - r->saves] = s->from;
        else if (has_unsaved(r))
                save_again(r->parent, 0);
}

/* At most *left bytes; one after the other. */
static void save(Reply *r, size_t *left)
{
        for (Channel channel = 0; channel < _CHANNEL_MAX; channel++) {
                const Buffer *text = &r->text[channel];
                size_t from = r->saved[channel], size;
                ReplySave *s = &r->saves[channel];
                int error;

                if (from == text->size || s->slot)
                        continue;
                size = utf8_cut(text->data + from, text->size - from, *left);
                if (size == 0)
                        return;
                error = store_append_reply(r->parent->store, r->conversation->number, r->id,
                        channel, from, text->data + from, size, on_saved, s, &s->slot);
                if (error < 0) {
                        log_warning_errno(error,
                                "Failed to save what came of a reply, trying again with the next "
                                "text: %m");
                        return;
                }
                s->from = from;
                r->saved[channel] += size;
                *left -= size;
        }
}

static int on_save(sd_event_source *source, uint64_t usec, void *userdata)
{
        Conversations *cs = ASSERT_PTR(userdata);
        size_t left = SAVE_TURN_MAX;
        int r;

        for (Reply *reply = cs->replies; reply; reply = reply->all_next)
                if (has_unsaved(reply))
                        save(reply, &left);
        /* A character that does not fit ends it, too. */
        if (left >= CHARACTER_MAX)
                return 0;
        r = sd_event_source_set_time_relative(source, 0);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- its end ---- */

/* Once: whoever waits for it must not wait for space. */
static void tell_unstored(Reply *r, const Failure *failure)
{
        Conversations *cs = r->parent;

        (void) failure_set(&r->unstored, failure->code,
                "%s The reply is kept in memory, and stored with the next message that can be.",
                failure_message(failure));
        r->flags |= REPLY_STUCK_TOLD;
        conversations_tell(
                cs, notice, LOG_ERR, "A reply could not be stored", failure_message(&r->unstored));
        reply_tell_ended(r);
        conversations_tell(cs, reply_ended, r);
        replies_update_avatar(cs, AVATAR_WORRIED);
}

static void stuck(Reply *r, const Failure *failure)
{
        _cleanup_(reply_unrefp) _unused_ Reply *pin = reply_ref(r);
        Conversations *cs = r->parent;

        log_error("The end of a reply could not be stored, it is kept in memory and tried again "
                  "with the next write: %s",
                failure_message(failure));
        r->phase = REPLY_PHASE_STUCK;
        if (!(r->flags & REPLY_STUCK_TOLD))
                tell_unstored(r, failure);
        conversation_update_state(r->conversation);
        conversation_begin_next(r->conversation);
        conversations_check_stopped(cs);
}

/* It ends the first exchange of a conversation that nobody gave a title. */
static bool names_conversation(const Reply *r)
{
        return !isempty(r->title) && !(r->conversation->flags & CONVERSATION_TITLE_SET);
}

static ConversationChange take_end(Conversation *c, Reply *r)
{
        ConversationChange what = CONVERSATION_CHANGED_MODIFIED;

        conversation_touch(c, r->modified);
        if (r->info.context_used > 0 || r->info.context_size > 0) {
                c->context_used = r->info.context_used;
                c->context_size = r->info.context_size;
                what |= CONVERSATION_CHANGED_CONTEXT;
        }
        if (names_conversation(r)) {
                free(c->title);
                c->title = TAKE_PTR(r->title);
                c->flags |= CONVERSATION_TITLE_SET;
                what |= CONVERSATION_CHANGED_TITLE;
        }
        c->last_ended = MAX(c->last_ended, r->id);
        c->unread++;
        return what;
}

static void log_end(const Reply *r)
{
        _cleanup_free_ char *what = NULL;
        bool failed = r->info.reason == REASON_FAILED;

        if (asprintf(&what, "%s: %s", failed ? "failed" : "ended",
                    failed ? failure_message(&r->failure) : end_reason_to_string(r->info.reason)) <
                0)
                what = NULL;
        reply_log(r, failed ? LOG_WARNING : LOG_INFO,
                failed ? MESSAGE_REPLY_FAILED : MESSAGE_REPLY_ENDED, what ? what : "ended");
}

void reply_announce_end(Reply *r, Conversations *cs)
{
        if (r->flags & REPLY_STUCK_TOLD)
                return;
        reply_tell_ended(r);
        if (r->flags & REPLY_DURABLE)
                conversations_tell(cs, reply_ended, r);
}

static void ended(Reply *r, bool stored)
{
        _cleanup_(reply_unrefp) _unused_ Reply *pin = reply_ref(r);
        Conversations *cs = r->parent;
        _cleanup_(conversation_unrefp) Conversation *c = conversation_ref(r->conversation);
        bool failed = r->info.reason == REASON_FAILED;

        r->phase = REPLY_PHASE_ENDED;
        if (stored)
                conversation_changed(c, take_end(c, r));
        conversation_update_state(c);
        reply_unlink(r);
        log_end(r);
        if (stored && r->flags & REPLY_STUCK_TOLD)
                conversations_tell(cs, reply_stored, r);
        reply_announce_end(r, cs);
        replies_update_avatar(cs, failed ? AVATAR_WORRIED : AVATAR_IDLE);
        conversation_begin_next(c);
}

/* Its conversation is being purged, or a salvage did not find its row: space would not help. */
static bool has_no_place(const Failure *failure)
{
        return failure &&
                (failure->code == FAILURE_NO_SUCH_CONVERSATION ||
                        failure->code == FAILURE_NO_SUCH_MESSAGE);
}

static void on_end_written(const Failure *failure, void *userdata)
{
        _cleanup_(reply_unrefp) Reply *r = reply_ref(ASSERT_PTR(userdata));
        Conversations *cs = r->parent;

        r->slot = store_slot_free(r->slot);
        if (failure && !has_no_place(failure)) {
                stuck(r, failure);
                return;
        }
        ended(r, /* stored= */ !failure);
        if (!failure)
                replies_retry(cs);
        conversations_check_stopped(cs);
}

/* With the end, in one commit: what the list of conversations shows. */
static void write_conversation(const Reply *r)
{
        StoreConversation stored = {
                .number = r->conversation->number,
                .title = r->title,
                .title_set = true,
                .modified = r->modified,
                .context_used = r->info.context_used,
                .context_size = r->info.context_size,
        };
        StoreField fields = STORE_MODIFIED;
        int error;

        if (names_conversation(r))
                fields |= STORE_TITLE;
        if (stored.context_used > 0 || stored.context_size > 0)
                fields |= STORE_CONTEXT;
        error = store_update_conversation(r->parent->store, &stored, fields, NULL, NULL, NULL);
        if (error < 0)
                log_warning_errno(error,
                        "Failed to store when a conversation changed, "
                        "ignoring: %m");
}

static void release_text(void *owner, Worker *worker)
{
        reply_text_unref(owner, worker);
}

static void write_end(Reply *r)
{
        StoreLoan loan = { release_text, r->shared };
        _cleanup_free_ char *metadata = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        StoreMessage m = {
                .id = r->id,
                .parent = r->message,
                .role = ROLE_ASSISTANT,
                .content = (char *) buffer_text(&r->text[CHANNEL_CONTENT]),
                .content_size = r->text[CHANNEL_CONTENT].size,
                .reasoning = (char *) buffer_text(&r->text[CHANNEL_REASONING]),
                .reasoning_size = r->text[CHANNEL_REASONING].size,
                .reason = r->info.reason,
                .created = r->created,
        };
        int error;

        error = reply_metadata(r, &metadata);
        if (error < 0)
                log_warning_errno(error,
                        "Failed to write down how a reply came about, "
                        "ignoring: %m");
        m.metadata = metadata ? metadata : (char *) "";
        r->shared->n_ref++;
        error = store_end_reply(
                r->parent->store, r->conversation->number, &m, &loan, on_end_written, r, &r->slot);
        if (error < 0) {
                (void) failure_set_errno(&failure, error, "The reply could not be stored");
                stuck(r, &failure);
                return;
        }
        write_conversation(r);
}

void reply_close(Reply *r)
{
        reply_close_text(r);
        reply_flush(r);
        /* Whoever was told may have done away with the conversation. */
        if (r->parent)
                write_end(r);
}

void reply_finish(Reply *r, EndReason reason)
{
        _cleanup_(reply_unrefp) _unused_ Reply *pin = reply_ref(r);

        if (r->phase >= REPLY_PHASE_FINISHING)
                return;
        r->phase = REPLY_PHASE_FINISHING;
        r->info.reason = reason;
        r->info.place = 0;
        if (reason == REASON_FAILED && !failure_is_set(&r->failure))
                (void) failure_set(&r->failure, FAILURE_INTERNAL, NULL);
        reply_disconnect(r);
        if (r->info.elapsed == 0)
                r->info.elapsed = usec_now(CLOCK_MONOTONIC) - r->started;
        r->modified = usec_now(CLOCK_REALTIME);
        if ((r->flags & REPLY_DURABLE) && !reply_has_held(r))
                reply_close(r);
}

bool reply_abandon(Reply *r)
{
        _cleanup_(reply_unrefp) _unused_ Reply *pin = reply_ref(r);
        bool had_ended = r->phase == REPLY_PHASE_ENDED;

        reply_disconnect(r);
        r->flags |= REPLY_CLOSED;
        conversation_unlist_reply(r);
        if (!had_ended) {
                r->phase = REPLY_PHASE_ENDED;
                if (r->info.reason == REASON_NONE)
                        r->info.reason = REASON_CANCELLED;
                reply_unlink(r);
        }
        r->parent = NULL;
        return !had_ended;
}

void replies_retry(Conversations *cs)
{
        for (Reply *r = cs->replies, *next; r; r = next) {
                next = r->all_next;
                if (r->phase != REPLY_PHASE_STUCK)
                        continue;
                r->phase = REPLY_PHASE_FINISHING;
                write_end(r);
        }
}
