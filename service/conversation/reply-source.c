/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/reply-source.h"

struct ReplySource {
        reply_source_wake_t wake;
        void *userdata;
        uint64_t offset; /* taken up to here */

        Reply *reply; /* live: held by the watch */
        ReplyWatch *watch;
        bool ended;

        Store *store; /* stored */
        StoreSlot *slot;
        uint64_t conversation, id, total;
        char *piece;
        size_t piece_size, piece_at;
        int error;
};

ReplySource *reply_source_free(ReplySource *s)
{
        if (!s)
                return NULL;
        reply_watch_free(s->watch);
        store_slot_free(s->slot);
        free(s->piece);
        free(s);
        return NULL;
}

/* ---- live ---- */

static void on_text(Reply *r, void *userdata)
{
        ReplySource *s = ASSERT_PTR(userdata);

        s->wake(s->userdata);
}

static void on_ended(Reply *r, void *userdata)
{
        ReplySource *s = ASSERT_PTR(userdata);

        s->ended = true;
        s->wake(s->userdata);
}

int reply_source_new_live(ReplySource **ret, Reply *r, reply_source_wake_t wake, void *userdata)
{
        static const ReplyWatchOps ops = { .text = on_text, .ended = on_ended };
        _cleanup_(reply_source_freep) ReplySource *s = NULL;
        int error;

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->wake = wake;
        s->userdata = userdata;
        s->reply = r;
        s->ended = reply_state(r) == REPLY_ENDED;
        error = reply_watch(r, &ops, s, &s->watch);
        if (error < 0)
                return error;
        *ret = TAKE_PTR(s);
        return 0;
}

static int peek_live(const ReplySource *s, const char **ret, size_t *ret_size)
{
        const char *text;
        size_t total;

        text = reply_text(s->reply, CHANNEL_CONTENT, &total);
        if (s->offset >= total)
                return s->ended ? -ENODATA : 0;
        *ret = text + s->offset;
        *ret_size = total - s->offset;
        return 1;
}

/* ---- stored ---- */

static int take_piece(ReplySource *s, const StoreText *text)
{
        char *piece;

        piece = malloc(MAX(text->size, (size_t) 1));
        if (!piece)
                return -ENOMEM;
        if (text->size > 0)
                memcpy(piece, text->text, text->size);
        free(s->piece);
        s->piece = piece;
        s->piece_size = text->size;
        s->piece_at = 0;
        s->total = text->total;
        return 0;
}

int reply_source_new_stored(ReplySource **ret, Store *store, uint64_t conversation, uint64_t reply,
        const StoreText *first, reply_source_wake_t wake, void *userdata)
{
        _cleanup_(reply_source_freep) ReplySource *s = NULL;
        int r;

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->wake = wake;
        s->userdata = userdata;
        s->store = store;
        s->conversation = conversation;
        s->id = reply;
        r = take_piece(s, first);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

static void on_piece(const Failure *failure, const StoreText *text, void *userdata)
{
        ReplySource *s = ASSERT_PTR(userdata);

        s->slot = store_slot_free(s->slot);
        if (failure)
                s->error = failure_code_to_errno(failure->code);
        else
                s->error = text->offset == s->offset ? take_piece(s, text) : -EIO;
        s->wake(s->userdata);
}

static int peek_stored(ReplySource *s, const char **ret, size_t *ret_size)
{
        int r;

        if (s->error < 0)
                return s->error;
        if (s->piece_at < s->piece_size) {
                *ret = s->piece + s->piece_at;
                *ret_size = s->piece_size - s->piece_at;
                return 1;
        }
        if (s->offset >= s->total)
                return -ENODATA;
        if (s->slot)
                return 0;
        r = store_get_text(s->store, s->conversation, s->id, CHANNEL_CONTENT, s->offset,
                REPLY_SOURCE_PIECE, on_piece, s, &s->slot);
        return r < 0 ? r : 0;
}

/* ---- both ---- */

int reply_source_peek(ReplySource *s, const char **ret, size_t *ret_size)
{
        return s->reply ? peek_live(s, ret, ret_size) : peek_stored(s, ret, ret_size);
}

void reply_source_taken(ReplySource *s, size_t n)
{
        s->offset += n;
        if (!s->reply)
                s->piece_at += n;
}
