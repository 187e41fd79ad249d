/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reads conversations back from what export.h describes as jsonl. Blocks: for a thread of its own.
 * The file is a stranger's: every line is checked, and a conversation is given out only when all of
 * it was right. Errors name the line. */

#include "service/conversation/export.h"

/* A line is in memory three times while it is read, a conversation's texts twice while it is
 * stored: both must fit into what the service may have. */
#define IMPORT_LINE_MAX         (2 * MIB(64) + MIB(1)) /* a reply, each byte of it escaped */
#define IMPORT_CONVERSATION_MAX MIB(256)               /* text and attachments of one */
#define IMPORT_SYSTEM_MAX       MIB(16)
#define IMPORT_MODEL_MAX        512U
#define IMPORT_METADATA_MAX     MIB(1)

typedef struct Import Import;

/* What was read. Of conversation, number and read are not set; head is set as messages are. */
typedef struct Imported {
        StoreConversation conversation;
        char *system;
        /* Oldest first. Parents (and the head) are given by place: n is messages[n - 1], 0 = none;
         * ids are not set. */
        StoreMessage *messages;
        size_t n_messages, allocated;
} Imported;

void imported_done(Imported *i);

/* Gives ids to all messages, in their order, and makes of the parents' places their ids. */
void imported_number(Imported *i, uint64_t (*next_id)(void *userdata), void *userdata);

/* Only regular files and memfds. The descriptor is taken over on success; its offset is neither
 * used nor changed. */
int import_new(Import **ret, int fd, Failure *failure);
Import *import_free(Import *i);
DEFINE_CLEANUP(Import *, import_free)

/* 1: the next conversation. 0: the file's end. */
int import_next(Import *i, Imported *ret, Failure *failure);
