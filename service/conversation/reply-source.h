/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A reply's content from its start to its end, as bytes for a pipe: out of memory while it lives,
 * else out of the store piece by piece. */

#include "service/conversation/reply.h"
#include "service/store/store.h"

#define REPLY_SOURCE_PIECE KIB(256) /* of a stored reply, read at once */

typedef struct ReplySource ReplySource;
typedef void (*reply_source_wake_t)(void *userdata);

/* wake is called when there is more, or the end, after a peek that found nothing. */
int reply_source_new_live(ReplySource **ret, Reply *r, reply_source_wake_t wake, void *userdata);
/* first: the piece at offset 0. */
int reply_source_new_stored(ReplySource **ret, Store *store, uint64_t conversation, uint64_t reply,
        const StoreText *first, reply_source_wake_t wake, void *userdata);
ReplySource *reply_source_free(ReplySource *s);
DEFINE_CLEANUP(ReplySource *, reply_source_free)

/* As PipeSource has them. */
int reply_source_peek(ReplySource *s, const char **ret, size_t *ret_size);
void reply_source_taken(ReplySource *s, size_t n);
